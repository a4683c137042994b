"""Words to write TestScripts with: each function gives a part of the resource as it is stored."""

from __future__ import annotations

from typing import Any, Final

ROLE: Final = "urn:fhirserver:conformance:role"
REQUIREMENT: Final = "urn:fhirserver:conformance:requirement"
URL: Final = "urn:fhirserver:conformance:"
FILES: Final = "files"
"""Key of what is written beside a script; it is no part of the TestScript."""
MATCHES: Final = "Bundle.entry.where(search.mode = 'match' or search.mode.empty()).resource"
"""What a search found, without what came along."""
Part = dict[str, Any]
Fixture = dict[str, Any] | list[Any] | str


class Text(str):
    """XML or other text that is no resource: it lies in a file, which is sent as it is but for its variables."""

    __slots__ = ()


class Wrong(dict[str, Any]):
    """A resource that no script may contain, often because it is none: it lies in a file."""


def script(
    name: str,
    title: str,
    *tests: Part,
    roles: tuple[str, ...] = ("operator",),
    fixtures: dict[str, Fixture] | None = None,
    auto: bool = True,
    variables: tuple[Part, ...] = (),
    profiles: dict[str, str] | None = None,
    setup: tuple[Part, ...] = (),
    teardown: tuple[Part, ...] = (),
) -> Part:
    """A TestScript. `roles` by origin, the first is who asks where nothing is said. `fixtures`: resources, lists (JSON
    Patch) or names of files; they are created before and deleted after the tests when `auto`, but for names that begin
    with `-`. A list, and a resource that must not be contained, become files of their own: `FILES` of the result."""
    given = fixtures or {}
    made: Part = {
        "resourceType": "TestScript",
        "url": URL + name,
        "name": name,
        "title": title,
        "status": "active",
        "origin": [{"index": n, "profile": {"system": ROLE, "code": each}} for n, each in enumerate(roles, 1)],
    }
    files = {_place(name, key, each): each for key, each in given.items() if _needs_file(each)}
    held = {key: each for key, each in given.items() if isinstance(each, dict) and _is_contained(each)}
    if held:
        made["contained"] = [{**each, "id": _id(key)} for key, each in held.items()]
    if given:
        made["fixture"] = [_fixture(name, key, each, auto=auto) for key, each in given.items()]
    if files:
        made[FILES] = files
    if profiles:
        made["profile"] = [{"id": key, "reference": canonical} for key, canonical in profiles.items()]
    if variables:
        made["variable"] = list(variables)
    if setup:
        made["setup"] = {"action": list(setup)}
    made["test"] = list(tests)
    if teardown:
        made["teardown"] = {"action": list(teardown)}
    return made


def case(name: str, requirement: str, *actions: Part, text: str = "") -> Part:
    """A test of one or more requirements (ids, separated by blanks)."""
    named = [{"url": REQUIREMENT, "valueString": each} for each in requirement.split()]
    return {"extension": named, "name": name, **({"description": text} if text else {}), "action": list(actions)}


def ask(code: str, resource: str = "", params: str = "", **more: Any) -> Part:
    """An operation: `code` an interaction or an operation's name; more: `source`, `target`, `origin`, `accept`, …"""
    names = {"source": "sourceId", "target": "targetId", "response": "responseId", "content": "contentType"}
    made: Part = {"type": {"code": code}} if code else {}
    if resource:
        made["resource"] = resource
    headers = more.pop("headers", {})
    made |= {names.get(name, name): value for name, value in more.items()}
    if params:
        made["params"] = params
    if headers:
        made["requestHeader"] = [{"field": field, "value": value} for field, value in headers.items()]
    return {"operation": {"encodeRequestUrl": True, **made}}


def check(text: str, **criteria: Any) -> Part:
    """An assert, and what it says to a human."""
    return {"assert": {"description": text, "warningOnly": False, **criteria}}


def status(*codes: int) -> Part:
    """The answer has one of these statuses."""
    listed = ",".join(map(str, codes))
    return check(f"status {' or '.join(map(str, codes))}", responseCode=listed, operator="in")


def says(expression: str, value: str | None = None, text: str = "", **more: Any) -> Part:
    """A FHIRPath expression on the answer is true, or gives a value."""
    told = text or (expression if value is None else f"{expression} is {value}")
    return check(
        told, expression=expression, **({} if value is None else {"operator": "equals", "value": value}), **more
    )


def header(name: str, value: str | None = None, operator: str = "equals") -> Part:
    """A header of the answer is there, or has a value."""
    if value is None:
        return check(f"the header {name}", headerField=name, operator="notEmpty")
    return check(f"{name} {operator} {value}", headerField=name, operator=operator, value=value)


def outcome() -> Part:
    """The answer is an OperationOutcome with an error."""
    return says(
        "OperationOutcome.issue.where(severity = 'error' or severity = 'fatal').exists()", text="an OperationOutcome"
    )


def refused(*codes: int) -> tuple[Part, Part]:
    """Refused with one of these statuses and an OperationOutcome."""
    return status(*codes), outcome()


def total(count: int) -> tuple[Part, Part, Part]:
    """A searchset of so many matches."""
    return (
        status(200),
        says("Bundle.type", "searchset"),
        says(f"{MATCHES}.count()", str(count)),
    )


def variable(name: str, source: str = "", expression: str = "", **more: Any) -> Part:
    """A variable by FHIRPath on a source, or by `header`, `path`, `default`."""
    names = {"header": "headerField", "default": "defaultValue"}
    made: Part = {"name": name, **({"sourceId": source} if source else {})}
    if expression:
        made["expression"] = expression
    return made | {names.get(key, key): value for key, value in more.items()}


def _id(key: str) -> str:
    return key.removeprefix("-")


def _is_contained(given: Fixture) -> bool:
    """Whether a resource may be contained in another (rules dom-2, dom-4 and dom-5), and is one."""
    alone = not isinstance(given, dict) or isinstance(given, Wrong) or {"id", "contained"} & given.keys()
    return not alone and isinstance(given, dict) and not given.get("meta", {}).keys() - {"profile"}


def _needs_file(given: Fixture) -> bool:
    return isinstance(given, Text) or (not isinstance(given, str) and not _is_contained(given))


def _place(script: str, key: str, given: Fixture) -> str:
    if _needs_file(given):
        ending = "json" if not isinstance(given, Text) else "xml" if given.startswith("<") else "txt"
        return f"fixtures/{script}-{_id(key)}.{ending}"
    return given if isinstance(given, str) else f"#{_id(key)}"


def _fixture(script: str, key: str, given: Fixture, *, auto: bool) -> Part:
    alive = auto and not key.startswith("-")
    place = {"reference": _place(script, key, given)}
    return {"id": _id(key), "autocreate": alive, "autodelete": alive, "resource": place}
