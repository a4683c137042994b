"""Search parameters, compiled once a resource type: where their values stand and where their terms are kept.

A parameter that only repeats others keeps no terms of its own: `Observation.patient` is read from those of `subject`,
`combo-code` from those of `code` and `component-code`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import fhirpath
from fhirserver.search import bindings, paths
from fhirserver.search.paths import Leaf
from fhirserver.spec.parameters import union

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from fhirserver.search.bindings import Mode
    from fhirserver.spec import Definitions, SearchParameter

BASIC: Final = frozenset({"token", "reference", "string", "uri", "date", "number", "quantity"})
RANGES: Final = frozenset({"date", "number", "quantity"})
CANONICAL: Final = frozenset({"canonical", "uri", "url"})
ENVELOPE: Final = frozenset({"_id", "_lastUpdated"})
"""Parameters that the envelope itself answers."""

_CODE: Final = re.compile(r"_?[A-Za-z][\w\-]*")
_LOGICAL: Final = re.compile(r"\)\s+(?:and|or)\s|\.(?:exists|empty|not)\(\)$")
_WITHHELD: Final = {"phonetic": "no phonetic algorithm is offered; use name"}


class Slot(NamedTuple):
    """A place of values. `mode` and `systems` say how its tokens compare."""

    path: tuple[str, ...]
    type: str
    mode: Mode


@dataclass(frozen=True, slots=True)
class Part:
    """One operand of a parameter's union: slots to walk, or else an expression to evaluate on the resource.

    `heads` are the members without one of which it has no value; `target` limits references to one type.
    """

    slots: tuple[Slot, ...]
    evaluate: Callable[[dict[str, Any]], Iterable[Any]] | None
    heads: frozenset[str]
    target: str | None


class Source(NamedTuple):
    """Whose terms answer a parameter; of them, with `target`, only references to that type.

    Of a composite, `implied` is the token parameter that its first component repeats: a match has that term too.
    """

    code: str
    target: str | None = None
    implied: str | None = None


@dataclass(frozen=True, slots=True)
class Component:
    """A component of a composite; `below` its parts from the composite's node, `above` from the whole resource."""

    type: str
    below: tuple[Part, ...]
    above: tuple[Part, ...]
    modes: frozenset[Mode]
    bare: bool
    systems: frozenset[str]
    booleans: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of one resource type. `modes`: how its tokens compare; `bare`: they never carry a system, but belong
    to `systems`; `single`: it has at most one value; `stored`: it keeps terms of its own."""

    code: str
    type: str
    targets: tuple[str, ...]
    parts: tuple[Part, ...]
    sources: tuple[Source, ...]
    modes: frozenset[Mode]
    bare: bool
    systems: frozenset[str]
    booleans: bool
    single: bool
    stored: bool
    components: tuple[Component, ...] = ()

    @property
    def canonical_also(self) -> bool:
        """Whether a canonical may stand where a reference is looked for."""
        return any(slot.type in CANONICAL for part in self.parts for slot in part.slots)

    @property
    def canonical_only(self) -> bool:
        slots = [slot for part in self.parts for slot in part.slots]
        return bool(slots) and all(slot.type in CANONICAL for slot in slots)


class Parameters(NamedTuple):
    """Those of one resource type. `refused`: why others are not offered; `compartment`: which confer membership of the
    Patient compartment, the foremost first."""

    type: str
    offered: Mapping[str, Parameter]
    refused: Mapping[str, str]
    compartment: tuple[str, ...]

    @property
    def canonical(self) -> bool:
        """Whether resources of the type may be referred to by canonical."""
        return "url" in self.offered and self.offered["url"].type == "uri"


class Catalogue:
    """The compiled parameters of every type; a type is compiled when first asked for. Safe between threads."""

    def __init__(self, defs: Definitions) -> None:
        self.defs = defs
        self._compiled: dict[str, Parameters] = {}
        self._lock = Lock()

    def of(self, resource_type: str) -> Parameters:
        """Those of a resource type. Raises KeyError when there is no such type."""
        found = self._compiled.get(resource_type)
        if found is None:
            if resource_type not in self.defs.resource_types:
                raise KeyError(resource_type)
            with self._lock:
                found = self._compiled.get(resource_type) or _compile(self.defs, resource_type)
                self._compiled[resource_type] = found
        return found


@lru_cache(maxsize=8)
def catalogue(defs: Definitions) -> Catalogue:
    """The catalogue of some definitions, one for all who ask."""
    return Catalogue(defs)


def _compile(defs: Definitions, resource_type: str) -> Parameters:
    listed = defs.search_parameters(resource_type)
    types = {item.url: item.type for item in listed.values()}
    offered: dict[str, Parameter] = {}
    refused: dict[str, str] = {**defs.withheld(resource_type)}
    repeats = _repeats(listed.values(), defs.added_codes(resource_type))
    for code, found in sorted(listed.items()):
        reason = _unfit(found)
        if reason is None:
            try:
                offered[code] = _parameter(defs, resource_type, found, repeats.get(code), types)
                continue
            except ValueError as error:
                reason = str(error)
        refused[code] = reason
    _imply(offered)
    compartment = [code for code in defs.compartment("Patient").get(resource_type, ()) if code in offered]
    compartment.sort(key=lambda code: {"subject": 0, "patient": 1}.get(code, 2))
    return Parameters(resource_type, offered, refused, tuple(compartment))


def _imply(offered: dict[str, Parameter]) -> None:
    """Tells each composite which parameter its first component repeats."""
    tokens = {_paths(each.parts): code for code, each in offered.items() if each.type == "token" and each.stored}
    implied: dict[str, str | None] = {}
    for code, each in offered.items():
        first = each.components[0] if each.components else None
        if each.stored and first is not None and first.type == "token" and not first.above:
            reached = {root + path for root in _paths(each.parts) for path in _paths(first.below)}
            implied[code] = tokens.get(frozenset(reached))
    for code, each in offered.items():
        if each.components:
            sources = tuple(source._replace(implied=implied.get(source.code)) for source in each.sources)
            offered[code] = replace(each, sources=sources)


def _paths(parts: Iterable[Part]) -> frozenset[tuple[str, ...]]:
    return frozenset(slot.path for part in parts for slot in part.slots)


def _unfit(found: SearchParameter) -> str | None:
    if found.code in _WITHHELD:
        return _WITHHELD[found.code]
    if found.code in ENVELOPE:
        return None
    if found.type not in BASIC and found.type != "composite":
        return f"parameters of type {found.type} are not offered"
    if not found.expression:
        return "its definition has no expression"
    return None if _CODE.fullmatch(found.code) else "its code is not a plain name"


def _operands(expression: str) -> list[tuple[str, str | None]]:
    """The operands of a union, each with the type that its references are limited to taken off."""
    operands = []
    for part in union(expression):
        steps = paths.steps(part)
        target = steps[-1].name if steps and steps[-1].kind == "target" else None
        operands.append((part[: part.rindex(".where(")] if target else part, target))
    return operands


def _repeats(listed: Iterable[SearchParameter], added: Collection[str]) -> dict[str, tuple[Source, ...]]:
    """The parameters that say no more than others of the same type do together, with those others.

    Those that were `added` may repeat others and are never repeated: where terms stand does not depend on what else
    was added.
    """
    operands: dict[str, frozenset[Any]] = {}
    targets: dict[str, str] = {}
    for found in listed:
        if _unfit(found) is None and found.expression and found.type != "string" and found.code not in ENVELOPE:
            its = _operands(found.expression)
            if len(its) == 1 and its[0][1] is not None:
                targets[found.code] = its[0][1]
            inner = tuple(text for _, text in found.components)
            operands[found.code] = frozenset(
                (found.type, operand, inner, None if found.code in targets else target) for operand, target in its
            )
    stored: list[str] = []
    repeats: dict[str, tuple[Source, ...]] = {}
    for code in sorted(operands, key=lambda name: (name in added, len(operands[name]), name in targets, name)):
        cover = _cover(operands, stored, operands[code])
        if cover and (code not in targets or len(cover) == 1):
            repeats[code] = tuple(Source(other, targets.get(code)) for other in cover)
        elif code not in targets and code not in added:
            stored.append(code)
    return repeats


def _cover(operands: Mapping[str, frozenset[Any]], stored: Sequence[str], wanted: frozenset[Any]) -> list[str]:
    """The fewest-operand choice among stored parameters that together have exactly the wanted operands."""
    cover, left = [], set(wanted)
    for other in reversed(stored):
        if operands[other] <= wanted and operands[other] & left:
            cover.append(other)
            left -= operands[other]
    return [] if left else sorted(cover)


def _parameter(
    defs: Definitions,
    resource_type: str,
    found: SearchParameter,
    sources: tuple[Source, ...] | None,
    types: Mapping[str, str],
) -> Parameter:
    if found.code in ENVELOPE:
        return _envelope(found)
    if found.type == "composite":
        return _composite(defs, resource_type, found, sources, types)
    places = _places(defs, resource_type, found.expression or "", found.code)
    parts, leaves = places.parts, places.leaves
    modes, systems, bare = _modes(defs, places)
    limits = {part.target for part in parts}
    return Parameter(
        code=found.code,
        type=found.type,
        targets=tuple(sorted(name for name in limits if name)) if None not in limits else found.targets,
        parts=parts,
        sources=sources or (Source(found.code),),
        modes=modes,
        bare=bare,
        systems=systems,
        booleans=bool(leaves) and all(leaf.type == "boolean" for leaf in leaves),
        single=bool(leaves) and len(parts) == 1 and not parts[0].evaluate and not any(leaf.many for leaf in leaves),
        stored=sources is None,
    )


def _envelope(found: SearchParameter) -> Parameter:
    return Parameter(
        code=found.code,
        type=found.type,
        targets=(),
        parts=(),
        sources=(Source(found.code),),
        modes=frozenset({"exact"}),
        bare=True,
        systems=frozenset(),
        booleans=False,
        single=True,
        stored=False,
    )


class Places(NamedTuple):
    """Where an expression's values stand. `leaves`: those whose type is known beforehand; `sure`: they are all."""

    parts: tuple[Part, ...] = ()
    leaves: tuple[Leaf, ...] = ()
    sure: bool = True

    def joined(self, other: Places) -> Places:
        parts = tuple(dict.fromkeys(self.parts + other.parts))
        return Places(parts, self.leaves + other.leaves, self.sure and other.sure)


