from __future__ import annotations

import pytest

from fhirserver import predicate
from fhirserver.errors import BadRequest, UnknownParameter
from fhirserver.predicate import FALSE, Eq
from fhirserver.search import SortKey, escape
from tests.search.finding import query


def test_without_parameters_all_is_asked_for() -> None:
    found = query("Patient")
    assert (found.where, found.patients, found.sort, found.count, found.total) == ((), None, (), 50, "accurate")


def test_the_result_parameters() -> None:
    found = query(
        "Patient",
        ("_count", "7"), ("_total", "none"), ("_summary", "data"), ("_elements", "name,birthDate"),
        ("_sort", "-birthdate,family,_id"), ("_format", "json"), ("_pretty", "true"),
    )  # fmt: skip
    assert (found.count, found.total, found.summary, found.elements) == (7, "none", "data", ("name", "birthDate"))
    assert found.sort == (SortKey("s.birthdate.hi", True), SortKey("s.family.lo", False), SortKey("_id", False))
    assert [name for name, _ in found.params] == ["_count", "_total", "_summary", "_elements", "_sort"]


def test_a_page_has_at_most_a_thousand() -> None:
    assert query("Patient", ("_count", "100000000000000")).count == 1000
    assert query("Patient", ("_count", "0")).count == 0


def test_a_key_is_sorted_on_once() -> None:
    assert query("Patient", ("_sort", "_lastUpdated,-_lastUpdated")).sort == (SortKey("lu", False),)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_count", "x"), ("_count", "-1"), ("_count", ""), ("_count", "١"), ("_total", "maybe"), ("_summary", "all"),
        ("_elements", "shoe"), ("_elements", ""), ("_sort", ""),
    ],
)  # fmt: skip
def test_a_wrong_result_parameter_is_refused(name: str, value: str) -> None:
    with pytest.raises(BadRequest, match=name):
        query("Patient", (name, value))


def test_a_result_parameter_is_given_once() -> None:
    with pytest.raises(BadRequest, match="_count"):
        query("Patient", ("_count", "1"), ("_count", "1"))


@pytest.mark.parametrize("key", ["shoe", "-", "name.family"])
def test_an_unknown_sort_key_is_refused(key: str) -> None:
    with pytest.raises(UnknownParameter, match="sorted"):
        query("Patient", ("_sort", key))


def test_a_composite_cannot_be_sorted_on() -> None:
    with pytest.raises(UnknownParameter, match="code-value-quantity"):
        query("Observation", ("_sort", "code-value-quantity"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nmae", "Did you mean name"),
        ("zzz", "It has _content, _count"),
        ("subject.name", "no reference parameter"),
        ("_has:Observation:patient:colour", "colour"),
        ("_revinclude:again", "iterate"),
        ("_text:exact", "no modifier"),
        ("phonetic", "phonetic"),
        ("general-practitioner:Practitioner.colour", "colour"),
        ("birthOrderBoolean", "no expression"),
        ("", "no search parameter"),
    ],
)
def test_an_unknown_parameter_is_refused_and_named(name: str, text: str) -> None:
    with pytest.raises(UnknownParameter) as caught:
        query("Patient", (name, "x"))
    assert text in str(caught.value)
    assert name in str(caught.value)
    assert caught.value.status == 400
    assert caught.value.issues[0].code == "not-supported"


def test_leniently_unknown_parameters_are_passed_over_and_recorded() -> None:
    found = query("Patient", ("nmae", "x"), ("gender", "male"), ("subject.name", "x"), lenient=True)
    assert found.ignored == ("nmae", "subject.name")
    assert found.params == (("gender", "male"),)
    assert len(found.where) == 1


def test_leniently_wrong_values_are_refused_all_the_same() -> None:
    with pytest.raises(BadRequest):
        query("Patient", ("birthdate", "x"), lenient=True)


@pytest.mark.parametrize("value", ["", ",", "male,", ",male", "male,,female"])
def test_an_empty_value_is_refused(value: str) -> None:
    with pytest.raises(BadRequest, match="gender has an empty value"):
        query("Patient", ("gender", value))


def test_a_nul_character_is_refused() -> None:
    with pytest.raises(BadRequest, match="NUL"):
        query("Patient", ("name", "a\0b"))
    with pytest.raises(BadRequest, match="NUL"):
        query("Patient", ("name\0x", "a"))


@pytest.mark.parametrize(
    "params",
    [[("gender", "male")] * 51, [("_id", ",".join(["a"] * 501))], [("name", "a" * 20_000)]],
)
def test_a_search_too_large_is_refused_as_too_costly(params: list[tuple[str, str]]) -> None:
    with pytest.raises(BadRequest, match="divide it") as caught:
        query("Patient", *params)
    assert caught.value.issues[0].code == "too-costly"


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("a,b", ["a", "b"]),
        ("a\\,b,c", ["a,b", "c"]),
        ("a\\\\,b", ["a\\", "b"]),
        ("\\$\\|\\x", ["$|\\x"]),
        ("a\\", ["a\\"]),
    ],
)
def test_a_backslash_makes_separators_plain(value: str, parts: list[str]) -> None:
    assert [escape.unescape(part) for part in escape.split(value, ",")] == parts


@pytest.mark.parametrize(
    ("resource_type", "params", "patients"),
    [
        ("Observation", [("patient", "1")], {"1"}),
        ("Observation", [("subject", "Patient/1")], {"1"}),
        ("Observation", [("subject:Patient", "1")], {"1"}),
        ("Observation", [("subject", "Patient/1/_history/2")], {"1"}),
        ("Observation", [("patient", "1,Patient/2")], {"1", "2"}),
        ("Observation", [("patient", "1,2"), ("subject", "Patient/2")], {"2"}),
        ("Observation", [("patient", "1"), ("subject", "Patient/2")], set()),
        ("Observation", [("subject", "1")], None),
        ("Observation", [("subject", "Patient/1,Group/1")], None),
        ("Observation", [("subject", "http://other.org/Patient/1")], None),
        ("Observation", [("performer", "Patient/1")], None),
        ("Observation", [("patient:missing", "false")], None),
        ("Observation", [("patient:identifier", "1")], None),
        ("Observation", [("code", "Patient/1")], None),
        ("Condition", [("patient", "1")], {"1"}),
        ("Appointment", [("patient", "1")], None),
        ("Organization", [("partof", "1")], None),
        ("Patient", [("_id", "1")], {"1"}),
        ("Patient", [("_id", "1,2"), ("gender", "male")], {"1", "2"}),
        ("Patient", [("_id:not", "1")], None),
        ("Patient", [("link", "Patient/1")], None),
    ],
)
def test_the_patients_that_a_search_is_limited_to(
    resource_type: str, params: list[tuple[str, str]], patients: set[str] | None
) -> None:
    found = query(resource_type, *params)
    assert found.patients == (None if patients is None else frozenset(patients))
    if resource_type != "Patient" and patients is not None and len(patients) == 1:
        assert found.where[0] == Eq("pat", *patients)


def test_two_patients_at_once_are_nobody() -> None:
    assert query("Observation", ("patient", "1"), ("patient", "2")).where == (FALSE,)


def test_a_type_that_a_parameter_does_not_lead_to_finds_nothing() -> None:
    assert query("Observation", ("patient", "Group/1")).where == (predicate.FALSE,)


def test_every_resource_has_an_id_and_a_time() -> None:
    assert query("Patient", ("_id:missing", "false"), ("_lastUpdated:missing", "false")).where == (predicate.TRUE,) * 2
    assert query("Patient", ("_id:missing", "true")).where == (FALSE,)
