"""The period of a list: two dates of a form, as criteria of a search."""

from __future__ import annotations

from datetime import MAXYEAR, date, datetime, time
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver.portal import dates
from fhirserver.portal.language import _

if TYPE_CHECKING:
    from collections.abc import Mapping

Params = tuple[tuple[str, str], ...]
_SINCE: Final = 1925
_LAST: Final = time(23, 59, 59, 999_000)


class Period(NamedTuple):
    """`typed`: what stands in the fields; `errors` by field; `params`: of a search by `date`."""

    typed: dict[str, str]
    errors: dict[str, str]
    params: Params

    @property
    def status(self) -> int:
        return 422 if self.errors else 200


def read(form: Mapping[str, str], parameter: str = "date", *, instants: bool = False) -> Period:
    """The period of `du` and `au`, both within it; of what bears a time (`instants`), by days of the page's zone."""
    typed = {name: form.get(name, "").strip()[:10] for name in ("du", "au")}
    errors = {name: _("Écrivez une date, comme 2026-03-31.") for name, text in typed.items() if not _is_date(text)}
    if not errors and typed["du"] and typed["au"] and typed["du"] > typed["au"]:
        errors["au"] = _("La fin est avant le début.")
    prefixes = {"du": "ge", "au": "le"}
    bounds = {name: _bound(name, text) if instants else text for name, text in typed.items() if text and not errors}
    params = tuple((parameter, f"{prefixes[name]}{bound}") for name, bound in bounds.items())
    return Period(typed, errors, params)


def _bound(name: str, text: str) -> str:
    """The first or the last instant of a day; the day itself where zones had odd seconds, or where time ends."""
    if not _SINCE <= int(text[:4]) < MAXYEAR:
        return text
    day = datetime.combine(date.fromisoformat(text), time.min if name == "du" else _LAST, dates.zone())
    return day.isoformat(timespec="milliseconds")


def _is_date(text: str) -> bool:
    if not text:
        return True
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
