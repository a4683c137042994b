from __future__ import annotations

from decimal import Decimal

import pytest

from fhirserver.fhirpath import quantity, ucum
from fhirserver.fhirpath.quantity import Quantity
from fhirserver.spec.systems import UCUM
from tests.fhirpath.answers import plain


@pytest.mark.parametrize(
    ("left", "right", "factor"),
    [
        ("kg", "g", "1000"),
        ("mg/dL", "g/L", "0.01"),
        ("ug/mL", "mg/L", "1"),
        ("mmol/L", "umol/mL", "1"),
        ("10*3/uL", "10*9/L", "1"),
        ("mm[Hg]", "kPa", "0.133322387415"),
        ("[lb_av]", "g", "453.59237"),
        ("[in_i]", "cm", "2.54"),
        ("h", "min", "60"),
        ("wk", "d", "7"),
        ("%", "1", "0.01"),
        ("{score}", "1", "1"),
        ("mL/min/{1.73_m2}", "mL/min", "1"),
        ("kg/m2", "g/m2", "1000"),
        ("kg.m/s2", "N", "1"),
        ("mL", "cm3", "1"),
        ("dam", "m", "10"),
        ("/min", "/h", "60"),
        ("100/s", "Hz", "100"),
        ("m[iU]/L", "[iU]/mL", "0.000001"),
        ("cal", "J", "4.184"),
        ("meq/L", "eq/L", "0.001"),
        ("s-1", "Hz", "1"),
    ],
)
def test_units_convert(left: str, right: str, factor: str) -> None:
    one, other = ucum.unit(left), ucum.unit(right)
    assert one is not None
    assert other is not None
    assert one.dimension == other.dimension
    assert one.factor / other.factor == Decimal(factor)


@pytest.mark.parametrize("code", ["zork", "m/zork", "(m.s)", "m//s", "m s", ".", "kkg", "mmin", "m" * 200, "/", "m."])
def test_what_the_table_does_not_know_has_no_factor(code: str) -> None:
    assert ucum.unit(code) is None


def test_unknown_units_equal_themselves_only() -> None:
    assert plain("3 'zork' = 3.0 'zork'") == [True]
    assert plain("3 'zork' = 3 'kroz'") == []
    assert plain("3 'zork' < 4 'zork'") == [True]
    assert plain("3 'zork' + 4 'zork' = 7 'zork'") == [True]


def test_a_fhir_quantity_is_one() -> None:
    node = {
        "resourceType": "Observation",
        "valueQuantity": {"value": Decimal("7.2"), "unit": "g par dL", "system": UCUM, "code": "g/dL"},
        "referenceRange": [{"low": {"value": 1}, "high": {"value": 3, "code": "a", "system": UCUM}}],
    }
    assert plain("value = 72 'g/L'", node, "Observation") == [True]
    assert plain("value > 7 'g/dL' and value < 73 'g/L'", node, "Observation") == [True]
    assert plain("referenceRange.low = 1", node, "Observation") == [True]
    assert plain("referenceRange.high = 3 years", node, "Observation") == [True]
    assert plain("referenceRange.high.comparable(1 'kg')", node, "Observation") == [False]


@pytest.mark.parametrize("value", [{}, {"value": "x"}, {"value": True}, {"value": 1, "comparator": "<"}, {"unit": "g"}])
def test_a_quantity_without_a_definite_value_is_only_an_element(value: dict[str, object]) -> None:
    assert quantity.of_fhir(value) is None
    assert plain("value = value", {"resourceType": "Observation", "valueQuantity": value}, "Observation") == [True]


def test_a_unit_without_a_system_counts_as_its_name() -> None:
    assert quantity.of_fhir({"value": 1, "unit": "cp"}) == Quantity(Decimal(1), "cp")
    assert quantity.of_fhir({"value": 1, "unit": 3}) == Quantity(Decimal(1), "1")


def test_differences_of_calendar_and_definite_time() -> None:
    assert quantity.combine(Quantity(Decimal(1), "day"), Quantity(Decimal(12), "h"), 1) == Quantity(
        Decimal("1.5"), "day"
    )
    assert quantity.combine(Quantity(Decimal(1), "year"), Quantity(Decimal(1), "a"), 1) is None
    assert quantity.product(Quantity(Decimal(1), "year"), Quantity(Decimal(1), "m")) is None
