"""The definitions are facts only, in one shape."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.profiles import repository
from tools import format_definitions

if TYPE_CHECKING:
    from pathlib import Path

PROFILE: dict[str, Any] = {
    "resourceType": "StructureDefinition",
    "url": "http://example.org/p",
    "id": "p",
    "differential": {"element": [{"path": "Patient", "id": "Patient"}]},
}


def test_every_definition_is_formatted() -> None:
    assert format_definitions.main(["--check"]) == 0


def test_members_are_put_in_order() -> None:
    text = format_definitions.formatted(PROFILE)
    assert list(json.loads(text)) == ["resourceType", "id", "url", "differential"]
    assert list(json.loads(text)["differential"]["element"][0]) == ["id", "path"]
    assert text.endswith("}\n")


def test_a_pattern_is_put_in_order() -> None:
    element = {"id": "a", "path": "a", "patternCoding": {"code": "c", "system": "s"}, "min": 1}
    ordered = format_definitions.in_order(element, "ElementDefinition", "e")
    assert list(ordered) == ["id", "path", "min", "patternCoding"]
    assert list(ordered["patternCoding"]) == ["system", "code"]


@pytest.mark.parametrize("member", ["text", "description", "publisher", "snapshot", "mapping", "date"])
def test_what_is_not_a_fact_is_refused(member: str) -> None:
    with pytest.raises(format_definitions.NotAFact, match=member):
        format_definitions.formatted({**PROFILE, member: "x"})


def test_prose_of_an_element_is_refused() -> None:
    with pytest.raises(format_definitions.NotAFact, match=r"element\[0\]: short, comment"):
        format_definitions.formatted({**PROFILE, "differential": {"element": [{"short": "x", "comment": "y"}]}})


def test_another_resource_type_is_refused() -> None:
    with pytest.raises(format_definitions.NotAFact, match="ConceptMap"):
        format_definitions.formatted({"resourceType": "ConceptMap"})


def test_the_check_names_a_file_out_of_shape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps(PROFILE), encoding="utf-8")
    assert format_definitions.main(["--check", str(wrong)]) == 1
    assert "not formatted" in capsys.readouterr().err
    assert format_definitions.main([str(wrong)]) == 0
    assert format_definitions.main(["--check", str(wrong)]) == 0


def test_the_check_names_a_file_that_is_not_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text("{", encoding="utf-8")
    assert format_definitions.main([str(wrong)]) == 1
    assert "wrong.json" in capsys.readouterr().err


def test_displays_of_licensed_systems_are_not_shipped() -> None:
    shown = [
        (value_set["id"], concept["code"])
        for value_set in repository.of_type("ValueSet")
        for part in value_set["compose"]["include"]
        if part.get("system") in repository.BARE
        for concept in part.get("concept", ())
        if "display" in concept
    ]
    assert shown == []


def test_the_terminology_stays_small() -> None:
    sizes = {path.name: path.stat().st_size for path in repository.files()}
    assert max(sizes.values()) < 300_000
    assert sum(sizes.values()) < 6_000_000
