"""search-type, by GET and by POST (https://hl7.org/fhir/R4/search.html).

The way of a search: parameters -> `search.parse` -> Query -> `view.search`, where access is compiled in -> Bundle.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from werkzeug.http import parse_options_header

from fhirserver.audit import Event
from fhirserver.errors import BadRequest, UnknownParameter, UnsupportedMediaType
from fhirserver.rest import bundles
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.pages import PARAMETER, PageKey
from fhirserver.search import Query, parse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Page


def search_get(exchange: Exchange, type: str) -> Answer:
    """`GET [base]/[type]?parameters`."""
    return _search(exchange, type, exchange.params)


def search_post(exchange: Exchange, type: str) -> Answer:
    """`POST [base]/[type]/_search`: parameters in the form, and in the query if any."""
    content_type = exchange.request.headers.get("Content-Type")
    bare = not content_type and not exchange.request.stream.read(1)
    if not bare and parse_options_header(content_type or "")[0].lower() != "application/x-www-form-urlencoded":
        raise UnsupportedMediaType("Send the search parameters as Content-Type: application/x-www-form-urlencoded.")
    return _search(exchange, type, [*exchange.params, *exchange.form])


def _search(exchange: Exchange, type: str, params: list[tuple[str, str]]) -> Answer:
    params, after = _position(exchange, type, params)
    query = parse(
        exchange.services.definitions,
        type,
        params,
        lenient=exchange.prefer.lenient,
        timezone=exchange.services.settings.timezone,
        base_url=exchange.services.base,
    )
    _refuse_parts(query)
    if query.summary == "count":
        query = replace(query, count=0)
    page = exchange.view.search(query, after)
    bundle = bundles.searchset(exchange.services.base, page, _links(exchange, query, page))
    patients = tuple(
        {stored.pat for stored in (*page.matches, *page.included) if stored.pat} | (query.patients or frozenset())
    )
    event = Event("search-type", 200, query=f"{type}?{_encoded(query.params)}", patients=patients)
    return of_value(200, bundle, event)


def _refuse_parts(query: Query) -> None:
    """Raises UnknownParameter for what asks for parts of resources: whole ones would be more than was asked."""
    if query.summary in ("true", "text", "data"):
        raise UnknownParameter(f"_summary={query.summary} is not offered; _summary=count is.")
    if query.elements:
        raise UnknownParameter("The parameter _elements is not offered.")


def _position(
    exchange: Exchange, type: str, params: list[tuple[str, str]]
) -> tuple[list[tuple[str, str]], tuple[Any, ...] | None]:
    """The parameters of a followed page link are those sealed in it; nothing may stand beside it."""
    links = [value for name, value in params if name == PARAMETER]
    if not links:
        return params, None
    if len(params) > 1:
        raise BadRequest("A page link is used as it is, without further parameters.")
    key = exchange.services.seal.open(links[0], type, exchange.access.requester)
    return list(key.params), key.after


def _links(exchange: Exchange, query: Query, page: Page) -> dict[str, str]:
    base = f"{exchange.services.base}/{query.type}"
    links = {"self": f"{base}?{_encoded(query.params)}" if query.params else base}
    if page.after is not None:
        sealed = exchange.services.seal.seal(PageKey(query.type, query.params, page.after), exchange.access.requester)
        links["next"] = f"{base}?{PARAMETER}={sealed}"
    return links


def _encoded(params: Iterable[tuple[str, str]]) -> str:
    return urlencode(list(params), safe="/:|,$", quote_via=quote)
