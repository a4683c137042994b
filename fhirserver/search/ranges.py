"""What the prefixes mean, as conditions on a stored range (https://hl7.org/fhir/R4/search.html#prefix).

A meaning is a disjunction of conjunctions of comparisons: `(side, operator, value)`, `side` being `lo` or `hi` of one
stored range. Dates are half open on both sides; numbers are stored closed, and compared exactly but for eq, ne and ap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.search import numbers

if TYPE_CHECKING:
    from decimal import Decimal

    from fhirserver.search.dates import Interval

Condition = tuple[str, str, Any]
Meaning = tuple[tuple[Condition, ...], ...]

PREFIXES: Final = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")


def split(value: str) -> tuple[str, str]:
    """The prefix of a search value, `eq` when it has none, and the rest."""
    if value[:2] in PREFIXES:
        return value[:2], value[2:]
    return "eq", value


def date(prefix: str, sought: Interval, now: int) -> Meaning:
    """Conditions on [lo, hi) for a sought interval; `now` (microseconds) is what `ap` takes ten per cent from."""
    start, end = sought
    match prefix:
        case "eq":
            return ((("lo", "$gte", start), ("hi", "$lte", end)),)
        case "ne":
            return ((("lo", "$lt", start),), (("hi", "$gt", end),))
        case "gt":
            return ((("hi", "$gt", end),),)
        case "lt":
            return ((("lo", "$lt", start),),)
        case "ge":
            return ((("hi", "$gt", end),), (("lo", "$gte", start),))
        case "le":
            return ((("lo", "$lt", start),), (("hi", "$lte", end),))
        case "sa":
            return ((("lo", "$gte", end),),)
        case "eb":
            return ((("hi", "$lte", start),),)
    margin = abs(now - start) // 10
    return ((("lo", "$lt", end + margin), ("hi", "$gt", start - margin)),)


def number(prefix: str, sought: Decimal) -> Meaning:
    """Conditions on [lo, hi], both included, for a sought number."""
    exact = numbers.CONTEXT.plus(sought)
    match prefix:
        case "eq":
            low, high = numbers.implied(sought)
            return ((("lo", "$gte", low), ("hi", "$lt", high)),)
        case "ne":
            low, high = numbers.implied(sought)
            return ((("lo", "$lt", low),), (("hi", "$gte", high),))
        case "gt":
            return ((("hi", "$gt", exact),),)
        case "lt":
            return ((("lo", "$lt", exact),),)
        case "ge":
            return ((("hi", "$gte", exact),),)
        case "le":
            return ((("lo", "$lte", exact),),)
        case "sa":
            return ((("lo", "$gt", exact),),)
        case "eb":
            return ((("hi", "$lt", exact),),)
    low, high = numbers.approximate(sought)
    return ((("lo", "$lte", high), ("hi", "$gte", low)),)
