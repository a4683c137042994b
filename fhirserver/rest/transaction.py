"""transaction: several writes and reads as one, or none (https://hl7.org/fhir/R4/http.html#transaction)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from fhirserver.errors import BadRequest, FhirError, NotFound
from fhirserver.outcome import Issue, outcome
from fhirserver.rest import negotiate, references, writing
from fhirserver.rest.answer import Answer, etag, of_value
from fhirserver.rest.bundles import instant

if TYPE_CHECKING:
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction

ORDER: Final = ("DELETE", "POST", "PUT", "GET")
"""The order in which the specification has the verbs carried out."""

_URL: Final = re.compile(r"/?([A-Z][A-Za-z]+)(?:/([A-Za-z0-9\-.]{1,64}))?")
_REASONS: Final = {200: "200 OK", 201: "201 Created", 204: "204 No Content"}


class Entry(NamedTuple):
    """One entry of the Bundle, checked; `id` is chosen already for a POST."""

    place: int
    method: str
    type: str
    id: str
    resource: dict[str, Any] | None
    expected: int | None
    findings: tuple[Issue, ...]


class Done(NamedTuple):
    status: int
    stored: Stored | None


def transaction(exchange: Exchange) -> Answer:
    """`POST [base]` with a Bundle of type `transaction`: answers entry by entry, in the Bundle's order."""
    exchange.refuse_parameters()
    bundle = writing.received(exchange.body(), "Bundle")
    if bundle.get("type") != "transaction":
        raise BadRequest("Bundle.type must be `transaction`; no other is processed here.", expression="Bundle.type")
    entries = _entries(exchange, bundle)
    done: dict[int, Done] = {}

    def work(tx: Transaction) -> list[Stored]:
        done.clear()
        for entry in sorted(entries, key=lambda each: (ORDER.index(each.method), each.type, each.id)):
            with _at(entry):
                done[entry.place] = _carry_out(exchange, tx, entry)
        return [each.stored for each in done.values() if each.stored is not None]

    writing.commit(exchange, "transaction", 200, work)
    answers = [_response(exchange, entry, done[entry.place]) for entry in entries]
    response = {"resourceType": "Bundle", "type": "transaction-response"}
    return of_value(200, response | ({"entry": answers} if answers else {}))


def _entries(exchange: Exchange, bundle: dict[str, Any]) -> list[Entry]:
    listed = bundle.get("entry", [])
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise BadRequest("Bundle.entry must be a list of objects.", expression="Bundle.entry")
    heads = [_head(place, entry) for place, entry in enumerate(listed)]
    known = _full_urls(listed, heads)
    _refuse_twice(heads)
    _refuse_unknown(exchange, bundle)
    entries = []
    for head, entry in zip(heads, listed, strict=True):
        with _at(head):
            entries.append(_checked(exchange, head, entry, known))
    return entries


def _head(place: int, entry: dict[str, Any]) -> Entry:
    where = f"Bundle.entry[{place}].request"
    request = entry.get("request")
    if not isinstance(request, dict):
        raise BadRequest(f"{where} is missing: every entry says its method and url.", expression=where)
    method, url = request.get("method"), request.get("url")
    if method not in ORDER:
        raise BadRequest(f"{where}.method: {method!r} is not offered in a transaction.", expression=f"{where}.method")
    for name in ("ifNoneExist", "ifModifiedSince", "ifNoneMatch"):
        if name in request:
            raise BadRequest(f"{where}.{name} is not offered.", code="not-supported", expression=f"{where}.{name}")
    found = _URL.fullmatch(url) if isinstance(url, str) else None
    if found is None or (found[2] is None) != (method == "POST"):
        wanted = "[type]" if method == "POST" else "[type]/[id]"
        raise BadRequest(f"{where}.url: {url!r} must be {wanted} for {method}.", expression=f"{where}.url")
    return Entry(place, method, found[1], found[2] or writing.new_id(), None, _expected(request, where), ())


def _expected(request: dict[str, Any], where: str) -> int | None:
    given = request.get("ifMatch")
    if "ifMatch" in request and not isinstance(given, str):
        raise BadRequest(f"{where}.ifMatch must be text.", expression=f"{where}.ifMatch")
    try:
        return negotiate.if_match(given)
    except BadRequest as error:
        raise BadRequest(f"{where}.ifMatch: {error.text}", expression=f"{where}.ifMatch") from None


