"""`:in`, `:not-in`, `:above`, `:below` of tokens (https://hl7.org/fhir/R4/search.html#token)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver.search import asked as asking
from fhirserver.store import joins
from tests.records import observation, patient

if TYPE_CHECKING:
    from typing import Any

    from tests.application import Application, Caller

SYSTEM, SETS = "http://acme.org/cs", "http://acme.org/vs"


def coded(id: str, *codes: tuple[str, str]) -> dict[str, Any]:
    listed = [{"system": system, "code": code} for system, code in codes]
    return observation(id=id) | {"code": {"coding": listed} if listed else {"text": "none"}}


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    caller = application.operator()
    tree = [{"code": "a", "concept": [{"code": "a1", "concept": [{"code": "a11"}, {"code": "a|2"}]}, {"code": "a2"}]}]
    base = {"status": "active", "url": SYSTEM, "content": "complete", "caseSensitive": True}
    caller.store({"resourceType": "CodeSystem", "id": "cs", **base, "concept": [*tree, {"code": "b"}]})

    def value_set(id: str, *include: dict[str, Any]) -> None:
        whole = {"resourceType": "ValueSet", "id": id, "status": "active", "url": f"{SETS}/{id}"}
        caller.store(whole | {"compose": {"include": list(include)}})

    value_set("some", {"system": SYSTEM, "concept": [{"code": "a1"}, {"code": "b"}]},
              {"system": "http://loinc.org", "concept": [{"code": "718-7"}]})  # fmt: skip
    value_set("below", {"system": SYSTEM, "filter": [{"property": "concept", "op": "is-a", "value": "a1"}]})
    value_set("women", {"system": "http://hl7.org/fhir/administrative-gender", "concept": [{"code": "female"}]})
    value_set("unknown", {"system": "http://acme.org/unknown"})
    for each in (
        coded("o-a", (SYSTEM, "a")), coded("o-a1", (SYSTEM, "a1")), coded("o-a11", (SYSTEM, "a11")),
        coded("o-bar", (SYSTEM, "a|2")), coded("o-b", (SYSTEM, "b")), coded("o-case", (SYSTEM, "A1")),
        coded("o-loinc", ("http://loinc.org", "718-7")), coded("o-other", ("http://other.org", "a1")), coded("o-none"),
        coded("o-two", (SYSTEM, "a2"), (SYSTEM, "b")),
        patient(id="w", gender="female"), patient(id="m", gender="male"), patient(id="n"),
    ):  # fmt: skip
        caller.store(each)
    return caller


FOUND = [
    (f"Observation?code:in={SETS}/some", ["o-a1", "o-b", "o-case", "o-loinc", "o-two"]),
    ("Observation?code:in=ValueSet/some", ["o-a1", "o-b", "o-case", "o-loinc", "o-two"]),
    (f"Observation?code:in={SETS}/below", ["o-a1", "o-a11", "o-bar", "o-case"]),
    (f"Observation?code:in={SETS}/below,{SETS}/some", ["o-a1", "o-a11", "o-b", "o-bar", "o-case", "o-loinc", "o-two"]),
    (f"Observation?code:not-in={SETS}/some", ["o-a", "o-a11", "o-bar", "o-none", "o-other"]),
    (f"Observation?code:below={SYSTEM}|a1", ["o-a1", "o-a11", "o-bar", "o-case"]),
    (f"Observation?code:below={SYSTEM}|b", ["o-b", "o-two"]),
    (f"Observation?code:below={SYSTEM}|a", ["o-a", "o-a1", "o-a11", "o-bar", "o-case", "o-two"]),
    (f"Observation?code:below={SYSTEM}|a1,{SYSTEM}|b", ["o-a1", "o-a11", "o-b", "o-bar", "o-case", "o-two"]),
    (f"Observation?code:above={SYSTEM}|a11", ["o-a", "o-a1", "o-a11", "o-case"]),
    (f"Observation?code:above={SYSTEM}|a\\|2", ["o-a", "o-a1", "o-bar", "o-case"]),
    (f"Patient?gender:in={SETS}/women", ["w"]),
    (f"Patient?gender:not-in={SETS}/women", ["m", "n"]),
    (f"Patient?gender:in={SETS}/some", []),
    ("Patient?gender:below=female", ["w"]),
    ("Patient?gender:in=http://hl7.org/fhir/ValueSet/administrative-gender", ["m", "w"]),
]


@pytest.mark.parametrize(("query", "ids"), FOUND)
@pytest.mark.parametrize(("codes", "listed"), [(2000, 50_000), (0, 50_000), (0, 0)])
def test_codes_are_found_by_value_set_and_hierarchy(
    operator: Caller, query: str, ids: list[str], codes: int, listed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether they are few, too many to search each, or cannot be listed at all."""
    monkeypatch.setattr(asking, "MOST_CODES", codes)
    monkeypatch.setattr(asking, "MOST_LISTED", listed)
    answer = operator.get(f"{query}&_sort=_id")
    assert answer.ids == ids
    assert answer.total == len(ids)


