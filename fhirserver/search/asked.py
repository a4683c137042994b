"""What one search value asks for, read in the vocabulary of the index (https://hl7.org/fhir/R4/search.html#ptypes).

Every function takes the parameter's name as it was given, for its complaint: BadRequest says what the value must be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from fhirserver.errors import BadRequest, UnknownParameter
from fhirserver.predicate import Cmp, Eq, Predicate, all_of, any_of
from fhirserver.search import dates, escape, extract, numbers, ranges, terms, text, units
from fhirserver.spec.systems import UCUM

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from zoneinfo import ZoneInfo

    from fhirserver.search.parameters import Component, Parameter
    from fhirserver.search.ranges import Meaning

Row = tuple[Cmp | Eq, ...]

MOST_CODES: Final = 2000
"""Codes that are searched by their terms; of more, those that the resources have are asked about."""
MOST_LISTED: Final = 50_000
"""Codes that are listed to find among them those that the resources have."""
_MILLISECOND: Final = 1000
_AFTER_LAST: Final = "\U0010ffff"


class CodeSet(Protocol):
    """What one value of `:in`, `:not-in`, `:above` or `:below` stands for, as pairs of system and code."""

    def listed(self, most: int) -> Collection[tuple[str, str]] | None:
        """All of them; None when there are more than `most`, or they cannot be listed at all."""
        ...

    def holds(self, system: str, code: str) -> bool:
        """Whether a code is one of them. Raises BadRequest when that cannot be told."""
        ...


class Codes(Protocol):
    """The terminology; what it does not know, it raises BadRequest for, at once or when it is asked."""

    def members(self, value_set: str) -> CodeSet:
        """What is in a value set."""
        ...

    def related(self, system: str, code: str, above: bool) -> CodeSet:
        """A code and what is above, or below, it."""
        ...


class Asker(NamedTuple):
    """What reading a search value depends on. `now` is in microseconds, `bases` are the server's own."""

    sensitive: Callable[[str], bool]
    zone: ZoneInfo
    bases: frozenset[str]
    now: int
    resource_types: frozenset[str]
    codes: Codes | None = None


def identity(name: str, value: str) -> str:
    """A logical id."""
    if not terms.ID.fullmatch(value):
        raise BadRequest(f"The value of {name} must be a logical id: 1 to 64 letters, digits, hyphens and dots.")
    return value


def words(name: str, value: str) -> str:
    """A text as it is compared."""
    normal = text.normal(escape.unescape(value))
    if not normal:
        raise BadRequest(f"The value of {name} must hold a letter or a digit.")
    if len(normal) > text.LONGEST_SOUGHT:
        raise BadRequest(f"The value of {name} must have at most {text.LONGEST_SOUGHT} characters.", code="too-long")
    return normal


def token(name: str, asked: Parameter | Component, value: str, asker: Asker) -> list[str]:
    """The forms of `code`, `system|code`, `|code` or `system|`, to follow the parameter's name; one of them that ends
    with `|` is what the terms begin with."""
    parts = [escape.unescape(part) for part in escape.split(value, "|")]
    if len(parts) > 2 or not any(parts):
        raise BadRequest(f"The value of {name} must be code, system|code, |code or system| (a | within them as \\|).")
    code = parts[-1]
    system = parts[0] if len(parts) == 2 else None
    if asked.booleans and code and code not in ("true", "false"):
        raise BadRequest(f"The value of {name} must be true or false.")
    return _forms(name, asked, system, code, asker)


def _forms(name: str, asked: Parameter | Component, system: str | None, code: str, asker: Asker) -> list[str]:
    if asked.bare:
        return _bare(name, asked, system, code)
    if system is None:
        return _any_system(asked, code)
    if not code:
        return [terms.of_system(system)]
    if system:
        sensitive = {mode == "exact" or asker.sensitive(system) for mode in asked.modes & {"exact", "system"}}
        return [terms.with_system(system, code, each) for each in sorted(sensitive)]
    forms = [terms.with_system("", _sought(mode, code), mode == "exact") for mode in sorted(asked.modes)]
    return list(dict.fromkeys(forms))


def code_sets(name: str, asked: Parameter, modifier: str, values: Iterable[str], asker: Asker) -> list[CodeSet]:
    """What values of `in`, `not-in`, `above` and `below` stand for."""
    if asker.codes is None or (asked.bare and not asked.systems):
        raise UnknownParameter(f"The modifier :{modifier} of {name.partition(':')[0]} is not offered here.")
    if modifier in ("in", "not-in"):
        return [asker.codes.members(escape.unescape(value)) for value in values]
    pairs = [pair for value in values for pair in _coded(name, asked, value)]
    return [asker.codes.related(system, code, modifier == "above") for system, code in pairs]


