"""Profiles compiled to checks (https://hl7.org/fhir/R4/profiling.html).

Only what a profile adds to the type it constrains is compiled: whatever its snapshot repeats of the base type has been
judged by `structure` already. Profiles, and the profiles that they name, are compiled when they first meet a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.spec.snapshot import SnapshotError
from fhirserver.validation.discriminators import Discriminators
from fhirserver.validation.elements import Node, tree
from fhirserver.validation.requirements import Requirements

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.spec import Definitions
    from fhirserver.validation.base import Base
    from fhirserver.validation.context import At, Context
    from fhirserver.validation.items import Part

    Check = Callable[[Any, At, Context], None]


KNOWN: Final = 8192
"""Canonicals remembered: resources name them, with any version, so their number is bounded."""
ANY: Final = ("Resource", "DomainResource")


class Profile:
    """A StructureDefinition: `url` and `version`, the `type` it constrains, its ancestors, its check."""

    def __init__(self, structure: dict[str, Any], lineage: tuple[str, ...], profiles: Profiles) -> None:
        self.url: str = structure["url"]
        self.version: str | None = structure.get("version")
        self.type: str = structure["type"]
        self.lineage = lineage
        self.constrains = structure.get("derivation") == "constraint"
        self._structure = structure
        self._profiles = profiles
        self._parts: tuple[Part, ...] | None = None

    def check(self, value: Any, at: At, ctx: Context) -> None:
        """What the profile asks of an object beyond its type."""
        parts = self._parts
        if parts is None:
            parts = self._parts = self._profiles.compile(self._structure) if self.constrains else ()
        if type(value) is dict:
            for part in parts:
                part(value, at, ctx)


class Profiles:
    """All profiles of the definitions, compiled once by canonical."""

    def __init__(self, definitions: Definitions, base: Base) -> None:
        self._definitions = definitions
        self._base = base
        self._known: dict[str, Profile] = {}
        self._by_url: dict[tuple[str, str | None], Profile] = {}
        self.discriminators = Discriminators(definitions, base, self.conforms)
        self._families: dict[Definitions, Profiles] = {definitions: self}

    def of(self, canonical: str) -> Profile | None:
        """The profile of a canonical, with or without version; None when it is not known, or cannot be made out."""
        found = self._known.get(canonical)
        if found is None:
            family = self._family(self._definitions.around(canonical))
            try:
                structure = family._definitions.structure(canonical)
            except SnapshotError:
                return None
            found = None if structure is None else family._shared(structure)
            if found is not None and len(self._known) < KNOWN:
                self._known[canonical] = found
        return found

    def _family(self, definitions: Definitions) -> Profiles:
        """The profiles as one package means them, where packages hold several versions of a guide."""
        found = self._families.get(definitions)
        if found is None:
            found = self._families[definitions] = Profiles(definitions, self._base.over(definitions))
            found._families = self._families
        return found

    def _shared(self, structure: dict[str, Any]) -> Profile:
        key = (structure["url"], structure.get("version"))
        found = self._by_url.get(key)
        if found is None:
            found = self._by_url[key] = Profile(structure, tuple(self._lineage(structure)), self)
        return found

    def _lineage(self, structure: dict[str, Any]) -> list[str]:
        """The canonicals of all profiles that this one derives from, without versions."""
        found: list[str] = []
        parent = structure.get("baseDefinition")
        while parent is not None and len(found) < 32:
            found.append(parent.partition("|")[0])
            above = self._definitions.structure(parent)
            parent = above.get("baseDefinition") if above else None
        return found

    def compile(self, structure: dict[str, Any]) -> tuple[Part, ...]:
        """The parts of a profile's root."""
        root: Node = tree(structure)
        return Requirements(self._definitions, self._base, self, structure).root(root)

    def enter(self, profile: Profile, value: dict[str, Any], at: At, ctx: Context) -> None:
        """Judge a value, or a resource inside the one at hand, by a profile."""
        found = value.get("resourceType")
        if found is None:
            profile.check(value, at, ctx)
        elif found != profile.type and profile.type not in ANY:
            ctx.report("profile-type", at, url=profile.url, expected=profile.type, found=found)
        else:
            profile.check(value, at, ctx.inner(value, at))

    def conforms(self, canonical: str, value: dict[str, Any], at: At, ctx: Context) -> bool:
        """Whether a value meets a profile without error; an unknown profile is met by none, one in progress by all."""
        profile = self.of(canonical)
        if profile is None:
            return False
        key = (id(value), f"{profile.url}|{profile.version}")
        if key not in ctx.memo:
            ctx.memo[key] = True
            ctx.memo[key] = self._try(profile, value, at, ctx)
        return ctx.memo[key]

    def _try(self, profile: Profile, value: dict[str, Any], at: At, ctx: Context) -> bool:
        if "resourceType" not in value:
            kept = ctx.trial()
            profile.check(value, at, ctx)
            return not any(issue.is_error for issue in ctx.settle(kept))
        if value["resourceType"] != profile.type and profile.type not in ANY:
            return False
        inner = ctx.inner(value, None)
        inner.issues = []
        profile.check(value, at, inner)
        return not any(issue.is_error for issue in inner.issues)
