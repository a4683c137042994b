"""The definitions of this repository, and what they name that is not here."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = Path(__file__).parents[2]
BARE: Final = ("http://snomed.info/sct", "http://loinc.org")
"""Systems whose displays are not ours to give away."""

ELSEWHERE: Final[Mapping[str, str]] = {
    "http://hl7.org/fhir/uv/phd/StructureDefinition/": "HL7 personal health devices",
    "http://loinc.org": "LOINC",
    "http://snomed.info/sct": "SNOMED CT",
    "https://mos.esante.gouv.fr/NOS/JDV_": "ANS nomenclatures, value sets",
    "https://mos.esante.gouv.fr/NOS/TRE_": "ANS nomenclatures, code systems",
    "https://smt.esante.gouv.fr/fhir/": "ANS terminology server",
    "https://www.ietf.org/rfc/rfc2445": "iCalendar",
    "urn:iso:std:iso:3166": "ISO 3166",
}
"""Beginnings of canonicals that need not resolve, and whose they are; docs/profiles.md says why."""


class Named(NamedTuple):
    """A canonical that a file names, and where."""

    canonical: str
    where: str


@functools.cache
def files() -> tuple[Path, ...]:
    """Every definition file."""
    return tuple(sorted(path for folder in ("profiles", "terminology") for path in (ROOT / folder).glob("*.json")))


@functools.cache
def read(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def of_type(resource_type: str) -> list[dict[str, Any]]:
    return [read(path) for path in files() if read(path)["resourceType"] == resource_type]


def canonical(resource: Mapping[str, Any]) -> str:
    """`url|version`, or the url when there is no version."""
    return f"{resource['url']}|{resource['version']}" if "version" in resource else str(resource["url"])


def profiles() -> list[dict[str, Any]]:
    return of_type("StructureDefinition")


def elements() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every profile with every element of its differential."""
    for profile in profiles():
        for element in profile["differential"]["element"]:
            yield profile, element


def named() -> Iterator[Named]:
    """Every canonical that a profile or a value set names."""
    for profile in profiles():
        yield Named(profile["baseDefinition"], profile["id"])
    for profile, element in elements():
        where = f"{profile['id']}: {element['id']}"
        for of in element.get("type", ()):
            yield from (Named(url, where) for url in (*of.get("profile", ()), *of.get("targetProfile", ())))
        if "binding" in element:
            yield Named(element["binding"]["valueSet"], where)
    for value_set in of_type("ValueSet"):
        compose = value_set["compose"]
        for part in (*compose.get("include", ()), *compose.get("exclude", ())):
            yield from (Named(url, value_set["id"]) for url in part.get("valueSet", ()))
            if "system" in part:
                yield Named(part["system"], value_set["id"])


def elsewhere(url: str) -> str | None:
    """The beginning that explains why a canonical does not resolve; None when it should."""
    return next((beginning for beginning in ELSEWHERE if url.startswith(beginning)), None)
