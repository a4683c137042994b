"""The page of what the tests cover is that of the table and the scripts."""

from __future__ import annotations

from pathlib import Path

from fhirserver import cli
from fhirserver.conformance import Script, collect
from fhirserver.conformance.coverage import page
from fhirserver.conformance.requirements import Requirement, requirements
from fhirserver.conformance.script import REQUIREMENT
from fhirserver.conformance.shipped import folder
from fhirserver.spec import Definitions

PAGE = Path(__file__).parents[2] / "docs" / "conformance-coverage.md"
"""`python -m tools.conformance` writes it."""


def test_the_page_is_that_of_the_scripts(tmp_path: Path) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(requirements(), collect([folder()], Definitions.core()))
    written = tmp_path / "coverage.md"
    assert cli.main(["conformance", "coverage", "--output", str(written)]) == 0
    assert written.read_bytes() == PAGE.read_bytes()


def test_a_requirement_names_its_tests_or_that_there_are_none() -> None:
    table = {each: Requirement(each, "a | b", "SHALL", f"of {each}", "https://x") for each in ("A-1", "A-2", "B-1")}
    extension = [{"url": REQUIREMENT, "valueString": "A-1"}]
    tests = [{"name": "one_of [two]", "extension": extension, "action": []}, {"name": "other", "action": []}]
    told = page(table, [Script({"name": "x", "test": tests}, Path("s/x.json"), "s")]).splitlines()
    assert "3 requirements, 1 of them tested, by 2 tests in 1 scripts." in told
    assert [each for each in told if each.startswith("## ")] == ["## A", "## B"]
    rows = [each for each in told if each.startswith("| [")]
    assert rows[0] == r"| [A-1](https://x) SHALL | of A-1 (a \| b) | `s/x`: one\_of \[two\] |"
    assert [each.endswith("| not tested |") for each in rows] == [False, True, True]


def test_every_requirement_that_is_claimed_is_tested() -> None:
    assert "| not tested |" not in PAGE.read_text(encoding="utf-8")
