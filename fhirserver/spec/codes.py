"""The codes of a value set, where all of them are known here (https://hl7.org/fhir/R4/valueset.html#expansion)."""

from __future__ import annotations

from collections import defaultdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from fhirserver.spec.definitions import Definitions

Codes: TypeAlias = "dict[str, set[str]]"


class _NotEnumerable(Exception):
    """The value set rests on something that is not here."""


def enumerate_codes(canonical: str, definitions: Definitions) -> Mapping[str, frozenset[str]] | None:
    """System -> codes of a value set, or None when a system, a filter or a value set it needs is not known here."""
    try:
        found = _value_set(canonical, definitions, ())
    except _NotEnumerable:
        return None
    return MappingProxyType({system: frozenset(codes) for system, codes in found.items() if codes})


def _value_set(canonical: str, definitions: Definitions, within: tuple[str, ...]) -> Codes:
    resource = definitions.value_set(canonical)
    if resource is None or canonical in within:
        raise _NotEnumerable(canonical)
    if "compose" not in resource:
        return _expansion(resource)
    within = (*within, canonical)
    codes: Codes = defaultdict(set)
    try:
        for include in resource["compose"].get("include", ()):
            for system, listed in _include(include, definitions, within).items():
                codes[system] |= listed
        for exclude in resource["compose"].get("exclude", ()):
            for system, listed in _include(exclude, definitions, within).items():
                codes[system] -= listed
    except _NotEnumerable:
        return _expansion(resource)
    return codes


def _expansion(resource: Mapping[str, Any]) -> Codes:
    expansion = resource.get("expansion")
    if expansion is None or expansion.get("total", 0) > len(list(_contained(expansion))):
        raise _NotEnumerable(resource.get("url"))
    codes: Codes = defaultdict(set)
    for item in _contained(expansion):
        if "code" in item and not item.get("abstract"):
            codes[item.get("system", "")].add(item["code"])
    return codes


def _contained(holder: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for item in holder.get("contains", ()):
        yield item
        yield from _contained(item)


def _include(include: Mapping[str, Any], definitions: Definitions, within: tuple[str, ...]) -> Codes:
    """What a system gives, if there is one, and every value set named: the intersection."""
    parts: list[Codes] = []
    if "system" in include:
        parts.append({include["system"]: _of_system(include, definitions)})
    parts += [_value_set(canonical, definitions, within) for canonical in include.get("valueSet", ())]
    if not parts:
        raise _NotEnumerable
    first, *others = parts
    for other in others:
        first = {system: codes & other.get(system, set()) for system, codes in first.items()}
    return first


def _of_system(include: Mapping[str, Any], definitions: Definitions) -> set[str]:
    if "concept" in include:
        return {concept["code"] for concept in include["concept"]}
    version = include.get("version")
    system = definitions.code_system(f"{include['system']}|{version}" if version else include["system"])
    if system is None or system.get("content") != "complete":
        raise _NotEnumerable(include["system"])
    concepts = Concepts(system)
    codes = set(concepts.codes)
    for condition in include.get("filter", ()):
        codes &= _filter(condition, concepts)
    return codes


class Concepts:
    """The concepts of a code system with their parents, from nesting and from `parent` and `child` properties."""

    def __init__(self, system: Mapping[str, Any]) -> None:
        self.codes: dict[str, Mapping[str, Any]] = {}
        self.children: dict[str, set[str]] = defaultdict(set)
        self.sensitive = system.get("caseSensitive", True)
        self._add(system.get("concept", ()), None)

    def _add(self, concepts: Iterable[Mapping[str, Any]], parent: str | None) -> None:
        for concept in concepts:
            code = concept["code"]
            self.codes[code] = concept
            if parent is not None:
                self.children[parent].add(code)
            for item in concept.get("property", ()):
                if item["code"] in ("parent", "subsumedBy"):
                    self.children[_value(item)].add(code)
                elif item["code"] == "child":
                    self.children[code].add(_value(item))
            self._add(concept.get("concept", ()), code)

    def below(self, code: str) -> set[str]:
        """All descendants."""
        found: set[str] = set()
        waiting = [code]
        while waiting:
            new = self.children[waiting.pop()] - found
            found |= new
            waiting += new
        return found & self.codes.keys()

    def where(self, name: str, test: Callable[[str], bool]) -> set[str]:
        """The codes with a property of which some value passes."""
        return {
            code
            for code, concept in self.codes.items()
            if any(item["code"] == name and test(_value(item)) for item in concept.get("property", ()))
        }


def _value(item: Mapping[str, Any]) -> str:
    for name, value in item.items():
        if name.startswith("value"):
            if isinstance(value, dict):
                return str(value.get("code", ""))
            return str(value).lower() if isinstance(value, bool) else str(value)
    return ""


def _filter(condition: Mapping[str, Any], concepts: Concepts) -> set[str]:
    operator, name, value = condition["op"], condition["property"], condition["value"]
    if name in ("concept", "code") and operator in ("is-a", "descendent-of", "is-not-a"):
        if value not in concepts.codes:
            raise _NotEnumerable(value)
        below = concepts.below(value)
        if operator == "descendent-of":
            return below
        return below | {value} if operator == "is-a" else concepts.codes.keys() - below - {value}
    if operator == "=":
        if name in ("concept", "code"):
            return concepts.codes.keys() & {value}
        if name == "parent":
            return concepts.children[value] & concepts.codes.keys()
        return concepts.where(name, lambda found: found == value)
    if operator == "in":
        wanted = {item.strip() for item in value.split(",")}
        if name in ("concept", "code"):
            return concepts.codes.keys() & wanted
        return concepts.where(name, lambda found: found in wanted)
    raise _NotEnumerable(operator)