def _full_urls(listed: list[dict[str, Any]], heads: list[Entry]) -> dict[str, str]:
    """Full URL to `Type/id`, of the entries that bring a resource."""
    known: dict[str, str] = {}
    for head, entry in zip(heads, listed, strict=True):
        url = entry.get("fullUrl")
        if head.method not in ("POST", "PUT") or not isinstance(url, str):
            continue
        if url in known:
            where = f"Bundle.entry[{head.place}].fullUrl"
            raise BadRequest(f"{where}: {url} stands twice in the Bundle.", expression=where)
        known[url] = f"{head.type}/{head.id}"
    return known


def _refuse_twice(heads: list[Entry]) -> None:
    seen: set[tuple[str, str]] = set()
    for head in heads:
        if head.method == "GET":
            continue
        if (head.type, head.id) in seen:
            where = f"Bundle.entry[{head.place}]"
            raise BadRequest(f"{where}: {head.type}/{head.id} is written twice in one transaction.", expression=where)
        seen.add((head.type, head.id))


def _refuse_unknown(exchange: Exchange, bundle: dict[str, Any]) -> None:
    """What is around the resources conforms too: a misspelt `entry` is no empty transaction. Raises Unprocessable."""
    shell = {name: value for name, value in bundle.items() if name != "meta"}
    if "entry" in bundle:
        listed = bundle["entry"]
        shell["entry"] = [{name: value for name, value in entry.items() if name != "resource"} for entry in listed]
    writing.validated(exchange, shell)


def _checked(exchange: Exchange, head: Entry, entry: dict[str, Any], known: dict[str, str]) -> Entry:
    definitions = exchange.services.definitions
    if head.type not in definitions.resource_types:
        raise NotFound(f"{head.type} is not a resource type of FHIR R4.", code="not-supported")
    if head.method not in ("POST", "PUT"):
        return head
    content = entry.get("resource")
    if not isinstance(content, dict):
        raise BadRequest("the entry brings no resource.")
    resource = writing.received(content, head.type, head.id if head.method == "PUT" else None)
    references.resolve(definitions, resource, known)
    for text in references.literal(definitions, resource):
        if text.startswith(("urn:uuid:", "urn:oid:")):
            raise BadRequest(f"the reference {text} points to no entry of the Bundle.")
        if "?" in text.removeprefix(exchange.services.base) and ":" not in text.partition("?")[0]:
            raise BadRequest(f"the conditional reference {text} is not offered.", code="not-supported")
    return head._replace(resource=resource, findings=tuple(writing.validated(exchange, resource)))


def _carry_out(exchange: Exchange, tx: Transaction, entry: Entry) -> Done:
    if entry.method == "GET":
        stored = tx.view.read(entry.type, entry.id)
        if stored is None or stored.deleted:
            raise NotFound(f"{entry.type}/{entry.id} is not known here.")
        return Done(200, stored)
    if entry.method == "DELETE":
        deleted = writing.delete(exchange, tx, entry.type, entry.id, entry.expected)
        return Done(204, deleted[0] if deleted else None)
    resource = entry.resource or {}
    if entry.method == "POST":
        return Done(201, writing.create(exchange, tx, resource, entry.id))
    stored = writing.update(exchange, tx, resource, entry.id, entry.expected)
    return Done(201 if stored.version == 1 else 200, stored)


def _response(exchange: Exchange, entry: Entry, done: Done) -> dict[str, Any]:
    response: dict[str, Any] = {"status": _REASONS[done.status]}
    answer: dict[str, Any] = {"response": response}
    stored = done.stored
    if stored is None:
        return answer
    if entry.method in ("POST", "PUT"):
        response["location"] = f"{stored.type}/{stored.id}/_history/{stored.version}"
    response["etag"] = etag(stored.version)
    response["lastModified"] = instant(stored)
    if entry.method == "GET" or (exchange.prefer.returns == "representation" and not stored.deleted):
        answer["resource"] = orjson.Fragment(stored.body)
    if exchange.prefer.returns == "OperationOutcome":
        response["outcome"] = outcome(entry.findings)
    return answer


class _at:  # noqa: N801 - reads as a word of the with statement
    """Tells in which entry an error arose."""

    def __init__(self, entry: Entry) -> None:
        self._place = entry.place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, FhirError) or error.status >= 500:
            return
        where = f"Bundle.entry[{self._place}]"
        error.issues = tuple(
            issue._replace(
                text=f"{where}: {issue.text}",
                expression=tuple(f"{where}.resource{_below(each)}" for each in issue.expression) or (where,),
            )
            for issue in error.issues
        )


def _below(expression: str) -> str:
    """The location without its resource type."""
    _, dot, rest = expression.partition(".")
    return dot + rest
