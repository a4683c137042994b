"""FR Core as written here says what the published package says."""

from __future__ import annotations

import copy
import functools
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests import corpus
from tests.profiles import repository
from tests.profiles.published import composition, concepts, differences

FR_CORE = "https://hl7.fr/ig/fhir/core/"
DIFFERENT: dict[str, str] = {}
"""Differences that are meant: `profile id: difference` and why. There is none."""

LEFT_OUT = {
    "http://snomed.info/sct": "SNOMED CT is not shipped, and the package holds a stub",
    "urn:iso:std:iso:3166": "the package holds a stub",
    "https://mos.esante.gouv.fr/NOS/TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM": "the package holds a stub",
    "http://terminology.hl7.org/CodeSystem/discharge-disposition": "R4 has the same codes",
    "http://terminology.hl7.org/CodeSystem/name-assembly-order": "R4 has the same codes",
    "http://terminology.hl7.org/CodeSystem/v2-0007": "R4 has the same codes",
    "http://terminology.hl7.org/CodeSystem/v2-0092": "R4 has the same codes",
    "http://terminology.hl7.org/CodeSystem/v2-0116": "R4 has the same codes",
    "http://terminology.hl7.org/CodeSystem/v2-0131": "R4 has the same codes",
    "http://terminology.hl7.org/CodeSystem/v2-0276": "R4 has the same codes",
    "http://terminology.hl7.org/CodeSystem/v2-0444": "R4 has the same codes",
    "http://terminology.hl7.org/CodeSystem/v3-ActCode": "large, and FR Core names its few codes one by one",
    "http://terminology.hl7.org/CodeSystem/v3-ActPriority": "R4 has the same codes",
    "http://terminology.hl7.org/CodeSystem/v3-NullFlavor": "R4 has the same codes",
}


@functools.cache
def package(name: str) -> dict[str, dict[str, Any]]:
    """The resources of a published package by `type id`."""
    found: dict[str, dict[str, Any]] = {}
    with tarfile.open(corpus.path(name)) as archive:
        for member in archive.getmembers():
            path = Path(member.name)
            if path.parent.name == "package" and path.suffix == ".json" and "-" in path.name:
                file = archive.extractfile(member)
                assert file is not None
                resource = json.load(file)
                found[f"{resource['resourceType']} {resource['id']}"] = resource
    return found


def ours(resource_type: str) -> dict[str, dict[str, Any]]:
    return {resource["url"]: resource for resource in repository.of_type(resource_type)}


def theirs(name: str, resource_type: str) -> list[dict[str, Any]]:
    return [item for item in package(name).values() if item["resourceType"] == resource_type]


@pytest.mark.corpus("fr-core")
def test_every_profile_of_fr_core_is_written() -> None:
    written = ours("StructureDefinition")
    assert [item["id"] for item in theirs("fr-core", "StructureDefinition") if item["url"] not in written] == []


@pytest.mark.corpus("fr-core")
def test_differentials_equal_the_published_ones() -> None:
    written = ours("StructureDefinition")
    found = [
        f"{item['id']}: {difference}"
        for item in theirs("fr-core", "StructureDefinition")
        for difference in differences(written[item["url"]], item)
    ]
    assert [difference for difference in found if difference not in DIFFERENT] == []
    assert set(DIFFERENT) <= set(found)


@pytest.mark.corpus("fr-core-combined")
def test_extensions_of_hl7_equal_the_published_ones() -> None:
    written = ours("StructureDefinition")
    listed = [item for item in theirs("fr-core-combined", "StructureDefinition") if FR_CORE not in item["url"]]
    assert len(listed) == 5
    assert [difference for item in listed for difference in differences(written[item["url"]], item)] == []


@pytest.mark.corpus("fr-core")
def test_the_human_text_of_a_rule_is_our_own() -> None:
    own = {rule["human"] for _, element in repository.elements() for rule in element.get("constraint", ())}
    published = {
        rule["human"]
        for item in theirs("fr-core", "StructureDefinition")
        for element in item["differential"]["element"]
        for rule in element.get("constraint", ())
    }
    assert own
    assert own & published == set()


@pytest.mark.corpus("fr-core-combined")
def test_code_systems_hold_the_published_codes() -> None:
    written = ours("CodeSystem")
    wrong = []
    for item in theirs("fr-core-combined", "CodeSystem"):
        if item["url"] in LEFT_OUT:
            assert item["url"] not in written
        elif concepts(written[item["url"]]) != concepts(item) or written[item["url"]]["version"] != item["version"]:
            wrong.append(item["url"])
    assert wrong == []


@pytest.mark.corpus("fr-core")
def test_value_sets_are_composed_as_published() -> None:
    written = ours("ValueSet")
    wrong = [
        item["id"]
        for item in theirs("fr-core", "ValueSet")
        if composition(written[item["url"]], repository.BARE) != composition(item, repository.BARE)
    ]
    assert wrong == []


@pytest.mark.corpus("fr-core")
@pytest.mark.parametrize(
    "change",
    [
        {"min": 7},
        {"patternUri": "urn:oid:1.2"},
        {"mustSupport": True},
        {"type": [{"code": "url"}]},
        {"binding": {"strength": "required", "valueSet": "x"}},
        {"constraint": [{"key": "k", "severity": "error", "expression": "true"}]},
    ],
)
def test_the_comparison_sees_a_change(change: dict[str, Any]) -> None:
    seen = "Patient.identifier:INS-NIR.system"
    item = package("fr-core")["StructureDefinition fr-core-patient-ins"]
    changed = copy.deepcopy(ours("StructureDefinition")[item["url"]])
    element = next(each for each in changed["differential"]["element"] if each["id"] == seen)
    element.update(change)
    assert [difference.partition(": ")[0] for difference in differences(changed, item)] == [seen]


@pytest.mark.corpus("fr-core")
def test_the_comparison_sees_an_element_that_is_missing() -> None:
    item = package("fr-core")["StructureDefinition fr-core-patient-ins"]
    changed = copy.deepcopy(ours("StructureDefinition")[item["url"]])
    del changed["differential"]["element"][3]
    assert [difference for difference in differences(changed, item) if difference.endswith("missing")] != []
