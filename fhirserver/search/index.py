"""Resource -> what the envelope stores of it for search: `pat`, `patx`, `t`, `d`, `s` and `x`."""

from __future__ import annotations

import marshal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from fhirserver.fhirpath import FhirPathError
from fhirserver.search import composite, extract, paths, terms, text, words
from fhirserver.search.extract import Context, Value
from fhirserver.search.parameters import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fhirserver.search.parameters import Parameter, Parameters, Part, Slot
    from fhirserver.spec import Definitions

    Reading = tuple[Part, Slot | None]
    """A place of values, or without a slot the expression of its part."""

SORT: Final = 100
"""Characters of a text that take part in sorting."""
_SHAPES: Final = 2048
"""Sets of members of which is known by what they can be found."""
_RECALLED: Final = frozenset({"date", "reference", "string", "token", "uri"})
"""Types of parameters of which the same values come again and again."""
_PLAIN: Final = 2
"""The version of `marshal` that writes equal values alike: later ones also write who shares them."""
_RECENT: Final = 8192
"""Values of which is known by what they are found; then all are forgotten."""
_LONGEST: Final = 512
"""Bytes of values that are remembered."""


class Index(NamedTuple):
    """The index entries of a resource. `pat` is the patient of its compartment, `patx` further ones; `t` the terms; `d`
    by parameter the ranges (dates in microseconds, numbers as Decimal), composites and texts; `s` the sort keys; `x`
    the words."""

    pat: str | None
    patx: tuple[str, ...]
    t: list[str]
    d: dict[str, list[dict[str, Any]]]
    s: dict[str, dict[str, Any]]
    x: dict[str, str] = {}  # noqa: RUF012 (a tuple's default is never changed)


class Indexer:
    """Indexes resources of every type. `base_url` (one or several) is what absolute references to this server begin
    with, `timezone` the zone of dates that name none. Safe between threads."""

    def __init__(self, defs: Definitions, *, base_url: str | Iterable[str] = (), timezone: str = "UTC") -> None:
        self.catalogue = catalogue(defs)
        self._context = Context(extract.sensitivity(defs), ZoneInfo(timezone), own_bases(base_url))
        self._read = lru_cache(maxsize=_SHAPES)(self._readings)
        self._recent: dict[tuple[str, bytes], tuple[Parameter, _Entry]] = {}

    def index(self, resource: dict[str, Any]) -> Index:
        """The entries of a resource, whose `resourceType` is one of R4 (KeyError otherwise) and whose `id` is set."""
        parameters = self.catalogue.of(resource["resourceType"])
        entry = _Entry(self._context)
        for parameter, readings in self._read(parameters.type, frozenset(resource)):
            values = _values(readings, resource)
            if values:
                entry.take(self._found(parameter, values, resource))
        entry.terms += _own_canonical(resource)
        patients = _patients(parameters, resource, entry.patients)
        pat = patients[0] if patients else None
        return Index(
            pat, tuple(patients[1:]), list(dict.fromkeys(entry.terms)), entry.ranges, entry.keys, words.of(resource)
        )

    def _found(self, parameter: Parameter, values: list[tuple[Part, Value]], resource: dict[str, Any]) -> _Entry:
        """The entries of one parameter. Many resources say the same: short values are read once, but for composites,
        which depend on more than their values."""
        key: bytes | None = None
        if parameter.type in _RECALLED:
            try:
                key = marshal.dumps([(part.target, *value) for part, value in values], _PLAIN)
            except ValueError:  # what an expression made
                key = None
        if key is not None and (known := self._recent.get((parameter.code, key))) and known[0] is parameter:
            return known[1]
        entry = _Entry(self._context)
        entry.add(parameter, values, resource)
        if key is not None and len(key) <= _LONGEST:
            if len(self._recent) >= _RECENT:
                self._recent.clear()
            self._recent[parameter.code, key] = (parameter, entry)
        return entry

    def _readings(self, resource_type: str, members: frozenset[str]) -> Sequence[tuple[Parameter, Sequence[Reading]]]:
        """The parameters that may have a value in resources with these members, and where."""
        offered = self.catalogue.of(resource_type).offered.values()
        readings = ((each, tuple(_readings(each, members))) for each in offered)
        return [(parameter, found) for parameter, found in readings if found]


def own_bases(base_url: str | Iterable[str]) -> frozenset[str]:
    """Base URLs without their final slash."""
    listed = (base_url,) if isinstance(base_url, str) else base_url
    return frozenset(base.rstrip("/") for base in listed if base)


def _readings(parameter: Parameter, members: frozenset[str]) -> Iterator[Reading]:
    for part in parameter.parts:
        if part.heads and part.heads.isdisjoint(members):
            continue
        if part.evaluate is not None:
            yield part, None
        for slot in part.slots if part.evaluate is None else ():
            if not slot.path or slot.path[0] in members:
                yield part, slot


def _values(readings: Iterable[Reading], resource: dict[str, Any]) -> list[tuple[Part, Value]]:
    found = []
    for part, slot in readings:
        if slot is not None:
            for value in paths.walk(resource, slot.path):
                found.append((part, Value(slot.type, slot.mode, value)))
            continue
        for item in _evaluated(part, resource):
            if item.value is not None:
                found.append((part, extract.evaluated(item.type, item.value)))
    return found


def _evaluated(part: Part, resource: dict[str, Any]) -> Iterable[Any]:
    """What the expression gives; nothing of a resource that it cannot be asked of, such as one of a user may be."""
    try:
        return part.evaluate(resource) if part.evaluate is not None else ()
    except FhirPathError:
        return ()


