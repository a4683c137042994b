"""search-type, by GET and by POST (https://hl7.org/fhir/R4/search.html).

The way of a search: parameters -> `search.parse` -> Query -> `view.search`, where access is compiled in -> Bundle.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from werkzeug.http import parse_options_header

from fhirserver.audit import Event, shown
from fhirserver.errors import BadRequest, UnsupportedMediaType
from fhirserver.rest import bundles, subsets
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.codes import Codes
from fhirserver.rest.pages import PARAMETER, PageKey
from fhirserver.search import Query, parse
from fhirserver.search.query import Member

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fhirserver.rest.exchange import Exchange
    from fhirserver.rest.subsets import Subset
    from fhirserver.store import Page


def search_get(exchange: Exchange, type: str) -> Answer:
    """`GET [base]/[type]?parameters`."""
    return search(exchange, type, exchange.params)


def search_post(exchange: Exchange, type: str) -> Answer:
    """`POST [base]/[type]/_search`: parameters in the form, and in the query if any."""
    return search(exchange, type, form_params(exchange))


def form_params(exchange: Exchange) -> list[tuple[str, str]]:
    """The parameters of a search by POST. Raises UnsupportedMediaType for a body that is no form."""
    content_type = exchange.request.headers.get("Content-Type")
    bare = not content_type and not exchange.request.stream.read(1)
    if not bare and parse_options_header(content_type or "")[0].lower() != "application/x-www-form-urlencoded":
        raise UnsupportedMediaType("Send the search parameters as Content-Type: application/x-www-form-urlencoded.")
    return [*exchange.params, *exchange.form]


def search(
    exchange: Exchange, type: str, params: list[tuple[str, str]], compartment: tuple[str, str] | None = None
) -> Answer:
    """One page of a search of a type, of all its resources or of those in a compartment (type and id of its owner)."""
    path = "/".join((*(compartment or ()), type))
    params, after = _position(exchange, path, params)
    query = parse(
        exchange.services.definitions,
        type,
        params,
        lenient=exchange.prefer.lenient,
        timezone=exchange.services.settings.timezone,
        base_url=exchange.services.base,
        compartment=compartment,
        codes=Codes(exchange),
    )
    subset = subsets.wanted(query.summary, query.elements)
    if query.summary == "count":
        query = replace(query, count=0)
    page = exchange.view.search(query, after)
    bundle = bundles.searchset(
        exchange.services.base, _cut(exchange, page, subset), _links(exchange, path, query, page)
    )
    named = query.patients or frozenset(each.patient for each in query.joins if isinstance(each, Member))
    patients = tuple({stored.pat for stored in (*page.matches, *page.included) if stored.pat} | named)
    found = shown((*page.matches, *page.included))
    event = Event("search-type", 200, query=f"{path}?{_encoded(query.params)}", patients=patients, found=found)
    return of_value(200, bundle, event)


def _cut(exchange: Exchange, page: Page, subset: Subset | None) -> Page:
    """The page with its resources cut; the elements named are those of the type that is searched."""
    definitions = exchange.services.definitions
    included = subset if subset is not None and subset.summary else None
    return page._replace(
        matches=subsets.cut(definitions, page.matches, subset),
        included=subsets.cut(definitions, page.included, included),
    )


def _position(
    exchange: Exchange, path: str, params: list[tuple[str, str]]
) -> tuple[list[tuple[str, str]], tuple[Any, ...] | None]:
    """The parameters of a followed page link are those sealed in it; nothing may stand beside it."""
    links = [value for name, value in params if name == PARAMETER]
    if not links:
        return params, None
    if len(params) > 1:
        raise BadRequest("A page link is used as it is, without further parameters.")
    key = exchange.services.seal.open(links[0], path, exchange.access.requester)
    return list(key.params), key.after


def _links(exchange: Exchange, path: str, query: Query, page: Page) -> dict[str, str]:
    """`self` says what was searched, and in which form it was asked for; `next` keeps that form."""
    base = f"{exchange.services.base}/{path}"
    params = [*query.params, *exchange.general]
    links = {"self": f"{base}?{_encoded(params)}" if params else base}
    if page.after is not None:
        sealed = exchange.services.seal.seal(PageKey(path, query.params, page.after), exchange.access.requester)
        links["next"] = f"{base}?{_encoded([(PARAMETER, sealed), *exchange.general])}"
    return links


def _encoded(params: Iterable[tuple[str, str]]) -> str:
    return urlencode(list(params), safe="/:|,$", quote_via=quote)
