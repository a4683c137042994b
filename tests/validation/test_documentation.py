"""The page about validation says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fhirserver import settings
from fhirserver.validation import defaults
from fhirserver.validation.messages import RULES
from tests.validation.test_corpora import EXPLAINED

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "validation.md").read_text("utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_hold(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    exec(example, {})


def test_every_rule_is_used() -> None:
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "fhirserver" / "validation").glob("*.py"))
    said = {key for key in RULES if sources.count(f'"{key}"') < 2}
    assert said == set()


def test_every_profile_set_is_told() -> None:
    assert all(f"`{name}`" in PAGE for name in defaults.SETS)


def rendered() -> str:
    """The faults of the official examples as a table."""
    rows = ["| example | place | rule | why |", "|---|---|---|---|"]
    for name, faults in EXPLAINED.items():
        for (rule, place), reason in faults.items():
            rows.append(f"| {name.removesuffix('.json')} | `{place}` | `{rule}` | {reason} |")
    return "\n".join(rows) + "\n"


def test_the_faults_of_the_official_examples_are_told() -> None:
    assert rendered() in PAGE


def test_the_switches_of_the_ins_are_told() -> None:
    listed = settings.listing(settings.load(environ={}))
    names = [variable.removeprefix(settings.PREFIX).lower() for variable, _, _ in listed]
    switches = [name for name in names if name.startswith("ins_")]
    assert len(switches) == 3
    assert all(f"| `{name}` |" in PAGE for name in switches)
