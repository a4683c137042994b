"""Whether a resource has at least all that another says (`minimumId`): every element, of lists every item."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def missing(expected: Any, found: Any, place: str = "") -> Iterator[str]:
    """What `expected` says and `found` does not, each with its place."""
    if isinstance(expected, dict):
        if not isinstance(found, dict):
            yield f"{place or 'the resource'} is missing"
            return
        for name, value in expected.items():
            yield from missing(value, found.get(name), f"{place}.{name}" if place else name)
    elif isinstance(expected, list):
        items = found if isinstance(found, list) else []
        for number, value in enumerate(expected):
            if not any(next(missing(value, each), None) is None for each in items):
                yield f"{place}[{number}] is missing"
    elif not _same(expected, found):
        yield f"{place} is {found!r}, {expected!r} was expected" if found is not None else f"{place} is missing"


def _same(expected: Any, found: Any) -> bool:
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    if isinstance(expected, int | Decimal) and isinstance(found, int | Decimal):
        return Decimal(expected) == Decimal(found)
    return bool(expected == found)
