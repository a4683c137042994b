"""Numbers and the range that a search value's digits imply (https://hl7.org/fhir/R4/search.html#number).

Every number is a plain `Decimal` of at most 34 digits, so that it fits MongoDB's Decimal128; the store converts.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Final, NamedTuple

CONTEXT: Final = Context(prec=34, rounding=ROUND_HALF_EVEN, Emin=-6143, Emax=6144, traps=[])
INFINITY: Final = Decimal("Infinity")
_NUMBER: Final = re.compile(r"[+\-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+\-]?\d{1,4})?", re.ASCII)
_LONGEST: Final = 100


class Span(NamedTuple):
    """From `lo` to `hi`, both included."""

    lo: Decimal
    hi: Decimal


def plain(value: Any) -> Decimal | None:
    """The JSON number as a Decimal of at most 34 digits; None when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | float):
        return None
    return CONTEXT.create_decimal(str(value) if isinstance(value, float) else value)


def parse(text: str) -> Decimal | None:
    """The number that a search value writes, its digits kept (`1.0e2` is not `100`); None when it is none."""
    return Decimal(text) if len(text) <= _LONGEST and _NUMBER.fullmatch(text) else None


def implied(value: Decimal) -> tuple[Decimal, Decimal]:
    """The half-open range [lo, hi) of what rounds to the value: 100 -> 99.5 to 100.5, 1.0e2 -> 95 to 105.

    1e2 too is 95 to 105: so the specification's own example has it, though one digit would say 50 to 150.
    """
    _, digits, exponent = value.as_tuple()
    last = int(exponent)
    if last > 0 and len(digits) == 1:
        last -= 1
    half = Decimal((0, (5,), last - 1))
    return CONTEXT.subtract(value, half), CONTEXT.add(value, half)


def approximate(value: Decimal) -> Span:
    """Ten per cent around the value."""
    tenth = CONTEXT.divide(abs(value), Decimal(10))
    return Span(CONTEXT.subtract(value, tenth), CONTEXT.add(value, tenth))


def compared(value: Decimal, comparator: str | None) -> Span:
    """What a value with a comparator says: `<5` is everything below 5 (to the last of 34 digits)."""
    match comparator:
        case "<":
            return Span(-INFINITY, CONTEXT.next_minus(value))
        case "<=":
            return Span(-INFINITY, value)
        case ">":
            return Span(CONTEXT.next_plus(value), INFINITY)
        case ">=":
            return Span(value, INFINITY)
    return Span(value, value)
