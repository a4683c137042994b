"""Search over several types, of all resources or of a compartment, by GET and by POST
(https://hl7.org/fhir/R4/http.html#search).

Every parameter is one that each of the types has; what they find makes one list, one total, and pages that neither
repeat nor leave out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fhirserver.errors import BadRequest
from fhirserver.rest.searching import Owner, Params, answered, counted, form_params, position, read
from fhirserver.search import includes
from fhirserver.search.query import Member

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhirserver.rest.answer import Answer
    from fhirserver.rest.exchange import Exchange
    from fhirserver.search import Query

TYPE: Final = "_type"
PLAINEST: Final = "Parameters"
"""A type without parameters of its own: what can be asked of it can be asked of all."""
MOST_JOINED: Final = 20
"""Types over which a search may go that looks into other resources."""


def system_get(exchange: Exchange) -> Answer:
    """`GET [base]?parameters`."""
    return together(exchange, "", exchange.params, exchange.services.definitions.resource_types)


def system_post(exchange: Exchange) -> Answer:
    """`POST [base]/_search`."""
    return together(exchange, "", form_params(exchange), exchange.services.definitions.resource_types)


def together(
    exchange: Exchange, path: str, params: Params, possible: Sequence[str], owner: Owner | None = None
) -> Answer:
    """One page of a search of the types that `_type` names, or else of all that are possible."""
    params, after = position(exchange, path, params)
    named = _types(params, possible)
    asked = [each for each in params if each[0] != TYPE]
    _check(exchange, named, asked)
    types = named if len(named) < len(possible) or owner else [PLAINEST, *sorted(exchange.view.types() - {PLAINEST})]
    if exchange.prefer.lenient:
        ignored = {name for type in types for name in _read(exchange, type, asked, owner, lenient=True).ignored}
        asked, params = ([each for each in listed if each[0] not in ignored] for listed in (asked, params))
    queries = [_read(exchange, type, asked, owner) for type in types]
    joined = any(not isinstance(each, Member) for query in queries for each in query.joins)
    if joined and len(named) > MOST_JOINED:
        raise BadRequest(
            f"A search that looks into other resources goes over {MOST_JOINED} types at most: name them by {TYPE}.",
            code="too-costly",
        )
    shape = replace(queries[0], params=tuple(params))
    if shape.summary == "count":
        queries, shape = [replace(each, count=0) for each in queries], replace(shape, count=0)
    page = exchange.view.search_together(queries, after)
    patients = {each.patient for query in queries for each in query.joins if isinstance(each, Member)}
    patients = patients.union(*(query.patients or () for query in queries))
    return answered(exchange, "search-system", path, shape, page, patients, counted(exchange, queries, page))


def _types(params: Params, possible: Sequence[str]) -> list[str]:
    given = [value for name, value in params if name == TYPE]
    if len(given) > 1:
        raise BadRequest(f"The parameter {TYPE} must be given once, with all types: {TYPE}=Observation,Condition.")
    types = sorted(set(given[0].split(",") if given else possible))
    for each in types:
        if each not in possible:
            raise BadRequest(f"The value of {TYPE} must name resource types that can be found here: {each!r} is none.")
    return types


def _read(exchange: Exchange, type: str, params: Params, owner: Owner | None, *, lenient: bool = False) -> Query:
    """The query of one of the types, without what of includes starts from, or leads to, others."""
    definitions = exchange.services.definitions
    fitting = [
        (name, value)
        for name, value in params
        if not includes.is_include(name) or includes.fits(definitions, type, name, value)
    ]
    return read(exchange, type, fitting, owner, lenient=lenient)


def _check(exchange: Exchange, types: Sequence[str], params: Params) -> None:
    """Raises BadRequest for an include that fits none of the types."""
    definitions = exchange.services.definitions
    for name, value in params:
        if includes.is_include(name) and not any(includes.fits(definitions, type, name, value) for type in types):
            raise BadRequest(f"{name}={value} fits none of the types that are searched.")
