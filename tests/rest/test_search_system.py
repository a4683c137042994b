"""Search over several types (https://hl7.org/fhir/R4/http.html#search)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver.rest import search_system
from tests.application import BASE
from tests.records import observation, organization, patient, practitioner, reference

if TYPE_CHECKING:
    from typing import Any

    from tests.application import Answer, Application, Caller

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def condition(id: str, who: str, **more: Any) -> dict[str, Any]:
    coding = {"system": "http://snomed.info/sct", "code": "6142004"}
    return (
        {"resourceType": "Condition", "id": id, "subject": reference(f"Patient/{who}")}
        | {"code": {"coding": [coding]}}
        | more
    )


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    caller = application.operator()
    encounter = {"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}}
    for each in (
        organization("750000001", id="a"),
        practitioner("10000000001", id="a"),
        *(patient(id=id) for id in "pq"),
        encounter | {"id": "b", "subject": reference("Patient/p"), "period": {"start": "2024-02-01"}},
        observation("p", id="a", effectiveDateTime="2024-03-01", encounter=reference("Encounter/b")),
        observation("p", id="b", effectiveDateTime="2024-01-01"),
        observation("q", id="c", effectiveDateTime="2024-01-01"),
        observation("p", id="e"),
        condition("a", "p", recordedDate="2024-01-01", encounter=reference("Encounter/b")),
        condition("b", "q"),
        condition("d", "p"),
        {"resourceType": "List", "id": "l", "status": "current", "mode": "working",
         "entry": [{"item": reference(each)} for each in ("Patient/q", "Observation/a", "Condition/b")]},
    ):  # fmt: skip
        caller.store(each)
    return caller


def found(answer: Answer, mode: str = "match") -> list[str]:
    assert answer.status == 200, answer
    listed = [each for each in answer.json.get("entry", ()) if each["search"]["mode"] == mode]
    return [each["fullUrl"].removeprefix(f"{BASE}/") for each in listed]


FOUND = [
    ("?_type=Observation,Condition&patient=p",
     ["Condition/a", "Observation/a", "Observation/b", "Condition/d", "Observation/e"]),
    ("?_type=Condition&patient=p", ["Condition/a", "Condition/d"]),
    ("?_type=Condition,Condition&patient=p", ["Condition/a", "Condition/d"]),
    ("?_type=Observation,Condition&code=718-7,6142004&patient=q", ["Condition/b", "Observation/c"]),
    ("?_id=a", ["Condition/a", "Observation/a", "Organization/a", "Practitioner/a"]),
    ("?_type=Observation,Condition&patient=p&_sort=-_id",
     ["Observation/e", "Condition/d", "Observation/b", "Condition/a", "Observation/a"]),
    ("?_type=Observation,Encounter&patient=p&_sort=date",
     ["Observation/b", "Encounter/b", "Observation/a", "Observation/e"]),
    ("?_type=Observation,Encounter&patient=p&_sort=-date",
     ["Encounter/b", "Observation/a", "Observation/b", "Observation/e"]),
    ("?_type=Observation,Encounter&_sort=date,-_id",
     ["Observation/c", "Observation/b", "Encounter/b", "Observation/a", "Observation/e"]),
    ("?_type=Observation,Condition&encounter.status=finished", ["Condition/a", "Observation/a"]),
    ("?_type=Observation,Condition,Patient&_list=l", ["Observation/a", "Condition/b", "Patient/q"]),
    ("?_type=Observation,Medication&_id=none", []),
    ("Patient/p/*",
     ["Condition/a", "Observation/a", "Encounter/b", "Observation/b", "Condition/d", "Observation/e", "Patient/p"]),
    ("Patient/p/*?_type=Observation,Encounter", ["Observation/a", "Encounter/b", "Observation/b", "Observation/e"]),
    ("Patient/p/*?_type=Observation,Condition&code=6142004", ["Condition/a", "Condition/d"]),
    ("Encounter/b/*", ["Condition/a", "Observation/a", "Encounter/b"]),
    ("Patient/never/*", []),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "expected"), FOUND)
def test_resources_of_several_types_are_found_in_one_order(operator: Caller, asked: str, expected: list[str]) -> None:
    answer = operator.get(asked)
    assert found(answer) == expected
    assert answer.total == len(expected)
    assert answer.json["link"][0]["url"] == f"{BASE}{'' if asked[0] == '?' else '/'}{asked}"


@pytest.mark.parametrize(("asked", "expected"), FOUND)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_pages_laid_end_to_end_are_all_of_them(operator: Caller, asked: str, expected: list[str], count: int) -> None:
    answer = operator.get(f"{asked}{'&' if '?' in asked else '?'}_count={count}")
    walked = found(answer)
    while link := answer.link("next"):
        answer = operator.get(link.removeprefix(BASE))
        assert answer.total == len(expected)
        assert 0 < len(found(answer)) <= count
        walked += found(answer)
    assert walked == expected


def test_the_parameters_may_stand_in_a_form(operator: Caller) -> None:
    answer = operator.call("POST", "_search", b"_type=Observation,Condition&patient=q", FORM)
    assert found(answer) == ["Condition/b", "Observation/c"]
    answer = operator.call("POST", "Patient/q/*/_search", b"_type=Observation", FORM)
    assert found(answer) == ["Observation/c"]


def test_includes_start_from_the_types_that_have_them(operator: Caller) -> None:
    asked = "?_type=Observation,Patient&_id=a,p&_include=Observation:encounter&_revinclude=Condition:patient"
    answer = operator.get(asked)
    assert found(answer) == ["Observation/a", "Patient/p"]
    assert found(answer, "include") == ["Encounter/b", "Condition/a", "Condition/d"]
    both = operator.get("?_type=Observation,Patient&_id=a,p&_include=Observation:patient")
    assert found(both, "include") == []


def test_a_search_within_a_bundle_may_be_over_several_types(operator: Caller) -> None:
    answer = operator.transact({"request": {"method": "GET", "url": "?_type=Condition&patient=q"}})
    assert answer.json["entry"][0]["resource"]["total"] == 1


def test_a_count_and_parts_of_resources(operator: Caller) -> None:
    assert operator.get("?_type=Observation,Condition&patient=p&_summary=count").total == 5
    assert "total" not in operator.get("?_type=Observation,Condition&patient=p&_total=none").json
    parts = operator.get("?_type=Observation,Condition&patient=p&_elements=code").json["entry"]
    assert all("code" in each["resource"] and "encounter" not in each["resource"] for each in parts)


def test_only_what_may_be_seen_is_found_and_counted(application: Application, operator: Caller) -> None:
    own = application.patient("q").get("?_type=Observation,Condition")
    assert (found(own), own.total) == (["Condition/b", "Observation/c"], 2)
    assert found(application.patient("q").get("Patient/p/*")) == []
    scoped = application.practitioner("1", scopes=("user/Organization.rs",)).get(
        "?_id=a&_type=Organization,Observation"
    )
    assert found(scoped) == ["Organization/a"]


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ("?code=718-7", "code"),
        ("?_type=Observation,Patient&code=718-7", "Patient has no search parameter 'code'"),
        ("?_type=Observation,Nothing", "Nothing"),
        ("?_type=", "_type"),
        ("?_type=Observation&_type=Patient", "once"),
        ("?_type=Observation,Patient&_sort=code", "code"),
        ("?_type=Observation,Condition&_include=Encounter:subject", "_include=Encounter:subject"),
        ("Patient/p/*?_type=Organization", "Organization"),
        ("Observation?_type=Patient", "_type"),
        ("?_page=x", "page link"),
    ],
)
def test_what_cannot_be_asked_of_all_the_types_is_refused_and_named(operator: Caller, asked: str, named: str) -> None:
    answer = operator.get(asked)
    assert answer.status == 400
    assert named in answer.told


def test_too_many_joins_are_refused_with_the_way_out(operator: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_system, "MOST_JOINED", 2)
    assert operator.get("?_type=Observation,Condition&_list=l").status == 200
    answer = operator.get("?_list=l")
    assert (answer.status, answer.issue["code"]) == (400, "too-costly")
    assert "_type" in answer.told


def test_a_lenient_client_has_a_parameter_passed_over_for_all_types(operator: Caller) -> None:
    answer = operator.get("?_type=Observation,Patient&_id=a,p&code=2160-0", Prefer="handling=lenient")
    assert found(answer) == ["Observation/a", "Patient/p"]
    assert answer.json["link"][0]["url"] == f"{BASE}?_type=Observation,Patient&_id=a,p"


def test_what_has_no_compartment_has_none_of_all_types(operator: Caller) -> None:
    assert operator.get("Organization/a/*").status == 404
