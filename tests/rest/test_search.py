"""search-type by GET and POST (https://hl7.org/fhir/R4/search.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.application import BASE
from tests.records import observation, patient

if TYPE_CHECKING:
    from tests.application import Answer, Application, Caller

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NAMES = ["Abadie", "Bernard", "Chevalier", "Dubois", "Étienne", "Fabre", "Garnier"]


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    return application.operator()


@pytest.fixture(scope="module")
def people(operator: Caller) -> list[str]:
    """Ids of seven patients, in the order of their names; the first three are women."""
    return [
        operator.create(patient(name=[{"family": name}], gender="female" if place < 3 else "male"))
        for place, name in enumerate(NAMES)
    ]


def walk(caller: Caller, first: Answer) -> list[list[str]]:
    """The ids on each page."""
    pages = [first.ids]
    while (link := first.link("next")) is not None:
        first = caller.get(link)
        pages.append(first.ids)
    return pages


def test_a_searchset_tells_what_matched_and_where_it_is(operator: Caller, people: list[str]) -> None:
    answer = operator.search("Patient", family="chevalier")
    assert answer.json["type"] == "searchset"
    assert answer.total == 1
    (entry,) = answer.json["entry"]
    assert entry["fullUrl"] == f"{BASE}/Patient/{people[2]}"
    assert entry["search"] == {"mode": "match"}
    assert entry["resource"] == operator.get(f"Patient/{people[2]}").json


def test_no_match_is_an_empty_searchset(operator: Caller, people: list[str]) -> None:
    answer = operator.search("Patient", family="zola")
    assert answer.total == 0
    assert "entry" not in answer.json
    assert answer.link("next") is None


def test_the_self_link_says_what_was_searched(operator: Caller, people: list[str]) -> None:
    answer = operator.search("Patient", ("gender", "female"), ("family", "é&="), _format="json", _pretty="true")
    assert answer.link("self") == "Patient?gender=female&family=%C3%A9%26%3D&_format=json&_pretty=true"
    assert operator.search("Patient").link("self") == "Patient"


def test_post_and_get_answer_alike(operator: Caller, people: list[str]) -> None:
    got = operator.search("Patient", gender="female", _sort="family")
    posted = operator.call("POST", "Patient/_search", b"gender=female&_sort=family", FORM)
    both = operator.call("POST", "Patient/_search?gender=female", b"_sort=family", FORM)
    assert got.content == posted.content == both.content
    assert got.total == 3


def test_a_search_by_post_without_parameters_is_of_all(operator: Caller, people: list[str]) -> None:
    assert operator.call("POST", "Patient/_search").total == operator.search("Patient").total


@pytest.mark.parametrize("content_type", ["", "application/fhir+json", "text/plain", "multipart/form-data; boundary=x"])
def test_parameters_that_are_no_form_are_refused_not_passed_over(
    operator: Caller, people: list[str], content_type: str
) -> None:
    answer = operator.call("POST", "Patient/_search", b"family=zola", {"Content-Type": content_type})
    assert answer.status == 415
    assert "application/x-www-form-urlencoded" in answer.told


@pytest.mark.parametrize("count", [1, 2, 3, 6, 7, 8])
def test_pages_follow_one_another_without_gap_or_repetition(operator: Caller, people: list[str], count: int) -> None:
    pages = walk(operator, operator.search("Patient", _sort="family", _count=str(count)))
    assert [id for page in pages for id in page] == people
    assert [len(page) for page in pages[:-1]] == [count] * (len(pages) - 1)
    assert pages[-1]
    back = walk(operator, operator.search("Patient", _sort="-family", _count=str(count)))
    assert [id for page in back for id in page] == people[::-1]


def test_every_page_bears_the_total(operator: Caller, people: list[str]) -> None:
    first = operator.search("Patient", gender="male", _count="3")
    link = first.link("next")
    assert link is not None
    assert first.total == operator.get(link).total == 4


def test_a_total_may_be_left_out(operator: Caller, people: list[str]) -> None:
    assert "total" not in operator.search("Patient", _total="none").json
    assert operator.search("Patient", _total="accurate").total == 7


@pytest.mark.parametrize("pair", [("_count", "0"), ("_summary", "count")])
def test_counting_answers_the_total_alone(operator: Caller, people: list[str], pair: tuple[str, str]) -> None:
    answer = operator.search("Patient", pair, gender="male")
    assert answer.total == 4
    assert "entry" not in answer.json
    assert answer.link("next") is None


def test_a_page_link_stands_alone(operator: Caller, people: list[str]) -> None:
    link = operator.search("Patient", _count="2").link("next")
    assert link is not None
    assert operator.get(f"{link}&gender=male").status == 400
    assert operator.get(f"{link}&{link.partition('?')[2]}").status == 400


def test_a_page_link_is_bound_to_its_requester_and_search(
    application: Application, operator: Caller, people: list[str]
) -> None:
    link = operator.search("Patient", _count="2").link("next")
    assert link is not None
    others = [application.patient(people[0]), application.system("750000001"), application.practitioner("10000000018")]
    answers = [other.get(link) for other in others] + [operator.get(link.replace("Patient?", "Practitioner?"))]
    for answer in answers:
        assert answer.status == 400
        assert answer.content == answers[0].content


@pytest.mark.parametrize(
    "change", [lambda text: text[:-9], lambda text: text[:40] + "AAAA" + text[44:], lambda text: ""]
)
def test_a_changed_page_link_is_refused(operator: Caller, people: list[str], change: object) -> None:
    link = operator.search("Patient", _count="2").link("next")
    assert link is not None
    assert callable(change)
    path, _, token = link.partition("=")
    assert operator.get(f"{path}={change(token)}").status == 400


def test_a_page_link_tells_nothing(operator: Caller, people: list[str]) -> None:
    link = operator.search("Patient", family="d,e,f", _count="1").link("next")
    assert link is not None
    assert "ubois" not in link
    assert people[3] not in link


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("familly=x", "familly"),
        ("family:like=x", ":like of family"),
        ("_foo=x", "_foo"),
        ("_include=Patient:colour", "_include"),
        ("_has:Observation:patient:colour=x", "_has"),
        ("organization.colour=x", "organization.colour"),
        ("birthdate=yesterday", "birthdate"),
        ("family=", "family"),
        ("_count=many", "_count"),
        ("_sort=favourite", "favourite"),
        ("_total=maybe", "_total"),
        ("_elements=colour", "_elements"),
        ("_elements=name&_summary=text", "_elements"),
        ("_summary=much", "_summary"),
        ("_id=a_b", "_id"),
        ("_lastUpdated=soon", "_lastUpdated"),
    ],
)
def test_what_is_not_understood_is_named(operator: Caller, people: list[str], query: str, named: str) -> None:
    answer = operator.get(f"Patient?{query}")
    assert answer.status == 400
    assert named in answer.told


def test_a_lenient_client_gets_the_rest_and_is_told_by_the_self_link(operator: Caller, people: list[str]) -> None:
    answer = operator.call("GET", "Patient?gender=female&familly=x", headers={"Prefer": "handling=lenient"})
    assert answer.total == 3
    assert answer.link("self") == "Patient?gender=female"
    strict = operator.call("GET", "Patient?familly=x", headers={"Prefer": "handling=strict, handling=lenient"})
    assert strict.status == 400


def test_an_update_is_found_by_what_it_says_now(operator: Caller) -> None:
    id = operator.create(observation(code="1111-1"))
    operator.put(f"Observation/{id}", observation(id=id, code="2222-2"))
    assert operator.search("Observation", code="http://loinc.org|1111-1").total == 0
    assert operator.search("Observation", code="http://loinc.org|2222-2").ids == [id]


def test_types_are_searched_apart(operator: Caller, people: list[str]) -> None:
    assert operator.search("Practitioner").total == 0


def test_too_much_at_once_is_refused(operator: Caller) -> None:
    for query in ("name=a&" * 51, "name=" + "a," * 501, "name=" + "a" * 30_000):
        answer = operator.get(f"Patient?{query}")
        assert answer.status == 400
        assert answer.issue["code"] == "too-costly"
