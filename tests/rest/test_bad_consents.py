"""Consents that nobody should write: refused with the reason; where one is stored all the same, read without error and
to the stricter meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Access
from tests import records
from tests.application import application, applications, embedded_uri
from tests.rest.test_pcf_consents import ALICE, ALL, CAROL, actors, complete, data, labels, purposes, record, seen

if TYPE_CHECKING:
    from tests.application import Application

__all__ = ["application", "applications", "embedded_uri", "record"]

CAROLS = actors("Practitioner/carol")
INVERTED = {"start": "2026-12-31", "end": "2026-01-01"}
TYPES = "http://hl7.org/fhir/resource-types"


def deep(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "permit", "actor": CAROLS}
    for _ in range(levels):
        found = {"type": "permit", "actor": CAROLS, "provision": [found]}
    return found


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("contradiction", {"type": "permit", "provision": [{"type": each, "actor": CAROLS} for each in ("permit", "deny")]},
     "permit and deny of the same"),
    ("500 side by side", {"type": "permit", "actor": CAROLS,
                          "provision": [{"type": "permit", "actor": CAROLS, "purpose": purposes("TREAT"),
                                         "dataPeriod": {"start": f"{1500 + n}-01-01"}} for n in range(500)]},
     "More than 200 provisions"),
    ("too deep", deep(12), "nested deeper than 8"),
    ("unknown purpose", {"type": "permit", "actor": CAROLS, "purpose": purposes("CURIOSITY")}, "CURIOSITY"),
    ("unknown class", {"type": "permit", "actor": CAROLS, "class": [{"system": TYPES, "code": "Horoscope"}]},
     "Horoscope"),
    ("unknown action", {"type": "permit", "actor": CAROLS,
                        "action": [{"coding": [{"system": "urn:x", "code": "gaze"}]}]}, "Unknown action"),
    ("unknown confidentiality", {"type": "permit", "actor": CAROLS, "securityLabel": labels("Z")}, "confidentiality"),
    ("inverted period", {"type": "permit", "actor": CAROLS, "period": INVERTED}, "does not end before it starts"),
    ("inverted dataPeriod", {"type": "permit", "actor": CAROLS, "dataPeriod": INVERTED},
     "does not end before it starts"),
    ("nobody in particular", {"type": "permit", "actor": actors("Device/robot")}, "cannot be told from others"),
    ("related to a circle", {"type": "permit", "actor": CAROLS, "data": data("related", "Consent/bad")}, "related"),
    ("data elsewhere", {"type": "permit", "actor": CAROLS,
                        "data": data("instance", "https://elsewhere.example/Observation/n")}, "local reference"),
    ("code without coding", {"type": "permit", "actor": CAROLS, "code": [{"text": "haemoglobin"}]}, "without coding"),
]  # fmt: skip


def store(record: Application, resource: dict[str, Any]) -> None:
    """Past all that checks it, as an older server may have."""
    kept = {**resource, "id": "bad"}
    access = Access.system("an older server")
    record.services.store.transact(access, lambda tx: tx.create(kept, "bad"))


def remove(record: Application) -> None:
    assert record.operator().delete("Consent/bad").status == 204


@pytest.mark.parametrize(("provision", "reason"), [each[1:] for each in BAD], ids=[each[0] for each in BAD])
def test_it_is_refused_with_the_reason_and_where_stored_neither_fails_nor_widens(
    record: Application, provision: dict[str, Any], reason: str
) -> None:
    for writer in (record.patient("p"), record.operator()):
        answer = writer.post("Consent", complete(provision))
        assert answer.status == 422, answer
        assert reason in answer.told
    store(record, complete(provision))
    assert seen(record, CAROL) == ""
    remove(record)
    turned = {name: value for name, value in provision.items() if name != "provision"} | {"type": "deny"}
    allowed = record.patient("p").create(complete({"type": "permit", "actor": CAROLS}))
    before = seen(record, CAROL)
    store(record, complete(turned))
    assert before == ALL
    assert set(seen(record, CAROL).split()) <= set(before.split())
    assert set(seen(record, ALICE).split()) <= set(ALL.split())
    remove(record)
    assert record.patient("p").delete(f"Consent/{allowed}").status == 204


def test_a_circle_of_consents_and_of_what_data_refers_to_ends(record: Application) -> None:
    operator = record.operator()
    operator.store({"resourceType": "Encounter", "id": "x", "status": "finished", "class": {"code": "AMB"},
                    "subject": records.reference("Patient/p"), "partOf": records.reference("Encounter/y")})  # fmt: skip
    operator.store({"resourceType": "Encounter", "id": "y", "status": "finished", "class": {"code": "AMB"},
                    "subject": records.reference("Patient/p"), "partOf": records.reference("Encounter/x")})  # fmt: skip
    person = record.patient("p")
    around = person.create(complete({"type": "permit", "actor": CAROLS, "data": data("related", "Encounter/x")}))
    itself = complete({"type": "permit", "actor": CAROLS, "data": data("instance", f"Consent/{around}")})
    assert person.put(f"Consent/{around}", itself | {"id": around}).status == 200
    assert seen(record, CAROL) == ""
    assert record.practitioner(CAROL).get(f"Consent/{around}").status == 404
    assert person.delete(f"Consent/{around}").status == 204


def test_a_consent_of_another_persons_record_is_refused_and_where_stored_is_that_persons(record: Application) -> None:
    operator = record.operator()
    operator.store(records.patient(id="q"))
    elsewhere = complete({"type": "permit", "actor": CAROLS}) | {"patient": records.reference("Patient/q")}
    assert record.patient("p").post("Consent", elsewhere).status == 403
    nobody = complete({"type": "permit", "actor": CAROLS})
    for patient in ({"display": "me"}, {"reference": "Patient/p/_history/1x y"}, {"identifier": {"value": "me"}}):
        answer = record.patient("p").post("Consent", nobody | {"patient": patient})
        assert answer.status in (403, 422)
        store(record, nobody | {"patient": patient})
        assert seen(record, CAROL) == ""
        remove(record)


MALFORMED: list[Any] = [
    "permit",
    7,
    [],
    {"type": 3},
    {"type": "permit", "actor": 5},
    {"type": "permit", "actor": [5]},
    {"type": "permit", "actor": CAROLS, "purpose": "x", "class": {}, "data": [3]},
]


@pytest.mark.parametrize("text", MALFORMED)
def test_what_has_not_even_the_form_is_refused_and_where_stored_is_read_past(record: Application, text: Any) -> None:
    malformed = complete({}) | {"provision": text}
    assert record.patient("p").post("Consent", malformed).status in (400, 422)
    store(record, malformed)
    assert seen(record, CAROL) == ""
    assert seen(record, ALICE) in (ALL, "")
    remove(record)
