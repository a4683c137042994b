"""What the StructureDefinitions of R4 itself ask beyond structure: bindings, invariants, reference targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.validation import bundle, invariants
from fhirserver.validation.bindings import STRENGTHS, Binding
from fhirserver.validation.codings import Codings
from fhirserver.validation.primitives import PRIMITIVES
from fhirserver.validation.references import compile_target
from fhirserver.validation.structure import Facts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fhirserver.spec import Definitions, Property, TypeDef
    from fhirserver.validation.context import At, Context
    from fhirserver.validation.ins import Rules

    Check = Callable[[Any, At, Context], None]

CODED = frozenset(("code", "string", "uri", "url", "canonical", "markdown"))


class Base:
    """The facts of base types, read from their StructureDefinitions when a type is compiled."""

    def __init__(
        self, definitions: Definitions, extension: Check, profile: Callable[[str], Check | None], ins: Rules
    ) -> None:
        self._definitions = definitions
        self._ins = ins
        self._codings = Codings(definitions)
        self._extension = extension
        self._profile = profile
        self._elements: dict[str, dict[str, dict[str, Any]]] = {}
        self._bindings: dict[tuple[str, str], Binding] = {}

    def over(self, definitions: Definitions) -> Base:
        """The same for other definitions."""
        return Base(definitions, self._extension, self._profile, self._ins)

    def elements(self, root: str) -> dict[str, dict[str, Any]]:
        """The elements of a base type by path."""
        found = self._elements.get(root)
        if found is None:
            structure = self._definitions.structure(root)
            listed = structure["snapshot"]["element"] if structure else ()
            found = self._elements[root] = {element["path"]: element for element in listed}
        return found

    def binding(self, value_set: str, strength: str) -> Binding:
        """The value set with that strength, shared by all elements that it is bound to."""
        key = (value_set, strength)
        found = self._bindings.get(key)
        if found is None:
            found = self._bindings[key] = Binding(self._definitions, value_set, strength)
        return found

    def bound(self, element: dict[str, Any]) -> Binding | None:
        """The binding of an element, if it is one that is checked."""
        told = element.get("binding", {})
        if told.get("strength") not in STRENGTHS or "valueSet" not in told:
            return None
        return self.binding(told["valueSet"], told["strength"])

    def facts(self, kind: TypeDef, item: Property) -> Facts:
        """What holds for one member."""
        element = self._element(kind, item)
        binding = self.bound(element)
        checks: list[Check] = []
        primitive = None
        if binding is not None and item.type in CODED:
            primitive = binding.primitive(item.type)
        elif binding is not None and (check := binding.check(item.type)):
            checks.append(check)
        if item.type == "Reference":
            checks.append(compile_target(item.targets, self._definitions.resource_types))
        if "." not in item.type:
            own = element.get("constraint", ())
            checks += invariants.compile_all(own, item.type, self._definitions)
        checks += self._profiles(element, item)
        return Facts(primitive, tuple(checks))

    def _element(self, kind: TypeDef, item: Property) -> dict[str, Any]:
        """The member's element definition; the members of a primitive type's root are nobody's."""
        root = kind.name.partition(".")[0]
        path = f"{kind.name}.{item.element}" + ("[x]" if item.choice else "")
        return self.elements(root).get(path, {})

    def _profiles(self, element: dict[str, Any], item: Property) -> list[Check]:
        """Profiles of the data type, such as SimpleQuantity."""
        named = [
            canonical
            for listed in element.get("type", ())
            if listed["code"] == item.type
            for canonical in listed.get("profile", ())
        ]
        found = [self._profile(canonical) for canonical in named] if len(named) == 1 else []
        return [check for check in found if check is not None]

    def invariants(self, kind: TypeDef) -> Sequence[Check]:
        """What holds for the whole object of a type."""
        if kind.name in PRIMITIVES:
            return ()
        element = self.elements(kind.name.partition(".")[0]).get(kind.name, {})
        checks: list[Check] = list(invariants.compile_all(element.get("constraint", ()), kind.name, self._definitions))
        if kind.name == "Extension":
            checks.append(self._extension)
        elif kind.name == "Bundle":
            checks.append(bundle.check)
        checks += self._codings.checks(kind.name)
        checks += self._ins.checks(kind.name)
        return checks
