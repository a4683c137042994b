"""Small conformance resources, and packages of them."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any, Final

from fhirserver.spec import Definitions, Package

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

BASE: Final = "https://example.org/fhir"
Json = dict[str, Any]


def value_set(name: str, /, *include: Json, **more: Any) -> Json:
    compose: Json = {"include": list(include)} | ({"exclude": more.pop("exclude")} if "exclude" in more else {})
    return {"resourceType": "ValueSet", "id": name, "url": f"{BASE}/ValueSet/{name}", "compose": compose, **more}


def code_system(name: str, /, *concept: Json, **more: Any) -> Json:
    system = {"resourceType": "CodeSystem", "id": name, "url": f"{BASE}/CodeSystem/{name}", "content": "complete"}
    return {**system, "concept": list(concept), **more}


def profile(name: str, base: str, /, *differential: Json, **more: Any) -> Json:
    """A constraint on a type (`Patient`) or on another profile made here (`#other`)."""
    parent = f"{BASE}/StructureDefinition/{base[1:]}" if base.startswith("#") else base
    parent = parent if ":" in parent else f"http://hl7.org/fhir/StructureDefinition/{parent}"
    return {
        "resourceType": "StructureDefinition",
        "id": name,
        "url": f"{BASE}/StructureDefinition/{name}",
        "kind": "resource",
        "abstract": False,
        "type": differential[0]["path"].partition(".")[0] if differential else base,
        "baseDefinition": parent,
        "derivation": "constraint",
        "differential": {"element": list(differential)},
        **more,
    }


def folder(path: Path, resources: Iterable[Json]) -> Package:
    path.mkdir(parents=True, exist_ok=True)
    for number, resource in enumerate(resources):
        (path / f"{number}.json").write_text(json.dumps(resource), encoding="utf-8")
    return Package.from_folder(path)


def definitions(path: Path, *resources: Json) -> Definitions:
    return Definitions([folder(path, resources), Package.core()])


def tgz(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return path
