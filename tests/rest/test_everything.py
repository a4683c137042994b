"""Patient/[id]/$everything (https://hl7.org/fhir/R4/patient-operation-everything.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver.rest.operations.everything import CARE_DATES
from tests.records import care_team, document, observation, patient, practitioner, reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from tests.application import Answer, Application, Caller

ALICE = "10000000018"


EARLY, LATE = {"effectiveDateTime": "2020-03-01"}, {"effectivePeriod": {"start": "2024-01-01"}}


@pytest.fixture(scope="module")
def dated(applications: Callable[..., Any]) -> Iterator[Caller]:
    """An operator of a record with care of 2020, care that goes on since 2024, and what bears no date."""
    with applications() as application:
        operator = application.operator()
        operator.store(patient(id="d"))
        for id, more in (("early", EARLY), ("late", LATE), ("never", {})):
            operator.store(observation("d", id=id, **more))
        condition = {"resourceType": "Condition", "subject": reference("Patient/d")}
        operator.store(condition | {"id": "young", "onsetDateTime": "1999"})
        operator.store(condition | {"id": "unknown", "onsetString": "as a child"})
        yield operator


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("start=2021", {"late", "never", "unknown"}),
        ("end=2020-02", {"never", "young", "unknown"}),
        ("end=2020-03-01", {"early", "never", "young", "unknown"}),
        ("start=2020-03-01T12:00:00Z&end=2020-03-02", {"early", "never", "unknown"}),
        ("start=2025-01-01", {"late", "never", "unknown"}),
        ("start=2000&end=2001", {"never", "unknown"}),
    ],
)
def test_the_time_of_care_narrows_it_and_what_bears_none_stays(dated: Caller, query: str, found: set[str]) -> None:
    assert {each.partition("/")[2] for each in told(dated.get(f"Patient/d/$everything?{query}"))} == found | {"d"}
    first = dated.get(f"Patient/d/$everything?{query}&_count=1")
    ids = [*first.ids]
    while (link := first.link("next")) is not None:
        first = dated.get(link)
        ids += first.ids
    assert sorted(ids) == sorted(found | {"d"})


def test_the_dates_of_care_are_search_parameters(application: Application) -> None:
    for type, name in CARE_DATES.items():
        assert application.services.definitions.search_parameters(type)[name].type == "date", (type, name)


def test_parameters_by_post_are_those_of_the_query(dated: Caller) -> None:
    asked = [{"name": "start", "valueDate": "2021"}, {"name": "_type", "valueCode": "Observation"}]
    answer = dated.post("Patient/d/$everything", {"resourceType": "Parameters", "parameter": asked})
    assert sorted(answer.ids) == ["late", "never"]
    assert answer.link("self") == "Patient/d/$everything?_type=Observation&start=2021"


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    """With the record of p: a care team, a letter that is masked, five Observations of which one names q too."""
    operator = application.operator()
    by = [reference("Practitioner/alice")]
    for resource in (
        practitioner(ALICE, id="alice"), patient(id="p"), patient(id="q"),
        care_team("p", "Practitioner/alice", id="team"),
        document("p", id="masked", labels=("MASQUE_PS",)), document("p", id="open"),
        *(observation("p", id=f"o{n}", performer=by) for n in range(4)),
        observation("q", id="o9", performer=[reference("Patient/p")]), observation("q", id="other"),
    ):  # fmt: skip
        operator.store(resource)
    return operator


def told(answer: Answer) -> list[str]:
    assert answer.status == 200, answer
    return ["/".join(each["fullUrl"].split("/")[-2:]) for each in answer.json.get("entry", [])]


RECORD = [
    "Patient/p", "CareTeam/team", "DocumentReference/masked", "DocumentReference/open",
    "Observation/o0", "Observation/o1", "Observation/o2", "Observation/o3", "Observation/o9",
]  # fmt: skip
SUPPORT = ["Practitioner/alice"]


def test_the_record_and_what_it_refers_to(operator: Caller) -> None:
    answer = operator.get("Patient/p/$everything")
    assert told(answer) == RECORD + SUPPORT
    assert [each["search"]["mode"] for each in answer.json["entry"]] == ["match"] * 9 + ["include"]
    assert told(operator.post("Patient/p/$everything", {"resourceType": "Parameters"})) == RECORD + SUPPORT


@pytest.mark.parametrize("count", [1, 2, 3, 8, 9, 10])
def test_pages_follow_one_another_without_gap_or_repetition(operator: Caller, count: int) -> None:
    seen: list[str] = []
    link: str | None = f"Patient/p/$everything?_count={count}"
    while link is not None:
        answer = operator.get(link)
        found = [each for each in told(answer) if each not in SUPPORT]
        assert 1 <= len(found) <= count
        seen += found
        link = answer.link("next")
    assert seen == RECORD


def test_only_what_may_be_seen_is_in_it(application: Application, operator: Caller) -> None:
    alice = application.practitioner(ALICE)
    found = told(alice.get("Patient/p/$everything"))
    assert "DocumentReference/open" in found
    assert "DocumentReference/masked" not in found
    assert "Observation/o9" not in found
    hidden, absent = alice.get("Patient/q/$everything"), alice.get("Patient/z/$everything")
    assert hidden.status == absent.status == 404
    assert hidden.told.replace("/q", "/z") == absent.told
    assert set(told(application.patient("p").get("Patient/p/$everything"))) >= set(RECORD) - {"Observation/o9"}


def test_types_and_times_narrow_it(operator: Caller) -> None:
    assert told(operator.get("Patient/p/$everything?_type=Patient,CareTeam")) == ["Patient/p", "CareTeam/team"]
    assert told(operator.get("Patient/p/$everything?_type=CareTeam&_type=Practitioner")) == ["CareTeam/team", *SUPPORT]
    assert told(operator.get("Patient/p/$everything?_since=2999")) == []


@pytest.mark.parametrize(
    "query",
    [
        "start=x",
        "end=2020-13-01",
        "start=2020&start=2021",
        "_type=Nothing",
        "_type=Organization,Practitioner",
        "_count=0",
        "_count=x",
        "_since=x",
        "_page=x",
        "x=1",
    ],
)
def test_what_is_not_offered_is_named(operator: Caller, query: str) -> None:
    assert operator.get(f"Patient/p/$everything?{query}").status == 400


def test_a_link_is_for_whom_it_was_given(application: Application, operator: Caller) -> None:
    link = operator.get("Patient/p/$everything?_count=1").link("next")
    assert link is not None
    assert application.patient("p").get(link).status == 400
    assert operator.get(link.replace("/p/", "/q/")).status == 400
