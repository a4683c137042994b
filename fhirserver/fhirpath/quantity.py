"""Quantities: a number with a UCUM unit or a calendar duration (FHIRPath N1, sections 4.1.9 and 6)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from fhirserver.fhirpath import ucum
from fhirserver.fhirpath.numbers import CONTEXT, places, round_to
from fhirserver.spec.systems import UCUM

_WORDS: Final = ("year", "month", "week", "day", "hour", "minute", "second", "millisecond")
CALENDAR: Final = {word: word for word in _WORDS} | {word + "s": word for word in _WORDS}
"""A calendar word, singular or plural -> the singular."""

_DEFINITE: Final = {"week": "wk", "day": "d", "hour": "h", "minute": "min", "second": "s", "millisecond": "ms"}
_NEARLY: Final = {"year": "a", "month": "mo"}
_MONTHS: Final = {"year": Fraction(12), "month": Fraction(1)}
_OF_UCUM: Final = {code: word for word, code in (_DEFINITE | _NEARLY).items()}
_TEXT: Final = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*(?:'([^']+)'|([A-Za-z]+))?\s*\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Quantity:
    """`unit` is a UCUM code, or a calendar word such as `day` or `days`."""

    value: Decimal
    unit: str = "1"

    def __str__(self) -> str:
        return f"{self.value} {self.unit}" if self.unit in CALENDAR else f"{self.value} '{self.unit}'"

    def as_fhir(self) -> dict[str, Any]:
        """A FHIR Quantity with its UCUM code."""
        word = CALENDAR.get(self.unit)
        code = (_DEFINITE | _NEARLY)[word] if word else self.unit
        return {"value": self.value, "unit": self.unit, "system": UCUM, "code": code}

    @property
    def step(self) -> str | None:
        """The calendar unit to move a date by: words, and the UCUM codes of fixed length; else None."""
        word = CALENDAR.get(self.unit)
        return word or (_OF_UCUM.get(self.unit) if self.unit not in _NEARLY.values() else None)


def parse(text: str) -> Quantity | None:
    """`10 'mg'`, `4 days` or `1`, as toQuantity() reads it."""
    match = _TEXT.match(text[:200])
    if match is None or (match[3] and match[3] not in CALENDAR):
        return None
    return Quantity(Decimal(match[1]), match[2] or match[3] or "1")


def of_fhir(value: dict[str, Any]) -> Quantity | None:
    """A FHIR Quantity; None without a value or with a comparator. UCUM times become calendar durations."""
    number = value.get("value")
    if number.__class__ not in (int, Decimal) and not isinstance(number, Decimal):
        return None
    if "comparator" in value:
        return None
    code = value.get("code")
    if value.get("system") == UCUM and isinstance(code, str):
        return Quantity(Decimal(number), _OF_UCUM.get(code, code))
    name = code if isinstance(code, str) else value.get("unit")
    return Quantity(Decimal(number), name if isinstance(name, str) else "1")


def _definite(unit: str, *, nearly: bool) -> str | None:
    word = CALENDAR.get(unit)
    if word is None:
        return unit
    return _DEFINITE.get(word) or (_NEARLY[word] if nearly else None)


def aligned(left: Quantity, right: Quantity, *, nearly: bool = False) -> tuple[Fraction, Fraction] | None:
    """Both values in one unit; None when they have none in common.

    Calendar years and months are of no fixed length: they meet 'a' and 'mo' only with `nearly`, for equivalence.
    """
    factors = _factors(left.unit, right.unit, nearly=nearly)
    return None if factors is None else (_exact(left.value) * factors[0], _exact(right.value) * factors[1])


def _factors(left: str, right: str, *, nearly: bool) -> tuple[Fraction, Fraction] | None:
    if left == right:
        return Fraction(1), Fraction(1)
    word, other = CALENDAR.get(left, ""), CALENDAR.get(right, "")
    if word in _MONTHS and other in _MONTHS:
        return _MONTHS[word], _MONTHS[other]
    one, two = _definite(left, nearly=nearly), _definite(right, nearly=nearly)
    first, second = ucum.unit(one) if one else None, ucum.unit(two) if two else None
    if first is None or second is None or first.dimension != second.dimension:
        return None
    return first.factor, second.factor


def _exact(value: Decimal) -> Fraction:
    """Raises OverflowError for a number whose digits would fill the memory."""
    if not value.is_finite() or abs(value.adjusted()) > 1000:
        raise OverflowError
    return Fraction(value)


def _decimal(value: Fraction) -> Decimal:
    return CONTEXT.divide(Decimal(value.numerator), Decimal(value.denominator))


def compare(left: Quantity, right: Quantity) -> int | None:
    """-1, 0, 1, or None when the units have nothing in common."""
    if left.unit == right.unit:
        return (left.value > right.value) - (left.value < right.value)
    pair = aligned(left, right)
    return None if pair is None else (pair[0] > pair[1]) - (pair[0] < pair[1])


def equivalent(left: Quantity, right: Quantity) -> bool:
    """Equal when both are rounded to the less precise, in the less precise one's unit."""
    factors = _factors(left.unit, right.unit, nearly=True)
    if factors is None:
        return False
    if places(left.value) > places(right.value):
        left, right, factors = right, left, (factors[1], factors[0])
    digits = places(left.value)
    in_unit = _decimal(_exact(right.value) * factors[1] / factors[0])
    return round_to(in_unit, digits) == round_to(left.value, digits)


def combine(left: Quantity, right: Quantity, sign: int) -> Quantity | None:
    """Sum or difference, in the left one's unit."""
    factors = _factors(left.unit, right.unit, nearly=False)
    if factors is None:
        return None
    added = _decimal(_exact(right.value) * factors[1] / factors[0])
    return Quantity((CONTEXT.add if sign > 0 else CONTEXT.subtract)(left.value, added), left.unit)


def product(left: Quantity, right: Quantity, *, inverse: bool = False) -> Quantity | None:
    """Product or quotient: in the unit of the one that has a unit, else in base units."""
    if inverse and not right.value:
        return None
    value = (CONTEXT.divide if inverse else CONTEXT.multiply)(left.value, right.value)
    if right.unit == "1":
        return Quantity(value, left.unit)
    if left.unit == "1" and not inverse:
        return Quantity(value, right.unit)
    one, two = _definite(left.unit, nearly=False), _definite(right.unit, nearly=False)
    unit = ucum.product(one, two, inverse=inverse) if one and two else None
    return None if unit is None else Quantity(_decimal(_exact(value) * unit[1]), unit[0])


def comparable(left: Quantity, right: Quantity) -> bool:
    return _factors(left.unit, right.unit, nearly=False) is not None


def key(value: Quantity) -> tuple[object, ...]:
    """Equal for quantities that are equal."""
    code = _definite(value.unit, nearly=False)
    unit = None if code is None else ucum.unit(code)
    if unit is None:
        return (value.value, CALENDAR.get(value.unit, value.unit))
    return (_exact(value.value) * unit.factor, unit.dimension)