def _modes(defs: Definitions, places: Places) -> tuple[frozenset[Mode], frozenset[str], bool]:
    found = [bindings.mode(defs, leaf) for leaf in places.leaves]
    modes: set[Mode] = {mode for mode, _ in found}
    if not places.sure:
        modes |= {"exact", "folded", "system", "contact"}
    bare = places.sure and not any(leaf.type in ("Coding", "CodeableConcept", "Identifier") for leaf in places.leaves)
    return frozenset(modes), frozenset(system for _, systems in found for system in systems), bare


def _places(defs: Definitions, root: str, expression: str, code: str) -> Places:
    found = Places()
    for operand in union(expression):
        steps = paths.steps(operand)
        leaves = paths.resolve(defs, root, steps) if steps else None
        if steps is None or leaves is None:
            found = found.joined(_evaluated(defs, root, operand, code))
            continue
        target = steps[-1].name if steps[-1].kind == "target" else None
        slots = tuple(Slot(leaf.path, leaf.type, bindings.mode(defs, leaf)[0]) for leaf in leaves)
        part = Part(slots, None, frozenset(leaf.path[0] for leaf in leaves if leaf.path), target)
        found = found.joined(Places((part,), leaves))
    return found


def _evaluated(defs: Definitions, root: str, operand: str, code: str) -> Places:
    """An operand for the FHIRPath room; one that only narrows a path (`telecom.where(...)`) has that path's types."""
    try:
        compiled = fhirpath.compile(operand, base=root, defs=defs, lenient_as=True)
    except fhirpath.FhirPathError as error:
        raise ValueError(f"the expression of {code} cannot be compiled: {error}") from None
    if _LOGICAL.search(operand):
        truth = Leaf((), "boolean", False, "", "")
        return Places((Part((), compiled.typed, frozenset(), None),), (truth,))
    plain = paths.steps(paths.widened(operand))
    leaves = (paths.resolve(defs, root, plain) if plain else None) or ()
    heads = frozenset(leaf.path[0] for leaf in leaves if leaf.path)
    sure = bool(leaves) and not any(leaf.type in ("code", "Resource", "Extension") for leaf in leaves)
    return Places((Part((), compiled.typed, heads, None),), leaves if sure else (), sure)


