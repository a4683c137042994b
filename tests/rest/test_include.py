"""`_include` and `_revinclude` (https://hl7.org/fhir/R4/search.html#revinclude)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver.store import includes
from tests.application import BASE
from tests.records import observation, organization, patient, practitioner, reference

if TYPE_CHECKING:
    from typing import Any

    from tests.application import Answer, Application, Caller

INS = "urn:oid:1.2.250.1.213.1.4.8"


def resources() -> list[dict[str, Any]]:
    encounter = {"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}}
    return [
        organization("750000001", id="trust"),
        organization("750000002", id="ward", partOf=reference("Organization/trust")),
        practitioner("10000000001", id="alice"),
        patient(id="p", identifier=[{"system": INS, "value": "185056322012345"}]),
        patient(id="q", managingOrganization=reference("Organization/ward")),
        encounter | {"id": "e", "subject": reference("Patient/p"), "serviceProvider": reference("Organization/ward")},
        observation("p", id="o1", encounter=reference("Encounter/e"), performer=[reference("Practitioner/alice")]),
        observation(id="o2", subject=reference(f"{BASE}/Patient/p"), performer=[reference("Organization/ward")]),
        observation(id="o3", subject=reference("Patient/q/_history/1"), derivedFrom=[reference("Observation/o1")]),
        observation(id="o4", subject={"identifier": {"system": INS, "value": "185056322012345"}}),
        observation(id="o5", subject=reference("Patient/never"), hasMember=[reference("http://other.org/Observation/o1")]),
        observation(id="o6", subject=reference("#c"), contained=[patient(id="c")]),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    caller = application.operator()
    for each in resources():
        caller.store(each)
    return caller


def entries(answer: Answer, mode: str) -> list[str]:
    assert answer.status == 200, answer
    listed = [each for each in answer.json.get("entry", ()) if each["search"]["mode"] == mode]
    return [each["fullUrl"].removeprefix(f"{BASE}/") for each in listed]


def included(operator: Caller, asked: str) -> list[str]:
    return sorted(entries(operator.get(asked), "include"))


@pytest.mark.parametrize(
    ("asked", "brought"),
    [
        ("Observation?_id=o1&_include=Observation:subject", ["Patient/p"]),
        ("Observation?_id=o1&_include=Observation:patient", ["Patient/p"]),
        ("Observation?_id=o2&_include=Observation:subject", ["Patient/p"]),
        ("Observation?_id=o3&_include=Observation:subject", ["Patient/q"]),
        ("Observation?_id=o4&_include=Observation:subject", ["Patient/p"]),
        ("Observation?_id=o5&_include=*", []),
        ("Observation?_id=o6&_include=*", []),
        ("Observation?_id=o1,o2,o4&_include=Observation:subject", ["Patient/p"]),
        ("Observation?_id=o1&_include=Observation:performer:Practitioner", ["Practitioner/alice"]),
        ("Observation?_id=o1&_include=Observation:performer:Organization", []),
        ("Observation?_id=o1,o2&_include=Observation:performer", ["Organization/ward", "Practitioner/alice"]),
        ("Observation?_id=o1&_include=*", ["Encounter/e", "Patient/p", "Practitioner/alice"]),
        ("Observation?_id=o1&_include=Observation:*", ["Encounter/e", "Patient/p", "Practitioner/alice"]),
        ("Observation?_id=o1&_include=Observation:*:Patient", ["Patient/p"]),
        (
            "Observation?_id=o1&_include=Observation:subject&_include=Observation:encounter",
            ["Encounter/e", "Patient/p"],
        ),
        ("Observation?_id=o3&_include=Observation:derived-from", ["Observation/o1"]),
        ("Observation?_id=o1,o3&_include=Observation:derived-from", []),
    ],
)
def test_what_matches_refer_to_is_included(operator: Caller, asked: str, brought: list[str]) -> None:
    assert included(operator, asked) == brought


@pytest.mark.parametrize(
    ("asked", "brought"),
    [
        ("Patient?_id=p&_revinclude=Observation:subject", ["Observation/o1", "Observation/o2", "Observation/o4"]),
        ("Patient?_id=p,q&_revinclude=Observation:subject:Patient",
         ["Observation/o1", "Observation/o2", "Observation/o3", "Observation/o4"]),
        ("Patient?_id=q&_revinclude=Observation:patient", ["Observation/o3"]),
        ("Patient?_id=p&_revinclude=*", ["Encounter/e", "Observation/o1", "Observation/o2", "Observation/o4"]),
        ("Observation?_id=o1&_revinclude=Observation:derived-from", ["Observation/o3"]),
        ("Organization?_id=trust&_revinclude=Organization:partof", ["Organization/ward"]),
        ("Practitioner?_id=alice&_revinclude=Observation:performer", ["Observation/o1"]),
        ("Practitioner?_id=nobody&_revinclude=*", []),
    ],
)  # fmt: skip
def test_what_refers_to_matches_is_included(operator: Caller, asked: str, brought: list[str]) -> None:
    assert included(operator, asked) == brought


@pytest.mark.parametrize(
    ("asked", "brought"),
    [
        ("Observation?_id=o1&_include=Observation:encounter&_include:iterate=Encounter:service-provider",
         ["Encounter/e", "Organization/ward"]),
        (("Observation?_id=o1&_include=Observation:encounter&_include=Observation:subject"
         "&_include:iterate=Encounter:service-provider&_include:iterate=Organization:partof"),
         ["Encounter/e", "Organization/trust", "Organization/ward", "Patient/p"]),
        (("Organization?_id=trust&_revinclude:iterate=Organization:partof&_revinclude:iterate=Encounter:service-provider"
         "&_include:iterate=Encounter:patient"),
         ["Encounter/e", "Organization/ward", "Patient/p"]),
        ("Observation?_id=o3&_include:iterate=*",
         ["Encounter/e", "Observation/o1", "Organization/trust", "Organization/ward", "Patient/p", "Patient/q",
          "Practitioner/alice"]),
    ],
)  # fmt: skip
def test_what_is_included_is_followed_on_where_that_is_asked_for(
    operator: Caller, asked: str, brought: list[str]
) -> None:
    assert included(operator, asked) == brought


def test_a_reference_that_turns_in_a_circle_ends(application: Application) -> None:
    caller = application.operator()
    for a, b in (("x", "y"), ("y", "x")):
        caller.store(observation(id=a, derivedFrom=[reference(f"Observation/{b}")]))
    answer = caller.get("Observation?_id=x&_include:iterate=Observation:derived-from")
    assert (entries(answer, "match"), entries(answer, "include")) == (["Observation/x"], ["Observation/y"])
    for each in "xy":
        caller.delete(f"Observation/{each}")


def test_the_included_are_no_matches(operator: Caller) -> None:
    plain = operator.get("Observation?subject=Patient/p&_sort=_id")
    answer = operator.get("Observation?subject=Patient/p&_sort=_id&_include=Observation:subject")
    assert answer.total == plain.total == 3
    assert entries(answer, "match") == entries(plain, "match")
    (found,) = (each for each in answer.json["entry"] if each["search"]["mode"] == "include")
    assert found["resource"] == operator.get("Patient/p").json
    assert answer.link("self") == "Observation?subject=Patient/p&_sort=_id&_include=Observation:subject"


def test_each_page_brings_what_its_own_matches_refer_to(operator: Caller) -> None:
    answer = operator.get("Observation?_id=o1,o3&_sort=_id&_count=1&_include=Observation:subject")
    link = answer.link("next")
    assert link is not None
    assert entries(answer, "include") == ["Patient/p"]
    assert entries(operator.get(link), "include") == ["Patient/q"]


def test_a_count_includes_nothing(operator: Caller) -> None:
    assert "entry" not in operator.get("Observation?_summary=count&_include=Observation:subject").json


def test_more_than_a_page_holds_is_cut_and_said(operator: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(includes, "MOST", 2)
    answer = operator.get("Patient?_id=p&_revinclude=Observation:subject&_revinclude=Encounter:subject")
    assert entries(answer, "include") == ["Observation/o1", "Observation/o2", "Encounter/e"]
    outcome = answer.json["entry"][-1]
    assert outcome["search"]["mode"] == "outcome"
    (issue,) = outcome["resource"]["issue"]
    assert (issue["severity"], issue["code"]) == ("warning", "incomplete")
    assert "_revinclude=Observation:subject" in issue["diagnostics"]
    monkeypatch.setattr(includes, "MOST_TOGETHER", 3)
    monkeypatch.setattr(includes, "MOST", 1000)
    together = operator.get("Patient?_id=p&_revinclude=Observation:subject&_revinclude=Encounter:subject")
    assert entries(together, "include") == ["Observation/o1", "Observation/o2", "Observation/o4"]
    assert "_revinclude=Encounter:subject" in together.json["entry"][-1]["resource"]["issue"][0]["diagnostics"]
    exactly = operator.get("Observation?_id=o1,o2&_include=Observation:performer")
    assert [each["search"]["mode"] for each in exactly.json["entry"]] == ["match"] * 2 + ["include"] * 2


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ("Observation?_include=Observation:colour", "colour"),
        ("Observation?_include=Observation:code", "code"),
        ("Observation?_include=Nothing:subject", "Nothing"),
        ("Observation?_include=Observation:subject:Nothing", "Nothing"),
        ("Observation?_include=Observation:subject:Medication", "Medication"),
        ("Observation?_include=Patient:organization", "_include:iterate"),
        ("Observation?_revinclude=Patient:organization", "_revinclude:iterate"),
        ("Observation?_include=subject", "_include"),
        ("Observation?_include=", "_include"),
        ("Observation?_include=Observation:subject:Patient:x", "_include"),
        ("Observation?_include:deep=Observation:subject", ":deep"),
        ("Observation?_include=Observation:subject&_summary=text", "_summary"),
    ],
)
def test_an_include_that_cannot_be_is_refused_and_named(operator: Caller, asked: str, named: str) -> None:
    answer = operator.get(asked)
    assert answer.status == 400
    assert named in answer.told


def test_the_metadata_lists_what_can_be_included(application: Application, operator: Caller) -> None:
    listed = {each["type"]: each for each in application.nobody().get("metadata").json["rest"][0]["resource"]}
    assert {"Observation:subject", "Observation:derived-from", "*"} <= set(listed["Observation"]["searchInclude"])
    assert {"Observation:subject", "Provenance:target", "*"} <= set(listed["Patient"]["searchRevInclude"])
    for type, forward, backward in (("Encounter", "searchInclude", "searchRevInclude"),):
        for name, values in (("_include", listed[type][forward]), ("_revinclude", listed[type][backward])):
            for value in values:
                assert operator.search(type, (name, value), _id="none").status == 200, value
