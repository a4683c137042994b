"""Results over time, as pages show them: an image, wide or for a phone, and the same in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response, request

from fhirserver.portal.language import _
from fhirserver.portal.record import plot, wording

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from fhirserver.portal.record.plot import Point


def image(points: Sequence[Point]) -> Response:
    """The drawing, as narrow as was asked for (`etroit`); it runs nothing, and fetches nothing."""
    size = plot.NARROW if request.args.get("etroit") == "oui" else plot.WIDE
    response = Response(plot.drawn(points, size), content_type="image/svg+xml")
    response.headers["Content-Security-Policy"] = f"default-src 'none'; style-src '{plot.STYLE_DIGEST}'; sandbox"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def told(points: Sequence[Point]) -> str:
    """From what, to what, and the least and the most between; empty of what is no curve."""
    if len(points) < 2:
        return ""
    values, number = [each.value for each in points], plot.number
    first, last = points[0], points[-1]
    parts = [
        _(
            "%(count)s résultats, du %(first)s au %(last)s",
            count=len(points),
            first=_day(first.at),
            last=_day(last.at),
        ),
        _("de %(low)s à %(high)s", low=number(first.value), high=f"{number(last.value)} {last.unit}".strip()),
        _("le plus bas %(low)s, le plus haut %(high)s", low=number(min(values)), high=number(max(values))),
    ]
    if last.low is not None and last.high is not None:
        low, high = number(last.low), number(last.high)
        parts.append(_("intervalle de référence de %(low)s à %(high)s", low=low, high=high))
    return wording.series(parts) + "."


def _day(at: datetime) -> str:
    return wording.when(at.date().isoformat())
