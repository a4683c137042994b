"""What a value says to search: its tokens, references, strings, intervals, spans (https://hl7.org/fhir/R4/search.html).

Every function takes values as they stand in JSON and passes over what is of another shape: validation is not done here.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.search import dates, numbers, terms, text, units
from fhirserver.spec.systems import UCUM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from zoneinfo import ZoneInfo

    from fhirserver.search.bindings import Mode
    from fhirserver.search.dates import Interval
    from fhirserver.spec import Definitions

CURRENCY: Final = "urn:iso:std:iso:4217"
_DATES: Final = frozenset({"date", "dateTime", "instant"})
_NAME: Final = ("family", "given", "text", "prefix", "suffix")
_ADDRESS: Final = ("line", "city", "district", "state", "postalCode", "country", "text")
_BY_TYPE: Final[dict[str, Mode]] = {
    "Coding": "system", "CodeableConcept": "system", "ContactPoint": "contact", "string": "folded",
    "boolean": "folded",
}  # fmt: skip


class Context(NamedTuple):
    """What reading a value depends on: which systems are case-sensitive, the zone of dates without one, own bases."""

    sensitive: Callable[[str], bool]
    zone: ZoneInfo
    bases: frozenset[str]


class Value(NamedTuple):
    """A value of a FHIR type, and how its tokens compare."""

    type: str
    mode: Mode
    value: Any


def evaluated(kind: str, value: Any) -> Value:
    """What an expression gave, as a value; of an Extension, its own value."""
    if kind == "Extension" and isinstance(value, dict):
        for member, inner in value.items():
            if member.startswith("value"):
                kind, value = member.removeprefix("value"), inner
                kind = kind if isinstance(inner, dict) else kind[:1].lower() + kind[1:]
    return Value(kind, _BY_TYPE.get(kind, "exact"), value)


def sensitivity(defs: Definitions) -> Callable[[str], bool]:
    """Whether a system's codes are case-sensitive: its CodeSystem says so; systems that are not known here are not."""

    @lru_cache(maxsize=4096)
    def sensitive(system: str) -> bool:
        return bool(defs.case_sensitive(system))

    return sensitive


def tokens(found: Value, bare: bool, context: Context) -> list[str]:
    """The forms of a value's codes, to follow the parameter's name; of a `bare` parameter's that without system."""
    kind, mode, value = found
    if kind == "CodeableConcept":
        return [form for coding in _list(value, "coding") for form in _coding(coding, context)]
    if kind == "Coding":
        return _coding(value, context)
    if kind == "Identifier":
        return terms.token(_text(value, "system"), _text(value, "value"), sensitive=True)
    if kind == "ContactPoint":
        value = _text(value, "value")
    code = written(value)
    if code is None:
        return []
    code = text.contact(code) if mode == "contact" else code
    if bare:
        return [terms.any_system(code, mode == "exact")]
    return terms.token(None, code, mode == "exact")


def _coding(coding: Any, context: Context) -> list[str]:
    system = _text(coding, "system")
    return terms.token(system, _text(coding, "code"), context.sensitive(system) if system else False)


def written(value: Any) -> str | None:
    """A primitive as text: `true`, `final`, `5.40`; None when it is none."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | Decimal) else None


def codes(found: Value) -> Iterator[str]:
    """The codes of a value, as they sort."""
    kind, _, value = found
    if kind == "CodeableConcept":
        for coding in _list(value, "coding"):
            yield from _some(_text(coding, "code"))
    elif kind == "Coding":
        yield from _some(_text(value, "code"))
    elif kind in ("Identifier", "ContactPoint"):
        yield from _some(_text(value, "value"))
    else:
        yield from _some(written(value))


def displays(found: Value) -> Iterator[str]:
    """The texts of a coded value that `:text` searches."""
    kind, _, value = found
    if not isinstance(value, dict):
        return
    if kind == "CodeableConcept":
        yield from _some(_text(value, "text"))
        for coding in _list(value, "coding"):
            yield from _some(_text(coding, "display"))
    elif kind == "Coding":
        yield from _some(_text(value, "display"))
    elif kind == "Identifier":
        yield from _some(_text(value.get("type"), "text"))


def typed_identifiers(found: Value) -> Iterator[str]:
    """`system|code|value` of an Identifier, once a coding of its type (for `:of-type`)."""
    value = found.value
    number = _text(value, "value")
    if found.type != "Identifier" or number is None:
        return
    for coding in _list(value.get("type"), "coding"):
        code = _text(coding, "code")
        if code:
            yield of_type(_text(coding, "system") or "", code, number)


def of_type(system: str, code: str, value: str) -> str:
    """The entry of an identifier by its type, case counting in all of it."""
    return f"{terms.system_part(system)}|{terms.short(code)}|{terms.short(value)}"


def literal(found: Value, context: Context) -> terms.Literal | None:
    """The literal reference of a Reference, or of a resource that stands in its place."""
    value = found.value
    if isinstance(value, str):
        return None
    if isinstance(value, dict) and "resourceType" in value:
        identity = _text(value, "id")
        return terms.literal(f"{value['resourceType']}/{identity}") if identity else None
    reference = _text(value, "reference")
    return terms.literal(reference, context.bases) if reference else None


def identifier(found: Value) -> tuple[str | None, str] | None:
    """The system and value of a Reference's identifier."""
    own = found.value.get("identifier") if isinstance(found.value, dict) else None
    if found.type != "Reference" or not isinstance(own, dict):
        return None
    number = _text(own, "value")
    return (_text(own, "system"), number) if number else None


