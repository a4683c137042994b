"""Type specifiers: which items are of a type (FHIRPath N1, section 6.3; https://hl7.org/fhir/R4/fhirpath.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.fhirpath.errors import FhirPathError
from fhirserver.fhirpath.model import PRIMITIVES, SYSTEM_TYPES, TEXTS
from fhirserver.fhirpath.values import Typed, system_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.fhirpath.model import Model

_PROFILES: Final = {"SimpleQuantity": "Quantity", "MoneyQuantity": "Quantity"}
_PRIMITIVE_OF: Final = {
    "Boolean": frozenset({"boolean"}),
    "Integer": frozenset({"integer", "positiveInt", "unsignedInt"}),
    "Decimal": frozenset({"decimal"}),
    "Date": frozenset({"date"}),
    "DateTime": frozenset({"dateTime", "instant"}),
    "Time": frozenset({"time"}),
    "Quantity": frozenset({"Quantity"}),
    "String": TEXTS,
}


class Specifier(NamedTuple):
    """A type named in an expression; with `lenient`, `Boolean` names FHIR's `boolean` too, as R4's invariants do."""

    model: Model
    name: str
    system: bool
    either: bool
    lenient: bool

    def admits(self, kind: str) -> bool:
        """`is` for a FHIR type: it, or a type derived from it."""
        if not self.system:
            return self.model.is_a(kind, self.name)
        return self.lenient and kind in _PRIMITIVE_OF.get(self.name, ())

    def selects(self, kind: str) -> bool:
        """`as` and `ofType` for a FHIR type: primitives just of this type, others with what derives from it."""
        return kind == self.name if kind in PRIMITIVES and not self.system else self.admits(kind)

    def holds(self, item: Any) -> bool:
        """`item is type`"""
        return self.admits(item[0]) if item.__class__ is Typed else self.native(item)

    def kinds(self) -> dict[str, bool]:
        """FHIR type -> whether `as` and `ofType` leave it, found out when first asked."""
        return _Kinds(self.selects)

    def native(self, item: Any) -> bool:
        """Whether a System value is of the type."""
        return (self.system or self.either) and self.name in (system_type(item), "Any")


class _Kinds(dict[str, bool]):
    def __init__(self, selects: Callable[[str], bool]) -> None:
        self._selects = selects

    def __missing__(self, kind: str) -> bool:
        self[kind] = self._selects(kind)
        return self[kind]


def specifier(name: str, model: Model, *, lenient: bool, at: int | None = None) -> Specifier:
    """The type that `name` names, FHIR's before System's. Raises FhirPathError for one that neither knows."""
    space, _, local = name.rpartition(".")
    local = _PROFILES.get(local, local)
    if space in ("", "FHIR") and model.known(local):
        return Specifier(model, local, system=False, either=not space and local in SYSTEM_TYPES, lenient=lenient)
    if space in ("", "System") and local in SYSTEM_TYPES:
        return Specifier(model, local, system=True, either=False, lenient=lenient and not space)
    if space == "FHIR" or not space:
        raise FhirPathError(f"No type is called {name!r}", at)
    if space != "System" and model.known(name):
        return Specifier(model, name, system=False, either=False, lenient=lenient)
    return Specifier(model, local, system=True, either=False, lenient=False)
