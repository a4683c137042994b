from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from fhirserver.spec.archive import Archive
from fhirserver.spec.package import CORE
from tests import corpus
from tests.spec.conformance import tgz
from tools import build_spec

if TYPE_CHECKING:
    from pathlib import Path

PROSE = {"definition", "short", "comment", "requirements", "mapping", "div", "description", "documentation", "human"}


def _names(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(_names, value.values()))
    return set().union(*map(_names, value)) if isinstance(value, list) else set()


@pytest.mark.corpus("r4-core")
def test_the_archive_that_is_shipped_is_the_one_that_the_package_gives(tmp_path: Path) -> None:
    count = build_spec.build(corpus.path("r4-core"), tmp_path / "again.sqlite")
    again, shipped = Archive(tmp_path / "again.sqlite"), Archive(CORE)
    entries = shipped.entries()
    assert count == len(entries)
    assert again.entries() == entries
    for entry in entries:
        assert again.load(entry.key) == shipped.load(entry.key), entry
    assert again.facts() == shipped.facts()
    for key in shipped.facts():
        assert again.fact(key) == shipped.fact(key), key


def test_what_is_computed_beforehand_follows_from_the_resources() -> None:
    shipped = Archive(CORE)
    derived = orjson.loads(orjson.dumps(build_spec.derive(shipped.load(entry.key) for entry in shipped.entries())))
    assert {*derived, "package"} == set(shipped.facts())
    for key, value in derived.items():
        assert value == shipped.fact(key), key


def test_the_archive_is_small() -> None:
    assert CORE.stat().st_size < 4_000_000


def test_the_archive_holds_no_prose() -> None:
    archive = Archive(CORE)
    for entry in archive.entries():
        found = _names(archive.load(entry.key)) & PROSE
        if entry.resource_type == "SearchParameter":
            found -= {"definition"}
        assert not found, (entry.resource_type, entry.id)


def _package(path: Path, *resources: dict[str, Any]) -> Path:
    members = {"package/package.json": b'{"name": "n", "version": "1"}', "package/other/x.json": b"not read"}
    members |= {f"package/{item['id']}.json": orjson.dumps(item) for item in resources}
    return tgz(path, members | {"package/list.json": b"[]"})


def _element(path: str, **more: Any) -> dict[str, Any]:
    return {"id": path, "path": path, "min": 0, "max": "1", "base": {"path": path, "min": 0, "max": "1"}, **more}


STRUCTURE = {
    "resourceType": "StructureDefinition",
    "id": "Thing",
    "url": "http://hl7.org/fhir/StructureDefinition/Thing",
    "kind": "resource",
    "abstract": False,
    "type": "Thing",
    "description": "prose",
    "differential": {"element": []},
    "snapshot": {
        "element": [
            _element("Thing", short="prose", isModifier=False),
            _element(
                "Thing.colour",
                definition="prose",
                isModifierReason="prose",
                isModifier=True,
                fixedCode="red",
                slicing={"rules": "open", "description": "prose"},
                constraint=[{"key": "a-1", "severity": "error", "human": "prose", "expression": "true"}],
                binding={"strength": "required", "valueSet": "urn:vs", "extension": [{"url": "urn:other"}]},
                type=[{"code": "code", "extension": [{"url": "urn:other"}]}],
            ),
        ]
    },
}


def test_facts_are_kept_and_prose_is_dropped(tmp_path: Path) -> None:
    build_spec.build(_package(tmp_path / "x.tgz", STRUCTURE), tmp_path / "x.sqlite")
    archive = Archive(tmp_path / "x.sqlite")
    (entry,) = archive.entries()
    kept = archive.load(entry.key)
    assert "description" not in kept
    assert "differential" not in kept
    root, colour = kept["snapshot"]["element"]
    assert root == _element("Thing")
    assert colour == _element(
        "Thing.colour",
        isModifier=True,
        fixedCode="red",
        slicing={"rules": "open"},
        constraint=[{"key": "a-1", "severity": "error", "expression": "true"}],
        binding={"strength": "required", "valueSet": "urn:vs"},
        type=[{"code": "code"}],
    )
    assert archive.fact("resource-types") == ["Thing"]


def test_extensions_that_are_facts_are_kept(tmp_path: Path) -> None:
    fact = {"url": "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet", "valueCanonical": "urn:vs"}
    element = _element("Thing.x", binding={"strength": "preferred", "extension": [fact, {"url": "urn:other"}]})
    thing = {**STRUCTURE, "snapshot": {"element": [_element("Thing"), {**element, "type": [{"code": "code"}]}]}}
    build_spec.build(_package(tmp_path / "x.tgz", thing), tmp_path / "x.sqlite")
    kept = Archive(tmp_path / "x.sqlite").load(1)
    assert kept["snapshot"]["element"][1]["binding"] == {"strength": "preferred", "extension": [fact]}


def test_other_resources_are_left_out_and_nested_prose_too(tmp_path: Path) -> None:
    system = {
        "resourceType": "CodeSystem",
        "id": "cs",
        "url": "urn:cs",
        "content": "complete",
        "concept": [{"code": "a", "definition": "prose", "_display": {}, "concept": [{"code": "b", "extension": []}]}],
    }
    example = {"resourceType": "Patient", "id": "p"}
    build_spec.build(_package(tmp_path / "x.tgz", example, system), tmp_path / "x.sqlite")
    archive = Archive(tmp_path / "x.sqlite")
    assert [entry.resource_type for entry in archive.entries()] == ["CodeSystem"]
    assert archive.load(1)["concept"] == [{"code": "a", "concept": [{"code": "b"}]}]


def test_the_command_says_what_it_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package, target = _package(tmp_path / "x.tgz", STRUCTURE), tmp_path / "new" / "x.sqlite"
    monkeypatch.setattr(sys, "argv", ["build_spec.py", str(package), str(target)])
    build_spec.main()
    assert capsys.readouterr().out == f"1 resources in {target}: {target.stat().st_size} bytes\n"
