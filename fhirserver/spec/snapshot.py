"""Snapshots from differentials (https://hl7.org/fhir/R4/profiling.html#snapshot)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.spec.definitions import Definitions


class SnapshotError(ValueError):
    """The differential cannot be applied to its base."""


def generate(structure: Mapping[str, Any], definitions: Definitions) -> dict[str, Any]:
    """The StructureDefinition with a snapshot. Raises SnapshotError when its base is unknown."""
    raise SnapshotError(f"{structure.get('url')}: no snapshot.")
