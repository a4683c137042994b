"""Observation/$lastn (https://hl7.org/fhir/R4/observation-operation-lastn.html): the latest of each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from fhirserver import jsontext
from fhirserver.audit import Entity, Event
from fhirserver.errors import BadRequest
from fhirserver.rest import bundles
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.codes import Codes
from fhirserver.rest.exchange import FORM
from fhirserver.rest.parameters import has_body, listed
from fhirserver.search import parse
from fhirserver.search.results import NAMES
from fhirserver.store import Page, Stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.rest.exchange import Exchange
    from fhirserver.search import Query

MOST: Final = 10_000
"""Observations that are looked at."""
_PAGE: Final = 1000
_SUBJECTS: Final = ("patient", "subject")


class _Kind(NamedTuple):
    """Observations of one code, each with its place among all that were found, the newest first."""

    codes: set[Any]
    listed: list[tuple[int, Stored]]


def lastn(exchange: Exchange, type: str) -> Answer:
    """The `max` latest Observations of each code, among those that the other parameters find, newest first.

    Raises BadRequest unless they name whom they are about, and when they find more than `MOST`.
    """
    given = _given(exchange)
    limit = _limit([value for name, value in given if name == "max"])
    criteria = [(name, value) for name, value in given if name != "max"]
    for name, _ in criteria:
        if name in NAMES:
            raise BadRequest(f"The parameter {name} is not offered here.", code="not-supported")
    if not any(name.partition(":")[0] in _SUBJECTS for name, _ in criteria):
        raise BadRequest("Name the patient or subject whose Observations are wanted.", code="required")
    settings, base = exchange.services.settings, exchange.services.base
    shape = [("_sort", "-date"), ("_count", str(_PAGE)), ("_total", "none")]
    asked = [*criteria, *shape]
    query = parse(
        exchange.services.in_force.to_search,
        type,
        asked,
        timezone=settings.timezone,
        base_url=base,
        codes=Codes(exchange),
    )
    kinds: list[_Kind] = []
    for place, stored in enumerate(_found(exchange, query)):
        _sort_in(kinds, place, stored)
    matches = [stored for kind in kinds for _, stored in sorted(kind.listed)[:limit]]
    entities = tuple(Entity.of(each) for each in matches)
    event = Event("operation", 200, entities, query=f"{type}/$lastn", patients=tuple(query.patients or ()))
    bundle = bundles.searchset(
        base,
        Page(matches, len(matches), None),
        {"self": f"{base}/{type}/$lastn?{urlencode(given, safe='/:|,$', quote_via=quote)}"},
    )
    return of_value(200, bundle, event)


def _given(exchange: Exchange) -> list[tuple[str, str]]:
    """The parameters: in the query; by POST also in a form, or as simple values in a Parameters resource."""
    if exchange.request.method != "POST":
        return exchange.params
    if exchange.request.mimetype == FORM:
        return [*exchange.params, *exchange.form]
    given = listed(exchange.body()) if has_body(exchange) else []
    for each in given:
        if not each.member.startswith("value") or isinstance(each.value, dict | list | bool):
            raise BadRequest(f"The parameter {each.name} must be text, or max a number.", code="structure")
    return [*exchange.params, *((each.name, str(each.value)) for each in given)]


def _limit(values: list[str]) -> int:
    if not values:
        return 1
    if len(values) > 1 or not (values[0].isascii() and values[0].isdigit()) or not 0 < int(values[0][:9]) <= _PAGE:
        raise BadRequest(f"max must be one whole number from 1 to {_PAGE}.")
    return int(values[0])


def _found(exchange: Exchange, query: Query) -> Iterator[Stored]:
    after = None
    for _ in range(MOST // _PAGE):
        page = exchange.view.search(query, after)
        yield from page.matches
        after = page.after
        if after is None:
            return
    raise BadRequest(f"There are more than {MOST} Observations: narrow the criteria.", code="too-costly")


def _sort_in(kinds: list[_Kind], place: int, stored: Stored) -> None:
    """Puts an Observation with all those that share a coding with it, or its text where it has no coding.

    Of one that has codings of several kinds, these become one.
    """
    codes = _codes(jsontext.parse_object(stored.body).get("code", {}))
    same = [kind for kind in kinds if kind.codes & codes]
    if not same:
        kinds.append(_Kind(codes, [(place, stored)]))
        return
    first, *others = same
    first.codes.update(codes, *(other.codes for other in others))
    first.listed.extend([(place, stored), *(each for other in others for each in other.listed)])
    for other in others:
        kinds.remove(other)


def _codes(concept: dict[str, Any]) -> set[Any]:
    codings: set[Any] = {(each.get("system"), each["code"]) for each in concept.get("coding", ()) if "code" in each}
    return codings if codings else {str(concept.get("text", "")).casefold()}
