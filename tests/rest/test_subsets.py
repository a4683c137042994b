"""`_summary` and `_elements`, of searches and of reads (https://hl7.org/fhir/R4/search.html#summary, #elements)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver.rest import subsets
from fhirserver.rest.subsets import Subset
from tests.records import observation, patient

if TYPE_CHECKING:
    from typing import Any

    from tests.application import Application, Caller

TAG = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
NARRATIVE = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}
BASE = ["resourceType", "id", "meta"]


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    caller = application.operator()
    photo = {"contentType": "image/png", "data": "eA==", "title": "x"}
    caller.store(patient(id="p", text=NARRATIVE, name=[{"family": "Éluard"}], birthDate="1970-01-01", photo=[photo],
                         maritalStatus={"text": "x"}, contact=[{"name": {"family": "Y"}}], implicitRules="urn:r",
                         meta={"tag": [{"code": "own"}]}, _gender={"id": "g"}, gender="female"))  # fmt: skip
    component = [{"code": {"text": "c"}, "valueString": "v", "interpretation": [{"text": "high"}]}]
    caller.store(observation("p", id="o", text=NARRATIVE, note=[{"text": "n"}], component=component,
                             valueQuantity={"value": 7.50, "unit": "g"}, bodySite={"text": "arm"}))  # fmt: skip
    return caller


def members(operator: Caller, asked: str) -> list[str]:
    found: dict[str, Any] = operator.get(asked).json
    resource = found["entry"][0]["resource"] if found["resourceType"] == "Bundle" else found
    assert (TAG in resource["meta"].get("tag", [])) == ("false" not in asked)
    return [each for each in resource if each not in BASE]


SUBSETS = [
    ("Patient", "p", "_summary=true", ["active", "name", "birthDate", "implicitRules", "_gender", "gender"]),
    ("Patient", "p", "_summary=text", ["text"]),
    ("Patient", "p", "_summary=data",
     ["active", "name", "birthDate", "photo", "maritalStatus", "contact", "implicitRules", "_gender", "gender"]),
    ("Patient", "p", "_elements=birthDate", ["active", "birthDate", "implicitRules"]),
    ("Patient", "p", "_elements=gender,photo", ["active", "photo", "implicitRules", "_gender", "gender"]),
    ("Observation", "o", "_summary=true", ["status", "code", "subject", "component", "valueQuantity"]),
    ("Observation", "o", "_summary=text", ["status", "code", "text"]),
    ("Observation", "o", "_elements=value", ["status", "code", "valueQuantity"]),
    ("Observation", "o", "_elements=id", ["status", "code"]),
]  # fmt: skip


@pytest.mark.parametrize(("type", "id", "asked", "expected"), SUBSETS)
def test_a_part_is_what_was_asked_for_and_says_that_it_is_a_part(
    operator: Caller, type: str, id: str, asked: str, expected: list[str]
) -> None:
    for place in (f"{type}?_id={id}&{asked}", f"{type}/{id}?{asked}", f"{type}/{id}/_history/1?{asked}"):
        assert sorted(members(operator, place)) == sorted(expected)


def test_the_whole_is_what_is_stored(operator: Caller) -> None:
    whole = operator.get("Patient/p")
    assert operator.get("Patient/p?_summary=false").content == whole.content
    assert operator.get("Patient?_summary=false").json["entry"][0]["resource"] == whole.json


def test_a_summary_is_cut_at_every_depth(operator: Caller) -> None:
    (component,) = operator.get("Observation/o?_summary=true").json["component"]
    assert component == {"code": {"text": "c"}, "valueString": "v"}


def test_tags_of_its_own_and_the_digits_of_numbers_stay(operator: Caller) -> None:
    assert operator.get("Patient/p?_summary=text").json["meta"]["tag"] == [{"code": "own"}, TAG]
    body = b'{"resourceType":"Observation","id":"x","valueQuantity":{"value":7.50}}'
    cut = subsets.body(_definitions(operator), "Observation", body, Subset(None, ("value",)))
    assert b"7.50" in cut


def _definitions(operator: Caller) -> Any:
    from fhirserver.spec import Definitions

    return Definitions.core()


def test_the_version_of_a_part_is_that_of_the_whole(operator: Caller) -> None:
    part = operator.get("Patient/p?_summary=text")
    assert part.headers["etag"] == operator.get("Patient/p").headers["etag"]
    assert operator.get("Patient/p?_summary=text", If_None_Match=part.headers["etag"]).status == 304


def test_every_summary_of_a_stored_resource_is_valid(operator: Caller, application: Application) -> None:
    for place in ("Patient/p", "Observation/o"):
        for asked in ("_summary=true", "_summary=text", "_summary=data", "_elements=id"):
            found = operator.get(f"{place}?{asked}").json
            assert [each for each in application.services.validator.check(found) if each.is_error] == []


def test_what_is_included_is_summarised_too_but_has_its_own_elements(operator: Caller) -> None:
    summary = operator.get("Observation?_include=Observation:subject&_summary=data").json["entry"][1]["resource"]
    assert TAG in summary["meta"]["tag"]
    assert "text" not in summary
    elements = operator.get("Observation?_include=Observation:subject&_elements=status").json["entry"]
    assert "valueQuantity" not in elements[0]["resource"]
    assert elements[1]["resource"] == operator.get("Patient/p").json


def test_totals_and_links_are_those_of_the_whole(operator: Caller) -> None:
    answer = operator.get("Patient?_elements=name")
    assert answer.total == 1
    assert answer.link("self") == "Patient?_elements=name"


@pytest.mark.parametrize(
    "asked",
    ["Patient/p?_summary=count", "Patient/p?_summary=all", "Patient/p?_elements=colour", "Patient/p?_elements=",
     "Patient/p?_count=1", "Patient/p?_summary=text&_elements=name", "Patient/p?_summary=text&_summary=data"],
)  # fmt: skip
def test_a_part_that_cannot_be_is_refused(operator: Caller, asked: str) -> None:
    assert operator.get(asked).status == 400


def test_a_part_of_what_is_absent_is_absent(operator: Caller) -> None:
    assert operator.get("Patient/never?_summary=text").status == 404


def test_a_part_is_served_as_xml(operator: Caller) -> None:
    answer = operator.get("Patient/p?_summary=true&_format=xml")
    assert b"SUBSETTED" in answer.content
