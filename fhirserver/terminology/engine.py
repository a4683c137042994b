"""The terminology of a server: all questions, over packages and what the caller brings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.errors import NotFound, Unprocessable
from fhirserver.terminology import codes, expansion, translation
from fhirserver.terminology.concepts import Concepts
from fhirserver.terminology.sources import Brought, Joined, Kept, Packages
from fhirserver.terminology.valuesets import Definition, Membership

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from fhirserver.spec import Definitions
    from fhirserver.terminology.remote import Remote
    from fhirserver.terminology.sources import Finder

KEPT: Final = 512
"""Code systems and value sets kept compiled."""

ALL: Final = expansion.Wish()

Resource = dict[str, Any]


class Terminology:
    """Code systems, value sets and concept maps of the packages; `with_` adds others, which go first.

    What is compiled is shared by all that come from one instance. Instances may be used by several threads.
    `remote` is asked about codes of systems that are not here.
    """

    def __init__(self, definitions: Definitions, remote: Remote | None = None) -> None:
        self._kept = Kept(KEPT)
        self._remote = remote
        self.finder: Finder = Packages(definitions)

    def with_(self, *finders: Finder) -> Terminology:
        """The same with more places to look in first."""
        other: Terminology = object.__new__(type(self))
        other._kept = self._kept
        other._remote = self._remote
        other.finder = Joined(*finders, self.finder)
        return other

    def bringing(self, resources: Iterable[Mapping[str, Any]]) -> Terminology:
        """The same with resources that the caller has in hand."""
        return self.with_(Brought(resources))

    def expand(
        self,
        value_set: str | Mapping[str, Any],
        wish: expansion.Wish = ALL,
        *,
        now: datetime,
        versions: Mapping[str, str] | None = None,
        forced: Mapping[str, str] | None = None,
    ) -> Resource:
        """The ValueSet (a canonical, or a resource) with its expansion.

        Raises NotFound for an unknown value set, NotHere when it rests on what is not here, and TooCostly.
        """
        membership = Membership(self.finder, self._kept, versions, forced, self._remote)
        return expansion.expand(membership, self._definition(membership, value_set), wish, now)

    def members(self, value_set: str | Mapping[str, Any]) -> Collection[tuple[str, str]]:
        """System and code of all that is in a value set. Raises as `expand`."""
        membership = self._membership()
        return membership.members(self._definition(membership, value_set)).keys()

    def in_value_set(
        self,
        value_set: str | Mapping[str, Any],
        codings: Sequence[Mapping[str, Any]],
        *,
        abstract: bool | None = None,
        language: str | None = None,
    ) -> codes.Verdict:
        """Whether one of the codings is in the value set. Raises NotFound for an unknown value set."""
        membership = self._membership()
        definition = self._definition(membership, value_set)
        return codes.any_of(
            [
                codes.in_value_set(membership, definition, each, abstract=abstract, language=language)
                for each in codings
                if each.get("code")
            ]
        )

    def holds(self, value_set: str | Mapping[str, Any], system: str, code: str) -> bool | None:
        """Whether a code is in the value set (a canonical, or a resource); None when that cannot be told."""
        membership = self._membership()
        try:
            return membership.holds(self._definition(membership, value_set), system, code) is not None
        except (Unprocessable, NotFound):
            return None

    def in_code_system(
        self,
        codings: Sequence[Mapping[str, Any]],
        *,
        code_system: Mapping[str, Any] | None = None,
        abstract: bool | None = None,
        language: str | None = None,
    ) -> codes.Verdict:
        """Whether one of the codings is a code of its system, or of the code system given."""
        membership = self._membership()
        concepts = Concepts(code_system) if code_system is not None else None
        return codes.any_of(
            [
                codes.in_code_system(membership, each, concepts=concepts, abstract=abstract, language=language)
                for each in codings
                if each.get("code")
            ]
        )

    def lookup(
        self,
        system: str,
        code: str,
        version: str | None = None,
        properties: Collection[str] = (),
        language: str | None = None,
    ) -> Resource:
        """What is known of a code. Raises NotFound for an unknown code, version or system."""
        return codes.lookup(self._membership(), system, code, version, properties, language)

    def subsumes(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
        """How two Codings of one system relate: see `codes.subsumes`."""
        return codes.subsumes(self._membership(), one, other)

    def translate(self, question: translation.Question, concept_map: str | Mapping[str, Any] | None = None) -> Resource:
        """The matches in a concept map (a canonical, or a resource), or without one in all that serve.

        Raises NotFound for an unknown concept map.
        """
        if isinstance(concept_map, str):
            found = self.finder.find("ConceptMap", concept_map)
            if found is None:
                raise NotFound(f"The concept map {concept_map} is not known here.")
            maps = [found.resource]
        elif concept_map is not None:
            maps = [concept_map]
        else:
            systems = frozenset(str(each["system"]) for each in question.codings if each.get("system"))
            maps = [each.resource for each in self.finder.concept_maps(systems)]
        return translation.translate(self.finder, question, maps)

    def _membership(self) -> Membership:
        return Membership(self.finder, self._kept, remote=self._remote)

    def _definition(self, membership: Membership, value_set: str | Mapping[str, Any]) -> Definition:
        if not isinstance(value_set, str):
            return Definition(value_set)
        if self.finder.find("ValueSet", value_set) is None:
            raise NotFound(f"The value set {value_set} is not known here.")
        return membership.definition(value_set)
