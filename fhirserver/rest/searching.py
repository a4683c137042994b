"""What all searches share: parameters or a followed page link -> Query; a page -> Bundle, links and trace."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from werkzeug.http import parse_options_header

from fhirserver.access.acl import HIDDEN_FROM_REPRESENTATIVES
from fhirserver.audit import Event, Shown, shown
from fhirserver.errors import BadRequest, UnsupportedMediaType
from fhirserver.predicate import In, all_of, negate
from fhirserver.rest import bundles, subsets
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.codes import Codes
from fhirserver.rest.pages import PARAMETER, PageKey
from fhirserver.search import Query, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Page

Params = list[tuple[str, str]]
Owner = tuple[str, str]
"""Type and id of the owner of a compartment."""
_TOLD_OF: Final = ("practitioner", "system")
_FEW: Final = 50
"""Records of which a total still tells; of more it is a figure about nobody."""
_OPEN: Final = all_of(negate(In(name, (HIDDEN_FROM_REPRESENTATIVES,))) for name in ("acl.labels", "doc.acl.labels"))


def form_params(exchange: Exchange) -> Params:
    """The parameters of a search by POST. Raises UnsupportedMediaType for a body that is no form."""
    content_type = exchange.request.headers.get("Content-Type")
    bare = not content_type and not exchange.request.stream.read(1)
    if not bare and parse_options_header(content_type or "")[0].lower() != "application/x-www-form-urlencoded":
        raise UnsupportedMediaType("Send the search parameters as Content-Type: application/x-www-form-urlencoded.")
    return [*exchange.params, *exchange.form]


def position(exchange: Exchange, path: str, params: Params) -> tuple[Params, tuple[Any, ...] | None]:
    """The parameters, of a followed page link those sealed in it, and where the page begins."""
    links = [value for name, value in params if name == PARAMETER]
    if not links:
        return params, None
    if len(params) > 1:
        raise BadRequest("A page link is used as it is, without further parameters.")
    key = exchange.services.seal.open(links[0], path, exchange.access.requester)
    return list(key.params), key.after


def read(exchange: Exchange, type: str, params: Params, owner: Owner | None, *, lenient: bool) -> Query:
    """The query of the search of a type, of all its resources or of those in a compartment."""
    return parse(
        exchange.services.in_force.to_search,
        type,
        params,
        lenient=lenient,
        timezone=exchange.services.settings.timezone,
        base_url=exchange.services.base,
        compartment=owner,
        codes=Codes(exchange),
    )


def counted(exchange: Exchange, queries: Iterable[Query], page: Page) -> tuple[Shown, ...]:
    """Whom a total tells of beside the matches on the page, as far as they are few: what is counted is consulted."""
    told: dict[str, bool] = {}
    for query in queries if page.total and exchange.access.requester.kind in _TOLD_OF else ():
        if page.matches and (page.total == len(page.matches) or len(query.patients or ()) < 2):
            continue
        alone = query.patients if query.patients is not None and len(query.patients) == 1 else None
        known = alone or exchange.view.patients(query, _FEW)
        plain = known and exchange.view.patients(replace(query, where=(*query.where, _OPEN)), _FEW)
        plain = alone if alone and plain else plain  # of one record, what any of it shows
        told |= {each: told.get(each, True) and each not in plain for each in known}
    return tuple(Shown(patient, secret) for patient, secret in told.items())


def answered(
    exchange: Exchange,
    interaction: str,
    path: str,
    query: Query,
    page: Page,
    named: Iterable[str] = (),
    also: tuple[Shown, ...] = (),
) -> Answer:
    """The searchset of a page. `query` says how it is shaped; `named`: the patients whom the search named; `also`:
    whom it tells of beside what it shows."""
    bundle = bundles.searchset(exchange.services.base, _cut(exchange, page, query), _links(exchange, path, query, page))
    found = (*page.matches, *page.included)
    patients = {stored.pat for stored in found if stored.pat}.union(named, (each.patient for each in also))
    asked = f"{path}?{_encoded(query.params)}"
    return of_value(
        200, bundle, Event(interaction, 200, query=asked, patients=tuple(patients), found=(*shown(found), *also))
    )


def _cut(exchange: Exchange, page: Page, query: Query) -> Page:
    """The page with its resources cut; the elements named are those of the types that are searched."""
    definitions, subset = exchange.services.definitions, subsets.wanted(query.summary, query.elements)
    included = subset if subset is not None and subset.summary else None
    return page._replace(
        matches=subsets.cut(definitions, page.matches, subset),
        included=subsets.cut(definitions, page.included, included),
    )


def _links(exchange: Exchange, path: str, query: Query, page: Page) -> dict[str, str]:
    """`self` says what was searched, and in which form it was asked for; `next` keeps that form."""
    base = f"{exchange.services.base}/{path}".rstrip("/")
    params = [*query.params, *exchange.general]
    links = {"self": f"{base}?{_encoded(params)}" if params else base}
    if page.after is not None:
        sealed = exchange.services.seal.seal(PageKey(path, query.params, page.after), exchange.access.requester)
        links["next"] = f"{base}?{_encoded([(PARAMETER, sealed), *exchange.general])}"
    return links


def _encoded(params: Sequence[tuple[str, str]]) -> str:
    return urlencode(params, safe="/:|,$", quote_via=quote)
