"""What the installed packages say: types, search parameters, compartments, structures, codes; lazy, and cached."""

from __future__ import annotations

import copy
import functools
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from fhirserver.spec import canonical as canonicals
from fhirserver.spec import codes as enumeration
from fhirserver.spec import package as packages
from fhirserver.spec import parameters, types
from fhirserver.spec.package import Package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fhirserver.spec.archive import Entry
    from fhirserver.spec.parameters import SearchParameter
    from fhirserver.spec.types import TypeDef

ROOMS: Final = ("profiles", "terminology")

CACHED: Final = 8192
"""Canonicals remembered, unknown ones among them: requests name canonicals, so their number is bounded."""

_generating: ContextVar[tuple[str, ...]] = ContextVar("generating", default=())


class Definitions:
    """Several packages as one: the first that has a canonical answers, unless another has the version asked for.

    Everything that is returned is shared: treat it as constant. Instances may be used by several threads.
    """

    def __init__(self, packages: Iterable[Package]) -> None:
        self.packages = tuple(packages)
        self._types: dict[str, TypeDef] = {}
        self._search: dict[str, Mapping[str, SearchParameter]] = {}
        self._compartments: dict[str, Mapping[str, tuple[str, ...]]] = {}
        self._snapshots: dict[str, dict[str, Any]] = {}
        self._views: dict[int, Definitions] = {}
        self._added: Mapping[str, tuple[SearchParameter, ...]] = {}
        self._withheld: Mapping[str, Mapping[str, str]] = {}
        self.judge: Callable[[str, str, str], bool | None] | None = None
        """Tells of a value set, a system and a code what cannot be enumerated; set before the first question."""
        self._find = functools.lru_cache(CACHED)(self._look_up)
        self._codes = functools.lru_cache(CACHED)(lambda canonical: enumeration.enumerate_codes(canonical, self))

    @staticmethod
    @functools.cache
    def core() -> Definitions:
        """R4 4.0.1 alone."""
        return Definitions([packages.core()])

    @staticmethod
    @functools.cache
    def french() -> Definitions:
        """R4 with the French profiles and terminologies of this project."""
        return Definitions([*built_in(), packages.core()])

    @functools.cached_property
    def resource_types(self) -> tuple[str, ...]:
        """The concrete resource types, sorted."""
        names: set[str] = set()
        for package in self.packages:
            names.update(package.fact("resource-types") or ())
        return tuple(sorted(names))

    @functools.cached_property
    def _bases(self) -> dict[str, str | None]:
        return self._merged("bases")

    @functools.cached_property
    def _primitives(self) -> dict[str, str | None]:
        return self._merged("primitives")

    def _merged(self, key: str) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for package in reversed(self.packages):
            merged.update(package.fact(key) or {})
        return merged

    def type(self, name: str) -> TypeDef:
        """The type, primitive, or backbone (`Patient.contact`) of that name. Raises KeyError when there is none."""
        found = self._types.get(name)
        if found is None:
            for compiled in self._compile(name.partition(".")[0]):
                self._types.setdefault(compiled.name, compiled)
            found = self._types[name]
        return found

    def _compile(self, name: str) -> Iterable[TypeDef]:
        for package in self.packages:
            rows = package.fact(f"type/{name}")
            if rows is not None:
                return types.from_rows(rows)
        return ()

    def is_a(self, type: str, ancestor: str) -> bool:
        """Whether a type is, or specialises, another: `is_a("Age", "Quantity")`, `is_a("Group.member", "Element")`."""
        current: str | None = type
        while current is not None and current != ancestor:
            if "." in current:
                try:
                    current = self.type(current).base
                except KeyError:
                    return False
            else:
                current = self._bases.get(current)
        return current is not None

    @property
    def primitives(self) -> frozenset[str]:
        """The names of the primitive types."""
        return frozenset(self._primitives)

    def primitive_regex(self, name: str) -> str | None:
        """The regular expression of a primitive type's values, which all of a value must match; None without one."""
        return self._primitives.get(name)

    def search_parameters(self, resource_type: str) -> Mapping[str, SearchParameter]:
        """The parameters of a resource type by code, those of Resource and DomainResource among them."""
        found = self._search.get(resource_type)
        if found is None:
            found = self._join_parameters(resource_type)
            if found:
                self._search[resource_type] = found
        return found

    def _join_parameters(self, resource_type: str) -> Mapping[str, SearchParameter]:
        joined: dict[str, SearchParameter] = {}
        bases = [base for base in parameters.ANCESTORS if self.is_a(resource_type, base)]
        for package in reversed(self.packages):
            for base in dict.fromkeys((*bases, resource_type)):
                joined |= {parameter.code: parameter for parameter in package.search_parameters(base)}
        for base in dict.fromkeys((*bases, resource_type)):
            for parameter in self._added.get(base, ()):
                joined.setdefault(parameter.code, parameter)
        return MappingProxyType(joined)

    def with_parameters(
        self, added: Iterable[tuple[str, SearchParameter]], withheld: Iterable[tuple[str, str, str]] = ()
    ) -> Definitions:
        """The same definitions with further search parameters, each of a base type, after the packages' own.

        `withheld`: base type, code and reason of those that are known but must not be searched by.
        """
        view = copy.copy(self)
        groups: dict[str, list[SearchParameter]] = {}
        for base, parameter in added:
            groups.setdefault(base, []).append(parameter)
        reasons: dict[str, dict[str, str]] = {}
        for base, code, reason in withheld:
            reasons.setdefault(base, {})[code] = reason
        view._added = {base: tuple(found) for base, found in groups.items()}
        view._withheld, view._search = reasons, {}
        return view

    def added_codes(self, resource_type: str) -> frozenset[str]:
        """The codes of a type's search parameters that no package defines (`with_parameters`)."""
        bases = (*parameters.ANCESTORS, resource_type)
        added = {parameter for base in bases for parameter in self._added.get(base, ())}
        listed = self.search_parameters(resource_type)
        return frozenset(each.code for each in added if listed.get(each.code) == each)

    def withheld(self, resource_type: str) -> Mapping[str, str]:
        """Why search parameters of a type that are known must not be searched by, by code."""
        found: dict[str, str] = {}
        for base in (*parameters.ANCESTORS, resource_type):
            found |= self._withheld.get(base, {})
        return found

    def compartment(self, code: str) -> Mapping[str, tuple[str, ...]]:
        """The resource types of a compartment (`Patient`), with the parameters that confer membership."""
        found = self._compartments.get(code)
        if found is None:
            rows: dict[str, list[str]] = self._merged(f"compartment/{code}")
            found = MappingProxyType({name: tuple(codes) for name, codes in rows.items()})
            if found:
                self._compartments[code] = found
        return found

    def find(self, canonical: str, type: str | None = None) -> dict[str, Any] | None:
        """The resource of a canonical, of a resource type if one is given.

        `url|version` finds that version, or one that says it more exactly, or failing both, what there is.
        """
        return self._find(canonical, type)

    def _look_up(self, canonical: str, resource_type: str | None) -> Any | None:
        chosen = self._choose(canonical, resource_type)
        return chosen[0].load(chosen[1]) if chosen else None

    def _choose(self, canonical: str, resource_type: str | None) -> tuple[Package, Entry] | None:
        url, version, _ = canonicals.split(canonical)
        found = [(package, entry) for package in self.packages for entry in package.by_url(url, resource_type)]
        if not found:
            return None
        chosen = None if version is None else canonicals.matching(found, lambda item: item[1].version, version)
        if chosen is None:
            first = [item for item in found if item[0] is found[0][0]]
            chosen = canonicals.latest(first, lambda item: item[1].version) or first[0]
        return chosen

    def around(self, canonical: str) -> Definitions:
        """These definitions as the package that has a canonical means them: its own go before those of others.

        A profile of another version of a guide names the profiles and value sets of that version.
        """
        chosen = self._choose(canonical, "StructureDefinition")
        if chosen is None:
            return self
        lead, entry = chosen
        if next(package for package in self.packages if package.by_url(str(entry.url), entry.resource_type)) is lead:
            return self
        index = self.packages.index(lead)
        view = self._views.get(index)
        if view is None:
            others = (package for package in self.packages if package is not lead)
            made = Definitions((lead, *others))
            made.judge = self.judge
            view = self._views.setdefault(index, made)
        return view

    def structure(self, canonical_or_type: str) -> dict[str, Any] | None:
        """The StructureDefinition of a canonical or a type's name, with a snapshot; None when it is not known.

        Raises SnapshotError when the snapshot has to be generated and cannot.
        """
        url = canonical_or_type if ":" in canonical_or_type else canonicals.BASE + canonical_or_type
        found = self.find(url, "StructureDefinition")
        if found is None or "snapshot" in found:
            return found
        key = f"{found['url']}|{found.get('version')}"
        generated = self._snapshots.get(key)
        if generated is None:
            generated = self._snapshots[key] = self._generate(key, found)
        return generated

    def _generate(self, key: str, structure: dict[str, Any]) -> dict[str, Any]:
        from fhirserver.spec import snapshot

        within = _generating.get()
        if key in within:
            raise snapshot.SnapshotError(f"{key} needs its own snapshot: {' -> '.join((*within, key))}.")
        token = _generating.set((*within, key))
        try:
            return snapshot.generate(structure, self)
        finally:
            _generating.reset(token)

    def value_set(self, canonical: str) -> dict[str, Any] | None:
        """The ValueSet of a canonical."""
        return self.find(canonical, "ValueSet")

    def code_system(self, canonical: str) -> dict[str, Any] | None:
        """The CodeSystem of a canonical."""
        return self.find(canonical, "CodeSystem")

    def case_sensitive(self, system: str) -> bool | None:
        """Whether codes of a system differ by case; None when it is not known."""
        found = self.code_system(system)
        return None if found is None else found.get("caseSensitive")

    def codes(self, value_set: str) -> Mapping[str, frozenset[str]] | None:
        """The codes of a value set by system; None when they cannot be enumerated here."""
        return self._codes(value_set)

    def holds(self, value_set: str, system: str, code: str) -> bool | None:
        """Whether a code is in a value set that cannot be enumerated; None when nobody can tell."""
        return None if self.judge is None else self.judge(value_set, system, code)


def built_in() -> list[Package]:
    """The packages of this project: `profiles/` and `terminology/` of the checkout, or their copies in the wheel."""
    return [Package.from_folder(folder, name) for name in ROOMS if (folder := _folder(name)) is not None]


def _folder(name: str) -> Path | None:
    package = Path(__file__).resolve().parents[1]
    for place in (package.parent, package / "data"):
        if (place / name).is_dir() and (place != package.parent or (place / "pyproject.toml").is_file()):
            return place / name
    return None