def test_codes_are_sought_within_chains(operator: Caller) -> None:
    operator.store(observation("w", id="o-w", code="9-9"))
    assert operator.get(f"Observation?patient.gender:in={SETS}/women").ids == ["o-w"]
    operator.delete("Observation/o-w")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (f"Observation?code:in={SETS}/never", "not-found"),
        ("Observation?code:in=ValueSet/never", "not-found"),
        (f"Observation?code:not-in={SETS}/unknown", "not-found"),
        (f"Observation?code:below={SYSTEM}|never", "not-found"),
        ("Observation?code:below=http://acme.org/unknown|x", "not-found"),
        ("Observation?code:below=a1", "invalid"),
        ("Observation?code:above=|a1", "invalid"),
        ("Observation?code:in=", "invalid"),
        ("Observation?value-string:in=http://acme.org/vs", "not-supported"),
        ("Patient?_id:in=http://acme.org/vs", "not-supported"),
    ],
)
def test_what_cannot_be_told_is_refused(operator: Caller, query: str, code: str) -> None:
    answer = operator.get(query)
    assert answer.status == 400
    assert answer.issue["code"] == code


def test_a_deleted_value_set_is_as_unknown_as_one_that_never_was(operator: Caller) -> None:
    operator.store({"resourceType": "ValueSet", "id": "gone", "status": "active", "url": f"{SETS}/gone"})
    operator.delete("ValueSet/gone")
    gone, never = (operator.get(f"Observation?code:in=ValueSet/{id}") for id in ("gone", "never"))
    assert (gone.status, gone.told.replace("gone", "")) == (400, never.told.replace("never", ""))


def test_conditions_of_writes_ask_the_terminology_too(operator: Caller) -> None:
    made = coded("", (SYSTEM, "b")) | {"subject": {"reference": "Patient/n"}}
    del made["id"]
    condition = f"patient=n&code:in={SETS}/some"
    first = operator.post("Observation", made, If_None_Exist=condition)
    assert first.status == 201
    assert operator.post("Observation", made, If_None_Exist=condition).id == first.id
    assert operator.delete(f"Observation?{condition}").status == 204


def test_a_set_of_thousands_is_asked_about_the_codes_that_the_resources_have(operator: Caller) -> None:
    codes = [{"code": f"C{number}"} for number in range(2500)]
    include = [{"system": "http://acme.org/many", "concept": codes}]
    many = {"resourceType": "ValueSet", "id": "many", "status": "active", "url": f"{SETS}/many"}
    operator.store(many | {"compose": {"include": include}})
    for id, code in (("m1", "C1"), ("m2", "C2499"), ("m3", "C2500")):
        operator.store(coded(id, ("http://acme.org/many", code)) | {"subject": {"reference": "Patient/m"}})
    assert operator.get(f"Observation?code:in={SETS}/many&_sort=_id").ids == ["m1", "m2"]
    assert operator.get(f"Observation?patient=m&code:not-in={SETS}/many").ids == ["m3"]
    assert operator.get(f"Patient?_has:Observation:patient:code:in={SETS}/many").ids == ["m"]
    assert operator.get(f"Observation?patient=w&code:in={SETS}/many").ids == []


def test_what_cannot_be_listed_is_asked_code_by_code(operator: Caller) -> None:
    units = "http://unitsofmeasure.org"
    operator.store(coded("u", (units, "mg/dL")) | {"subject": {"reference": "Patient/n"}})
    operator.store(coded("v", (units, "furlongs")) | {"subject": {"reference": "Patient/n"}})
    assert operator.get("Observation?patient=n&code:in=http://hl7.org/fhir/ValueSet/ucum-units").ids == ["u"]
    for each in "uv":
        operator.delete(f"Observation/{each}")


def test_too_many_codes_of_resources_are_refused_with_the_way_out(
    operator: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MOST_CODES", 3)
    monkeypatch.setattr(joins, "MOST", 4)
    two = f"{SETS}/some,{SETS}/below"
    assert operator.get(f"Observation?patient=w&code:in={two}").status == 200
    for query in (f"code:in={two}", f"code:not-in={two}", f"code:below={SYSTEM}|a"):
        answer = operator.get(f"Observation?{query}")
        assert answer.status == 400
        assert answer.issue["code"] == "too-costly"
        assert "patient" in answer.told


def test_only_codes_that_may_be_seen_are_counted(
    application: Application, operator: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MOST_CODES", 0)
    monkeypatch.setattr(joins, "MOST", 4)
    assert operator.get(f"Observation?code:in={SETS}/some").status == 400
    other = application.patient("nobody")
    assert other.get(f"Observation?code:in={SETS}/some").total == 0
