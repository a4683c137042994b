from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver.spec import Definitions, Package, definitions
from fhirserver.spec.canonical import latest, matching, rank, split
from tests.spec.conformance import BASE, code_system, folder, value_set

if TYPE_CHECKING:
    from pathlib import Path

URL = f"{BASE}/ValueSet/a"


@pytest.mark.parametrize(
    ("canonical", "parts"),
    [
        ("http://x/y", ("http://x/y", None, None)),
        ("http://x/y|1.0", ("http://x/y", "1.0", None)),
        ("http://x/y|1.0#z", ("http://x/y", "1.0", "z")),
        ("http://x/y#z", ("http://x/y", None, "z")),
        ("http://x/y|", ("http://x/y", None, None)),
    ],
)
def test_a_canonical_is_taken_apart(canonical: str, parts: tuple[str | None, ...]) -> None:
    assert split(canonical) == parts


def test_versions_are_ranked_by_number() -> None:
    ordered = [None, "0.9", "1.0.0-ballot", "1.0.0", "1.2", "1.10", "2.0.0-snapshot1", "2.0.0", "20240101"]
    assert sorted(ordered, key=rank) == ordered
    assert latest(["1.9", "1.10", None], lambda item: item) == "1.10"
    assert latest([None][1:], lambda item: item) is None


def test_a_version_is_matched_exactly_or_by_its_beginning() -> None:
    listed = ["1.2", "1.20.0", "1.2.7", "1.2.10", None]
    assert matching(listed, lambda item: item, "1.2") == "1.2"
    assert matching(listed[1:], lambda item: item, "1.2") == "1.2.10"
    assert matching(listed, lambda item: item, "3") is None


def test_the_first_package_that_has_a_canonical_answers(tmp_path: Path) -> None:
    first = folder(tmp_path / "1", [value_set("a", version="1", name="first")])
    second = folder(tmp_path / "2", [value_set("a", version="2", name="second"), value_set("b", name="other")])
    defs = Definitions([first, second])
    names = {
        canonical: (defs.find(canonical) or {}).get("name")
        for canonical in (URL, URL + "|1", URL + "|2", URL + "|3", f"{BASE}/ValueSet/b", "urn:nothing")
    }
    assert list(names.values()) == ["first", "first", "second", "first", "other", None]


def test_the_latest_of_a_package_answers_where_no_version_is_asked_for(tmp_path: Path) -> None:
    package = folder(tmp_path, [value_set("a", version=version) for version in ("1.9", "1.10", "1.2")])
    found = Definitions([package]).value_set(URL)
    assert found is not None
    assert found["version"] == "1.10"


def test_a_canonical_is_found_by_the_resource_type_asked_for(tmp_path: Path) -> None:
    same = {"url": URL}
    defs = Definitions([folder(tmp_path, [value_set("a"), code_system("a", **same)])])
    assert (defs.find(URL, "CodeSystem") or {})["resourceType"] == "CodeSystem"
    assert (defs.value_set(URL) or {})["resourceType"] == "ValueSet"
    assert (defs.code_system(URL) or {})["resourceType"] == "CodeSystem"
    assert defs.find(URL, "ConceptMap") is None


def test_structures_are_found_by_type_and_by_canonical() -> None:
    core = Definitions.core()
    by_type = core.structure("Patient")
    assert by_type is not None
    assert by_type["url"] == "http://hl7.org/fhir/StructureDefinition/Patient"
    assert core.structure("http://hl7.org/fhir/StructureDefinition/Patient|4.0.1") == by_type
    assert core.structure("Patient|4.0.1") == by_type
    assert core.structure("Nobody") is None


def test_structures_hold_facts_and_no_prose() -> None:
    structure = Definitions.core().structure("Patient")
    assert structure is not None
    active = next(item for item in structure["snapshot"]["element"] if item["id"] == "Patient.active")
    assert active.keys() == {"id", "path", "min", "max", "base", "type", "constraint", "isModifier", "isSummary"}
    assert active["constraint"][0].keys() == {"key", "severity", "expression", "source"}


def test_the_definitions_of_a_process_are_shared() -> None:
    assert Definitions.core() is Definitions.core()
    assert Definitions.french() is Definitions.french()
    assert Definitions.french().resource_types == Definitions.core().resource_types


def test_every_french_structure_has_a_snapshot() -> None:
    french = Definitions.french()
    seen = 0
    for package in french.packages[:-1]:
        for entry in package.entries("StructureDefinition"):
            structure = french.structure(f"{entry.url}|{entry.version}" if entry.version else str(entry.url))
            assert structure is not None
            assert structure["snapshot"]["element"][0]["path"] == structure["type"]
            seen += 1
    assert seen > 60


def test_a_wheel_holds_its_profiles_beside_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "site-packages" / "fhirserver" / "spec" / "definitions.py"
    profiles = tmp_path / "site-packages" / "fhirserver" / "data" / "profiles"
    profiles.mkdir(parents=True)
    (tmp_path / "site-packages" / "terminology").mkdir()
    monkeypatch.setattr(definitions, "__file__", str(module))
    found = definitions.built_in()
    assert [package.name for package in found] == ["profiles"]
    assert found[0].entries() == []


def test_definitions_without_packages_know_nothing() -> None:
    empty = Definitions([])
    assert empty.resource_types == ()
    assert empty.find("http://hl7.org/fhir/StructureDefinition/Patient") is None
    assert empty.primitive_regex("id") is None
    assert Package.core().name == "hl7.fhir.r4.core"