def of_sets(name: str, asked: Parameter, sets: Iterable[CodeSet], asker: Asker) -> list[str] | None:
    """The forms of all their codes; None for more than `MOST_CODES`."""
    found: set[tuple[str, str]] = set()
    for each in sets:
        listed = each.listed(MOST_CODES)
        if listed is None or len(found.union(listed)) > MOST_CODES:
            return None
        found.update(listed)
    return list(dict.fromkeys(form for pair in sorted(found) for form in _forms(name, asked, *pair, asker)))


def among(
    name: str, asked: Parameter, sets: Iterable[CodeSet], asker: Asker, forms: Collection[str]
) -> Collection[str]:
    """Those of the forms that stand for a code in one of the sets."""
    found: set[str] = set()
    for each in sets:
        listed = each.listed(MOST_LISTED)
        if listed is not None:
            found.update(form for pair in listed for form in _forms(name, asked, *pair, asker) if form in forms)
        else:
            found.update(form for form in forms if _held(asked, each, form))
    return found


def _held(asked: Parameter, codes: CodeSet, form: str) -> bool:
    """Whether a set that cannot be listed holds the code of a form, whose letters may have been made small."""
    if asked.bare == terms.has_system(form):
        return False
    system, _, code = form[1:].partition("|")
    systems = sorted(asked.systems) if asked.bare else ["" if system == "-" else system]
    return any(codes.holds(each, spelt) for each in systems for spelt in dict.fromkeys((code, code.upper())))


def _coded(name: str, asked: Parameter, value: str) -> list[tuple[str, str]]:
    """`system|code`; a code alone where the parameter's own systems are meant."""
    parts = [escape.unescape(part) for part in escape.split(value, "|")]
    systems = [parts[0]] if len(parts) == 2 else sorted(asked.systems) if asked.bare else []
    if not systems or not systems[0] or not parts[-1] or len(parts) > 2:
        raise BadRequest(f"The value of {name} must be system|code.")
    return [(system, parts[-1]) for system in systems]


def _bare(name: str, asked: Parameter | Component, system: str | None, code: str) -> list[str]:
    if system:
        if not asked.systems:
            raise BadRequest(f"The value of {name} must be a code alone: what it searches has no system.")
        if system not in asked.systems:
            return []
        if not code:
            return ["|"]
    return _any_system(asked, code)


def _any_system(asked: Parameter | Component, code: str) -> list[str]:
    forms = []
    for mode in sorted(asked.modes):
        if mode in ("exact", "system"):
            forms.append(terms.any_system(code, sensitive=True))
        if mode != "exact":
            forms.append(terms.any_system(_sought(mode, code), sensitive=False))
    return list(dict.fromkeys(forms))


def _sought(mode: str, code: str) -> str:
    return text.contact(code) if mode == "contact" else code


def of_type(name: str, value: str) -> tuple[str, str]:
    """`system|code|value` of an identifier by its type: its entry, and the identifier's value."""
    parts = [escape.unescape(part) for part in escape.split(value, "|")]
    if len(parts) != 3 or not parts[1] or not parts[2]:
        raise BadRequest(f"The value of {name} must be system|code|value: the identifier's type, then its value.")
    return extract.of_type(*parts), parts[2]


def identifier(name: str, value: str) -> list[str]:
    """The form of an identifier, case counting."""
    parts = [escape.unescape(part) for part in escape.split(value, "|")]
    if len(parts) > 2 or not any(parts):
        raise BadRequest(f"The value of {name} must be value, system|value, |value or system|.")
    if len(parts) == 1:
        return [terms.any_system(parts[0], sensitive=True)]
    if not parts[1]:
        return [terms.of_system(parts[0])]
    return [terms.with_system(parts[0], parts[1], sensitive=True)]


def references(name: str, asked: Parameter, modifier: str | None, value: str, asker: Asker) -> list[terms.Literal]:
    """What a reference's value can mean: one resource, or for an id alone one of each type that it may lead to."""
    sought = escape.unescape(value)
    if terms.ID.fullmatch(sought) and not asked.canonical_only:
        possible = (modifier,) if modifier else asked.targets or sorted(asker.resource_types)
        return [terms.Literal(f"{kind}/{sought}", kind, sought, None) for kind in possible]
    found = terms.literal(sought, asker.bases)
    if found is None or (found.type is None and ":" not in sought):
        raise BadRequest(f"The value of {name} must be an id, Type/id or an absolute URL.")
    if modifier and found.type != modifier:
        raise BadRequest(f"The value of {name} must be an id or a reference to a {modifier}.")
    plain = terms.Literal(sought, found.type, found.id, None)
    if asked.canonical_only:
        return [plain]
    return [found, plain] if asked.canonical_also and plain != found else [found]


