"""Where code systems, value sets and concept maps come from: what the caller brings, then the packages."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar

from fhirserver.spec.canonical import matching, rank, split
from fhirserver.terminology.concepts import Concepts
from fhirserver.terminology.implicit import implicit
from fhirserver.terminology.supplements import Supplement
from fhirserver.terminology.tables import RELEASE, Tabled

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping
    from typing import TypeAlias

    from fhirserver.spec import Definitions

    System: TypeAlias = Concepts | Tabled
    """A code system that can be asked: in memory, or in tables."""

T = TypeVar("T")

_WITHOUT: Final = ("not-present", "supplement")


class Found(NamedTuple):
    """A resource. `key` names its very content, so that what is compiled of it may be kept; None: nothing is kept.

    `tables` is the archive in which the concepts of a code system lie that are not in the resource.
    """

    resource: Mapping[str, Any]
    key: Hashable
    tables: Path | None = None

    @property
    def empty(self) -> bool:
        """Whether this is a code system without its concepts."""
        return self.tables is None and self.resource.get("content") in _WITHOUT

    def system(self) -> System:
        """The concepts of a CodeSystem that is not empty."""
        return Concepts(self.resource) if self.tables is None else Tabled(self.resource, self.tables)

    def supplement(self) -> Supplement:
        """What a CodeSystem adds to another."""
        return Supplement(self.resource)


class Finder(Protocol):
    """Resources by canonical, with or without `|version`."""

    def find(self, type: str, canonical: str) -> Found | None: ...

    def concept_maps(self, systems: frozenset[str]) -> Iterable[Found]:
        """The concept maps that map from or to one of the code systems, as far as that is known beforehand."""
        ...


class Packages:
    """What the installed packages hold."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._maps: list[Found] | None = None
        self._releases: dict[str, list[Found]] | None = None

    def find(self, type: str, canonical: str) -> Found | None:
        if type == "CodeSystem" and (release := self._release(canonical)):
            return release
        found = self._definitions.find(canonical, type)
        if found is None and type == "ValueSet":
            made = implicit(canonical, self._release)
            return None if made is None else Found(made, (type, canonical))
        return None if found is None else Found(found, (type, found.get("url"), found.get("version")))

    def _release(self, canonical: str) -> Found | None:
        """A code system in tables: the version asked for, else the latest."""
        if self._releases is None:
            self._releases = _releases(self._definitions)
        url, version, _ = split(canonical)
        found = self._releases.get(url)
        if not found:
            return None
        chosen = matching(found, _version, version) if version else None
        return chosen or max(found, key=lambda each: rank(_version(each)))

    def concept_maps(self, systems: frozenset[str]) -> Iterable[Found]:
        if self._maps is None:
            self._maps = [
                Found(package.load(entry), ("ConceptMap", entry.url, entry.version))
                for package in self._definitions.packages
                for entry in package.entries("ConceptMap")
            ]
        return [found for found in self._maps if not systems.isdisjoint(map_systems(found.resource))]


class Brought:
    """Resources that a caller gives with a question; they go before all others, and nothing of them is kept."""

    def __init__(self, resources: Iterable[Mapping[str, Any]]) -> None:
        self._resources = [each for each in resources if isinstance(each, dict)]

    def find(self, type: str, canonical: str) -> Found | None:
        url, version, _ = split(canonical)
        for each in self._resources:
            if each.get("resourceType") == type and each.get("url") == url and version in (None, each.get("version")):
                return Found(each, None)
        return None

    def concept_maps(self, systems: frozenset[str]) -> Iterable[Found]:
        return [Found(each, None) for each in self._resources if not systems.isdisjoint(map_systems(each))]


class Joined:
    """Several finders; the first that knows a canonical answers."""

    def __init__(self, *finders: Finder) -> None:
        self._finders = finders

    def find(self, type: str, canonical: str) -> Found | None:
        first: Found | None = None
        for finder in self._finders:
            found = finder.find(type, canonical)
            if found is not None and not (type == "CodeSystem" and found.empty):
                return found
            first = first or found
        return first

    def concept_maps(self, systems: frozenset[str]) -> Iterable[Found]:
        for finder in self._finders:
            yield from finder.concept_maps(systems)


def _releases(definitions: Definitions) -> dict[str, list[Found]]:
    """The code systems in tables of all packages, by URL."""
    found: dict[str, list[Found]] = {}
    for package in definitions.packages:
        told = package.fact(RELEASE)
        path = getattr(package.source, "path", None)
        if told is None or not isinstance(path, Path):
            continue
        for entry in package.by_url(told["url"], "CodeSystem"):
            release = Found(package.load(entry), ("CodeSystem", entry.url, entry.version, path), path)
            found.setdefault(told["url"], []).append(release)
    return found


def _version(found: Found) -> str | None:
    version: str | None = found.resource.get("version")
    return version


def map_systems(resource: Mapping[str, Any]) -> set[str]:
    """The code systems that a concept map maps from and to."""
    groups = resource.get("group", ()) if resource.get("resourceType") == "ConceptMap" else ()
    return {group[name] for group in groups for name in ("source", "target") if name in group}


class Kept:
    """What was made of resources, by the keys of their content; the least used is forgotten first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = Lock()

    def of(self, key: Hashable, make: Callable[[], T]) -> T:
        """What is kept under a key, made if need be; with the key None nothing is kept."""
        if key is None:
            return make()
        with self._lock:
            kept: T | None = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                return kept
        kept = make()
        with self._lock:
            self._kept[key] = kept
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return kept
