"""Faults of a server, one at a time, each with the script of the kit that has to find it."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode

from fhirserver import jsontext
from fhirserver.errors import FhirError
from tests.conformance.answering import Asked, Told

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.proxying import Forward, Spoil

READ: Final = re.compile(r"/fhir/[A-Z]\w+/[\w.-]+(\?.*)?")
"""A read of one resource."""
PLAIN: Final = {"content-type": "text/html; charset=utf-8"}


class Fault(NamedTuple):
    """`script`: suite and name of the script that finds it."""

    name: str
    script: str
    spoil: Spoil


def _resource(told: Told) -> Any:
    """The JSON of an answer; None when it has none."""
    try:
        return jsontext.parse(told.body) if isinstance(told.body, bytes) and told.body[:1] in (b"{", b"[") else None
    except FhirError:
        return None


def _edited(change: Callable[[Any, Asked], None]) -> Spoil:
    """Changes the resource that is answered."""

    def spoil(asked: Asked, forward: Forward) -> Told:
        told = forward(asked)
        resource = _resource(told)
        if resource is None:
            return told
        change(resource, asked)
        return told._replace(body=resource)

    return spoil


def _bundle(change: Callable[[dict[str, Any], Asked], None]) -> Spoil:
    """Changes each searchset, history and answer to a transaction."""
    return _edited(lambda found, asked: change(found, asked) if found.get("resourceType") == "Bundle" else None)


def _read(change: Callable[[dict[str, Any]], None]) -> Spoil:
    """Changes what is read by its id."""
    return _edited(lambda found, asked: change(found) if asked.method == "GET" and READ.fullmatch(asked.path) else None)


def _without(*names: str) -> Spoil:
    """Answers lack these headers."""

    def spoil(asked: Asked, forward: Forward) -> Told:
        told = forward(asked)
        return told._replace(headers={name: value for name, value in told.headers.items() if name not in names})

    return spoil


def _deaf(*names: str) -> Spoil:
    """These headers of requests are not looked at."""
    return lambda asked, forward: forward(
        asked._replace(headers={name: value for name, value in asked.headers.items() if name not in names})
    )


def _status(method: str, before: int, after: int, **more: Any) -> Spoil:
    """Another status than the right one."""

    def spoil(asked: Asked, forward: Forward) -> Told:
        told = forward(asked)
        return told._replace(status=after, **more) if (asked.method, told.status) == (method, before) else told

    return spoil


def _path(pattern: str, replacement: str) -> Spoil:
    """Another address is asked for than was."""
    return lambda asked, forward: forward(asked._replace(path=re.sub(pattern, replacement, asked.path)))


def _query(change: Callable[[str, str], tuple[str, str] | None]) -> Spoil:
    """Search parameters that are understood as others, or not at all."""

    def spoil(asked: Asked, forward: Forward) -> Told:
        path, mark, query = asked.path.partition("?")
        if asked.method != "GET" or not mark:
            return forward(asked)
        changed = [new for pair in parse_qsl(query, keep_blank_values=True) if (new := change(*pair))]
        return forward(asked._replace(path=f"{path}?{urlencode(changed)}"))

    return spoil


def _ignoring(*names: str) -> Spoil:
    return _query(lambda name, value: None if name in names else (name, value))


def _never(method: str, status: int) -> Spoil:
    """It is said to be done, and is not."""

    def spoil(asked: Asked, forward: Forward) -> Told:
        if asked.method != method:
            return forward(asked)
        return Told(status) if status == 204 else forward(asked._replace(method="GET", body=b""))

    return spoil


def _rounded(asked: Asked, forward: Forward) -> Told:
    told = forward(asked)
    cut = re.sub(rb"(?<=[:\"])(\s*)(\d+\.\d+)", lambda found: found[1] + _two(found[2]), told.body or b"")
    return told._replace(body=cut)


def _two(digits: bytes) -> bytes:
    """No more than two digits after the point."""
    return str(Decimal(digits.decode()).quantize(Decimal("0.01"), ROUND_HALF_UP)).encode()


def _stale(asked: Asked, forward: Forward) -> Told:
    """The first version of everything."""
    if asked.method == "GET" and READ.fullmatch(asked.path):
        return forward(asked._replace(path=f"{asked.path.partition('?')[0]}/_history/1"))
    return forward(asked)


def _accepting(asked: Asked, forward: Forward) -> Told:
    """Takes whatever is posted."""
    told = forward(asked)
    if asked.method == "POST" and told.status in (400, 422):
        return Told(201, asked.body, {"location": "http://x/fhir/Basic/1/_history/1"})
    return told


def _html(asked: Asked, forward: Forward) -> Told:
    told = forward(asked)
    return told if told.status < 400 else Told(told.status, b"<html><body>Error</body></html>", PLAIN)


def _mute(asked: Asked, forward: Forward) -> Told:
    told = forward(asked)
    return told if told.status < 400 else told._replace(body=b"")


def _traceback(asked: Asked, forward: Forward) -> Told:
    told = forward(asked)
    return told if told.status not in (400, 404, 422) else Told(500, b"Traceback (most recent call last):", PLAIN)


def _in_json(asked: Asked, forward: Forward) -> Told:
    path = re.sub(r"([?&])_format=\w+&?", r"\1", asked.path)
    return forward(asked._replace(path=path, headers={**asked.headers, "accept": "application/fhir+json"}))


def _batch_fails_whole(asked: Asked, forward: Forward) -> Told:
    told = forward(asked)
    failed = [each for each in _entries(told) if each.get("response", {}).get("status", "2")[0] != "2"]
    return Told(400, failed[0]["response"].get("outcome")) if failed else told


def _not_atomic(asked: Asked, forward: Forward) -> Told:
    return forward(asked._replace(body=asked.body.replace(b'"transaction"', b'"batch"')))


def _unlinked(asked: Asked, forward: Forward) -> Told:
    """References among the entries of a transaction stay as they were sent."""
    names = re.compile(rb'("reference":\s*"urn):uuid:')
    return forward(asked._replace(body=names.sub(rb"\1:other:", asked.body)))


def _entries(told: Told) -> list[dict[str, Any]]:
    found = _resource(told)
    return found.get("entry", []) if isinstance(found, dict) else []


def _last_dropped(bundle: dict[str, Any], _: Asked) -> None:
    if bundle.get("type") == "searchset":
        bundle.get("entry", [])[-1:] = []


def _last_repeated(bundle: dict[str, Any], _: Asked) -> None:
    if bundle.get("type") == "searchset":
        bundle.get("entry", []).extend(bundle.get("entry", [])[-1:])


def _total_raised(bundle: dict[str, Any], _: Asked) -> None:
    if "total" in bundle:
        bundle["total"] += 1


def _links_dropped(relation: str) -> Spoil:
    def change(bundle: dict[str, Any], _: Asked) -> None:
        bundle["link"] = [each for each in bundle.get("link", ()) if each["relation"] != relation]

    return _bundle(change)


def _included_as_matches(bundle: dict[str, Any], _: Asked) -> None:
    for each in bundle.get("entry", ()):
        if "search" in each:
            each["search"]["mode"] = "match"


def _reversed(kind: str) -> Spoil:
    def change(bundle: dict[str, Any], _: Asked) -> None:
        if bundle.get("type") == kind:
            bundle.get("entry", []).reverse()

    return _bundle(change)


def _without_deletions(bundle: dict[str, Any], _: Asked) -> None:
    if bundle.get("type") == "history":
        bundle["entry"] = [each for each in bundle.get("entry", ()) if each["request"]["method"] != "DELETE"]


def _elements(bundle: dict[str, Any], _: Asked) -> None:
    for each in bundle.get("entry", ()):
        each.get("resource", {}).get("meta", {}).pop("tag", None)


def _sort_turned(name: str, value: str) -> tuple[str, str]:
    return (name, value[1:] if value[:1] == "-" else f"-{value}") if name == "_sort" else (name, value)


def _modifiers_dropped(name: str, value: str) -> tuple[str, str]:
    return (name.partition(":")[0] if name.endswith((":not", ":text", ":exact", ":contains")) else name, value)


def _prefixes_dropped(name: str, value: str) -> tuple[str, str]:
    return name, re.sub(r"^[a-z]{2}(?=\d)", "", value)


def _units_dropped(name: str, value: str) -> tuple[str, str]:
    return name, value.partition("|")[0] if name == "value-quantity" else value


def _first_alternative(name: str, value: str) -> tuple[str, str]:
    return name, value.partition(",")[0] if not name.startswith("_") else value


def _first_page_again() -> Spoil:
    first: dict[str, Told] = {}

    def spoil(asked: Asked, forward: Forward) -> Told:
        told = forward(asked)
        found = _resource(told) or {}
        for link in found.get("link", ()) if isinstance(found, dict) else ():
            if link["relation"] == "next":
                first[unquote(link["url"]).partition("/fhir")[2]] = told
        return first.get(unquote(asked.path).partition("/fhir")[2], told)

    return spoil


def _no_versions(resource: dict[str, Any]) -> None:
    resource.pop("meta", None)


def _no_notes(resource: dict[str, Any]) -> None:
    resource.pop("note", None)


def _release(resource: Any, _: Asked) -> None:
    if resource.get("resourceType") == "CapabilityStatement":
        resource["fhirVersion"] = "5.0.0"


def _other_bytes(asked: Asked, forward: Forward) -> Told:
    told = forward(asked)
    return told._replace(body=(told.body or b"") + b" ") if "/Binary/" in asked.path else told


def bearing(token: str) -> Spoil:
    """Every request is carried out as if that token had come with it."""
    return lambda asked, forward: forward(asked._replace(headers={**asked.headers, "authorization": f"Bearer {token}"}))


FAULTS: Final = (
    Fault("no ETag", "rest/read", _without("etag")),
    Fault("no Last-Modified", "rest/read", _without("last-modified")),
    Fault("200 for what was created", "rest/create", _status("POST", 201, 200)),
    Fault("what was deleted is read", "rest/delete", _status("GET", 410, 200)),
    Fault("500 for what is unknown", "rest/read", _status("GET", 404, 500)),
    Fault("an empty 200 for what is unknown", "rest/read", _status("GET", 404, 200, body=b"")),
    Fault("a media type that is not FHIR's", "rest/formats", lambda asked, forward: _typed(forward(asked))),
    Fault("an element is lost", "rest/read", _read(_no_notes)),
    Fault("meta is lost", "rest/read", _read(_no_versions)),
    Fault("decimals are rounded", "rest/create", _rounded),
    Fault("Bundle.total is one too many", "search/common", _bundle(_total_raised)),
    Fault("the last match is dropped", "search/token", _bundle(_last_dropped)),
    Fault("the last match comes twice", "search/token", _bundle(_last_repeated)),
    Fault("_count is ignored", "search/common", _ignoring("_count")),
    Fault("a search parameter is ignored", "search/token", _ignoring("status")),
    Fault("modifiers are ignored", "search/token", _query(_modifiers_dropped)),
    Fault("prefixes of dates are ignored", "search/date", _query(_prefixes_dropped)),
    Fault("units are ignored", "search/quantity", _query(_units_dropped)),
    Fault("alternatives after the first are ignored", "search/token", _query(_first_alternative)),
    Fault("_sort is turned round", "search/common", _query(_sort_turned)),
    Fault("_include is ignored", "search/reference", _ignoring("_include", "_revinclude")),
    Fault("what was included counts as a match", "search/reference", _bundle(_included_as_matches)),
    Fault("_summary and _elements are ignored", "search/common", _ignoring("_summary", "_elements")),
    Fault("subsets are not marked", "search/common", _bundle(_elements)),
    Fault("no next link", "search/common", _links_dropped("next")),
    Fault("no self link", "search/common", _links_dropped("self")),
    Fault("the next page is the first again", "search/common", _first_page_again()),
    Fault("unknown parameters are passed over", "search/common", _ignoring("nonsense")),
    Fault("the compartment is ignored", "search/compartment", _path(r"/Patient/[\w-]+/Observation", "/Observation")),
    Fault("a stale version is read", "rest/versions", _stale),
    Fault("a history runs forwards", "rest/versions", _reversed("history")),
    Fault("a history has no deletions", "rest/delete", _bundle(_without_deletions)),
    Fault("whatever is posted is taken", "rest/create", _accepting),
    Fault("If-Match is ignored", "rest/update", _deaf("if-match")),
    Fault("If-None-Exist is ignored", "rest/conditional-create", _deaf("if-none-exist")),
    Fault("If-None-Match is ignored", "rest/read", _deaf("if-none-match")),
    Fault("Prefer is ignored", "rest/prefer", _deaf("prefer")),
    Fault("no Location", "rest/create", _without("location")),
    Fault("JSON where XML was asked for", "rest/formats", _in_json),
    Fault("HTML in place of an OperationOutcome", "rest/create", _html),
    Fault("nothing in place of an OperationOutcome", "rest/create", _mute),
    Fault("a stack trace in place of a refusal", "rest/create", _traceback),
    Fault("the entries of a transaction are out of order", "rest/transaction", _reversed("transaction-response")),
    Fault("a transaction is carried out in part", "rest/transaction", _not_atomic),
    Fault("references among entries are left", "rest/transaction", _unlinked),
    Fault("a batch fails as a whole", "rest/batch", _batch_fails_whole),
    Fault("a patch is not carried out", "rest/patch", _never("PATCH", 200)),
    Fault("an update is not carried out", "rest/update", _never("PUT", 200)),
    Fault("a deletion is not carried out", "rest/delete", _never("DELETE", 204)),
    Fault("403 for what is hidden", "consent/reads", _status("GET", 404, 403)),
    Fault("totals count what is hidden", "consent/searches", _bundle(_total_raised)),
    Fault("a second record with the same INS is taken", "identity/number", _status("POST", 409, 201)),
    Fault("profiles that are claimed are not looked at", "identity/ins", _accepting),
    Fault("an AuditEvent may be changed", "audit/whose", _status("PUT", 405, 200)),
    Fault("no WWW-Authenticate", "smart/bearer", _without("www-authenticate")),
    Fault("the bytes of a document are others", "documents/retrieve", _other_bytes),
    Fault("documents that are wrong are taken", "documents/refused", _status("POST", 422, 200)),
    Fault("a CDA header that is wrong is taken", "cda/header", _status("POST", 422, 201)),
    Fault("another release of FHIR", "rest/capabilities", _edited(_release)),
)
"""Those that need no other's token."""


def _typed(told: Told) -> Told:
    return told._replace(headers={**told.headers, "content-type": "text/plain"})
