"""The period of a list: two dates of a form, as criteria of a search."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from fhirserver.portal.language import _

if TYPE_CHECKING:
    from collections.abc import Mapping

Params = tuple[tuple[str, str], ...]


class Period(NamedTuple):
    """`typed`: what stands in the fields; `errors` by field; `params`: of a search by `date`."""

    typed: dict[str, str]
    errors: dict[str, str]
    params: Params

    @property
    def status(self) -> int:
        return 422 if self.errors else 200


def read(form: Mapping[str, str], parameter: str = "date") -> Period:
    """The period of `du` and `au`, both within it."""
    typed = {name: form.get(name, "").strip()[:10] for name in ("du", "au")}
    errors = {name: _("Écrivez une date, comme 2026-03-31.") for name, text in typed.items() if not _is_date(text)}
    if not errors and typed["du"] and typed["au"] and typed["du"] > typed["au"]:
        errors["au"] = _("La fin est avant le début.")
    prefixes = {"du": "ge", "au": "le"}
    params = tuple((parameter, f"{prefixes[name]}{text}") for name, text in typed.items() if text and not errors)
    return Period(typed, errors, params)


def _is_date(text: str) -> bool:
    if not text:
        return True
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
