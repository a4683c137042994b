"""Codes, displays and units by the systems they are from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.validation.crafted import validator
from tests.validation.samples import observation

if TYPE_CHECKING:
    from pathlib import Path

    from fhirserver.validation import Validator

URL = "http://example.org/colours"
COLOURS = {
    "resourceType": "CodeSystem",
    "url": URL,
    "version": "2",
    "status": "active",
    "content": "complete",
    "caseSensitive": False,
    "concept": [
        {"code": "red", "display": "Red", "designation": [{"language": "fr", "value": "Rouge"}]},
        {"code": "dark", "concept": [{"code": "navy", "display": "Navy blue"}]},
    ],
}


@pytest.fixture
def made(tmp_path: Path) -> Validator:
    return validator(tmp_path, COLOURS)


def found(made: Validator, coding: dict[str, Any]) -> list[tuple[str, str | None, str]]:
    issues = made.check(observation() | {"method": {"coding": [{"system": URL} | coding]}})
    return [(issue.severity, issue.rule, issue.expression[0]) for issue in issues]


WHERE = "Observation.method.coding[0]."


@pytest.mark.parametrize(
    ("coding", "expected"),
    [
        ({"code": "red"}, None),
        ({"code": "red", "display": "Red"}, None),
        ({"code": "red", "display": " rED"}, None),
        ({"code": "red", "display": "Rouge"}, None),
        ({"code": "RED", "display": "red"}, None),
        ({"code": "navy", "display": "Navy  blue"}, None),
        ({"code": "dark", "display": "anything"}, None),
        ({"code": "red", "display": "Green"}, "display"),
        ({"code": "navy", "display": "Navy"}, "display"),
        ({"code": "green"}, "code-unknown"),
        ({"code": "green", "version": "1"}, None),
        ({"code": "green", "version": "2"}, "code-unknown"),
        ({"code": "green", "system": "http://example.org/elsewhere", "display": "x"}, None),
    ],
)
def test_a_system_that_is_here_knows_its_codes_and_displays(
    made: Validator, coding: dict[str, Any], expected: str | None
) -> None:
    place = {"display": "display", "code-unknown": "code"}
    assert found(made, coding) == ([("warning", expected, WHERE + place[expected])] if expected else [])


def test_a_fragment_of_a_system_forbids_no_code(tmp_path: Path) -> None:
    made = validator(tmp_path, COLOURS | {"content": "fragment", "caseSensitive": True})
    assert found(made, {"code": "green", "display": "Green"}) == []
    assert found(made, {"code": "RED", "display": "Green"}) == []
    assert [rule for _, rule, _ in found(made, {"code": "red", "display": "Green"})] == ["display"]


def test_a_wrong_display_is_told_with_the_right_one(core: Validator) -> None:
    status = {
        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
        "code": "laboratory",
        "display": "Lab",
    }
    (issue,) = core.check(observation() | {"category": [{"coding": [status]}]})
    assert issue.text.endswith("#laboratory is 'Laboratory', not 'Lab'.")
    (issue,) = core.check(observation() | {"category": [{"coding": [status]}]}, language="fr")
    assert issue.text.startswith("Le libellé de")


@pytest.mark.parametrize(
    ("quantity", "right"),
    [
        ({"code": "mg/dL"}, True),
        ({"code": "10*3/uL"}, True),
        ({"code": "{score}"}, True),
        ({"code": "mmHg"}, False),
        ({"code": "per day"}, False),
        ({"code": "mmHg", "system": "http://example.org/units"}, True),
        ({"code": 5}, True),
    ],
)
def test_units_follow_the_grammar_of_ucum(core: Validator, quantity: dict[str, Any], right: bool) -> None:
    value = {"value": 1, "system": "http://unitsofmeasure.org"} | quantity
    issues = [issue for issue in core.check(observation() | {"valueQuantity": value}) if issue.rule == "ucum"]
    expected = [] if right else [("warning", "Observation.value.code")]
    assert [(issue.severity, issue.expression[0]) for issue in issues] == expected


def test_ages_and_limits_are_quantities_too(core: Validator) -> None:
    odd = {"value": 1, "system": "http://unitsofmeasure.org", "code": "mmHg"}
    issues = core.check(observation() | {"referenceRange": [{"low": odd}]})
    assert [issue.expression[0] for issue in issues if issue.rule == "ucum"] == [
        "Observation.referenceRange[0].low.code"
    ]
    condition = {"resourceType": "Condition", "subject": {"reference": "Patient/1"}, "onsetAge": odd}
    assert "Condition.onset.code" in {issue.expression[0] for issue in core.check(condition) if issue.rule == "ucum"}