def _patients(parameters: Parameters, resource: dict[str, Any], found: dict[str, list[str]]) -> list[str]:
    """The patients in whose compartment a resource is, the foremost first; a Patient is in its own alone."""
    if parameters.type == "Patient":
        return [resource["id"]] if "id" in resource else []
    return list(dict.fromkeys(name for code in parameters.compartment for name in found.get(code, ())))


class _Entry:
    """The entries of one resource, as they gather."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.terms: list[str] = []
        self.ranges: dict[str, list[dict[str, Any]]] = {}
        self.keys: dict[str, dict[str, Any]] = {}
        self.patients: dict[str, list[str]] = {}

    def take(self, other: _Entry) -> None:
        """Adds what another parameter's entry holds, which stays as it is."""
        self.terms += other.terms
        self.ranges |= other.ranges
        self.keys |= other.keys
        self.patients |= other.patients

    def add(self, parameter: Parameter, values: list[tuple[Part, Value]], resource: dict[str, Any]) -> None:
        if parameter.type == "composite":
            if parameter.stored:
                rows = composite.rows(parameter, [value.value for _, value in values], resource, self.context)
                if rows:
                    self.ranges[parameter.code] = rows
            return
        if parameter.type == "reference":
            keys = self._references(parameter, values)
        else:
            keys = getattr(self, "_" + parameter.type)(parameter, [value for _, value in values])
        if keys:
            self.keys[parameter.code] = {"lo": min(keys), "hi": max(keys)}

    def _mark(self, parameter: Parameter, before: int) -> None:
        """Leaves a sign of a value that made no term."""
        if len(self.terms) == before:
            self.terms.append(terms.present(parameter.code, parameter.type))

    def _token(self, parameter: Parameter, values: list[Value]) -> list[str]:
        if parameter.stored:
            before = len(self.terms)
            for value in values:
                self.terms += [parameter.code + form for form in extract.tokens(value, parameter.bare, self.context)]
                if not parameter.bare:
                    self._described(parameter.code, value)
            self._mark(parameter, before)
        return [code[:SORT].casefold() for value in values for code in extract.codes(value)]

    def _described(self, code: str, value: Value) -> None:
        described = [text.normal(display) for display in extract.displays(value)]
        if described:
            self.ranges.setdefault(f"{code}:text", []).extend({"s": item} for item in dict.fromkeys(described))
        if value.type == "Identifier":
            typed = [{"s": item} for item in extract.typed_identifiers(value)]
            if typed:
                self.ranges.setdefault(f"{code}:of-type", []).extend(typed)

    def _references(self, parameter: Parameter, values: list[tuple[Part, Value]]) -> list[str]:
        keys = []
        for part, value in values:
            found = extract.literal(value, self.context)
            if part.target is not None and (found is None or found.type != part.target):
                continue
            if found is not None:
                keys.append(found.key[:SORT])
                if found.type == "Patient" and found.local and found.id:
                    self.patients.setdefault(parameter.code, []).append(found.id)
            elif isinstance(value.value, str):
                keys.append(value.value[:SORT])
            if parameter.stored:
                self.terms += _reference_terms(parameter.code, value, found)
        return keys

    def _string(self, parameter: Parameter, values: list[Value]) -> list[str]:
        before = len(self.terms)
        texts = [item for value in values for item in extract.strings(value)]
        if parameter.stored:
            self.terms += [terms.string(parameter.code, item) for item in texts]
            self._mark(parameter, before)
        return [text.normal(item)[:SORT] for item in texts]

    def _uri(self, parameter: Parameter, values: list[Value]) -> list[str]:
        before = len(self.terms)
        found = [value for value in values if isinstance(value.value, str)]
        if parameter.stored:
            for value in found:
                forms = terms.canonical(value.value) if value.type == "canonical" else (value.value,)
                self.terms += [terms.uri(parameter.code, form) for form in forms]
            self._mark(parameter, before)
        return [value.value[:SORT] for value in found]

    def _date(self, parameter: Parameter, values: list[Value]) -> list[int]:
        found = [extract.interval(value, self.context.zone) for value in values]
        known = [each for each in found if each is not None]
        if parameter.stored:
            self.ranges[parameter.code] = [{"lo": each.lo, "hi": each.hi} for each in known]
        return [each.lo for each in known] + [each.hi for each in known]

    def _number(self, parameter: Parameter, values: list[Value]) -> list[Any]:
        known = [each for each in map(extract.span, values) if each is not None]
        if parameter.stored:
            self.ranges[parameter.code] = [{"lo": each.lo, "hi": each.hi} for each in known]
        return [each.lo for each in known] + [each.hi for each in known]

    def _quantity(self, parameter: Parameter, values: list[Value]) -> list[Any]:
        known = [each for each in map(extract.quantity, values) if each is not None]
        if parameter.stored:
            self.ranges[parameter.code] = known
        return [each.get("clo", each["lo"]) for each in known] + [each.get("chi", each["hi"]) for each in known]


def _own_canonical(resource: dict[str, Any]) -> list[str]:
    url, version = resource.get("url"), resource.get("version")
    return [terms.versioned_url(url, version)] if isinstance(url, str) and isinstance(version, str) else []


def _reference_terms(code: str, value: Value, found: terms.Literal | None) -> Iterable[str]:
    if found is not None:
        yield from terms.references(code, found)
    elif isinstance(value.value, str):
        forms = terms.canonical(value.value)
        yield from (terms.uri(code, form) for form in forms)
        if len(forms) == 1:
            yield terms.uri(code, f"{value.value}|")
    else:
        yield terms.present(code, "reference")
    named = extract.identifier(value)
    if named:
        yield from (f"{code}:identifier{form}" for form in terms.token(*named, sensitive=True))
