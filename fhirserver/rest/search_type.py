"""search-type, by GET and by POST (https://hl7.org/fhir/R4/search.html).

The way of a search: parameters -> `search.parse` -> Query -> `view.search`, where access is compiled in -> Bundle.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fhirserver.rest import existence
from fhirserver.rest.searching import Owner, Params, answered, counted, form_params, position, read
from fhirserver.search.query import Member
from fhirserver.store.traces import TYPE as TRACED

if TYPE_CHECKING:
    from fhirserver.rest.answer import Answer
    from fhirserver.rest.exchange import Exchange


def search_get(exchange: Exchange, type: str) -> Answer:
    """`GET [base]/[type]?parameters`."""
    return search(exchange, type, exchange.params)


def search_post(exchange: Exchange, type: str) -> Answer:
    """`POST [base]/[type]/_search`: parameters in the form, and in the query if any."""
    return search(exchange, type, form_params(exchange))


def search(exchange: Exchange, type: str, params: Params, owner: Owner | None = None) -> Answer:
    """One page of a search of a type, of all its resources or of those in a compartment."""
    path = "/".join((*(owner or ()), type))
    params, after = position(exchange, path, params)
    query = replace(read(exchange, type, params, owner, lenient=exchange.prefer.lenient), traced=type == TRACED)
    if owner is None and existence.is_asked(exchange, type):
        page, patients = existence.found(exchange, query)
        return answered(exchange, "search-type", path, replace(query, summary=None, elements=()), page, patients)
    if query.summary == "count":
        query = replace(query, count=0)
    page = exchange.view.search(query, after)
    named = query.patients or frozenset(each.patient for each in query.joins if isinstance(each, Member))
    return answered(exchange, "search-type", path, query, page, named, counted(exchange, [query], page))