def _composite(
    defs: Definitions,
    resource_type: str,
    found: SearchParameter,
    sources: tuple[Source, ...] | None,
    types: Mapping[str, str],
) -> Parameter:
    parts, leaves, _ = _places(defs, resource_type, found.expression or "", found.code)
    if any(part.evaluate for part in parts) or len(found.components) < 2:
        raise ValueError("its expression is not a plain path")
    roots = {leaf.type for leaf in leaves}
    kinds = [_type(defs, types, url) for url, _ in found.components]
    reached = [_component_places(defs, roots, resource_type, found.code, text) for _, text in found.components]
    if not _fit(kinds, reached) and _fit(kinds[::-1], reached):
        kinds.reverse()
    components = tuple(_component(defs, kind, *places) for kind, places in zip(kinds, reached, strict=True))
    return Parameter(
        code=found.code,
        type="composite",
        targets=(),
        parts=parts,
        sources=sources or (Source(found.code),),
        modes=frozenset(),
        bare=False,
        systems=frozenset(),
        booleans=False,
        single=False,
        stored=sources is None,
        components=components,
    )


def _type(defs: Definitions, types: Mapping[str, str], url: str) -> str:
    kind = types.get(url) or (defs.find(url, "SearchParameter") or {}).get("type")
    if kind not in BASIC:
        raise ValueError(f"its component {url} is not known")
    return str(kind)


def _fit(kinds: Sequence[str], reached: Sequence[tuple[Places, Places]]) -> bool:
    """Whether the components' types suit their expressions: R4 has those of DocumentReference.relationship swapped."""
    return all(
        (kind == "reference") == (leaf.type in ("Reference", "canonical"))
        for kind, (below, above) in zip(kinds, reached, strict=True)
        for leaf in below.leaves + above.leaves
    )


def _component_places(
    defs: Definitions, roots: Iterable[str], resource_type: str, code: str, text: str
) -> tuple[Places, Places]:
    """Where a component's values stand: below the composite's node, and in the whole resource."""
    if text.startswith("%resource."):
        return Places(), _places(defs, resource_type, text.removeprefix("%resource."), code)
    below = Places()
    for root in sorted(roots):
        below = below.joined(_places(defs, root, text, code))
    return below, Places()


def _component(defs: Definitions, kind: str, below: Places, above: Places) -> Component:
    if any(part.evaluate for part in above.parts + below.parts):
        raise ValueError("its components are not plain paths")
    modes, systems, bare = _modes(defs, above.joined(below))
    return Component(kind, below.parts, above.parts, modes, bare, systems)
