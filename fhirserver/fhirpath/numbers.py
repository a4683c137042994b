"""Decimal arithmetic that never traps: 28 digits, an overflow gives a NaN or an infinity that callers drop."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from typing import Any, Final

CONTEXT: Final = Context(prec=34, traps=[], Emax=9999, Emin=-9999, rounding=ROUND_HALF_UP)

MAX_INTEGER: Final = 2**63 - 1
"""FHIRPath demands 32 bits; beyond this the result is empty."""

_ROUNDING: Final = {"nearest": ROUND_HALF_UP, "down": ROUND_FLOOR, "up": ROUND_CEILING}


def finite(value: Any) -> Any:
    """The number, or None when it is no finite number or beyond measure."""
    if value.__class__ is int:
        return value if -MAX_INTEGER <= value <= MAX_INTEGER else None
    return value if value.is_finite() and value.adjusted() < 1000 else None


def round_to(value: Decimal, places: int, rounding: str = "nearest") -> Decimal:
    """The value with `places` digits after the point."""
    if value.adjusted() + places > 32:
        return value
    return value.quantize(Decimal(1).scaleb(-places), _ROUNDING[rounding], CONTEXT)


def places(value: Decimal) -> int:
    """Digits after the point."""
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def whole(value: Decimal) -> int | None:
    """The integer part, None beyond 64 bits."""
    if not value.is_finite() or value.adjusted() > 18:
        return None
    return int(value)
