"""The asserts of a TestScript (testscript.html, "Asserts"): each criterion a function that gives what was found."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.conformance.looking import LookError, by_expression, by_path, resource_of
from fhirserver.conformance.minimum import missing
from fhirserver.conformance.script import ScriptError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fhirserver.conformance.state import State
    from fhirserver.conformance.wire import Message

RESPONSES: Final = {
    "okay": (200,),
    "created": (201,),
    "noContent": (204,),
    "notModified": (304,),
    "bad": (400,),
    "forbidden": (403,),
    "notFound": (404,),
    "methodNotAllowed": (405,),
    "conflict": (409,),
    "gone": (410,),
    "preconditionFailed": (412,),
    "unprocessable": (422,),
}
_FORMS: Final = {"json": "application/fhir+json", "xml": "application/fhir+xml"}


class Verdict(NamedTuple):
    """Whether it holds, and what was expected and found."""

    holds: bool
    text: str


class Judge:
    """Judges the asserts of one script. `validate`: the errors of a resource by a profile's canonical."""

    def __init__(self, state: State, validate: Callable[[dict[str, Any], str], Sequence[str]]) -> None:
        self._state, self._validate = state, validate

    def judge(self, asserted: dict[str, Any]) -> Verdict:
        """Raises ScriptError for an assert that cannot be judged, LookError where there is nothing to look into."""
        criterion = next((each for each in _CRITERIA if each in asserted), None)
        if criterion is None:
            raise ScriptError("the assert has no criterion that is supported")
        return _CRITERIA[criterion](self, asserted)

    def _message(self, asserted: dict[str, Any]) -> Message:
        source = asserted.get("sourceId")
        if source and (found := self._state.message(source)):
            return found
        if self._state.last is None:
            raise ScriptError("nothing was sent before this assert")
        return self._state.last.request if asserted.get("direction") == "request" else self._state.last.answer

    def _resource(self, asserted: dict[str, Any]) -> dict[str, Any]:
        if source := asserted.get("sourceId"):
            return self._state.resource(source)
        return resource_of(self._message(asserted).content, self._state.definitions)

    def _content(self, asserted: dict[str, Any]) -> bytes:
        source = asserted.get("sourceId")
        return self._state.content(source) if source else self._message(asserted).content

    def _value(self, asserted: dict[str, Any]) -> str | None:
        """What is compared with: `value`, or what another source says."""
        if source := asserted.get("compareToSourceId"):
            if expression := asserted.get("compareToSourceExpression"):
                resource = self._state.resource(source)
                found = by_expression(self._state.filled(expression), resource, self._state.definitions)
            elif path := asserted.get("compareToSourcePath"):
                found = by_path(self._state.filled(path), self._state.content(source))
            else:
                raise ScriptError("compareToSourceId takes compareToSourceExpression or compareToSourcePath")
            return ",".join(found)
        return self._state.filled(asserted["value"]) if "value" in asserted else None

    def content_type(self, asserted: dict[str, Any]) -> Verdict:
        expected = _FORMS.get(asserted["contentType"], asserted["contentType"])
        found = self._message(asserted).headers.get("content-type", "").partition(";")[0].strip()
        return _compared(asserted.get("operator", "equals"), [found], expected)

    def header(self, asserted: dict[str, Any]) -> Verdict:
        found = self._message(asserted).headers.get(self._state.filled(asserted["headerField"]).lower())
        return _compared(_operator(asserted), [] if found is None else [found], self._value(asserted))

    def expression(self, asserted: dict[str, Any]) -> Verdict:
        expression = self._state.filled(asserted["expression"])
        found = by_expression(expression, self._resource(asserted), self._state.definitions)
        value = self._value(asserted)
        if value is None and "operator" not in asserted:
            return Verdict(found == ["true"], f"{expression} gives {_listed(found)}, true was expected")
        told = _compared(_operator(asserted), found, value)
        return told._replace(text=f"{expression}: {told.text}")

    def path(self, asserted: dict[str, Any]) -> Verdict:
        path = self._state.filled(asserted["path"])
        told = _compared(_operator(asserted), by_path(path, self._content(asserted)), self._value(asserted))
        return told._replace(text=f"{path}: {told.text}")

    def minimum(self, asserted: dict[str, Any]) -> Verdict:
        lacking = list(missing(self._state.resource(asserted["minimumId"]), self._resource(asserted)))
        return Verdict(not lacking, "; ".join(lacking[:5]) or "all of the fixture is there")

    def links(self, asserted: dict[str, Any]) -> Verdict:
        if not asserted["navigationLinks"]:
            return Verdict(True, "links are not looked at")
        found = {each.get("relation"): each.get("url") for each in self._resource(asserted).get("link", ())}
        wrong = [name for name in ("self", "first", "next") if name in found and not found[name]]
        return Verdict("self" in found and not wrong, f"links: {', '.join(map(str, found)) or 'none'}")

    def method(self, asserted: dict[str, Any]) -> Verdict:
        found = self._message({**asserted, "direction": "request"}).method.lower()
        return _compared(_operator(asserted), [found], asserted["requestMethod"].lower())

    def url(self, asserted: dict[str, Any]) -> Verdict:
        found = self._message({**asserted, "direction": "request"}).url
        return _compared(_operator(asserted), [found], self._state.filled(asserted["requestURL"]))

    def type(self, asserted: dict[str, Any]) -> Verdict:
        found = str(self._resource(asserted).get("resourceType"))
        return _compared(asserted.get("operator", "equals"), [found], asserted["resource"])

    def response(self, asserted: dict[str, Any]) -> Verdict:
        expected = RESPONSES.get(asserted["response"])
        if expected is None:
            raise ScriptError(f"{asserted['response']!r} is no response code of R4")
        found = self._message(asserted).status
        inside = (found in expected) != (asserted.get("operator") in ("notEquals", "notIn"))
        return Verdict(inside, f"status {found}, {asserted['response']} was expected")

    def code(self, asserted: dict[str, Any]) -> Verdict:
        expected = self._state.filled(asserted["responseCode"])
        operator = asserted.get("operator", "in" if "," in expected else "equals")
        return _compared(operator, [str(self._message(asserted).status)], expected)

    def profile(self, asserted: dict[str, Any]) -> Verdict:
        wrong = self._validate(self._resource(asserted), asserted["validateProfileId"])
        return Verdict(not wrong, "; ".join(wrong[:5]) or "valid")


