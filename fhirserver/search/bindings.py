"""How the codes of an element compare: with or without case, and which systems they silently belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from fhirserver.search.paths import Leaf
    from fhirserver.spec import Definitions

Mode = Literal["exact", "folded", "system", "contact"]
"""`exact` counts case, `folded` does not, `system` asks the CodeSystem, `contact` also drops a telephone's dots."""

_MODES: Final[dict[str, Mode]] = {
    "Identifier": "exact",
    "Coding": "system",
    "CodeableConcept": "system",
    "ContactPoint": "contact",
    "string": "folded",
    "markdown": "folded",
}

BOOLEAN: Final = frozenset({"http://terminology.hl7.org/CodeSystem/special-values"})


def mode(defs: Definitions, leaf: Leaf) -> tuple[Mode, frozenset[str]]:
    """How the tokens of a leaf compare, and the systems that its bare codes belong to."""
    if leaf.type == "code":
        implied = systems(defs, _value_set(defs, leaf))
        sensitive = bool(implied) and all(defs.case_sensitive(system) for system in implied)
        return ("exact" if sensitive else "folded"), implied
    if leaf.type == "boolean":
        return "folded", BOOLEAN
    return _MODES.get(leaf.type, "exact"), frozenset()


def systems(defs: Definitions, value_set: str | None, depth: int = 4) -> frozenset[str]:
    """The code systems that a value set draws on, through the value sets that it includes."""
    found = defs.value_set(value_set) if value_set and depth else None
    if found is None:
        return frozenset()
    named: set[str] = set()
    for include in found.get("compose", {}).get("include", ()):
        if "system" in include:
            named.add(include["system"])
        for other in include.get("valueSet", ()):
            named |= systems(defs, other, depth - 1)
    return frozenset(named)


def _value_set(defs: Definitions, leaf: Leaf) -> str | None:
    structure = defs.structure(leaf.owner.partition(".")[0])
    if structure is None:
        return None
    path = f"{leaf.owner}.{leaf.element}"
    for element in structure["snapshot"]["element"]:
        if element["path"].removesuffix("[x]") == path and ":" not in element.get("id", ""):
            found = element.get("binding", {}).get("valueSet")
            return found if isinstance(found, str) else None
    return None
