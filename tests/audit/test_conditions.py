"""A trace is found by what its AuditEvent says: the search index of what is rendered decides as the condition does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhirserver.access import Access, Delegate, Requester
from fhirserver.audit import AuditEvents, Entity, Event, Origin
from fhirserver.audit.tables import BALP, PATTERNS, TYPES
from fhirserver.predicate import all_of, matches
from fhirserver.search import Indexer, parse
from fhirserver.spec import Definitions
from fhirserver.store.traces import Known
from fhirserver.validation import Validator

if TYPE_CHECKING:
    from fhirserver.audit.events import Row
    from fhirserver.predicate import Predicate

BASE = "https://dmp.example/fhir"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DEFINITIONS = Definitions.french()
SERVED = AuditEvents(BASE, DEFINITIONS)
INDEXER = Indexer(DEFINITIONS, base_url=BASE)
OPERATOR = Access.of(Requester("operator", "operator"), NOW)
DOCTOR = Requester(
    "practitioner", "practitioner/10001112225", rpps="10001112225", profession="G15_10/SM26", organization="750000001",
    client="LGC", name="Dr Élodie Martin", delegate=Delegate("staff-7", "10009998887", "Jean Bon"),
)  # fmt: skip
ACTORS = (
    DOCTOR,
    Requester("practitioner", "Practitioner/abc", rpps="10001112226", profession="G15_60"),
    Requester("patient", "patient/P1", patient="p1", purpose="PATRQT"),
    Requester("representative", "RelatedPerson/mum", patient="p1", purpose="PATRQT"),
    Requester("system", "client/HIS", client="his", organization="750000001"),
    Requester("operator", "Operator One"),
)
QUERIES = (
    "patient=p1", "patient=Patient/p2", "patient:missing=true", "date=2026-02-27", "date=ge2026-02-27T10:00:00.001Z",
    "date=gt2026-02-27T10:00:00Z", "date=lt2026-02-28", "date=ne2026-02-27", "date=le2026-02-27T10:00:00.500Z",
    "period-start=eb2026-02-28", "_lastUpdated=ge2026-02-28", "date:missing=true", "date=ap2026-02-27",
    "agent=Practitioner/abc", "agent=Patient/p1", "agent=RelatedPerson/mum", "agent:missing=false",
    "agent:identifier=https://rpps.esante.gouv.fr|10001112225", "agent:identifier=10009998887",
    "agent:identifier=https://finess.esante.gouv.fr|750000001", "agent:identifier=urn:fhirserver:client|",
    "agent:identifier=LGC",
    "agent:identifier=urn:ietf:rfc:3986|https://dmp.example/fhir", "agent:identifier=|750000001",
    "agent-name=elodie", "agent-name=dr", "agent-name:contains=martin", "agent-name:exact=Jean Bon",
    "agent-name:missing=true", "agent-role=10", "agent-role:not=10", "agent-role=sm26",
    "agent-role=https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante|60",
    "altid=practitioner/10001112225", "altid=OPERATOR one", "altid=staff-7", "altid:missing=true",
    "type=rest", "type:not=rest", "type=http://terminology.hl7.org/CodeSystem/audit-event-type|", "subtype=read,vread",
    "subtype=http://hl7.org/fhir/restful-interaction|create", "subtype:not=search-type",
    "subtype=login", "subtype=urn:fhirserver:interaction|",
    "subtype:missing=true",
    "subtype=urn:fhirserver:interaction|grant", "type=110114", "type:missing=false", "action=R", "action=E,C",
    "action:not=U", "outcome=0", "outcome=4", "outcome:not=8", "outcome:missing=true", "entity=Observation/o1",
    "entity=Observation/o1/_history/2", "entity=Patient/p1", "entity:missing=true", "entity-type=1", "entity-type=2",
    "entity-type=XrequestId", "entity-role=24", "entity-role=4,1", "entity-role:not=24", "entity-role:missing=true",
    "entity:identifier=request-0001", "address=10.1", "address:contains=1.2.3", "address=https",
    "address:exact=10.1.2.3", "site=x", "source:missing=true", "source:identifier=https://dmp.example/fhir",
    "policy=urn:x", "entity-name=x", "_tag=x", "_security:missing=true", "_content=read",
    f"_profile={BALP}PatientRead", f"_profile={BALP}Query", f"_profile={BALP}PatientQuery", f"_profile={BALP}Create",
    "_profile:missing=true",
)  # fmt: skip

entities = st.lists(
    st.builds(
        Entity,
        st.sampled_from(["Observation", "DocumentReference"]),
        st.sampled_from(["o1", "o2"]),
        st.sampled_from([None, 1, 2]),
        st.sampled_from([None, "p1", "p2"]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=2,
).map(tuple)
events = st.builds(
    Event,
    st.sampled_from([*sorted(PATTERNS), *TYPES, "login", "grant"]),
    st.sampled_from([200, 201, 404, 403, 503]),
    entities,
    st.sampled_from([None, "Observation?patient=p1&code=718-7"]),
    st.sampled_from([(), ("p1",), ("p1", "p2"), ("p2",)]),
)
times = st.sampled_from([NOW - timedelta(days=2, milliseconds=each) for each in (0, 1, 7_199_999, 7_200_000, 10**8)])
origins = st.sampled_from([None, Origin("10.1.2.3", "request-0001"), Origin("", "request-0002")])
records = st.builds(
    lambda event, actor, at, origin: {"_id": f"{'0' * 32}.0000000001", **event.record(actor, at, origin)},
    events,
    st.sampled_from(ACTORS),
    times,
    origins,
)
sights = st.sampled_from(
    [OPERATOR, Access.of(ACTORS[2], NOW), Access.of(ACTORS[3], NOW), Access.of(ACTORS[2], NOW + timedelta(days=40))]
)


@cache
def asked() -> list[tuple[str, Predicate]]:
    pairs = [(each, [(each.partition("=")[0], each.partition("=")[2])]) for each in QUERIES]
    queries = [(text, parse(DEFINITIONS, "AuditEvent", pair, base_url=BASE, now=NOW)) for text, pair in pairs]
    return [(text, all_of(query.where)) for text, query in queries if not query.joins]


def envelope(resource: Row, record: Row) -> Row:
    index = INDEXER.index(resource)
    found = {"_id": record["_id"], "lu": record["at"], "t": list(index.t), "d": dict(index.d)}
    return found | ({"pat": index.pat} if index.pat else {})


@settings(max_examples=150, deadline=None)
@given(record=records, access=sights)
def test_a_trace_is_found_by_what_its_audit_event_says(record: Row, access: Access) -> None:
    resource = SERVED.resource(access, record)
    row = envelope(resource, record)
    for text, where in asked():
        found = matches(SERVED.condition(access, where), record)
        assert found == matches(where, row), (text, resource)


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator(DEFINITIONS)


@settings(max_examples=80, deadline=None)
@given(record=records)
def test_of_a_record_that_absorbed_another_all_is_found_by_its_own_id(record: Row) -> None:
    holder, known = Access.of(ACTORS[2], NOW), Known(frozenset({"p2"}))
    row = envelope(SERVED.resource(holder, record, known), record)
    for text, where in asked():
        if text not in ("patient=p1", "entity=Patient/p1"):
            found = matches(SERVED.condition(holder, where, known), record)
            assert found == matches(where, row), text
        else:
            assert matches(SERVED.condition(holder, where, known), record) == ("pats" in record)


@settings(max_examples=40, deadline=None)
@given(record=records, access=sights)
def test_what_is_shown_conforms_to_r4(validator: Validator, record: Row, access: Access) -> None:
    found = validator.check(SERVED.resource(access, record))
    assert [each for each in found if each.is_error] == []


@settings(max_examples=100, deadline=None)
@given(record=records)
def test_nothing_of_others_is_shown_to_the_person(record: Row) -> None:
    text = str(SERVED.resource(Access.of(ACTORS[2], NOW), record))
    assert "Patient/p2" not in text
    for name in ("entities", "entities_s", "entities_u", "entities_su"):
        for each in record.get(name, ()):
            if each.get("p") != "p1" or name.endswith("u"):
                others = [e for n in ("entities", "entities_s") for e in record.get(n, ()) if e.get("p") == "p1"]
                if not any(e["r"] == each["r"] for e in others):
                    assert each["r"] not in text


@settings(max_examples=100, deadline=None)
@given(record=records)
def test_nothing_that_a_minor_keeps_secret_is_shown_to_the_representative(record: Row) -> None:
    text = str(SERVED.resource(Access.of(ACTORS[3], NOW), record))
    open_ = [each["r"] for name in ("entities", "entities_u") for each in record.get(name, ())]
    for name in ("entities_s", "entities_su"):
        for each in record.get(name, ()):
            assert each["r"] in open_ or each["r"] not in text
