"""The entries of a transaction Bundle, read and checked before anything is done
(https://hl7.org/fhir/R4/http.html#transaction).

Each resource gets an id at once, and what refers to it is written so. Ids that depend on what conditions find are
replaced later, within the transaction (`resolving`).
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl

from fhirserver.documents.fhir import is_document
from fhirserver.errors import BadRequest, FhirError, NotFound
from fhirserver.rest import conditional, conforming, negotiate, references, writing
from fhirserver.rest.answer import http_date
from fhirserver.rest.documents.changes import require_deletable
from fhirserver.rest.patch import of_binary
from fhirserver.rest.tracing.step import require_changeable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.outcome import Issue
    from fhirserver.rest.conditional import Condition
    from fhirserver.rest.exchange import Exchange

ORDER: Final = ("DELETE", "POST", "PUT", "PATCH", "GET", "HEAD")
"""The order in which the specification has the verbs carried out."""

READS: Final = ("GET", "HEAD")
_URL: Final = re.compile(r"/?([A-Z][A-Za-z]+)(?:/([A-Za-z0-9\-.]{1,64}))?(?:\?(.*))?", re.DOTALL)
_RESTFUL: Final = re.compile(r"(https?://\S+/)([A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})")
_HEADERS: Final = {
    "ifNoneMatch": ("If-None-Match", ("GET", "HEAD", "PUT")),
    "ifModifiedSince": ("If-Modified-Since", ("GET", "HEAD")),
    "ifNoneExist": ("If-None-Exist", ("POST",)),
    "ifMatch": ("If-Match", ("PUT", "PATCH", "DELETE")),
}
"""Members of an entry's request by the header that they stand for, and the methods that take them."""


class Entry(NamedTuple):
    """One entry of the Bundle, checked; `id` is chosen already for a POST.

    Of a GET, only `url` and `headers` count; of a PATCH, `resource` is the patch.
    """

    place: int
    method: str
    type: str
    id: str
    url: str
    headers: Mapping[str, str]
    condition: Condition | None = None
    resource: dict[str, Any] | None = None
    expected: int | None = None
    findings: tuple[Issue, ...] = ()


class Sought(NamedTuple):
    """A conditional reference: what stands for it in the resources until it is known what it leads to."""

    place: int
    condition: Condition
    placeholder: str


class Checked(NamedTuple):
    """`sought` by the text of the reference."""

    entries: list[Entry]
    sought: dict[str, Sought]


def checked(exchange: Exchange, bundle: dict[str, Any]) -> Checked:
    """The entries in the Bundle's order. Raises what is wrong with the first that is, naming its place."""
    entries = listed(bundle)
    heads = [_head(exchange, place, entry) for place, entry in enumerate(entries)]
    known = _full_urls(entries, heads)
    refuse_unknown(exchange, bundle)
    found = Checked([], {})
    for head, entry in zip(heads, entries, strict=True):
        with at(head.place):
            found.entries.append(_with_resource(exchange, head, entry, known, found.sought))
    return found


def brings(entry: Entry, condition: Condition) -> bool:
    """Whether an entry stores what a condition looks for: by the same condition, or one identifier that it bears."""
    if entry.resource is None or entry.method not in ("POST", "PUT") or entry.type != condition.query.type:
        return False
    if entry.condition is not None and entry.condition.text == condition.text:
        return True
    (name, value), *others = condition.query.params
    if name != "identifier" or others or "," in value or "\\" in value:
        return False
    system, bar, code = value.rpartition("|")
    found = entry.resource.get("identifier")
    return any(
        isinstance(each, dict) and each.get("value") == code and (not bar or each.get("system", "") == system)
        for each in (found if isinstance(found, list) else [found])
    )


