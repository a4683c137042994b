"""What resources say, in words for a page: names of things and people, dates, amounts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from fhirserver import clock
from fhirserver.documents.cda.rules import displays
from fhirserver.espace.profile import tables
from fhirserver.portal import dates
from fhirserver.portal.language import ENGLISH, N_, _, current

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Resource = dict[str, Any]
_DATE: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT.+")
_UNITS: Final = (N_("jours par semaine"),)
"""That the forms of the profile give, in words."""


def when(text: Any, *, time: bool = False) -> str:
    """A FHIR date, dateTime or instant, as exact as it is, in the time zone of the page."""
    text = str(text or "")
    if _INSTANT.fullmatch(text) and (at := clock.moment(text)) is not None:
        return dates.moment(at) if time else dates.day(at)
    found = _DATE.match(text)
    if found is None:
        return ""
    year, month, day = (int(each) if each else 0 for each in found.groups())
    return dates.calendar_day(year, month, day)


def concept(value: Any) -> str:
    """A CodeableConcept or Coding: its text, or what its first coding says."""
    if not isinstance(value, dict):
        return ""
    if text := value.get("text"):
        return str(text)
    codings = value.get("coding") or [value]
    told = (each.get("display") for each in codings)
    return str(next(filter(None, told), "") or next((each["code"] for each in codings if each.get("code")), ""))


def offered(value: Any) -> str:
    """A concept in the language of the page, where its words are those that a form of the profile offers."""
    told = concept(value)
    return tables.english().get(told, told) if current() == ENGLISH else told


def series(parts: Iterable[str]) -> str:
    """Several things on one line, as the language of the page separates them."""
    return ("; " if current() == ENGLISH else "\u00a0; ").join(parts)


def document_type(value: Any) -> str:
    """The type of a document, as the nomenclature calls it."""
    for each in (value or {}).get("coding", ()):
        if each.get("code") in document_types():
            return _(document_types()[each["code"]])
    return concept(value)


def document_types() -> dict[str, str]:
    """The types of documents of the health record (JDV_J07), by code."""
    return displays("J07")


def amount(observation: Mapping[str, Any]) -> str:
    """The value of an Observation with its unit; of one with components, each of them."""
    if parts := observation.get("component"):
        return series(f"{offered(each.get('code'))} {amount(each)}" for each in parts)
    for name, value in observation.items():
        if name.startswith("value"):
            return _value(name, value)
    return concept(observation.get("dataAbsentReason"))


def interval(range_: Mapping[str, Any]) -> str:
    """A reference range."""
    low, high = (quantity(range_.get(each)) for each in ("low", "high"))
    if low and high:
        value, _space, unit = low.partition(" ")
        low = value if unit and high.endswith(f" {unit}") else low
        return _("de %(low)s à %(high)s", low=low, high=high)
    told = _("au moins %(low)s", low=low) if low else _("au plus %(high)s", high=high) if high else ""
    return told or str(range_.get("text") or "")


def quantity(value: Any) -> str:
    if not isinstance(value, dict) or "value" not in value:
        return ""
    sign = str(value.get("comparator") or "")
    number, unit = decimal(value["value"]), str(value.get("unit") or value.get("code") or "")
    return " ".join(each for each in (f"{sign}{number}", _(unit) if unit in _UNITS else unit) if each)


def decimal(value: Any) -> str:
    """A number with the decimal sign of the page's language; its digits stay as they are."""
    return str(value) if current() == ENGLISH else str(value).replace(".", ",")


def person(name: Any) -> str:
    """A HumanName, or the first of several."""
    first = (name[0] if name else {}) if isinstance(name, list) else name or {}
    given = " ".join(map(str, first.get("given") or ()))
    told = [*(first.get("prefix") or ())[:1], given, first.get("family")]
    return " ".join(str(each) for each in told if each) or str(first.get("text") or "")


def actor(reference: Mapping[str, Any]) -> str:
    """Who a Reference means, as far as it says itself."""
    identifier = reference.get("identifier") or {}
    return str(reference.get("display") or identifier.get("value") or "")


def _value(name: str, value: Any) -> str:
    if name == "valueQuantity":
        return quantity(value)
    if name == "valueCodeableConcept":
        return offered(value)
    if name == "valueBoolean":
        return _("oui") if value else _("non")
    if name in ("valueDateTime", "valueTime"):
        return when(value, time=True)
    if name == "valueRange":
        return interval(value)
    if name == "valueRatio":
        return " / ".join(quantity(value.get(each)) for each in ("numerator", "denominator"))
    return str(value)