def strings(found: Value) -> Iterator[str]:
    """The texts of a string, HumanName or Address."""
    value = found.value
    if isinstance(value, str):
        yield from _some(value)
    elif isinstance(value, dict):
        for member in _ADDRESS if found.type == "Address" else _NAME:
            each = value.get(member)
            for item in each if isinstance(each, list) else (each,):
                if isinstance(item, str) and item:
                    yield item


def interval(found: Value, zone: ZoneInfo) -> Interval | None:
    """The interval of a date, dateTime, instant, Period or Timing; None when it has no limits."""
    value = found.value
    if isinstance(value, str):
        return dates.interval(value, zone) if found.type in _DATES else None
    if not isinstance(value, dict):
        return None
    return dates.timing(value, zone) if found.type == "Timing" else dates.period(value, zone)


def span(found: Value) -> numbers.Span | None:
    """The span of a number, or of a Range without its units."""
    value = found.value
    if isinstance(value, dict):
        low, high = _decimal(value.get("low")), _decimal(value.get("high"))
        if low is None and high is None:
            return None
        return numbers.Span(-numbers.INFINITY if low is None else low, numbers.INFINITY if high is None else high)
    number = numbers.plain(value)
    return None if number is None else numbers.Span(number, number)


def quantity(found: Value) -> dict[str, Any] | None:
    """A Quantity, Money or Range as stored: `lo`, `hi`; `u` its units (`system|code`, `|code`, `|unit`); and, where the
    unit is one of UCUM that is known here, `clo`, `chi` in the base units that `c` names."""
    value = found.value
    if not isinstance(value, dict):
        return None
    if found.type == "Money":
        number = numbers.plain(value.get("value"))
        currency = _text(value, "currency")
        if number is None:
            return None
        return {"lo": number, "hi": number, "u": [f"{CURRENCY}|{currency}", f"|{currency}"] if currency else []}
    if found.type == "Range":
        limits, unit = span(found), value.get("low") or value.get("high")
    else:
        number, unit = _decimal(value), value
        limits = None if number is None else numbers.compared(number, _text(value, "comparator"))
    if limits is None:
        return None
    return _measured(limits, unit)


def _measured(limits: numbers.Span, unit: Any) -> dict[str, Any]:
    system, code, human = _text(unit, "system"), _text(unit, "code"), _text(unit, "unit")
    names = [f"{system}|{code}"] if system and code else []
    names += [f"|{name}" for name in dict.fromkeys((code, human)) if name]
    stored: dict[str, Any] = {"lo": limits.lo, "hi": limits.hi, "u": names}
    known = units.unit(code) if code and system == UCUM else None
    if known is not None:
        stored["clo"], stored["chi"] = units.canonical(limits.lo, known), units.canonical(limits.hi, known)
        stored["c"] = known.base
    return stored


def _decimal(quantity: Any) -> Decimal | None:
    return numbers.plain(quantity.get("value")) if isinstance(quantity, dict) else None


def _text(value: Any, member: str) -> str | None:
    found = value.get(member) if isinstance(value, dict) else None
    return found if isinstance(found, str) and found else None


def _list(value: Any, member: str) -> list[Any]:
    found = value.get(member) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _some(value: str | None) -> tuple[str, ...]:
    return (value,) if value else ()
