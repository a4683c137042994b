"""Patient/[id]/$everything (https://hl7.org/fhir/R4/patient-operation-everything.html): a record, page by page.

The Patient, then what is in his compartment type by type, all through the requester's view; with each page what it
refers to outside compartments, such as Practitioner and Organization.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fhirserver import jsontext
from fhirserver.audit import Entity, Event
from fhirserver.errors import BadRequest
from fhirserver.predicate import Cmp, Elem, Eq, Exists, any_of, negate
from fhirserver.rest import bundles, references
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.operations.stored import by_ids, instance
from fhirserver.rest.pages import PARAMETER, PageKey
from fhirserver.rest.parameters import received
from fhirserver.search import Query, SortKey, dates
from fhirserver.search.query import Member
from fhirserver.store import Page

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from fhirserver.predicate import Predicate
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored

DEFAULT_COUNT: Final = 100
MOST: Final = 1000
_NAMES: Final = ("_since", "_count", "start", "end")
_BY_ID: Final = (SortKey("_id", False),)


CARE_DATES: Final = {
    "AdverseEvent": "date", "AllergyIntolerance": "date", "Appointment": "date", "CarePlan": "date",
    "ClinicalImpression": "date", "Communication": "sent", "Composition": "date", "Condition": "onset-date",
    "DeviceRequest": "event-date", "DiagnosticReport": "date", "DocumentReference": "period",
    "Encounter": "date", "EpisodeOfCare": "date", "FamilyMemberHistory": "date", "Flag": "date", "Goal": "start-date",
    "ImagingStudy": "started", "Immunization": "date", "List": "date", "MedicationAdministration": "effective-time",
    "MedicationDispense": "whenhandedover", "MedicationRequest": "authoredon", "MedicationStatement": "effective",
    "NutritionOrder": "datetime", "Observation": "date", "Procedure": "date", "QuestionnaireResponse": "authored",
    "RequestGroup": "authored", "RiskAssessment": "date", "ServiceRequest": "occurrence", "Specimen": "collected",
    "VisionPrescription": "datewritten",
}  # fmt: skip
"""The search parameter that says when the care was given; of other types, and where it is not said, all is told."""


class _Asked(NamedTuple):
    """`types`: those wanted, all when empty; `start`, `end`: the time of care, microseconds since 1970."""

    types: frozenset[str]
    since: datetime | None
    size: int
    params: tuple[tuple[str, str], ...]
    start: int | None = None
    end: int | None = None


def everything(exchange: Exchange, type: str, id: str) -> Answer:
    """All of the record that may be seen. A Patient who is absent or hidden: 404; deleted: 410."""
    target, after = f"{type}/{id}/$everything", None
    if [name for name, _ in exchange.params] == [PARAMETER]:
        key = exchange.services.seal.open(exchange.params[0][1], target, exchange.access.requester)
        asked, after = _asked(exchange, key.params), (str(key.after[0]), str(key.after[1]))
    else:
        asked = _asked(exchange, _given(exchange))
    instance(exchange, type, id)
    found = _gathered(exchange, id, asked, after)
    matches = found[: asked.size]
    url = f"{exchange.services.base}/{target}"
    links = {"self": url + (f"?{urlencode(asked.params, safe=':,')}" if asked.params else "")}
    if len(found) > asked.size:
        last = (matches[-1].type, matches[-1].id)
        sealed = exchange.services.seal.seal(PageKey(target, asked.params, last), exchange.access.requester)
        links["next"] = f"{url}?{urlencode([(PARAMETER, sealed), *exchange.general])}"
    page = Page(matches, None, None)._replace(included=_supporting(exchange, matches, asked))
    entities = tuple(Entity.of(each) for each in (*matches, *page.included))
    event = Event("operation", 200, entities, query=target, patients=(id,))
    return of_value(200, bundles.searchset(exchange.services.base, page, links), event)


def _given(exchange: Exchange) -> tuple[tuple[str, str], ...]:
    inputs = received(exchange, "Patient-everything")
    types = [each for listed in inputs.all("_type") for each in listed.split(",")]
    rest = [(name, str(inputs.get(name))) for name in _NAMES if name in inputs]
    return (*(("_type", each) for each in types), *rest)


def _asked(exchange: Exchange, params: tuple[tuple[str, str], ...]) -> _Asked:
    types = frozenset(value for name, value in params if name == "_type")
    for each in sorted(types - set(exchange.services.definitions.resource_types)):
        raise BadRequest(f"_type={each} is no resource type of FHIR R4.")
    if types and types.isdisjoint({"Patient", *exchange.services.definitions.compartment("Patient")}):
        raise BadRequest(
            f"_type={','.join(sorted(types))}: these are in no record, but come along with what refers to them: name "
            "types that do.",
            code="not-supported",
        )
    given = dict(params)
    count = int(given.get("_count", DEFAULT_COUNT))
    if count < 1:
        raise BadRequest("_count must be 1 or more.")
    since, start, end = (_interval(exchange, name, given.get(name)) for name in ("_since", "start", "end"))
    return _Asked(
        types,
        None if since is None else dates.instant(since.lo),
        min(count, MOST),
        params,
        None if start is None else start.lo,
        None if end is None else end.hi,
    )


def _interval(exchange: Exchange, name: str, text: str | None) -> dates.Interval | None:
    if text is None:
        return None
    found = dates.interval(text, ZoneInfo(exchange.services.settings.timezone))
    if found is None:
        raise BadRequest(f"{name}={text!r} is no date or instant such as 2026-01-31 or 2026-01-31T12:00:00Z.")
    return found


def _gathered(exchange: Exchange, id: str, asked: _Asked, after: tuple[str, str] | None) -> list[Stored]:
    """One resource more than the page holds, if there is one."""
    compartment = exchange.services.definitions.compartment("Patient")
    order = ["Patient", *sorted(set(compartment) - {"Patient"})]
    last = None
    if after is not None:
        order, last = order[order.index(after[0]) :], after[1]
    found: list[Stored] = []
    for each in order:
        if asked.types and each not in asked.types:
            continue
        query = _query(each, id, asked, asked.size + 1 - len(found))
        found += exchange.view.search(query, None if last is None or each != order[0] else (last,)).matches
        if len(found) > asked.size:
            break
    return found


def _query(type: str, id: str, asked: _Asked, count: int) -> Query:
    where: tuple[Predicate, ...] = () if asked.since is None else (Cmp("lu", "$gte", asked.since),)
    if type == "Patient":
        return Query(type, (Eq("_id", id), *where), frozenset({id}), _BY_ID, count, "none")
    return Query(type, where + _cared(type, asked), None, _BY_ID, count, "none", joins=(Member(id),))


def _cared(type: str, asked: _Asked) -> tuple[Predicate, ...]:
    """When the care was given: within the time asked for at least in part, or not said."""
    parameter = CARE_DATES.get(type)
    bounds = [("hi", "$gt", asked.start), ("lo", "$lt", asked.end)]
    within = tuple(Cmp(name, operator, value) for name, operator, value in bounds if value is not None)
    if not parameter or not within:
        return ()
    return (any_of([Elem(f"d.{parameter}", within), negate(Exists(f"d.{parameter}"))]),)


def _supporting(exchange: Exchange, matches: Iterable[Stored], asked: _Asked) -> list[Stored]:
    """What the resources of a page refer to that is in no patient's compartment."""
    definitions, base = exchange.services.definitions, exchange.services.base + "/"
    outside = set(definitions.resource_types) - set(definitions.compartment("Patient")) - {"Patient"}
    wanted: dict[str, set[str]] = {}
    for each in matches:
        resource: dict[str, Any] = jsontext.parse_object(each.body)
        for text in references.literal(definitions, resource):
            type, _, id = text.removeprefix(base).partition("/_history/")[0].partition("/")
            if type in outside and id and (not asked.types or type in asked.types):
                wanted.setdefault(type, set()).add(id)
    found: list[Stored] = []
    for type, ids in sorted(wanted.items()):
        found += by_ids(exchange, type, ids)
    return found
