"""Small profiles made for one test, as a package on disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fhirserver.spec import Package
from fhirserver.validation import Validator

if TYPE_CHECKING:
    from pathlib import Path

BASE = "http://example.org/fhir/StructureDefinition/"
TYPES = "http://hl7.org/fhir/StructureDefinition/"


def structure(name: str, kind: str, *elements: dict[str, Any], base: str | None = None, **more: Any) -> dict[str, Any]:
    """A profile `name` of the type `kind` by its differential."""
    return {
        "resourceType": "StructureDefinition",
        "id": name,
        "url": BASE + name,
        "version": "1.0.0",
        "name": name,
        "status": "draft",
        "kind": "resource" if kind[0].isupper() and kind not in DATA_TYPES else "complex-type",
        "abstract": False,
        "type": kind,
        "baseDefinition": base or TYPES + kind,
        "derivation": "constraint",
        "differential": {"element": [{"id": kind, "path": kind}, *elements]},
        **more,
    }


DATA_TYPES = ("Extension", "HumanName", "Identifier", "Coding", "CodeableConcept", "Quantity", "Address")


def element(identity: str, **facts: Any) -> dict[str, Any]:
    """An element by its id; the path and the name of the slice follow from it."""
    path = ".".join(step.partition(":")[0] for step in identity.split("."))
    last = identity.rpartition(".")[2]
    found: dict[str, Any] = {"id": identity, "path": path}
    if ":" in last:
        found["sliceName"] = last.partition(":")[2]
    return found | facts


def sliced(kind: str, path: str, rules: str = "open", *, ordered: bool | None = None) -> dict[str, Any]:
    """`ElementDefinition.slicing` with one discriminator."""
    slicing: dict[str, Any] = {"discriminator": [{"type": kind, "path": path}], "rules": rules}
    if ordered is not None:
        slicing["ordered"] = ordered
    return slicing


def validator(folder: Path, *resources: dict[str, Any], **settings: Any) -> Validator:
    """A validator over R4 and these resources."""
    for number, resource in enumerate(resources):
        (folder / f"{resource['resourceType']}-{number}.json").write_text(json.dumps(resource), "utf-8")
    return Validator([Package.from_folder(folder)], **settings)
