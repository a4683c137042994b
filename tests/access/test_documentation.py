"""docs/access.md names every rule, each with a source and with tests that are there."""

from __future__ import annotations

import ast
import re
from functools import cache
from itertools import dropwhile, takewhile
from pathlib import Path

import pytest

from fhirserver.access import rules, tables
from fhirserver.access.writes import WORDS

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "access.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading."""
    lines = iter(DOCUMENT.partition(f"{heading}\n")[2].splitlines())
    found = list(takewhile(lambda line: line.startswith("|"), dropwhile(lambda line: not line.startswith("|"), lines)))
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in found[2:]]


READING, WRITING = rows("## Reading"), rows("## Writing")


@cache
def there() -> tuple[frozenset[str], frozenset[str]]:
    """Names of test functions, and of test modules."""
    functions, modules = set(), set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        modules.add(path.stem)
        functions |= {each.name for each in ast.walk(ast.parse(path.read_text())) if isinstance(each, ast.FunctionDef)}
    return frozenset(functions), frozenset(modules)


def is_there(name: str) -> bool:
    functions, modules = there()
    if name.startswith("tests/"):
        return (ROOT / name).exists()
    if name.endswith("…"):
        return any(each.startswith(name[:-1]) for each in functions)
    return name in functions or name in modules


@pytest.mark.parametrize("cells", [*READING, *WRITING], ids=lambda cells: cells[0][:60])
def test_each_rule_names_tests_that_are_there(cells: list[str]) -> None:
    named = [each for each in re.findall(r"`([^`]+)`", cells[-1]) if each.startswith(("test_", "tests/"))]
    assert named
    assert [each for each in named if not is_there(each)] == []


@pytest.mark.parametrize("cells", READING, ids=lambda cells: cells[0][:60])
def test_each_rule_of_reading_names_its_source(cells: list[str]) -> None:
    assert len(cells) == 5
    assert cells[3]


def test_every_rule_of_the_code_is_in_the_table() -> None:
    reading = " ".join(cells[1] for cells in READING) + " ".join(re.findall(r"limits? [^|]*", DOCUMENT))
    assert {key for key in rules.WORDS if f"`{key}`" not in reading} <= {"nothing", "document"}
    writing = " ".join(cells[1] for cells in WRITING)
    general = {"operator", "scope", "prohibited", "blocked", "not-holder", "holder"}
    assert {key for key in WORDS if f"`{key}`" not in writing} <= general


def test_every_mention_of_a_test_is_of_one_that_is_there() -> None:
    named = set(re.findall(r"`(tests?[_/][^`\s]+)`", DOCUMENT))
    assert {each for each in named if not is_there(each)} == set()


def test_every_state_of_a_space_and_every_family_of_purposes_is_told() -> None:
    families = {purpose.family for purpose in tables.purposes().values()}
    assert families == {"care", "emergency", "feeding", "other", "prohibited"}
    assert {state for state in tables.spaces() if f"| `{state}`" not in DOCUMENT} == set()
