"""`%name`: what surrounds the context (https://hl7.org/fhir/R4/fhirpath.html#variables)."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from fhirserver.fhirpath.code import STRING, Code, constant
from fhirserver.fhirpath.errors import FhirPathError
from fhirserver.fhirpath.values import UNTYPED, Typed, typed
from fhirserver.spec.systems import LOINC, SNOMED, UCUM

if TYPE_CHECKING:
    from fhirserver.fhirpath.environment import Frame
    from fhirserver.fhirpath.values import Items

_FIXED: Final = {
    "ucum": UCUM,
    "sct": SNOMED,
    "loinc": LOINC,
}
_PREFIXES: Final = {
    "vs-": "http://hl7.org/fhir/ValueSet/",
    "ext-": "http://hl7.org/fhir/StructureDefinition/",
}


def variable(name: str, at: int) -> Code:
    """The code of `%name`; the caller's own are looked up when it runs."""
    if name == "resource":
        return Code(lambda _this, frame: [frame.resource])
    if name == "rootResource":
        return Code(lambda _this, frame: [frame.root])
    if name == "context":
        return Code(lambda _this, frame: [frame.context])
    if name in _FIXED:
        return constant([_FIXED[name]], STRING)
    for prefix, base in _PREFIXES.items():
        if name.startswith(prefix):
            return constant([base + name.removeprefix(prefix)], STRING)

    def run(_this: Any, frame: Frame) -> Items:
        if name not in frame.env.variables:
            raise FhirPathError(f"No variable is called %{name}", at)
        value = frame.env.variables[name]
        return [_item(each) for each in (value if value.__class__ is list else [value])]

    return Code(run)


def _item(value: Any) -> Any:
    if value.__class__ is dict:
        kind = value.get("resourceType")
        return typed(kind if isinstance(kind, str) else UNTYPED, value)
    if isinstance(value, Typed | str | bool | int | Decimal):
        return value
    raise FhirPathError(f"A variable holds a {type(value).__name__}, which is no FHIRPath value")
