"""A value set's definition: which codes it holds, by listing them and by asking for one.

Semantics: https://hl7.org/fhir/R4/valueset.html#composition. Within an include, the system's concepts and every value
set named are intersected; includes are joined; then excludes are taken away.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.terminology import filters, supplements
from fhirserver.terminology.errors import NotHere, TooCostly
from fhirserver.terminology.grammars import GRAMMARS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from fhirserver.terminology.concepts import Concept
    from fhirserver.terminology.remote import Remote, Told
    from fhirserver.terminology.sources import Finder, Kept, System
    from fhirserver.terminology.wording import Search

DEEPEST: Final = 32
"""Value sets within value sets."""
LARGEST: Final = 50_000
"""Codes that one value set may list."""
MOST: Final = 2000
"""Clauses, filters and value sets named that one definition may have."""
SECONDS: Final = 10.0
"""Time after which no further clause is looked at to list codes."""


class Member(NamedTuple):
    """A code of a value set. `listed` is what the value set itself says of it: display, designations."""

    system: str
    code: str
    version: str | None
    concept: Concept | None
    listed: Mapping[str, Any]

    @property
    def display(self) -> str | None:
        own: str | None = self.listed.get("display")
        return own or (self.concept.display if self.concept else None)

    @property
    def designations(self) -> tuple[Mapping[str, Any], ...]:
        return (*self.listed.get("designation", ()), *(self.concept.designations if self.concept else ()))

    @property
    def abstract(self) -> bool:
        return bool(self.listed.get("abstract")) or (self.concept is not None and self.concept.abstract)

    @property
    def inactive(self) -> bool:
        return bool(self.listed.get("inactive")) or (self.concept is not None and self.concept.inactive)


class Clause(NamedTuple):
    """An include or exclude. `concepts`: code -> the concept as listed; None when the definition lists none."""

    system: str | None
    version: str | None
    concepts: Mapping[str, Mapping[str, Any]] | None
    filters: Sequence[Mapping[str, Any]]
    value_sets: Sequence[str]


class Definition:
    """A ValueSet resource, taken apart."""

    def __init__(self, resource: Mapping[str, Any]) -> None:
        self.resource = resource
        self.canonical: str = resource.get("url") or "The value set given"
        compose = resource.get("compose") or {}
        self.composed = "compose" in resource
        self.active_only = compose.get("inactive") is False
        self.include = [_clause(each) for each in compose.get("include", ())]
        self.exclude = [_clause(each) for each in compose.get("exclude", ())]
        self.expansion = _expansion(resource)
        self.supplements = supplements.named(resource)
        clauses = (*self.include, *self.exclude)
        self.size = sum(1 + len(each.filters) + len(each.value_sets) for each in clauses)


def _clause(clause: Mapping[str, Any]) -> Clause:
    listed = clause.get("concept")
    concepts = None if listed is None else {each["code"]: each for each in listed}
    return Clause(
        clause.get("system"), clause.get("version"), concepts, clause.get("filter", ()), clause.get("valueSet", ())
    )


def _expansion(resource: Mapping[str, Any]) -> dict[tuple[str, str], Mapping[str, Any]] | None:
    """The codes of the expansion that a ValueSet carries; None without one, or where it is one page only."""
    expansion = resource.get("expansion")
    if expansion is None:
        return None
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    waiting = list(reversed(expansion.get("contains", ())))
    count = 0
    while waiting:
        item = waiting.pop()
        count += 1
        waiting += reversed(item.get("contains", ()))
        if "code" in item:
            found[item.get("system", ""), item["code"]] = item
    return None if expansion.get("total", 0) > count else found


class Membership:
    """Value sets and code systems as one finder shows them, for one question.

    `overrides` (system -> version) stands for the versions that definitions do not name themselves; `forced` for all.
    """

    def __init__(
        self,
        finder: Finder,
        kept: Kept,
        overrides: Mapping[str, str] | None = None,
        forced: Mapping[str, str] | None = None,
        remote: Remote | None = None,
    ) -> None:
        self._finder = finder
        self._kept = kept
        self._remote = remote
        self._overrides, self._forced = overrides or {}, forced or {}
        self._open: set[Any] = set()
        self._known: dict[Any, tuple[Definition, Any, Exception | None]] = {}
        self._definitions: dict[str, Definition] = {}
        self._until = time.monotonic() + SECONDS
        self.used: dict[str, str | None] = {}
        """System -> version of the code systems that the answer was made from."""

    def concepts(self, system: str, version: str | None = None) -> System | None:
        """The code system of a URL; None when it is not here, or is without content."""
        version = self._forced.get(system) or version or self._overrides.get(system)
        found = self._finder.find("CodeSystem", f"{system}|{version}" if version else system)
        if found is None or found.empty:
            return None
        concepts = self._kept.of(found.key, found.system)
        self.used[system] = concepts.version
        return concepts

    def definition(self, canonical: str) -> Definition:
        """The value set of a canonical. Raises NotHere."""
        kept = self._definitions.get(canonical)
        if kept is None:
            found = self._finder.find("ValueSet", canonical)
            if found is None:
                raise NotHere(canonical, f"The value set {canonical} is not known here.")
            resource = found.resource
            kept = self._definitions[canonical] = self._kept.of(found.key, lambda: Definition(resource))
        return kept

    def told(self, system: str, version: str | None, code: str) -> Told | None:
        """What the remote terminology server says of a code of a system that is not here; None when nobody can tell."""
        return self._remote.validate(system, version, code) if self._remote else None

    def related(self, system: str, version: str | None, one: str, other: str) -> str | None:
        """How two codes of a system that is not here relate, as $subsumes says; None when nobody can tell."""
        return self._remote.subsumes(system, version, one, other) if self._remote else None

    def members(self, definition: Definition, search: Search | None = None) -> dict[tuple[str, str], Member]:
        """All codes, in the order of the definition; with `search`, at least those that it finds.

        Raises NotHere or TooCostly. Where the definition rests on what is not here, the expansion that the value set
        carries stands for it.
        """
        search = None if definition.supplements else search
        asked = ("", search.text) if search else None
        found: dict[tuple[str, str], Member] = self._once(definition, asked, lambda: self._members(definition, search))
        return found

    def _members(self, definition: Definition, search: Search | None) -> dict[tuple[str, str], Member]:
        if definition.composed:
            try:
                return self._composed(definition, search)
            except (NotHere, TooCostly):
                if definition.expansion is None:
                    raise
        listed = _carried(definition)
        return {key: Member(*key, item.get("version"), None, item) for key, item in listed.items()}

    def _composed(self, definition: Definition, search: Search | None) -> dict[tuple[str, str], Member]:
        found: dict[tuple[str, str], Member] = {}
        _check_size(definition)
        for clause in definition.include:
            self._check_time(definition)
            for member in self._listed(clause, None if clause.value_sets else search):
                found.setdefault((member.system, member.code), member)
                if len(found) > LARGEST:
                    raise TooCostly(f"{definition.canonical} has more than {LARGEST} codes: filter them by a text.")
        for clause in definition.exclude:
            self._check_time(definition)
            for key in [key for key in found if self._in_clause(clause, *key)]:
                del found[key]
        if definition.active_only:
            found = {key: member for key, member in found.items() if not member.inactive}
        if definition.supplements:
            found = {key: self._supplemented(definition, member) for key, member in found.items()}
        return found

    def _check_time(self, definition: Definition) -> None:
        if time.monotonic() > self._until:
            raise TooCostly(f"{definition.canonical} takes more than {SECONDS:.0f} seconds to list.")

    def _listed(self, clause: Clause, search: Search | None) -> Iterator[Member]:
        named = [self.members(self.definition(each)) for each in clause.value_sets]
        first: Iterable[Member] = ()
        if clause.system is not None:
            first = self._of_system(clause, clause.system, search)
        elif named:
            first = named.pop(0).values()
        for member in first:
            if all((member.system, member.code) in other for other in named):
                yield member

    def _of_system(self, clause: Clause, system: str, search: Search | None) -> Iterator[Member]:
        concepts = self.concepts(system, clause.version)
        if clause.concepts is not None:
            for code, listed in clause.concepts.items():
                yield Member(system, code, clause.version, concepts.find(code) if concepts else None, listed)
            return
        if concepts is None and system in GRAMMARS:
            raise TooCostly(f"The codes of {system} are not listed here: it is known by its form only.")
        if concepts is None:
            raise _unknown(system)
        if not concepts.complete:
            raise NotHere(system, f"Only a part of the code system {system} is here: its codes cannot be listed.")
        for concept in concepts.listing(clause.filters, search, LARGEST):
            yield Member(system, concept.code, clause.version, concept, {})

    def holds(self, definition: Definition, system: str, code: str) -> Member | None:
        """The member of that code, None when the value set does not hold it. Raises NotHere when nobody can tell."""
        found: Member | None = self._once(definition, (system, code), lambda: self._member(definition, system, code))
        return found

    def _member(self, definition: Definition, system: str, code: str) -> Member | None:
        if not definition.composed:
            return _expanded(definition, system, code)
        _check_size(definition)
        try:
            found = self._any(definition.include, system, code)
            if found is None or (definition.active_only and found.inactive):
                return None
            return None if self._any(definition.exclude, system, code) else self._supplemented(definition, found)
        except NotHere:
            if definition.expansion is None:
                raise
            return _expanded(definition, system, code)

    def _any(self, clauses: Iterable[Clause], system: str, code: str) -> Member | None:
        """The code in the first clause that surely holds it. Raises NotHere when none does and one may."""
        missing: NotHere | None = None
        for clause in clauses:
            try:
                found = self._in_clause(clause, system, code)
            except NotHere as error:
                missing = missing or error
                continue
            if found is not None:
                return found
        if missing is not None:
            raise missing
        return None

    def _in_clause(self, clause: Clause, system: str, code: str) -> Member | None:
        if clause.system not in (None, system):
            return None
        found = None
        if clause.system is not None:
            found = self._in_system(clause, system, code)
            if found is None:
                return None
        for canonical in clause.value_sets:
            member = self.holds(self.definition(canonical), system, code)
            if member is None:
                return None
            found = found or member
        return found

    def _in_system(self, clause: Clause, system: str, code: str) -> Member | None:
        concepts = self.concepts(system, clause.version)
        concept = concepts.find(code) if concepts else None
        if clause.concepts is not None:
            listed = clause.concepts.get(concept.code if concept else code)
            return None if listed is None else Member(system, listed["code"], clause.version, concept, listed)
        if concepts is None:
            grammar = GRAMMARS.get(system)
            if grammar is None:
                return self._elsewhere(clause, system, code)
            if clause.filters:
                raise NotHere(system, f"{system} is known here by its form only: it cannot be filtered.")
            return Member(system, code, clause.version, None, {}) if grammar.form(code) else None
        if concept is None:
            if not concepts.complete:
                raise NotHere(system, f"Only a part of the code system {system} is here, and not the code {code!r}.")
            return None
        kept = all(filters.test(each, concepts)(concept) for each in clause.filters)
        return Member(system, concept.code, clause.version, concept, {}) if kept else None

    def _supplemented(self, definition: Definition, member: Member) -> Member:
        """The member with what the supplements that the value set names say of it. Raises NotHere without them."""
        added: list[Mapping[str, Any]] = []
        for canonical in definition.supplements:
            found = self._finder.find("CodeSystem", canonical)
            if found is None or found.resource.get("content") != "supplement":
                raise NotHere(canonical, f"The supplement {canonical} is not known here.")
            supplement = self._kept.of(found.key, found.supplement)
            if supplement.system == member.system:
                added += supplement.designations.get(member.code, ())
        if not added:
            return member
        return member._replace(listed={**member.listed, "designation": [*member.listed.get("designation", ()), *added]})

    def _elsewhere(self, clause: Clause, system: str, code: str) -> Member | None:
        """The same by the remote terminology server, which is told system and codes only."""
        told = self.told(system, clause.version, code)
        if told is None:
            raise _unknown(system)
        if not told.result:
            return None
        for each in clause.filters:
            operator = each["op"]
            if operator not in ("is-a", "descendent-of", "is-not-a") or each["property"] not in filters.CODE:
                raise NotHere(system, f"{system} is not here: it cannot be filtered by {each['property']} {operator}.")
            related = self.related(system, clause.version, each["value"], code)
            if related is None:
                raise _unknown(system)
            inside = related == "subsumes" or (related == "equivalent" and operator != "descendent-of")
            if inside is (operator == "is-not-a"):
                return None
        return Member(system, code, clause.version, None, {"display": told.display} if told.display else {})

    def _once(self, definition: Definition, asked: tuple[str, str] | None, make: Callable[[], Any]) -> Any:
        """What `make` gives or raises, made once for each value set and question. Raises NotHere for a circle."""
        key = (id(definition), asked)
        if key in self._open or len(self._open) > DEEPEST:
            raise NotHere(definition.canonical, f"The value set {definition.canonical} includes itself, or too many.")
        if key not in self._known:
            self._open.add(key)
            try:
                self._known[key] = (definition, make(), None)
            except (NotHere, TooCostly) as error:
                self._known[key] = (definition, None, error)
            finally:
                self._open.discard(key)
        _, found, raised = self._known[key]
        if raised is not None:
            raise raised
        return found


def _check_size(definition: Definition) -> None:
    if definition.size > MOST:
        raise TooCostly(f"{definition.canonical} has more than {MOST} clauses, filters and value sets.")


def _unknown(system: str) -> NotHere:
    return NotHere(system, f"The code system {system} is not known here.")


def _carried(definition: Definition) -> dict[tuple[str, str], Mapping[str, Any]]:
    if definition.expansion is None:
        raise NotHere(definition.canonical, f"{definition.canonical} has neither a definition nor a whole expansion.")
    return definition.expansion


def _expanded(definition: Definition, system: str, code: str) -> Member | None:
    item = _carried(definition).get((system, code))
    return None if item is None else Member(system, code, item.get("version"), None, item)
