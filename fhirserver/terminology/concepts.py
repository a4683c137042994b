"""A code system, indexed: concepts by code, and who is above whom (https://hl7.org/fhir/R4/codesystem.html)."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.terminology import filters as tests
from fhirserver.terminology.hierarchy import Hierarchy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from fhirserver.terminology.wording import Search

STANDARD: Final = "http://hl7.org/fhir/concept-properties#"
"""Properties that FHIR itself defines begin with this, whatever code a system gives them."""

_PARENTS: Final = frozenset({"parent", "subsumedBy"})
_RETIRED: Final = frozenset({"retired", "inactive"})


class Value(NamedTuple):
    """A property of a concept: `member` is the JSON member, such as `valueCode`; `text` is what filters compare."""

    member: str
    value: Any
    text: str


class Concept(NamedTuple):
    """One concept. `designations` are as in the resource; `properties` without those that make the hierarchy."""

    code: str
    display: str | None
    definition: str | None
    designations: tuple[Mapping[str, Any], ...]
    properties: Mapping[str, tuple[Value, ...]]
    abstract: bool
    inactive: bool


class Concepts:
    """The concepts of one CodeSystem resource, in its order. Read only, so shared by all."""

    def __init__(self, resource: Mapping[str, Any]) -> None:
        self.resource = resource
        self.url: str = resource.get("url", "")
        self.version: str | None = resource.get("version")
        self.name: str = resource.get("title") or resource.get("name") or self.url
        self.content: str = resource.get("content", "complete")
        self.sensitive: bool = resource.get("caseSensitive", True)
        self.by_code: dict[str, Concept] = {}
        self.filters: dict[tuple[str, str, str], Callable[[Concept], bool]] = {}
        self._names = standard_names(resource.get("property", ()))
        self.defined = frozenset(self._names)
        self._parents: dict[str, list[str]] = defaultdict(list)
        self._add(resource.get("concept", ()), None)
        self.hierarchy = Hierarchy(self.by_code, self._parents)

    @property
    def complete(self) -> bool:
        """Whether a code that is not here does not exist."""
        return self.content == "complete"

    def find(self, code: str) -> Concept | None:
        """The concept of a code, by letters of any case where the system's codes do not differ by it."""
        found = self.by_code.get(code)
        if found is None and not self.sensitive:
            return self._folded.get(code.casefold())
        return found

    @cached_property
    def _folded(self) -> dict[str, Concept]:
        return {code.casefold(): concept for code, concept in reversed(self.by_code.items())}

    def _add(self, concepts: Iterable[Mapping[str, Any]], parent: str | None) -> None:
        waiting = [(concept, parent) for concept in reversed(list(concepts))]
        while waiting:
            concept, above = waiting.pop()
            code = concept["code"]
            self.by_code.setdefault(code, self._concept(concept))
            if above is not None:
                self._parents[code].append(above)
            waiting += [(child, code) for child in reversed(concept.get("concept", ()))]

    def _concept(self, concept: Mapping[str, Any]) -> Concept:
        made, above, below = concept_of(concept, self._names)
        if above:
            self._parents[made.code] += above
        for child in below:
            self._parents[child].append(made.code)
        return made

    def has_property(self, name: str) -> bool:
        """Whether a concept may have a property."""
        return name in self.defined or any(name in each.properties for each in self.by_code.values())

    def listing(
        self, filters: Sequence[Mapping[str, Any]], search: Search | None = None, most: int | None = None
    ) -> Iterator[Concept]:
        """The concepts that pass all filters, in order; `search` and `most` are for those who can use an index."""
        passing = [tests.test(each, self) for each in filters]
        return (each for each in self.by_code.values() if all(test(each) for test in passing))


def concept_of(concept: Mapping[str, Any], names: Mapping[str, str]) -> tuple[Concept, list[str], list[str]]:
    """A concept as written in a CodeSystem, with the parents and the children that its properties name."""
    properties: dict[str, list[Value]] = {}
    above: list[str] = []
    below: list[str] = []
    for item in concept.get("property", ()):
        name = names.get(item["code"], item["code"])
        value = _value(item)
        if name in _PARENTS:
            above.append(value.text)
        elif name == "child":
            below.append(value.text)
        else:
            properties.setdefault(name, []).append(value)
    made = Concept(
        concept["code"],
        concept.get("display"),
        concept.get("definition"),
        tuple(concept.get("designation", ())),
        {name: tuple(values) for name, values in properties.items()},
        _says(properties, "notSelectable", "true") or _says(properties, "abstract", "true"),
        _says(properties, "inactive", "true") or _says(properties, "status", *_RETIRED),
    )
    return made, above, below


def standard_names(properties: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Code of each property that a system defines -> FHIR's own name for it, or the code itself."""
    names: dict[str, str] = {}
    for item in properties:
        uri = item.get("uri", "")
        names[item["code"]] = uri.removeprefix(STANDARD) if uri.startswith(STANDARD) else item["code"]
    return names


def _says(properties: Mapping[str, list[Value]], name: str, *texts: str) -> bool:
    return any(value.text in texts for value in properties.get(name, ()))


def _value(item: Mapping[str, Any]) -> Value:
    for member, value in item.items():
        if member.startswith("value"):
            return Value(member, value, _text(value))
    return Value("valueString", "", "")


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("code", ""))
    return str(value).lower() if isinstance(value, bool) else str(value)
