"""The whole examination, part by part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fhirserver.doctor.configuration import folders, keys, settings
from fhirserver.doctor.database import database
from fhirserver.doctor.machine import disk, reached

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.doctor.finding import Finding
    from fhirserver.settings import Settings

PARTS: Final = (settings, keys, folders, database, disk, reached)


def examination(given: Settings) -> Iterator[Finding]:
    """Every finding, as it is found: some take seconds."""
    for part in PARTS:
        yield from part(given)
