from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fhirserver.errors import BadRequest
from fhirserver.search import numbers, units
from tests.search.finding import finds, query

UCUM = "http://unitsofmeasure.org"


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("100", "99.5", "100.5"),
        ("100.00", "99.995", "100.005"),
        ("1e2", "95", "105"),
        ("1.0e2", "95", "105"),
        ("1.00e2", "99.5", "100.5"),
        ("5.40e-3", "0.005395", "0.005405"),
        ("0", "-0.5", "0.5"),
        ("-3", "-3.5", "-2.5"),
    ],
)
def test_the_digits_of_a_number_imply_a_range(text: str, low: str, high: str) -> None:
    assert numbers.implied(Decimal(text)) == (Decimal(low), Decimal(high))


@pytest.mark.parametrize("text", ["", "x", "0x1", "NaN", "Infinity", "1e99999", "1" * 101, "1_000", "٣", "--1"])
def test_what_is_no_number_is_refused(text: str) -> None:
    assert numbers.parse(text) is None
    with pytest.raises(BadRequest, match="probability"):
        query("RiskAssessment", ("probability", text or "gt"))


@pytest.mark.parametrize(
    ("probability", "sought", "found"),
    [
        ("0.8", "0.8", True),
        ("0.75", "0.8", True),
        ("0.85", "0.8", False),
        ("0.8", "0.80", True),
        ("0.805", "0.80", False),
        ("0.85", "ne0.8", True),
        ("0.81", "gt0.8", True),
        ("0.8", "gt0.8", False),
        ("0.8", "ge0.8", True),
        ("0.80", "le0.8", True),
        ("0.8", "lt0.8", False),
        ("0.8", "sa0.79", True),
        ("0.8", "eb0.81", True),
        ("0.88", "ap0.8", True),
        ("0.89", "ap0.8", False),
    ],
)
def test_a_prefix_compares_numbers(probability: str, sought: str, found: bool) -> None:
    risk = {"resourceType": "RiskAssessment", "prediction": [{"probabilityDecimal": Decimal(probability)}]}
    assert finds(risk, ("probability", sought)) is found


def test_a_number_of_any_size_can_be_stored() -> None:
    assert numbers.plain(Decimal("1e9999")) == numbers.INFINITY
    assert numbers.plain(Decimal("1." + "3" * 60)) == Decimal("1." + "3" * 33)
    assert numbers.plain(7) == 7
    assert numbers.plain(0.1) == Decimal("0.1")
    assert numbers.plain(True) is None
    assert numbers.plain("7") is None


def observation(**quantity: Any) -> dict[str, Any]:
    if "value" in quantity:
        quantity["value"] = Decimal(quantity["value"])
    return {"resourceType": "Observation", "valueQuantity": quantity}


@pytest.mark.parametrize(
    ("quantity", "sought", "found"),
    [
        ({"value": "5.4", "system": UCUM, "code": "mg"}, f"5.4|{UCUM}|mg", True),
        ({"value": "5.4", "system": UCUM, "code": "mg"}, "5.4||mg", True),
        ({"value": "5.4", "unit": "milligramme"}, "5.4||milligramme", True),
        ({"value": "5.4", "system": UCUM, "code": "mg"}, "5.4", True),
        ({"value": "5.4", "system": UCUM, "code": "mg"}, f"0.0054|{UCUM}|g", True),
        ({"value": "5.4", "system": UCUM, "code": "mg"}, f"gt5399|{UCUM}|ug", True),
        ({"value": "5.4", "system": UCUM, "code": "mg"}, f"5.4|{UCUM}|g", False),
        ({"value": "5.4", "system": UCUM, "code": "mg"}, "5.4|urn:own|mg", False),
        ({"value": "5.4", "system": UCUM, "code": "mg/dL"}, f"54|{UCUM}|mg/L", True),
        ({"value": "37", "system": UCUM, "code": "Cel"}, f"310.15|{UCUM}|K", True),
        ({"value": "98.6", "system": UCUM, "code": "[degF]"}, f"37.0|{UCUM}|Cel", True),
        ({"value": "7", "system": UCUM, "code": "[strange'U]"}, f"7|{UCUM}|[strange'U]", True),
        ({"value": "5", "comparator": "<"}, "lt5", True),
        ({"value": "5", "comparator": "<"}, "ge5", False),
        ({"value": "5", "comparator": "<="}, "ge5", True),
        ({"value": "5", "comparator": ">"}, "gt1000", True),
        ({"value": "5", "comparator": ">"}, "le5", False),
        ({"value": "5", "comparator": ">="}, "le5", True),
    ],
)
def test_a_quantity_is_found_by_value_and_unit(quantity: dict[str, Any], sought: str, found: bool) -> None:
    assert finds(observation(**quantity), ("value-quantity", sought)) is found


@pytest.mark.parametrize("value", ["x", "5|mg", "5|a|b|c", f"5|{UCUM}|", "|mg", "gt"])
def test_a_quantity_that_cannot_be_read_is_refused(value: str) -> None:
    with pytest.raises(BadRequest, match="value-quantity"):
        query("Observation", ("value-quantity", value))


def test_a_range_is_compared_by_its_limits() -> None:
    condition = {
        "resourceType": "Condition",
        "onsetRange": {"low": {"value": 30, "system": UCUM, "code": "a"}, "high": {"value": 40}},
    }
    assert finds(condition, ("onset-age", f"gt35|{UCUM}|a"))
    assert not finds(condition, ("onset-age", f"gt40|{UCUM}|a"))
    assert not finds(condition, ("onset-age", f"35|{UCUM}|a"))


def test_money_is_found_by_its_currency() -> None:
    invoice = {"resourceType": "Invoice", "totalNet": {"value": Decimal("12.50"), "currency": "EUR"}}
    assert finds(invoice, ("totalnet", "12.5||EUR"))
    assert finds(invoice, ("totalnet", "gt12|urn:iso:std:iso:4217|EUR"))
    assert not finds(invoice, ("totalnet", "12.5||USD"))


def test_what_has_no_value_is_there_but_not_found() -> None:
    assert finds(observation(unit="mg"), ("value-quantity:missing", "false"))
    assert not finds(observation(unit="mg"), ("value-quantity", "ne5"))
    risk = {"resourceType": "RiskAssessment", "prediction": [{"probabilityRange": {}}, {"probabilityDecimal": 1}]}
    assert finds(risk, ("probability", "1"))


def test_a_unit_that_is_unknown_is_not_converted() -> None:
    assert units.unit("[strange'U]") is None