_CRITERIA: Final[dict[str, Callable[[Judge, dict[str, Any]], Verdict]]] = {
    "contentType": Judge.content_type,
    "headerField": Judge.header,
    "expression": Judge.expression,
    "path": Judge.path,
    "minimumId": Judge.minimum,
    "navigationLinks": Judge.links,
    "requestMethod": Judge.method,
    "requestURL": Judge.url,
    "resource": Judge.type,
    "response": Judge.response,
    "responseCode": Judge.code,
    "validateProfileId": Judge.profile,
}


def _operator(asserted: dict[str, Any]) -> str:
    given = asserted.get("operator")
    if given:
        return str(given)
    return (
        "equals" if "value" in asserted or "compareToSourceId" in asserted or "requestURL" in asserted else "notEmpty"
    )


def _compared(operator: str, found: list[str], value: str | None) -> Verdict:
    """Whether what was found stands in this relation to the value."""
    if operator in ("empty", "notEmpty"):
        return Verdict(bool(found) == (operator == "notEmpty"), f"{_listed(found)} was found, {operator} was expected")
    if operator == "eval":
        return Verdict(found == ["true"], f"{_listed(found)} was found, true was expected")
    if value is None:
        raise ScriptError(f"the operator {operator} takes a value")
    try:
        holds = _OPERATORS[operator](found, value)
    except KeyError:
        raise ScriptError(f"the operator {operator!r} is not supported") from None
    return Verdict(holds, f"{_listed(found)} was found, {operator} {value!r} was expected")


def _equal(found: list[str], value: str) -> bool:
    text = ",".join(found)
    if text == value:
        return True
    try:
        return bool(found) and Decimal(text) == Decimal(value)
    except InvalidOperation:
        return False


def _ordered(found: list[str], value: str, sign: int) -> bool:
    if len(found) != 1:
        return False
    try:
        return (Decimal(found[0]) - Decimal(value)) * sign > 0
    except InvalidOperation:
        return (found[0] > value) if sign > 0 else (found[0] < value)


_OPERATORS: Final[dict[str, Callable[[list[str], str], bool]]] = {
    "equals": _equal,
    "notEquals": lambda found, value: not _equal(found, value),
    "in": lambda found, value: bool(found) and set(found) <= set(re.split(r"\s*,\s*", value.strip())),
    "notIn": lambda found, value: not set(found) & set(re.split(r"\s*,\s*", value.strip())),
    "greaterThan": lambda found, value: _ordered(found, value, 1),
    "lessThan": lambda found, value: _ordered(found, value, -1),
    "contains": lambda found, value: any(value in each for each in found),
    "notContains": lambda found, value: not any(value in each for each in found),
}


def _listed(found: list[str]) -> str:
    text = ", ".join(found) or "nothing"
    return text if len(text) <= 300 else f"{text[:300]}…"


__all__ = ["Judge", "LookError", "Verdict"]
