"""docs/search.md says what is offered: its examples parse, and those of its last section are refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fhirserver.errors import UnknownParameter
from fhirserver.search import results
from fhirserver.search.criteria import MODIFIERS
from fhirserver.search.parse import NOT_OFFERED
from tests.search.finding import query

PAGE = (Path(__file__).parents[2] / "docs" / "search.md").read_text(encoding="utf-8")
OFFERED, REFUSED = PAGE.split("## Not offered")
EXAMPLE = re.compile(r"`([A-Z]\w+)\?([^`]+)`")


def examples(section: str) -> list[tuple[str, str]]:
    return [(kind, text.replace("\\|", "|")) for kind, text in EXAMPLE.findall(section)]


def params(text: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (part.partition("=") for part in text.split("&"))]


@pytest.mark.parametrize(("resource_type", "text"), examples(OFFERED))
def test_an_example_is_offered(resource_type: str, text: str) -> None:
    found = query(resource_type, *params(text))
    assert found.params == tuple(params(text))


@pytest.mark.parametrize(("resource_type", "text"), examples(REFUSED))
def test_what_is_not_offered_is_refused(resource_type: str, text: str) -> None:
    with pytest.raises(UnknownParameter):
        query(resource_type, *params(text))


@pytest.mark.parametrize(
    "name", sorted(results.NAMES | {f":{name}" for listed in MODIFIERS.values() for name in listed})
)
def test_every_result_parameter_and_modifier_has_an_example(name: str) -> None:
    assert f"{name}=" in OFFERED


@pytest.mark.parametrize("name", sorted(set(NOT_OFFERED) - {"_score", "_containedType"}))
def test_every_parameter_that_is_not_offered_is_named(name: str) -> None:
    assert f"?{name}" in REFUSED
