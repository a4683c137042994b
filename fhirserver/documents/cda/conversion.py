"""What the conversion of a CDA document answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from fhirserver.outcome import Issue

PATIENT: Final = "urn:uuid:00000000-0000-5000-8000-000000000001"
"""Stands for the patient in every reference: who ingests puts `Patient/id` in its place."""

ROLES: Final = ("document", "binary", "composition", "directory", "derived", "provenance")


class Entry(NamedTuple):
    """A resource of a conversion, referred to by `full_url` (`urn:uuid:…`, the same each time the document is read).

    `role` is one of ROLES: `document` the DocumentReference; `binary` the CDA and what it embeds; `directory` actors
    that many records share, to be matched by identifier; `derived` clinical content; `provenance`.
    """

    full_url: str
    role: str
    resource: dict[str, Any]


class Left(NamedTuple):
    """A statement of the XML that is in no resource, and why."""

    xpath: str
    template_ids: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class PatientTraits:
    """Who the document says it is about (`recordTarget`): what identity vigilance compares."""

    identifiers: tuple[tuple[str, str], ...] = ()
    """(system, value) of every id, FHIR systems."""
    birth_name: str | None = None
    used_name: str | None = None
    given: tuple[str, ...] = ()
    """Given names of birth, the first one first."""
    gender: str | None = None
    birth_date: str | None = None
    birth_place: str | None = None
    """INSEE code of the commune or country of birth."""
    deceased: bool | str | None = None
    resource: dict[str, Any] = field(default_factory=dict)
    """The same as a Patient, without id."""


@dataclass(frozen=True)
class Header:
    """The facts of a header that decide what becomes of the document. Ids are uris: `urn:oid:…`, `urn:uuid:…`."""

    unique_id: str
    set_id: str | None
    version: int | None
    code: dict[str, Any] | None
    title: str | None
    language: str | None
    confidentiality: dict[str, Any] | None
    created: str | None
    replaces: str | None
    patient: PatientTraits
    custodian: dict[str, Any] | None
    authors: tuple[dict[str, Any], ...]
    encounter: dict[str, Any] | None
    events: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Conversion:
    """A document read: its header, the resources it became, what is wrong with it, and what is in no resource."""

    document: Header
    level: int
    media_type: str
    auto_presentable: bool
    entries: tuple[Entry, ...]
    findings: tuple[Issue, ...]
    left: tuple[Left, ...]

    def of(self, role: str) -> list[dict[str, Any]]:
        """The resources of a role."""
        return [entry.resource for entry in self.entries if entry.role == role]

    def all(self, type: str) -> list[dict[str, Any]]:
        """The resources of a type."""
        return [entry.resource for entry in self.entries if entry.resource["resourceType"] == type]
