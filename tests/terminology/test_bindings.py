from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.rest.guides import Guides
from fhirserver.spec import Definitions, installed
from fhirserver.terminology.releases import add
from tests.cli.test_package import packed
from tests.terminology.releases.build import loinc
from tests.terminology.test_remote import far_

if TYPE_CHECKING:
    from pathlib import Path

    from fhirserver.outcome import Issue
    from tests.terminology.test_remote import Far

__all__ = ["far_"]

PROFILE = "urn:test:bound"
VALUE_SET = "urn:test:all-of-loinc"


@pytest.fixture(name="folder")
def folder_(tmp_path: Path) -> Path:
    """A guide whose profile binds Observation.code to all of LOINC."""
    binding = {"strength": "required", "valueSet": VALUE_SET}
    profile = {
        "resourceType": "StructureDefinition",
        "url": PROFILE,
        "name": "Bound",
        "status": "active",
        "kind": "resource",
        "abstract": False,
        "type": "Observation",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Observation",
        "derivation": "constraint",
        "differential": {"element": [{"id": "Observation.code", "path": "Observation.code", "binding": binding}]},
    }
    value_set = {
        "resourceType": "ValueSet",
        "url": VALUE_SET,
        "status": "active",
        "compose": {"include": [{"system": "http://loinc.org"}]},
    }
    manifest = {"name": "test.guide", "version": "1.0.0", "fhirVersions": ["4.0.1"]}
    files: dict[str, Any] = {"package.json": manifest, "p.json": profile, "v.json": value_set}
    tgz = packed(tmp_path / "guide.tgz", {f"package/{name}": content for name, content in files.items()})
    installed.add(tgz, tmp_path / "packages")
    return tmp_path / "packages"


def issues(folder: Path, code: str, server: str = "") -> list[Issue]:
    """What is said of Observation.code, by the guides of a folder."""
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
    }
    guide = Guides(folder, "core", Definitions.core(), terminology_server=server).current
    told = guide.validator.validate(observation, [PROFILE]).issues
    return [each for each in told if "value set" in each.text or "code system" in each.text]


def test_a_binding_to_a_system_that_is_not_here_warns(folder: Path) -> None:
    (told,) = issues(folder, "1-8")
    assert told.severity == "warning"


def test_a_binding_is_held_to_an_added_release(folder: Path, tmp_path: Path) -> None:
    add("loinc", [loinc(tmp_path)], folder)
    assert issues(folder, "1-8") == []
    (told,) = issues(folder, "1-9")
    assert told.severity == "error"


def test_a_binding_is_held_to_a_remote_server_and_warns_when_it_fails(folder: Path, far: Far) -> None:
    assert issues(folder, "a", far.base) == []
    (told,) = issues(folder, "x", far.base)
    assert told.severity == "error"
    far.answer = lambda: (500, b"")
    (told,) = issues(folder, "a", far.base)
    assert told.severity == "warning"


def test_definitions_that_others_share_are_not_changed(folder: Path, far: Far) -> None:
    Guides(folder, "core", Definitions.core(), terminology_server=far.base)
    assert Definitions.core().judge is None
    assert Definitions.core().holds(VALUE_SET, "http://loinc.org", "a") is None