def listed(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries. Raises BadRequest when they are no list of objects."""
    found = bundle.get("entry", [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise BadRequest("Bundle.entry must be a list of objects.", expression="Bundle.entry")
    return found


def request_of(place: int, entry: dict[str, Any]) -> tuple[str, str, dict[str, str]]:
    """Method, URL and headers of an entry. Raises BadRequest when they are missing or no texts."""
    where = f"Bundle.entry[{place}].request"
    request = entry.get("request")
    if not isinstance(request, dict):
        raise BadRequest(f"{where} is missing: every entry says its method and url.", expression=where)
    for name in ("method", "url", *_HEADERS):
        if not isinstance(request.get(name, ""), str):
            raise BadRequest(f"{where}.{name} must be text.", expression=f"{where}.{name}")
    headers = {_HEADERS[name][0]: request[name] for name in _HEADERS if name in request}
    if "If-Modified-Since" in headers:
        headers["If-Modified-Since"] = _http_date(headers["If-Modified-Since"], f"{where}.ifModifiedSince")
    return request.get("method", ""), request.get("url", ""), headers


def _http_date(instant: str, where: str) -> str:
    """A FHIR instant as HTTP writes it, to the second."""
    try:
        return http_date(datetime.fromisoformat(instant).astimezone(UTC))
    except ValueError:
        raise BadRequest(f"{where}: {instant!r} is no instant.", expression=where) from None


def _head(exchange: Exchange, place: int, entry: dict[str, Any]) -> Entry:
    method, url, headers = request_of(place, entry)
    where = f"Bundle.entry[{place}].request"
    if method not in ORDER:
        raise BadRequest(f"{where}.method: {method!r} is not offered in a transaction.", expression=f"{where}.method")
    for name, (header, methods) in _HEADERS.items():
        if header in headers and method not in methods:
            at_ = f"{where}.{name}"
            raise BadRequest(f"{at_} is not offered for {method}.", code="not-supported", expression=at_)
    found = _URL.fullmatch(url)
    if method in READS and url and (found is None or found[2] is None or found[3] is not None):
        return Entry(place, method, "", "", url, headers)
    if found is None or not _fits(method, found[2], found[3]):
        wanted = {"POST": "[type]", "GET": "a URL below the base", "HEAD": "a URL below the base"}.get(
            method, "[type]/[id] or [type]?[criteria]"
        )
        raise BadRequest(f"{where}.url: {url!r} must be {wanted} for {method}.", expression=f"{where}.url")
    expected = _expected(method, headers, where)
    head = Entry(place, method, found[1], found[2] or writing.new_id(), url, headers, expected=expected)
    with at(place):
        if method == "DELETE":
            require_deletable(head.type)
            require_changeable(head.type)
        return head._replace(condition=_condition(exchange, head, found[3]))


def _fits(method: str, id: str | None, query: str | None) -> bool:
    if method == "POST":
        return id is None and query is None
    return (id is None) != (query is None)


def _condition(exchange: Exchange, head: Entry, query: str | None) -> Condition | None:
    if head.type not in exchange.services.definitions.resource_types:
        raise NotFound(f"{head.type} is not a resource type of FHIR R4.", code="not-supported")
    if "If-None-Exist" in head.headers:
        return conditional.of_text(exchange, head.type, head.headers["If-None-Exist"], "ifNoneExist")
    if query is None or head.method in READS:
        return None
    return conditional.of_params(exchange, head.type, parse_qsl(query, keep_blank_values=True))


def _expected(method: str, headers: Mapping[str, str], where: str) -> int | None:
    none_match = headers.get("If-None-Match") if method == "PUT" else None
    try:
        return negotiate.expected(headers.get("If-Match"), none_match)
    except BadRequest as error:
        name = "ifMatch" if none_match is None else "ifNoneMatch"
        raise BadRequest(f"{where}.{name}: {error.text}", expression=f"{where}.{name}") from None


class Known:
    """What full URLs stand for: `Type/id`, of the entries that bring a resource."""

    def __init__(self) -> None:
        self.whole: dict[str, str] = {}
        self._below: dict[str, dict[str, str]] = {}

    def add(self, url: str, target: str) -> None:
        self.whole[url] = target
        if (found := _RESTFUL.fullmatch(url)) is not None:
            self._below.setdefault(found[1], {})[found[2]] = target

    def to(self, url: object) -> Mapping[str, str]:
        """As the entry of that URL writes them: from a RESTful one, relative references lead to its own server."""
        found = _RESTFUL.fullmatch(url) if isinstance(url, str) else None
        return self.whole if found is None else ChainMap(self._below.get(found[1], {}), self.whole)


def _full_urls(listed: list[dict[str, Any]], heads: list[Entry]) -> Known:
    known = Known()
    for head, entry in zip(heads, listed, strict=True):
        url = entry.get("fullUrl")
        if head.method not in ("POST", "PUT") or not isinstance(url, str):
            continue
        if url in known.whole:
            where = f"Bundle.entry[{head.place}].fullUrl"
            raise BadRequest(f"{where}: {url} stands twice in the Bundle.", expression=where)
        known.add(url, f"{head.type}/{head.id}")
    return known


def refuse_unknown(exchange: Exchange, bundle: dict[str, Any]) -> None:
    """What is around the resources conforms too: a misspelt `entry` is no empty transaction. Raises Unprocessable."""
    shell = {name: value for name, value in bundle.items() if name != "meta"}
    if "entry" in bundle:
        shell["entry"] = [
            {name: value for name, value in entry.items() if name != "resource"} for entry in bundle["entry"]
        ]
    conforming.validated(exchange, shell)


def _with_resource(
    exchange: Exchange, head: Entry, entry: dict[str, Any], known: Known, sought: dict[str, Sought]
) -> Entry:
    if head.method not in ("POST", "PUT", "PATCH"):
        return head
    content = entry.get("resource")
    if not isinstance(content, dict):
        raise BadRequest("the entry brings no resource.")
    links = known.to(entry.get("fullUrl"))
    if head.method == "PATCH":
        _refuse_links(content, known.whole)
        _link(exchange, head.place, content, links, sought)
        return head._replace(resource=content)
    fixed = head.method == "PUT" and head.condition is None
    resource = conforming.received(content, head.type, head.id if fixed else None)
    _link(exchange, head.place, resource, links, sought)
    there = (lambda: exchange.view.read(head.type, head.id)) if fixed else bool
    return head._replace(resource=resource, findings=tuple(conforming.validated_update(exchange, resource, there)))


def _refuse_links(patch: dict[str, Any], known: Mapping[str, str]) -> None:
    """Raises BadRequest for a full URL of the Bundle within a Binary, whose texts are none of the Bundle's."""
    if patch.get("resourceType") != "Binary" or not known:
        return
    content = of_binary(patch)[1]
    for url in known:
        if url.encode() in content:
            raise BadRequest(
                f"{url} stands in a Binary, where it is not replaced: patch by FHIRPath Patch (Parameters) instead."
            )


def _link(
    exchange: Exchange, place: int, resource: dict[str, Any], known: Mapping[str, str], sought: dict[str, Sought]
) -> None:
    """Writes ids in place of full URLs, and placeholders in place of conditional references; none into a document."""
    if is_document(resource):
        return
    definitions = exchange.services.definitions
    if known:
        references.resolve(definitions, resource, known)
    for text in set(references.literal(definitions, resource)):
        if text.startswith(("urn:uuid:", "urn:oid:")):
            raise BadRequest(f"the reference {text} points to no entry of the Bundle.")
        type, mark, query = text.removeprefix(exchange.services.base + "/").partition("?")
        if mark and type in definitions.resource_types and text not in sought:
            condition = conditional.of_text(exchange, type, query, f"the reference {text}")
            sought[text] = Sought(place, condition, f"{type}/{writing.new_id()}")
    if sought:
        references.resolve(definitions, resource, _Placeholders(sought))


class _Placeholders(Mapping[str, str]):
    """What stands for each conditional reference, without a copy for each entry."""

    def __init__(self, sought: Mapping[str, Sought]) -> None:
        self._sought = sought

    def __getitem__(self, text: str) -> str:
        return self._sought[text].placeholder

    def __iter__(self) -> Iterator[str]:
        return iter(self._sought)

    def __len__(self) -> int:
        return len(self._sought)


class at:  # noqa: N801 - reads as a word of the with statement
    """Tells in which entry an error arose."""

    def __init__(self, place: int) -> None:
        self._place = place

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
