"""Results over time as a drawing (SVG): a line of points, and the reference range as a band behind it.

The drawing holds numbers and dates only: no word of anybody's stands in it.
"""

from __future__ import annotations

from base64 import b64encode
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import clock
from fhirserver.portal.record import wording

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 20, 40
_LINES: Final = 5
"""Of the grid, about so many."""
_APART: Final = Decimal("1e-9")
"""What lies closer together, of its amount, is one value to the eye."""
_LONGEST: Final = 8
_STEPS: Final = (Decimal(1), Decimal(2), Decimal(5), Decimal(10))
_DARK: Final = {"paper": "fill:#16161a", "band": "fill:#24482f", "grid": "stroke:#4a4a55", "dot": "fill:#9cc4ff",
                "line": "stroke:#9cc4ff", "text": "fill:#ececf1"}  # fmt: skip
STYLE: Final = f"@media(prefers-color-scheme:dark){{{''.join(f'.{name}{{{said}}}' for name, said in _DARK.items())}}}"
STYLE_DIGEST: Final = f"sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}"
"""Of the one style that the drawing holds, for its Content-Security-Policy."""


class Size(NamedTuple):
    width: int
    height: int


WIDE: Final = Size(720, 300)
NARROW: Final = Size(340, 240)
"""At a phone's width, so that numbers stay as large as the text of the page."""


class Point(NamedTuple):
    """A numeric result; `low`, `high`: its reference range, in the same unit."""

    at: datetime
    value: Decimal
    unit: str
    low: Decimal | None = None
    high: Decimal | None = None


def points(observations: Iterable[Mapping[str, Any]]) -> list[Point]:
    """Those that have a number and a day, oldest first, in the unit of the latest."""
    found = sorted((made for each in observations if (made := point(each))), key=lambda each: each.at)
    return [each for each in found if each.unit == found[-1].unit]


def point(observation: Mapping[str, Any]) -> Point | None:
    quantity = observation.get("valueQuantity") or {}
    value, at = _number(quantity), moment(observation.get("effectiveDateTime"))
    if value is None or at is None:
        return None
    ranges = observation.get("referenceRange") or []
    unit = str(quantity.get("unit") or quantity.get("code") or "")
    given = ranges[0] if len(ranges) == 1 else {}
    low, high = (_bound(given.get(each), unit) for each in ("low", "high"))
    return Point(at, value, unit, low, high)


def drawn(found: Sequence[Point], size: Size = WIDE) -> str:
    """The SVG, light or dark as the page is; empty of points when there are fewer than two."""
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size.width} {size.height}" font-family="sans-serif" '
        f'font-size="14"><style>{STYLE}</style>'
        f'<rect class="paper" width="{size.width}" height="{size.height}" fill="#ffffff"/>'
    )
    parts = [opening]
    if len(found) > 1:
        frame = _Frame(found, size)
        parts += [*frame.band(), *frame.grid(), *frame.line()]
    return "".join([*parts, "</svg>"])


def number(value: Decimal) -> str:
    return wording.decimal(f"{value:f}")


class _Frame:
    """Where values and days lie in the drawing."""

    def __init__(self, found: Sequence[Point], size: Size) -> None:
        self.found, self.size = found, size
        bounds = [each for one in found for each in (one.value, one.low, one.high) if each is not None]
        low, high = min(bounds), max(bounds)
        apart = high - low > abs(high) * _APART
        margin = (high - low) / 10 if apart else abs(high) / 10 or Decimal(1)
        self.low, self.high = low - margin, high + margin
        self.start, self.end = found[0].at, found[-1].at

    def x(self, at: datetime) -> float:
        whole = (self.end - self.start).total_seconds() or 1.0
        return _LEFT + (at - self.start).total_seconds() / whole * (self.size.width - _LEFT - _RIGHT)

    def y(self, value: Decimal) -> float:
        share = float((value - self.low) / (self.high - self.low))
        return self.size.height - _BOTTOM - share * (self.size.height - _TOP - _BOTTOM)

    def band(self) -> Iterable[str]:
        """The reference range, from each result to the next, as that result has it."""
        for one, after in zip(self.found, self.found[1:], strict=False):
            if one.low is None and one.high is None:
                continue
            top = self.y(one.high) if one.high is not None else _TOP
            bottom = self.y(one.low) if one.low is not None else self.size.height - _BOTTOM
            x = self.x(one.at)
            yield (
                f'<rect x="{x:.1f}" y="{top:.1f}" width="{self.x(after.at) - x:.1f}" height="{bottom - top:.1f}" '
                'class="band" fill="#cfe8d5"/>'
            )

    def grid(self) -> Iterable[str]:
        for value in ticks(self.low, self.high):
            y = self.y(value)
            yield (
                f'<line class="grid" x1="{_LEFT}" x2="{self.size.width - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
                'stroke="#d5d5dc"/>'
            )
            yield f'<text class="text" x="{_LEFT - 8}" y="{y + 5:.1f}" text-anchor="end">{_short(value)}</text>'
        for at, anchor in ((self.start, "start"), (self.end, "end")):
            text = f"{at.day:02}/{at.month:02}/{at.year:04}"
            place = f'x="{self.x(at):.1f}" y="{self.size.height - 12}"'
            yield f'<text class="text" {place} text-anchor="{anchor}">{text}</text>'

    def line(self) -> Iterable[str]:
        places = [(self.x(each.at), self.y(each.value)) for each in self.found]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        yield f'<polyline class="line" points="{path}" fill="none" stroke="#0b4fa0" stroke-width="2"/>'
        for x, y in places:
            yield f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#0b4fa0"/>'


def _short(value: Decimal) -> str:
    text = f"{value:f}"
    return wording.decimal(text if len(text) <= _LONGEST else f"{value:.3g}")


def ticks(low: Decimal, high: Decimal) -> list[Decimal]:
    """Round values between two bounds, the first below the second, at even steps of 1, 2 or 5 of some power of ten."""
    rough = (high - low) / _LINES
    power = Decimal(1).scaleb(rough.adjusted())
    step = next(each for each in _STEPS if each * power >= rough) * power
    first = (low / step).to_integral_value(ROUND_CEILING)
    found = [(first + place) * step for place in range(int((high / step).to_integral_value(ROUND_FLOOR) - first) + 1)]
    return [each.quantize(min(step.normalize(), Decimal(1))) for each in found]


def _bound(quantity: Any, unit: str) -> Decimal | None:
    """An end of a range, if it is in the unit of the result."""
    if not isinstance(quantity, dict) or str(quantity.get("unit") or quantity.get("code") or unit) != unit:
        return None
    return _number(quantity)


def _number(quantity: Mapping[str, Any]) -> Decimal | None:
    """A value that is plainly there: `<5` is no point."""
    if "value" not in quantity or quantity.get("comparator"):
        return None
    try:
        value = Decimal(str(quantity["value"]))
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value) < 10**12 else None


def moment(text: Any) -> datetime | None:
    """A day or a moment; a year or a month alone has no place on the line."""
    text = str(text)
    return clock.moment(f"{text}T00:00:00Z" if len(text) == len("2026-03-01") else text)
