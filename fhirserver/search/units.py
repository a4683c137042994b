"""Quantities in UCUM's base units: `5.4 g/L` is found as `540 mg/dL`; temperatures too, which have an offset."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from fhirserver.fhirpath import ucum
from fhirserver.search.numbers import CONTEXT


class Unit(NamedTuple):
    """`(value + offset) * factor` is in the base units that `base` names."""

    base: str
    factor: Decimal
    offset: Decimal = Decimal(0)


_TEMPERATURES: Final = {
    "K": Unit("K", Decimal(1)),
    "Cel": Unit("K", Decimal(1), Decimal("273.15")),
    "[degF]": Unit("K", CONTEXT.divide(Decimal(5), Decimal(9)), Decimal("459.67")),
}


@lru_cache(maxsize=1024)
def unit(code: str) -> Unit | None:
    """The unit of a UCUM code; None when it is not known here, and such a quantity is found only as it was given."""
    if code in _TEMPERATURES:
        return _TEMPERATURES[code]
    found = ucum.unit(code)
    if found is None:
        return None
    base = ".".join(f"{name}{power}" for name, power in found.dimension) or "1"
    return Unit(base, CONTEXT.divide(Decimal(found.factor.numerator), Decimal(found.factor.denominator)))


def canonical(value: Decimal, measured: Unit) -> Decimal:
    """The value in base units, to 34 digits."""
    return CONTEXT.multiply(CONTEXT.add(value, measured.offset), measured.factor)
