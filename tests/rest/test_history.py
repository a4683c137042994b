"""history of one resource (https://hl7.org/fhir/R4/http.html#history)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.application import BASE
from tests.records import patient

if TYPE_CHECKING:
    from tests.application import Application, Caller


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    return application.operator()


@pytest.fixture(scope="module")
def five(operator: Caller) -> str:
    """The id of a patient with versions 1, 2 and 3, deleted in 4, back in 5."""
    id = operator.create(patient(gender="male"))
    for gender in ("female", "other"):
        operator.put(f"Patient/{id}", patient(id=id, gender=gender))
    operator.delete(f"Patient/{id}")
    operator.put(f"Patient/{id}", patient(id=id, gender="unknown"))
    return id


def test_all_versions_newest_first_with_what_made_them(operator: Caller, five: str) -> None:
    answer = operator.get(f"Patient/{five}/_history")
    assert answer.json["type"] == "history"
    assert answer.total == 5
    entries = answer.json["entry"]
    assert [each["response"]["etag"] for each in entries] == [f'W/"{version}"' for version in (5, 4, 3, 2, 1)]
    assert [each["request"]["method"] for each in entries] == ["PUT", "DELETE", "PUT", "PUT", "POST"]
    assert [each.get("resource", {}).get("gender") for each in entries] == ["unknown", None, "other", "female", "male"]
    assert {each["fullUrl"] for each in entries} == {f"{BASE}/Patient/{five}"}
    assert answer.link("self") == f"Patient/{five}/_history"
    assert answer.link("next") is None


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_pages_follow_one_another_without_gap_or_repetition(operator: Caller, five: str, count: int) -> None:
    seen: list[str] = []
    path: str | None = f"Patient/{five}/_history?_count={count}"
    while path is not None:
        page = operator.get(path)
        assert page.total == 5
        entries = page.json["entry"]
        assert 1 <= len(entries) <= count
        seen += [each["response"]["etag"] for each in entries]
        path = page.link("next")
    assert seen == [f'W/"{version}"' for version in (5, 4, 3, 2, 1)]


def test_a_page_link_of_a_history_is_of_no_use_elsewhere(application: Application, operator: Caller, five: str) -> None:
    link = operator.get(f"Patient/{five}/_history?_count=1").link("next")
    assert link is not None
    other = operator.create(patient())
    token = link.partition("?")[2]
    assert operator.get(f"Patient/{other}/_history?{token}").status == 400
    assert operator.get(f"Patient?{token}").status == 400
    assert application.patient(five).get(link).status == 400


def test_counting_answers_no_entry(operator: Caller, five: str) -> None:
    answer = operator.get(f"Patient/{five}/_history?_count=0")
    assert answer.total == 5
    assert "entry" not in answer.json
    assert answer.link("next") is None


@pytest.mark.parametrize(
    "query", ["_count=x", "_count=-1", "_count=", "_count=1&_count=2", "_count=%D9%A1", "_count=9999999999"]
)
def test_a_count_that_is_none_is_refused(operator: Caller, five: str, query: str) -> None:
    assert operator.get(f"Patient/{five}/_history?{query}").status == 400


@pytest.mark.parametrize("name", ["_list", "_sort", "gender"])
def test_a_parameter_that_is_not_offered_is_named(operator: Caller, five: str, name: str) -> None:
    answer = operator.get(f"Patient/{five}/_history?{name}=2020")
    assert answer.status == 400
    assert f"'{name}'" in answer.told


def test_what_never_was_has_no_history(operator: Caller) -> None:
    assert operator.get("Patient/never-was/_history").status == 404
