"""Build the archive of R4's conformance resources from the published package hl7.fhir.r4.core.

    python tools/build_spec.py hl7.fhir.r4.core-4.0.1.tgz [ARCHIVE]

It keeps facts: paths, types, cardinalities, bindings, invariants, parameters, codes. It drops prose: definitions,
comments, requirements, mappings, narratives. The same package gives the same rows.
"""

from __future__ import annotations

import argparse
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from fhirserver.spec import archive, parameters, types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ARCHIVE: Final = Path(__file__).resolve().parents[1] / "fhirserver" / "spec" / "data" / "r4.sqlite"

Json = dict[str, Any]
EXTENSIONS: Final = frozenset(
    "http://hl7.org/fhir/StructureDefinition/" + name
    for name in (
        "structuredefinition-fhir-type",
        "regex",
        "elementdefinition-maxValueSet",
        "elementdefinition-minValueSet",
        "elementdefinition-bestpractice",
    )
)
HEAD: Final = ("resourceType", "id", "url", "version", "name", "status", "experimental")
STRUCTURE: Final = (*HEAD, "kind", "abstract", "type", "baseDefinition", "derivation", "context", "contextInvariant")
ELEMENT: Final = (
    *("id", "path", "representation", "sliceName", "sliceIsConstraining", "slicing", "min", "max", "base"),
    *("contentReference", "type", "maxLength", "condition", "constraint", "binding", "mustSupport"),
    *("isModifier", "isSummary"),
)
ELEMENT_CHOICES: Final = ("fixed", "pattern", "minValue", "maxValue", "defaultValue")
PARTS: Final = {
    "slicing": ("discriminator", "ordered", "rules"),
    "constraint": ("key", "severity", "expression", "source", "extension"),
    "binding": ("strength", "valueSet", "extension"),
    "type": ("code", "profile", "targetProfile", "aggregation", "versioning", "extension"),
}
VALUE_SET: Final = (*HEAD, "compose", "expansion")
CODE_SYSTEM: Final = (
    *HEAD,
    *("caseSensitive", "valueSet", "hierarchyMeaning", "compositional", "content", "supplements", "count"),
    *("filter", "property", "concept"),
)
PARAMETER: Final = (
    *HEAD,
    *("code", "base", "type", "expression", "target", "component", "modifier", "comparator"),
    *("multipleOr", "multipleAnd", "chain"),
)
COMPARTMENT: Final = (*HEAD, "code", "search", "resource")
CONCEPT_MAP: Final = (
    *HEAD,
    *("sourceUri", "sourceCanonical", "targetUri", "targetCanonical", "group"),
)
OPERATION: Final = (
    *HEAD,
    *("kind", "affectsState", "code", "base", "resource", "system", "type", "instance"),
    *("inputProfile", "outputProfile", "parameter", "overload"),
)
PROSE: Final = frozenset({"definition", "description", "documentation", "comment", "designation", "title"})


def structure(resource: Json) -> Json:
    """A StructureDefinition with the facts of its elements."""
    kept = _only(resource, STRUCTURE)
    view = "snapshot" if "snapshot" in resource else "differential"
    kept[view] = {"element": [_element(element) for element in resource[view]["element"]]}
    return kept


def _element(element: Json) -> Json:
    kept = _only(element, ELEMENT)
    kept |= {name: value for name, value in element.items() if name.startswith(ELEMENT_CHOICES)}
    kept.pop("isModifierReason", None)
    for name, members in PARTS.items():
        if isinstance(kept.get(name), list):
            kept[name] = [_part(item, members) for item in kept[name]]
        elif name in kept:
            kept[name] = _part(kept[name], members)
    return {name: value for name, value in kept.items() if value is not False}


def _part(item: Json, members: tuple[str, ...]) -> Json:
    kept = _only(item, members)
    if "extension" in kept:
        kept["extension"] = [extension for extension in kept["extension"] if extension["url"] in EXTENSIONS]
    return {name: value for name, value in kept.items() if value != []}


def _only(item: Json, members: tuple[str, ...]) -> Json:
    return {name: item[name] for name in members if name in item}


def _plain(members: tuple[str, ...]) -> Callable[[Json], Json]:
    """Keep these members, without prose and extensions at any depth."""
    return lambda resource: _without_prose(_only(resource, members))


