"""Rules and search parameters are expressions that compile, and say what their guide says."""

from __future__ import annotations

from typing import Any

import pytest

from fhirserver import fhirpath
from fhirserver.spec import Definitions
from tests.profiles import repository

FRC = "https://hl7.fr/ig/fhir/core/StructureDefinition/"
FRS = "https://hl7.fr/ig/fhir/core/CodeSystem/"
ARCHIVED = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-ext-is-archived"
AUTHOR = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/ihe-authorOrg"


def rules() -> list[tuple[str, str, str]]:
    """Key, type of the element, and expression of every rule."""
    listed = []
    for profile, element in repository.elements():
        for rule in element.get("constraint", ()):
            structure = Definitions.french().structure(repository.canonical(profile))
            assert structure is not None
            found = next(item for item in structure["snapshot"]["element"] if item["id"] == element["id"])
            base = found["type"][0]["code"] if "." in found["path"] else found["path"]
            listed.append((rule["key"], base, rule["expression"]))
    return listed


@pytest.mark.parametrize(("key", "base", "expression"), rules())
def test_a_rule_compiles(key: str, base: str, expression: str) -> None:
    assert fhirpath.compile(expression, base=base, defs=Definitions.french()), key


def test_every_search_parameter_compiles() -> None:
    for parameter in repository.of_type("SearchParameter"):
        for base in parameter["base"]:
            assert fhirpath.compile(parameter["expression"], base=base, defs=Definitions.french())


def extension(url: str, **content: Any) -> dict[str, Any]:
    return {"url": url, **content}


def patient(*, status: str = "VALI", commune: str = "75056", identifiers: list[dict[str, Any]]) -> dict[str, Any]:
    reliability = extension(
        FRC + "fr-core-identity-reliability",
        extension=[extension("identityStatus", valueCoding={"system": FRS + "fr-core-cs-v2-0445", "code": status})],
    )
    insee = extension(FRC + "fr-core-address-insee-code", valueCoding={"code": commune})
    birth_place = extension(
        "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", valueAddress={"extension": [insee]}
    )
    return {"resourceType": "Patient", "extension": [reliability, birth_place], "identifier": identifiers}


def ins(oid: str, code: str = "INS-NIR", use: str = "official") -> dict[str, Any]:
    coding = {"system": FRS + "fr-core-cs-v2-0203", "code": code}
    return {"use": use, "system": f"urn:oid:1.2.250.1.213.1.{oid}", "type": {"coding": [coding]}, "value": "1"}


PASSPORT = {"use": "official", "system": "http://example.org/passport", "value": "1"}


@pytest.mark.parametrize(
    ("key", "resource", "verdict"),
    [
        ("fr-core-1", patient(identifiers=[ins("4.8")]), True),
        ("fr-core-1", patient(identifiers=[ins("4.8", "NH")]), False),
        ("fr-core-1", patient(identifiers=[ins("4.8", use="old")]), False),
        ("fr-core-1", patient(identifiers=[ins("4.9", "INS-NIA")]), True),
        ("fr-core-1", patient(identifiers=[ins("4.10")]), True),
        ("fr-core-1", patient(identifiers=[ins("4.13")]), False),
        ("fr-core-1", patient(identifiers=[PASSPORT]), False),
        ("fr-core-1", patient(status="PROV", identifiers=[]), True),
        ("fr-core-2", patient(identifiers=[ins("4.8")]), True),
        ("fr-core-2", patient(identifiers=[ins("4.8"), ins("4.8", use="old")]), True),
        ("fr-core-2", patient(identifiers=[ins("4.8"), PASSPORT]), False),
        ("fr-core-2", patient(status="PROV", identifiers=[PASSPORT, PASSPORT]), True),
        ("fr-core-3", patient(identifiers=[ins("4.8")]), True),
        ("fr-core-3", patient(commune="99999", identifiers=[ins("4.8")]), False),
        ("fr-core-3", patient(status="PROV", commune="99999", identifiers=[]), True),
    ],
)
def test_the_ins_rules_judge_as_fr_core_says(key: str, resource: dict[str, Any], verdict: bool) -> None:
    (expression,) = [text for name, _, text in rules() if name == key]
    assert fhirpath.compile(expression, base="Patient", defs=Definitions.french())(resource) == [verdict]


def found(code: str, resource: dict[str, Any]) -> list[Any]:
    expression = Definitions.french().search_parameters("List")[code].expression
    assert expression is not None
    return fhirpath.compile(expression, base="List", defs=Definitions.french())(resource)


def test_an_archived_list_is_found() -> None:
    held = extension(ARCHIVED, valueBoolean=True)
    assert found("isArchived", {"resourceType": "List", "extension": [held]}) == [True]


def test_the_organisation_that_wrote_a_list_is_found_on_the_list_and_on_its_source() -> None:
    one, other = {"reference": "Organization/1"}, {"reference": "Organization/2"}
    resource = {
        "resourceType": "List",
        "extension": [extension(AUTHOR, valueReference=one)],
        "source": {"extension": [extension(AUTHOR, valueReference=other)]},
    }
    assert found("authorOrg", resource) == [one, other]
