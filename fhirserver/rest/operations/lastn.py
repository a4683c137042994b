"""Observation/$lastn (https://hl7.org/fhir/R4/observation-operation-lastn.html): the latest of each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from fhirserver import jsontext
from fhirserver.audit import Entity, Event
from fhirserver.errors import BadRequest
from fhirserver.rest import bundles
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.codes import Codes
from fhirserver.search import parse
from fhirserver.search.results import NAMES
from fhirserver.store import Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.rest.exchange import Exchange
    from fhirserver.search import Query
    from fhirserver.store import Stored

MOST: Final = 10_000
"""Observations that are looked at."""
_PAGE: Final = 1000
_SUBJECTS: Final = ("patient", "subject")


def lastn(exchange: Exchange, type: str) -> Answer:
    """The `max` latest Observations of each code, among those that the other parameters find, newest first.

    Raises BadRequest unless they name whom they are about, and when they find more than `MOST`.
    """
    given = exchange.params
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
    kinds: list[tuple[set[Any], list[Stored]]] = []
    for stored in _found(exchange, query):
        _sort_in(kinds, stored, limit)
    matches = [stored for _, listed in kinds for stored in listed]
    entities = tuple(Entity.of(each) for each in matches)
    event = Event("operation", 200, entities, query=f"{type}/$lastn", patients=tuple(query.patients or ()))
    bundle = bundles.searchset(
        base,
        Page(matches, len(matches), None),
        {"self": f"{base}/{type}/$lastn?{urlencode(given, safe='/:|,$', quote_via=quote)}"},
    )
    return of_value(200, bundle, event)


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


def _sort_in(kinds: list[tuple[set[Any], list[Stored]]], stored: Stored, limit: int) -> None:
    """Puts an Observation with those that share a coding with it, or its text where it has no coding."""
    codes = _codes(jsontext.parse_object(stored.body).get("code", {}))
    for known, listed in kinds:
        if known & codes:
            known.update(codes)
            if len(listed) < limit:
                listed.append(stored)
            return
    kinds.append((codes, [stored]))


def _codes(concept: dict[str, Any]) -> set[Any]:
    codings: set[Any] = {(each.get("system"), each["code"]) for each in concept.get("coding", ()) if "code" in each}
    return codings if codings else {str(concept.get("text", "")).casefold()}
