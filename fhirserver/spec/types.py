"""The tree of types and their JSON members, compiled from StructureDefinitions
(https://hl7.org/fhir/R4/structuredefinition.html, https://hl7.org/fhir/R4/json.html)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.spec.canonical import BASE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SYSTEM: Final = "http://hl7.org/fhirpath/System."
FHIR_TYPE: Final = BASE + "structuredefinition-fhir-type"
REGEX: Final = BASE + "regex"
BACKBONES: Final = frozenset({"BackboneElement", "Element"})


class Property(NamedTuple):
    """A member of a JSON object.

    `name` is the member (`valueQuantity`), `element` the FHIRPath name (`value`), `type` a type's name, a backbone's
    path (`Patient.contact`) or `Resource` for any resource. `min` is that of the element: for a choice, one member
    fulfils it. `targets` are the resource types that a Reference or canonical may lead to, none for any.
    """

    name: str
    element: str
    type: str
    array: bool
    choice: bool
    min: int
    order: int
    summary: bool
    modifier: bool
    targets: tuple[str, ...]


class TypeDef(NamedTuple):
    """A type: `kind` is `primitive-type`, `complex-type`, `resource` or `backbone`; `properties` in element order."""

    name: str
    base: str | None
    kind: str
    abstract: bool
    properties: Mapping[str, Property]


def compile_types(structure: Mapping[str, Any]) -> list[TypeDef]:
    """The type that a StructureDefinition with a snapshot defines, then its backbones."""
    elements: list[dict[str, Any]] = [e for e in structure["snapshot"]["element"] if ":" not in e["id"]]
    children: dict[str, list[dict[str, Any]]] = {}
    for element in elements[1:]:
        children.setdefault(element["path"].rpartition(".")[0], []).append(element)
    root = elements[0]["path"]
    parents = frozenset(children)
    primitive = structure["kind"] == "primitive-type"
    base = structure.get("baseDefinition")
    types = []
    for element in elements:
        path = element["path"]
        if path == root:
            kind, parent, abstract = structure["kind"], base and base.removeprefix(BASE), structure["abstract"]
        elif path in parents:
            kind, parent, abstract = "backbone", element["type"][0]["code"], False
        else:
            continue
        listed = [child for child in children.get(path, ()) if not (primitive and child["path"].endswith(".value"))]
        resource = path == root and structure["kind"] == "resource"
        types.append(TypeDef(path, parent, kind, abstract, _properties(listed, parents, resource)))
    return types


def regex(structure: Mapping[str, Any]) -> str | None:
    """The regular expression that a primitive type's StructureDefinition gives for its values."""
    for element in structure["snapshot"]["element"]:
        if element["path"].endswith(".value"):
            for extension in element["type"][0].get("extension", ()):
                if extension["url"] == REGEX:
                    return str(extension["valueString"])
    return None


def _properties(
    elements: Iterable[Mapping[str, Any]], parents: frozenset[str], resource: bool
) -> Mapping[str, Property]:
    properties: dict[str, Property] = {}
    for element in elements:
        stem = element["path"].rpartition(".")[2]
        choice = stem.endswith("[x]")
        stem = stem.removesuffix("[x]")
        for name, targets in _types(element, parents, resource).items():
            member = stem + name[0].upper() + name[1:] if choice else stem
            properties[member] = Property(
                name=member,
                element=stem,
                type=name,
                array=element["base"]["max"] not in ("0", "1"),
                choice=choice,
                min=element["min"],
                order=len(properties),
                summary=element.get("isSummary", False),
                modifier=element.get("isModifier", False),
                targets=tuple(sorted(targets)),
            )
    return MappingProxyType(properties)


def _types(element: Mapping[str, Any], parents: frozenset[str], resource: bool) -> dict[str, set[str]]:
    """The types of an element, each with the resource types it may refer to."""
    if "contentReference" in element:
        return {element["contentReference"].rpartition("#")[2]: set()}
    types: dict[str, set[str]] = {}
    for listed in element["type"]:
        code = type_name(listed)
        if code in BACKBONES and element["path"] in parents:
            code = element["path"]
        if resource and element["path"].endswith(".id"):
            code = "id"
        targets = {target.rpartition("/")[2] for target in listed.get("targetProfile", ())}
        types.setdefault(code, set()).update(targets)
    return {code: set() if "Resource" in targets else targets for code, targets in types.items()}


def type_name(listed: Mapping[str, Any]) -> str:
    """The FHIR type of an `ElementDefinition.type`: `System.String` is a `string` unless an extension says more."""
    code: str = listed["code"]
    if not code.startswith(SYSTEM):
        return code
    for extension in listed.get("extension", ()):
        if extension["url"] == FHIR_TYPE:
            return str(extension["valueUrl"])
    return code.removeprefix(SYSTEM)[0].lower() + code.removeprefix(SYSTEM)[1:]


def as_rows(types: Iterable[TypeDef]) -> list[Any]:
    """Types as JSON, for the archive."""
    return [[*compiled[:4], [list(item) for item in compiled.properties.values()]] for compiled in types]


def from_rows(rows: Iterable[Any]) -> Iterator[TypeDef]:
    """Types from what `as_rows` made."""
    for *head, members in rows:
        properties = [Property._make((*row[:9], tuple(row[9]))) for row in members]
        yield TypeDef._make((*head, MappingProxyType({item.name: item for item in properties})))