def above(url: str) -> list[str]:
    """The URL and every URL that it lies below: `http://a/b/c`, `http://a/b/`, `http://a/b`, …"""
    found = [url]
    scheme_end = url.index("://") + 3
    at = len(url)
    while (at := url.rfind("/", scheme_end, at)) > 0:
        found += [url[: at + 1], url[:at]]
    return list(dict.fromkeys(found))


def meaning(name: str, kind: str, value: str, asker: Asker, suffix: str = "") -> list[Row]:
    """The conditions of a date, number or quantity on a stored range, as alternatives."""
    prefix, rest = ranges.split(value)
    if kind == "quantity":
        return _quantity(name, prefix, rest, asker, suffix)
    if kind == "date":
        return _rows(_date(name, prefix, rest, asker), suffix)
    number = numbers.parse(rest)
    if number is None:
        raise BadRequest(f"The value of {name} must be a number, after a prefix such as ge at most.")
    return _rows(ranges.number(prefix, number), suffix)


def _rows(found: Meaning, suffix: str, side: str = "") -> list[Row]:
    return [tuple(Cmp(f"{side}{field}{suffix}", op, value) for field, op, value in each) for each in found]


def _date(name: str, prefix: str, value: str, asker: Asker) -> Meaning:
    sought = dates.interval(value, asker.zone)
    if sought is None:
        hint = " (the + of a zone must be written %2B in a URL)" if " " in value else ""
        raise BadRequest(f"The value of {name} must be a date such as 2024, 2024-05-31 or 2024-05-31T08:30:00Z{hint}.")
    return ranges.date(prefix, sought, asker.now)


def _quantity(name: str, prefix: str, value: str, asker: Asker, suffix: str) -> list[Row]:
    parts = [escape.unescape(part) for part in escape.split(value, "|")]
    number = numbers.parse(parts[0])
    if number is None or len(parts) not in (1, 3) or (len(parts) == 3 and not parts[2]):
        raise BadRequest(f"The value of {name} must be number, number|system|code or number||unit.")
    found = ranges.number(prefix, number)
    if len(parts) == 1:
        return _rows(found, suffix)
    _, system, code = parts
    known = units.unit(code) if system == UCUM else None
    if known is None:
        return [(*row, Eq(f"u{suffix}", f"{system}|{code}")) for row in _rows(found, suffix)]
    scaled = tuple(tuple((side, op, units.canonical(limit, known)) for side, op, limit in each) for each in found)
    return [(*row, Eq(f"c{suffix}", known.base)) for row in _rows(scaled, suffix, "c")]


def last_updated(name: str, value: str, asker: Asker) -> Predicate:
    """The condition on `lu`, a moment of whole milliseconds that lasts one."""
    prefix, rest = ranges.split(value)
    return any_of(all_of(_moment(*each) for each in row) for row in _date(name, prefix, rest, asker))


def _moment(side: str, op: str, limit: int) -> Predicate:
    if side == "lo":
        whole = -(-limit // _MILLISECOND) * _MILLISECOND
        return Cmp("lu", op, dates.instant(whole))
    whole = limit // _MILLISECOND * _MILLISECOND
    return Cmp("lu", "$gte" if op == "$gt" else "$lt", dates.instant(whole))


def component(name: str, found: Component, value: str, at: int, asker: Asker) -> list[Row]:
    """The conditions of a composite's component on a stored row, as alternatives."""
    suffix = str(at)
    match found.type:
        case "token":
            return [(Eq(f"f{at}", form),) if form != "|" else () for form in token(name, found, value, asker)]
        case "string":
            sought = words(name, value)
            return [(Cmp(f"s{at}", "$gte", sought), Cmp(f"s{at}", "$lt", sought + _AFTER_LAST))]
        case "reference" | "uri":
            sought = escape.unescape(value)
            literal = terms.literal(sought, asker.bases)
            keys = {sought, literal.versioned or literal.key} if literal else {sought}
            return [(Eq(f"f{at}", terms.uri("", key)),) for key in sorted(keys)]
    return meaning(name, found.type, value, asker, suffix)