def _without_prose(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_prose(item) for item in value]
    if not isinstance(value, dict):
        return value
    dropped = PROSE | {"extension"}
    return {
        name: _without_prose(item) for name, item in value.items() if name not in dropped and not name.startswith("_")
    }


FACTS: Final[dict[str, Callable[[Json], Json]]] = {
    "StructureDefinition": structure,
    "SearchParameter": lambda resource: _only(resource, PARAMETER),
    "CompartmentDefinition": _plain(COMPARTMENT),
    "ValueSet": _plain(VALUE_SET),
    "CodeSystem": _plain(CODE_SYSTEM),
    "ConceptMap": _plain(CONCEPT_MAP),
    "OperationDefinition": _plain(OPERATION),
}
"""What is kept, by resource type and in the order of the archive; other types are left out."""


def read(package: Path) -> Iterator[Json]:
    """The facts of a published package, by resource type and id."""
    resources: list[Json] = []
    with tarfile.open(package) as tar:
        for member in tar:
            if not member.isfile() or not member.name.endswith(".json") or member.name.count("/") != 1:
                continue
            file = tar.extractfile(member)
            resource = archive.loads(file.read()) if file else None
            if isinstance(resource, dict) and resource.get("resourceType") in FACTS:
                resources.append(FACTS[resource["resourceType"]](resource))
    order = list(FACTS)
    yield from sorted(resources, key=lambda resource: (order.index(resource["resourceType"]), resource["id"]))


def derive(resources: Iterable[Json]) -> dict[str, Any]:
    """What is computed beforehand, so that a type or its search parameters cost one row."""
    resources = list(resources)
    facts: dict[str, Any] = {}
    bases: dict[str, str | None] = {}
    patterns: dict[str, str | None] = {}
    concrete: list[str] = []
    for resource in resources:
        if resource["resourceType"] != "StructureDefinition" or not _defines_type(resource):
            continue
        name = resource["type"]
        compiled = types.compile_types(resource)
        facts[f"type/{name}"] = types.as_rows(compiled)
        bases[name] = compiled[0].base
        if resource["kind"] == "primitive-type":
            patterns[name] = types.regex(resource)
        if resource["kind"] == "resource" and not resource["abstract"]:
            concrete.append(name)
    facts |= {f"search/{name}": rows for name, rows in _search(resources).items()}
    facts |= {f"compartment/{code}": members for code, members in _compartments(resources)}
    return facts | {"resource-types": sorted(concrete), "bases": bases, "primitives": patterns}


def _defines_type(resource: Json) -> bool:
    return resource["kind"] != "logical" and resource.get("derivation") != "constraint"


def _is_example(resource: Json) -> bool:
    return bool(resource["id"] == "example" or resource["id"].startswith("example-"))


def _search(resources: Iterable[Json]) -> dict[str, list[Any]]:
    listed: dict[str, list[parameters.SearchParameter]] = {}
    for resource in resources:
        if resource["resourceType"] == "SearchParameter" and not _is_example(resource):
            for base, parameter in parameters.from_resource(resource):
                listed.setdefault(base, []).append(parameter)
    return {base: parameters.as_rows(sorted(items)) for base, items in listed.items()}


def _compartments(resources: Iterable[Json]) -> Iterator[tuple[str, dict[str, list[str]]]]:
    for resource in resources:
        if resource["resourceType"] == "CompartmentDefinition" and not _is_example(resource):
            members = {item["code"]: item["param"] for item in resource["resource"] if "param" in item}
            yield resource["code"], members


def build(package: Path, target: Path) -> int:
    """Write the archive of a published package to `target`; returns how many resources it holds."""
    resources = list(read(package))
    with tarfile.open(package) as tar:
        manifest = tar.extractfile("package/package.json")
        described = orjson.loads(manifest.read()) if manifest else {}
    facts = derive(resources) | {"package": {"name": described["name"], "version": described["version"]}}
    target.parent.mkdir(parents=True, exist_ok=True)
    archive.write(target, resources, facts)
    return len(resources)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Build the archive of R4's conformance resources.")
    parser.add_argument("package", type=Path, help="hl7.fhir.r4.core-4.0.1.tgz, as published")
    parser.add_argument("archive", type=Path, nargs="?", default=ARCHIVE)
    arguments = parser.parse_args()
    count = build(arguments.package, arguments.archive)
    print(f"{count} resources in {arguments.archive}: {arguments.archive.stat().st_size} bytes")


if __name__ == "__main__":
    main()
