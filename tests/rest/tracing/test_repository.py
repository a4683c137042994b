"""ITI-20 and ITI-81 (IHE ITI TF-2b 3.20, RESTful ATNA): other systems' events, recorded and found beside the traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.application import BASE
from tests.records import patient, post, put, reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Application, Caller

TDE = "https://interop.esante.gouv.fr/ig/fhir/tde/StructureDefinition/tde-auditevent"
FINESS = "750000001"


def event(patient: str | None, **more: Any) -> dict[str, Any]:
    about = {"entity": [{"what": reference(f"Patient/{patient}")}]} if patient else {}
    return {
        "resourceType": "AuditEvent",
        "type": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110106"},
        "period": {"start": "2026-01-01T10:00:00Z"},
        "recorded": "2026-01-01T10:00:00Z",
        "outcome": "0",
        "agent": [{"requestor": True, "altId": "nurse-7", "who": {"display": "nurse"}}],
        "source": {"observer": {"type": "Device", "identifier": {"value": "pacs-1"}}},
        **about,
        **more,
    }


@pytest.fixture(scope="module")
def french(applications: Callable[..., Any]) -> Iterator[Application]:
    with applications("french") as opened:
        yield opened


@pytest.fixture
def pacs(application: Application) -> Caller:
    return application.system(FINESS, "pacs")


def test_a_system_records_events_and_finds_its_own(application: Application, pacs: Caller) -> None:
    own = application.operator().create(patient())
    id = pacs.create(event(own))
    assert pacs.get(f"AuditEvent/{id}").status == 200
    assert pacs.search("AuditEvent", date="2026-01-01", altid="nurse-7").ids == [id]
    assert application.patient(own).search("AuditEvent", altid="nurse-7").ids == [id]
    assert application.system(FINESS, "another").get(f"AuditEvent/{id}").status == 404
    assert application.practitioner("10000000018", organization=FINESS).get(f"AuditEvent/{id}").status == 404


def test_events_come_in_a_batch(application: Application, pacs: Caller) -> None:
    own = application.operator().create(patient())
    sent = {"resourceType": "Bundle", "type": "batch", "entry": [post(event(own)), post(event(None)), post(event(own))]}
    answer = pacs.post("", sent)
    assert [each["response"]["status"] for each in answer.json["entry"]] == ["201 Created"] * 3
    assert application.patient(own).search("AuditEvent", altid="nurse-7").total == 2


def test_events_of_a_closed_record_are_recorded_too(application: Application, pacs: Caller) -> None:
    own = application.operator().create(patient(active=False))
    pacs.create(event(own))


@pytest.mark.parametrize("who", ["practitioner", "patient", "representative"])
def test_nobody_else_records_events(application: Application, who: str) -> None:
    own = application.operator().create(patient())
    callers = {
        "practitioner": application.practitioner("10000000018"),
        "patient": application.patient(own),
        "representative": application.representative(own),
    }
    assert callers[who].post("AuditEvent", event(own)).status == 403


def test_what_was_recorded_stays(application: Application, pacs: Caller) -> None:
    id = pacs.create(event(None))
    for caller in (pacs, application.operator()):
        assert caller.put(f"AuditEvent/{id}", event(None, id=id, outcome="8")).status == 405
        assert caller.delete(f"AuditEvent/{id}").status == 405
        assert caller.delete("AuditEvent?altid=nurse-7").status == 405


def test_an_event_that_claims_the_french_profile_is_held_to_it(french: Application) -> None:
    pacs = french.system(FINESS, "pacs")
    profile = {"meta": {"profile": [TDE]}}
    id = pacs.create(event(None, **profile))
    assert pacs.get("AuditEvent?period-start=2026-01-01").ids == [id]
    untimed = event(None, **profile) | {"period": {"end": "2026-01-01T10:00:00Z"}}
    assert pacs.post("AuditEvent", untimed).status == 422


def test_a_search_demands_no_date(application: Application, pacs: Caller) -> None:
    id = pacs.create(event(None, outcome="12"))
    assert pacs.search("AuditEvent", outcome="12").ids == [id]


def test_what_is_recorded_from_outside_is_no_trace_of_this_server(application: Application, pacs: Caller) -> None:
    for named in ({"identifier": {"system": "urn:ietf:rfc:3986", "value": BASE}}, {"reference": f"{BASE}/"}):
        for caller in (pacs, application.operator()):
            refused = caller.post("AuditEvent", event(None, source={"observer": named}))
            assert (refused.status, "source.observer" in refused.told) == (422, True)


def test_no_id_of_a_trace_is_given_to_what_is_recorded(application: Application) -> None:
    id = "0" * 32 + ".0000000001"
    operator = application.operator()
    assert operator.put(f"AuditEvent/{id}", event(None, id=id)).status == 405
    assert operator.transact(put(event(None, id=id))).status == 405
    assert operator.search("AuditEvent", _id=id).total == 0
