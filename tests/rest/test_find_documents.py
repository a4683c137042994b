"""Find document lists and documents (IHE ITI-66, ITI-67; PDSm flows 05 and 06): every parameter, by GET and POST."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from tests.records import INS_NIR, document, patient, reference

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.application import Application, Caller

MHD = "https://profiles.ihe.net/ITI/MHD/StructureDefinition"
LISTS = "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes"
ARCHIVED = {
    "url": "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-ext-is-archived",
    "valueBoolean": True,
}
INS = "255069999999934"
OID = {"system": "urn:ietf:rfc:3986", "value": "urn:oid:2.25.1"}
LOCAL = {"system": "urn:ietf:rfc:3986", "value": "urn:oid:2.25.2"}


def concept(code: str) -> dict[str, Any]:
    return {"coding": [{"system": "urn:x", "code": code}]}


def letter(me: str) -> dict[str, Any]:
    content = {
        "attachment": {"url": "urn:oid:1.2.3", "contentType": "application/pdf", "creation": "2026-02-03"},
        "format": {"system": "urn:f", "code": "pdf"},
    }
    author = {"resourceType": "Practitioner", "id": "a", "name": [{"family": "Curie", "given": ["Marie"]}]}
    return document(
        me,
        masterIdentifier=OID,
        identifier=[LOCAL],
        contained=[author],
        author=[reference("#a"), reference("Practitioner/curie")],
        category=[concept("10")],
        date="2026-02-04T10:00:00Z",
        securityLabel=[concept("N")],
        extension=[ARCHIVED],
        relatesTo=[{"code": "appends", "target": reference("DocumentReference/other")}],
        content=[content],
        context={
            "event": [concept("act")],
            "period": {"start": "2026-01-10", "end": "2026-01-20"},
            "facilityType": concept("SA01"),
            "practiceSetting": concept("ETABLISSEMENT"),
            "related": [{"reference": "ServiceRequest/order", "identifier": {"system": "urn:s", "value": "study"}}],
        },
    )


def submission(me: str) -> dict[str, Any]:
    organisation = {"url": f"{MHD}/ihe-authorOrg", "valueReference": reference("Organization/o")}
    return {
        "resourceType": "List",
        "status": "current",
        "mode": "working",
        "title": "Discharge",
        "code": {"coding": [{"system": LISTS, "code": "submissionset"}]},
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": "urn:oid:2.25.3"}],
        "subject": reference(f"Patient/{me}"),
        "date": "2026-02-04T10:00:00Z",
        "source": {"reference": "Practitioner/curie", "extension": [organisation]},
        "extension": [
            ARCHIVED,
            {"url": f"{MHD}/ihe-designationType", "valueCodeableConcept": concept("hospital")},
            {"url": f"{MHD}/ihe-sourceId", "valueIdentifier": {"system": "urn:src", "value": "1.2"}},
        ],
    }


class Shelf:
    """A record with one document and one list, besides those of another record."""

    def __init__(self, application: Application) -> None:
        operator = application.operator()
        operator.store(
            {"resourceType": "Practitioner", "id": "curie", "name": [{"family": "Curie", "given": ["Marie"]}]}
        )
        self.hospital: Caller = application.system("750000001")
        self.me = operator.create(patient(identifier=[{"system": INS_NIR, "value": INS}]))
        self.holder = application.patient(self.me)
        other = operator.create(patient())
        self.found = {
            "DocumentReference": self.hospital.create(letter(self.me)),
            "List": self.hospital.create(submission(self.me)),
        }
        self.hospital.create(document(other))
        bare = {"resourceType": "List", "status": "retired", "mode": "working", "title": "x"}
        self.hospital.create(bare | {"subject": reference(f"Patient/{other}")})

    def ask(self, type: str, pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
        """What GET and POST find."""
        form = urlencode(list(pairs)).encode()
        sent = {"Content-Type": "application/x-www-form-urlencoded"}
        return [self.holder.search(type, *pairs).ids, self.holder.call("POST", f"{type}/_search", form, sent).ids]


@pytest.fixture(scope="module")
def shelf(application: Application) -> Shelf:
    return Shelf(application)


@pytest.mark.parametrize(
    ("name", "value", "other"),
    [
        ("type", "http://loinc.org|11488-4", "urn:x|11488-4"),
        ("category", "urn:x|10", "urn:x|11"),
        ("event", "urn:x|act", "urn:x|other"),
        ("facility", "urn:x|SA01", "urn:x|SA02"),
        ("setting", "urn:x|ETABLISSEMENT", "urn:x|other"),
        ("format", "urn:f|pdf", "urn:f|cda"),
        ("creation", "2026-02-03", "2026-02-04"),
        ("date", "ge2026-02-04", "lt2026-02-04"),
        ("period", "2026-01", "2025"),
        ("period-start", "ge2026-01-10", "lt2026-01-10"),
        ("period-end", "le2026-01-20", "gt2026-01-20"),
        ("author.given", "Marie", "Pierre"),
        ("author.family", "Curie", "Joliot"),
        ("security-label", "urn:x|N", "urn:x|V"),
        ("related", "ServiceRequest/order", "ServiceRequest/other"),
        ("related:identifier", "urn:s|study", "urn:s|other"),
        ("relatesto", "DocumentReference/other", "DocumentReference/never"),
        ("isArchived", "true", "false"),
        ("identifier", "urn:ietf:rfc:3986|urn:oid:2.25.1", "urn:ietf:rfc:3986|urn:oid:2.25.9"),
        ("identifier", "urn:ietf:rfc:3986|urn:oid:2.25.2", "urn:oid:2.25.9"),
        ("status", "current", "superseded"),
    ],
)
def test_a_document_is_found_by(shelf: Shelf, name: str, value: str, other: str) -> None:
    mine = ("patient.identifier", f"{INS_NIR}|{INS}")
    for who in (mine, ("patient", f"Patient/{shelf.me}")):
        assert shelf.ask("DocumentReference", [who, (name, value)]) == [[shelf.found["DocumentReference"]]] * 2
        assert shelf.ask("DocumentReference", [who, (name, other)]) == [[]] * 2


@pytest.mark.parametrize(
    ("name", "value", "other"),
    [
        ("code", f"{LISTS}|submissionset", f"{LISTS}|folder"),
        ("date", "2026-02-04", "2026-02-05"),
        ("designationType", "urn:x|hospital", "urn:x|other"),
        ("sourceId", "urn:src|1.2", "urn:src|1.3"),
        ("identifier", "urn:ietf:rfc:3986|urn:oid:2.25.3", "urn:oid:2.25.9"),
        ("status", "current", "retired"),
        ("isArchived", "true", "false"),
        ("title", "Discharge", "other"),
        ("source", "Practitioner/curie", "Practitioner/other"),
        ("source:Practitioner.family", "Curie", "Joliot"),
        ("source:Practitioner.given", "Marie", "Pierre"),
        ("authorOrg", "Organization/o", "Organization/other"),
    ],
)
def test_a_list_is_found_by(shelf: Shelf, name: str, value: str, other: str) -> None:
    mine = ("patient.identifier", f"{INS_NIR}|{INS}")
    assert shelf.ask("List", [mine, (name, value)]) == [[shelf.found["List"]]] * 2
    assert shelf.ask("List", [mine, (name, other)]) == [[]] * 2


def test_what_an_mhd_client_must_say_is_demanded_of_nobody(shelf: Shelf) -> None:
    assert shelf.hospital.search("DocumentReference", ("type", "11488-4")).total == 2
    assert shelf.hospital.search("List").status == 200


def test_several_criteria_hold_together(shelf: Shelf) -> None:
    asked = [("patient", shelf.me), ("status", "current"), ("type", "11488-4,34112-3"), ("date", "ge2026-02-01"),
             ("date", "le2026-03-01"), ("period", "ge2026")]  # fmt: skip
    assert shelf.ask("DocumentReference", asked) == [[shelf.found["DocumentReference"]]] * 2
