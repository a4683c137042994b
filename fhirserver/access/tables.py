"""The tables that the rules read: purposes, shared types, and the habilitation matrix (CSV files beside this module).

The matrix shipped here is a SAMPLE and authoritative for nobody: the order of 26 October 2023 sets the real one, which
is not published in a form that could be taken over. Columns: profession (TRE_G15), kind (`document`: code is a document
type; `resource`: code is a resource type without one), code (`*`: every code without a row of its own), read (Y or N),
effective (date), version. What has no row is denied.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

from fhirserver.spec import Definitions
from fhirserver.tables import rows as rows_of

DOCUMENTS: Final = frozenset({"DocumentReference", "Composition", "DocumentManifest", "Binary"})
"""Types judged by their document type; a DocumentManifest or Binary without one falls under `*` alone."""

WITHHELD: Final = frozenset({"Consent", "AuditEvent"})
"""Types about the record itself: no professional reads them by a right to the record (whom else a person blocked is
nobody's business), whatever the matrix says."""

DATES: Final = {
    "AdverseEvent": "date", "AllergyIntolerance": "onset", "Appointment": "date", "CarePlan": "date",
    "ClinicalImpression": "date", "Communication": "sent", "Composition": "date", "Condition": "onset-date",
    "DiagnosticReport": "date", "DocumentManifest": "created", "DocumentReference": "period", "Encounter": "date",
    "EpisodeOfCare": "date", "FamilyMemberHistory": "date", "Flag": "date", "Goal": "start-date",
    "ImagingStudy": "started", "Immunization": "date", "List": "date", "Media": "created",
    "MedicationAdministration": "effective-time", "MedicationDispense": "whenhandedover",
    "MedicationRequest": "authoredon", "MedicationStatement": "effective", "NutritionOrder": "datetime",
    "Observation": "date", "Procedure": "date", "QuestionnaireResponse": "authored", "RiskAssessment": "date",
    "ServiceRequest": "occurrence", "Specimen": "collected", "VisionPrescription": "datewritten",
}  # fmt: skip
"""The search parameter that holds the clinically relevant time of a type, for `Consent.provision.dataPeriod`."""


class Purpose(NamedTuple):
    """A code of v3-PurposeOfUse: itself and what it specialises, and what the law makes of it here."""

    codes: frozenset[str]
    family: str


class Space(NamedTuple):
    """What a state of the space lets happen: the person (or representative) reads, and writes, professionals and who
    deposited consult, professionals and systems feed."""

    reads: bool
    writes: bool
    consults: bool
    feeds: bool


class Rights(NamedTuple):
    """What a profession may read of documents: all but `refused` when `every`, else only `granted`."""

    every: bool
    granted: frozenset[str]
    refused: frozenset[str]


@cache
def purposes() -> dict[str, Purpose]:
    """The codes that are known; family `care`, `emergency`, `prohibited` (insurers and markets) or `other`."""
    told = {row["code"]: row for row in rows("purposes.csv")}
    found = {}
    for code, row in told.items():
        codes, parent = {code}, row["parent"]
        while parent:
            codes.add(parent)
            parent = told[parent]["parent"]
        found[code] = Purpose(frozenset(codes), row["family"])
    return found


def purpose(code: str) -> Purpose:
    """One that is not known is nobody's care."""
    return purposes().get(code) or Purpose(frozenset({code}), "other")


@cache
def spaces() -> dict[str, Space]:
    """By state of the space."""
    names = ("reads", "writes", "consults", "feeds")
    return {row["state"]: Space(*(row[name] == "Y" for name in names)) for row in rows("spaces.csv")}


@cache
def shared() -> dict[str, str]:
    """Types that every authenticated requester reads where they are nobody's: type to who feeds them."""
    return {row["type"]: row["writer"] for row in rows("shared.csv")}


@cache
def matrix() -> dict[tuple[str, str], Rights]:
    """(profession, kind) to rights."""
    found: dict[tuple[str, str], dict[str, set[str]]] = {}
    for row in rows("matrix.csv"):
        rights = found.setdefault((row["profession"], row["kind"]), {"Y": set(), "N": set()})
        rights[row["read"]].add(row["code"])
    return {
        key: Rights("*" in rights["Y"], frozenset(rights["Y"] - {"*"}), frozenset(rights["N"]))
        for key, rights in found.items()
    }


def rights(profession: str | None, kind: str) -> Rights:
    """Nothing, for a profession that the matrix does not know."""
    base = (profession or "").partition("/")[0]
    return matrix().get((base, kind)) or Rights(False, frozenset(), frozenset())


def rows(name: str) -> list[dict[str, str]]:
    """A table beside this module."""
    return rows_of("fhirserver.access", name)


@cache
def resource_types() -> frozenset[str]:
    """The resource types of R4."""
    return frozenset(Definitions.core().resource_types)


@cache
def parameters(resource_type: str, kind: str) -> tuple[str, ...]:
    """The codes of a type's search parameters of one kind, `token` or `reference`."""
    found = Definitions.core().search_parameters(resource_type)
    return tuple(sorted(code for code, parameter in found.items() if parameter.type == kind))


@cache
def compartment() -> frozenset[str]:
    """The types that may be in a patient's compartment."""
    return frozenset(Definitions.core().compartment("Patient")) | {"Patient"}
