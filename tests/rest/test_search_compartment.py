"""Search within a compartment (https://hl7.org/fhir/R4/compartmentdefinition.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.records import observation, patient, practitioner, reference

if TYPE_CHECKING:
    from tests.application import Application, Caller

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    caller = application.operator()
    encounter = {"resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "AMB"}}
    for each in (
        practitioner("10000000001", id="a"),
        *(patient(id=id) for id in "pqrs"),
        encounter | {"subject": reference("Patient/p")},
        observation("p", id="o1", encounter=reference("Encounter/e"), performer=[reference("Practitioner/a")]),
        observation("p", id="o2", code="2160-0"),
        observation("q", id="o3", performer=[reference("Patient/r")]),
        observation("r", id="o4"),
        {"resourceType": "Organization", "id": "x", "name": "x"},
    ):
        caller.store(each)
    return caller


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        ("Patient/p/Observation", ["o1", "o2"]),
        ("Patient/p/Observation?code=2160-0", ["o2"]),
        ("Patient/q/Observation", ["o3"]),
        ("Patient/r/Observation", ["o3", "o4"]),
        ("Patient/r/Observation?patient=r", ["o4"]),
        ("Patient/p/Observation?patient=q", []),
        ("Patient/p/Observation?performer:Practitioner.identifier=10000000001", ["o1"]),
        ("Patient/s/Observation", []),
        ("Patient/never/Observation", []),
        ("Patient/p/Encounter", ["e"]),
        ("Patient/p/Patient", ["p"]),
        ("Encounter/e/Observation", ["o1"]),
        ("Practitioner/a/Observation", ["o1"]),
        ("Practitioner/a/Patient", []),
        ("Encounter/e/Encounter", ["e"]),
    ],
)
def test_a_compartment_holds_what_belongs_to_its_owner(operator: Caller, asked: str, ids: list[str]) -> None:
    path, _, query = asked.partition("?")
    answer = operator.get(f"{path}?{query}{'&' if query else ''}_sort=_id")
    assert answer.ids == ids
    assert answer.total == len(ids)
    assert answer.link("self") == f"{path}?{query}{'&' if query else ''}_sort=_id"
    form = operator.call("POST", f"{path}/_search", f"{query}&_sort=_id".strip("&").encode(), FORM)
    assert form.content == answer.content


def test_its_pages_are_of_the_compartment(operator: Caller) -> None:
    answer = operator.get("Patient/p/Observation?_count=1&_sort=_id&_format=json")
    link = answer.link("next")
    assert link is not None
    assert link.startswith("Patient/p/Observation?_page=")
    assert link.endswith("&_format=json")
    following = operator.get(link)
    assert following.ids == ["o2"]
    assert following.link("next") is None
    assert operator.get(link.replace("Patient/p", "Patient/q")).status == 400
    assert operator.get(link.replace("Patient/p/", "")).status == 400


@pytest.mark.parametrize(
    "path",
    ["Patient/p/Organization", "Patient/p/Location", "Organization/x/Patient", "Patient/p/Nothing",
     "Encounter/e/Patient", "Nothing/p/Observation", "Patient/p/StructureDefinition"],
)  # fmt: skip
def test_a_type_that_is_never_in_the_compartment_is_not_there(operator: Caller, path: str) -> None:
    answer = operator.get(path)
    assert answer.status == 404
    assert "entry" not in answer.json


def test_what_is_no_id_is_refused(operator: Caller) -> None:
    assert operator.get("Patient/a_b/Observation").status == 400


def test_the_metadata_names_the_compartments(application: Application) -> None:
    listed = application.nobody().get("metadata").json["rest"][0]["compartment"]
    assert [each.rpartition("/")[2] for each in listed] == [
        "device",
        "encounter",
        "patient",
        "practitioner",
        "relatedperson",
    ]


def test_a_compartment_is_searched_as_one_record(application: Application, operator: Caller) -> None:
    """The holder sees what is his; others nothing, whether there is such a record or not."""
    assert application.patient("p").get("Patient/p/Observation").total == 2
    other, absent = (application.patient("s").get(f"Patient/{id}/Observation") for id in ("p", "n"))
    assert other.content.replace(b"Patient/p", b"Patient/n") == absent.content
