"""`_filter` (https://hl7.org/fhir/R4/search_filter.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver.search import parse
from fhirserver.spec import Definitions
from tests.records import observation, organization, patient, practitioner, reference

if TYPE_CHECKING:
    from typing import Any

    from tests.application import Application, Caller

TREE = "http://acme.org/tree"


def resources() -> list[dict[str, Any]]:
    tree = [{"code": "a", "concept": [{"code": "a1"}]}, {"code": "b"}]
    system = {"resourceType": "CodeSystem", "id": "tree", "status": "active", "url": TREE, "content": "complete"}
    include = [{"system": TREE, "concept": [{"code": "a1"}]}]
    family = [{"family": "Éluard", "given": ["Paul (Eugène)"]}]
    return [
        system | {"concept": tree},
        {"resourceType": "ValueSet", "id": "vs", "status": "active", "url": "http://acme.org/vs",
         "compose": {"include": include}},
        organization("750000001", id="chu", name="CHU"),
        practitioner("10000000001", id="alice", name=[{"family": "Aubry"}]),
        patient(id="p", name=family, gender="male", birthDate="1970-05-31",
                generalPractitioner=[reference("Practitioner/alice")]),
        patient(id="q", name=[{"family": "Prévert"}], gender="female",
                managingOrganization=reference("Organization/chu")),
        patient(id="s", birthDate="1980", active=False),
        observation("p", id="o1", effectivePeriod={"start": "2024-01-01", "end": "2024-01-31"},
                    valueQuantity={"value": 5, "system": "http://unitsofmeasure.org", "code": "g/L"}),
        observation("q", id="o2", code="2160-0", effectiveDateTime="2024-02-15"),
        observation("q", id="o3", effectiveDateTime="2024-03-01", performer=[reference("Practitioner/alice")]),
        observation("s", id="t1") | {"code": {"coding": [{"system": TREE, "code": "a1"}]}},
        observation("s", id="t2") | {"code": {"coding": [{"system": TREE, "code": "b"}]}},
    ]  # fmt: skip


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    caller = application.operator()
    for each in resources():
        caller.store(each)
    return caller


FOUND = [
    ("Patient", 'name co "lua"', ["p"]),
    ("Patient", 'name eq "ELUARD"', ["p"]),
    ("Patient", "name eq elu", []),
    ("Patient", 'given eq "paul (eugene)"', ["p"]),
    ("Patient", "name sw pre", ["q"]),
    ("Patient", "name ew vert", ["q"]),
    ("Patient", "family gt eluard", ["q"]),
    ("Patient", "family ge eluard", ["p", "q"]),
    ("Patient", "birthdate ge 1970 and birthdate lt 1980", ["p"]),
    ("Patient", "birthdate pr false", ["q"]),
    ("Patient", "gender ne male", ["q"]),
    ("Patient", "not (gender eq male)", ["q", "s"]),
    ("Patient", "not(gender eq male)", ["q", "s"]),
    ("Patient", "gender eq male or active eq false and birthdate eq 1980", ["s"]),
    ("Patient", "gender eq male or (active eq false and birthdate eq 1980)", ["p", "s"]),
    ("Patient", "_id eq p or _id eq q", ["p", "q"]),
    ("Patient", "_id ne p", ["q", "s"]),
    ("Patient", "_lastUpdated gt 2020", ["p", "q", "s"]),
    ("Patient", "general-practitioner re Practitioner/alice", ["p"]),
    ("Patient", "organization.name eq chu or general-practitioner:Practitioner.family eq aubry", ["p", "q"]),
    ("Patient", "not (organization.name eq chu)", ["p", "s"]),
    ("Patient", "_has:Observation:patient:code eq 2160-0", ["q"]),
    ("Patient", "not (_has:Observation:patient:code eq loinc|718-7)", ["s"]),
    ("Patient", "general-practitioner[active pr false].name sw aub", ["p"]),
    ("Patient", "general-practitioner[family eq nobody].name sw aub", []),
    ("Observation", "code eq http://loinc.org|2160-0", ["o2"]),
    ("Observation", "code eq loinc|2160-0", ["o2"]),
    ("Observation", "date po 2024-01-15", ["o1"]),
    ("Observation", "date co 2024-01-15", ["o1"]),
    ("Observation", "date po 2024", ["o1", "o2", "o3"]),
    ("Observation", "date co 2024", []),
    ("Observation", "date sa 2024-02", ["o3"]),
    ("Observation", "value-quantity eq 500|ucum|mg/dL", ["o1"]),
    ("Observation", "code-value-quantity eq loinc|718-7$gt4|http://unitsofmeasure.org|g/L", []),
    ("Observation", "code-value-quantity eq http://loinc.org|718-7$gt4|http://unitsofmeasure.org|g/L", ["o1"]),
    ("Observation", "code in http://acme.org/vs", ["t1"]),
    ("Observation", "code ni ValueSet/vs", ["o1", "o2", "o3", "t2"]),
    ("Observation", f"code ss {TREE}|a", ["t1"]),
    ("Observation", f"code sb {TREE}|a1", ["t1"]),
    ("Observation", "subject re Patient/p or subject.name eq prevert and code eq 718-7", ["o1", "o3"]),
    ("Observation", "patient eq p or patient eq s", ["o1", "t1", "t2"]),
    ("Observation", "subject:Patient.organization.name sw chu", ["o2", "o3"]),
]  # fmt: skip


@pytest.mark.parametrize(("type", "text", "ids"), FOUND)
def test_a_filter_finds(operator: Caller, type: str, text: str, ids: list[str]) -> None:
    answer = operator.search(type, ("_filter", text), _sort="_id")
    assert answer.ids == ids
    assert answer.total == len(ids)


def test_filters_are_met_beside_other_criteria_and_each_other(operator: Caller) -> None:
    asked = [("_filter", "date po 2024"), ("patient", "q"), ("_filter", "not (code eq 2160-0)")]
    assert operator.search("Observation", *asked).ids == ["o3"]
    within = ("patient._filter", "gender eq female or gender eq male")
    assert operator.search("Observation", within, code="718-7", _sort="_id").ids == ["o1", "o3"]


def test_a_filter_shows_no_more_than_may_be_seen(application: Application, operator: Caller) -> None:
    assert operator.search("Observation", ("_filter", "not (code eq x)")).total == 5
    own = application.patient("q").search("Observation", ("_filter", "not (code eq x) or patient eq p"), _sort="_id")
    assert own.ids == ["o2", "o3"]
    chained = application.patient("q").search("Observation", ("_filter", "not (subject:Patient.family eq eluard)"))
    assert chained.total == 2


def test_a_filter_within_records_is_read_there_alone(operator: Caller) -> None:
    """`patient eq p or patient eq s` leads to two records as `patient=p,s` does."""

    def patients(text: str) -> frozenset[str] | None:
        return parse(Definitions.core(), "Observation", [("_filter", text)]).patients

    assert patients("patient eq p or patient eq s") == frozenset("ps")
    assert patients("patient eq p and code eq x") == frozenset("p")
    assert patients("patient eq p and patient eq s") == frozenset()
    assert patients("patient eq p or code eq x") is None
    assert patients("not (patient eq p)") is None


@pytest.mark.parametrize(
    ("type", "text", "named"),
    [
        ("Patient", "", "_filter"),
        ("Patient", "name", "operators"),
        ("Patient", "name eq", "value"),
        ("Patient", "name is x", "'is x'"),
        ("Patient", 'name eq "x', "string"),
        ("Patient", "name eq x and", "parameter"),
        ("Patient", "name eq x gender eq y", "`and`"),
        ("Patient", "(name eq x", "`)`"),
        ("Patient", "name eq x)", "`and`"),
        ("Patient", "organization[active eq true] eq x", "brackets"),
        ("Patient", "colour eq x", "colour"),
        ("Patient", "name:exact eq x", "name:exact"),
        ("Patient", "name ne x", "several values"),
        ("Patient", "name ss x", "takes co"),
        ("Patient", "gender co x", "takes eq"),
        ("Patient", "gender.name eq x", "gender"),
        ("Patient", "organization.colour eq x", "colour"),
        ("Patient", "birthdate eq yesterday", "birthdate eq"),
        ("Patient", "birthdate po yesterday", "birthdate po"),
        ("Patient", "birthdate pr maybe", "true or false"),
        ("Patient", "_lastUpdated po 2024", "_lastUpdated"),
        ("Patient", "_list eq 42", "_list"),
        ("Patient", "_filter eq x", "_filter"),
        ("Observation", "related[type eq has-component].target pr true", "related"),
    ],
)
def test_what_cannot_be_read_or_is_not_offered_is_refused_and_named(
    operator: Caller, type: str, text: str, named: str
) -> None:
    answer = operator.search(type, ("_filter", text))
    assert answer.status == 400
    assert "_filter" in answer.told
    assert named in answer.told


@pytest.mark.parametrize(
    "text",
    [" or ".join(["gender eq male"] * 51), "(" * 30 + "gender eq male" + ")" * 30,
     "not " * 3 + "(" * 500, "organization.partof.partof.name eq x or " * 100 + "name eq x"],
)  # fmt: skip
def test_a_filter_without_measure_is_refused(operator: Caller, text: str) -> None:
    assert operator.search("Patient", ("_filter", text)).status == 400


def test_a_path_that_fans_out_without_end_is_refused(operator: Caller) -> None:
    answer = operator.search("Provenance", ("_filter", "target.subject.organization.partof.name eq x"))
    assert answer.issue["code"] == "too-costly"
    assert "subject:Patient.name" in answer.told
