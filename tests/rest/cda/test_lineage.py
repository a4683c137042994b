"""CDA documents that replace one another, are errors, come back: which of them is current, and with what."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver import jsontext
from tests.records import care_team, practitioner
from tests.rest.cda.case import MASKED, V2_0203, Case, anew, deposit

if TYPE_CHECKING:
    from tests.application import Answer, Application, Caller

PATCH = {"Content-Type": "application/json-patch+json"}


def version(case: Case, number: int, replaces: int | None = None, name: str = "vac") -> bytes:
    """A document under an id of its own, which replaces another one."""
    data = anew(case.document(name), f"1.2.250.1.213.99.9.{case.number}.{number}")
    if replaces is None:
        return data
    parent = f'<parentDocument><id root="1.2.250.1.213.99.9.{case.number}.{replaces}"/></parentDocument>'
    return data.replace(
        b"<componentOf>", f'<relatedDocument typeCode="RPLC">{parent}</relatedDocument><componentOf>'.encode()
    )


def become(caller: Caller, id: str, status: str) -> Answer:
    patch = [{"op": "replace", "path": "/status", "value": status}]
    return caller.call("PATCH", f"DocumentReference/{id}", jsontext.dump(patch), PATCH)


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))), ids=str)
def test_in_whatever_order_versions_come_the_last_one_is_current(
    server: Application, record: str, hospital: Caller, case: Case, order: tuple[int, ...]
) -> None:
    for number in order:
        assert deposit(hospital, version(case, number, number - 1 or None)).status == 201
    found = [each["resource"] for each in server.operator().search("DocumentReference", patient=record).json["entry"]]
    current = [each["masterIdentifier"]["value"][-1] for each in found if each["status"] == "current"]
    assert current == ["3"]
    assert server.patient(record).search("Immunization", patient=record).total == 3


def test_documents_that_replace_each_other_do_not_both_vanish(
    server: Application, record: str, hospital: Caller, case: Case
) -> None:
    assert deposit(hospital, version(case, 1, replaces=3)).status == 201
    assert deposit(hospital, version(case, 2, replaces=1)).status == 201
    before = server.counts()
    answer = deposit(hospital, version(case, 3, replaces=2))
    assert (answer.status, answer.issue["expression"]) == (409, ["/ClinicalDocument/relatedDocument"])
    assert server.counts() == before


def test_what_takes_the_place_of_a_masked_document_is_masked(
    server: Application, record: str, hospital: Caller, case: Case
) -> None:
    physician = server.practitioner(f"100000{case.number}")
    server.patient(record).create(care_team(record, f"Practitioner/{server.operator().create(named(case))}"))
    first = deposit(hospital, version(case, 1))
    assert physician.search("Immunization", patient=record).total == 3
    mask = [{"op": "add", "path": "/securityLabel/-", "value": {"coding": [MASKED]}}]
    masked = server.patient(record).call("PATCH", f"DocumentReference/{first.id}", jsontext.dump(mask), PATCH)
    assert masked.status == 200, masked.content
    second = deposit(hospital, version(case, 2, replaces=1))
    assert {"coding": [MASKED]} in second.json["securityLabel"]
    assert physician.search("Immunization", patient=record).total == 0
    assert server.patient(record).search("Immunization", patient=record).total == 3


def named(case: Case) -> dict[str, Any]:
    found = practitioner(f"100000{case.number}", name=[{"family": "LEROY"}])
    found["identifier"][0]["type"] = {"coding": [{"system": V2_0203, "code": "RPPS"}]}
    return found


def test_a_document_does_not_replace_itself(record: str, hospital: Caller, case: Case) -> None:
    answer = deposit(hospital, version(case, 1, replaces=1))
    assert answer.status == 422
    assert answer.issue["expression"] == ["/ClinicalDocument/relatedDocument/parentDocument/id"]


def test_what_was_set_aside_does_not_come_back_without_what_was_derived_from_it(
    server: Application, record: str, hospital: Caller, case: Case
) -> None:
    document = deposit(hospital, version(case, 1)).id
    for status in ("superseded", "entered-in-error"):
        assert become(hospital, document, status).status == 200
        answer = become(hospital, document, "current")
        assert (answer.status, answer.issue["expression"]) == (409, ["DocumentReference.status"])


def test_a_document_that_was_an_error_is_as_one_that_never_came(
    server: Application, record: str, hospital: Caller, case: Case
) -> None:
    first = deposit(hospital, version(case, 1))
    assert become(hospital, first.id, "entered-in-error").status == 200
    again = deposit(hospital, version(case, 1))
    assert (again.status, again.json["status"]) == (201, "current")
    assert server.patient(record).search("Immunization", patient=record).total == 3
    assert deposit(hospital, version(case, 1)).id == again.id


@pytest.mark.parametrize("number", ["a|b", "a\\", "a,b", "$", "279 035"])
def test_a_matricule_of_any_characters_is_that_of_nobody(
    record: str, hospital: Caller, case: Case, number: str
) -> None:
    document = case.document("l1-texte").replace(b"2790351215%05d" % case.number, number.encode())
    assert deposit(hospital, document).status == 422
