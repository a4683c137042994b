"""What traced interactions are as AuditEvents: codes of FHIR, DICOM and IHE BALP."""

from __future__ import annotations

from typing import Final, NamedTuple

from fhirserver.spec.systems import PARTICIPATION, PROVENANCE_PARTICIPANT

RPPS: Final = "https://rpps.esante.gouv.fr"
FINESS: Final = "https://finess.esante.gouv.fr"
CLIENT: Final = "urn:fhirserver:client"
URI: Final = "urn:ietf:rfc:3986"
EVENTS: Final = "http://terminology.hl7.org/CodeSystem/audit-event-type"
RESTFUL: Final = "http://hl7.org/fhir/restful-interaction"
AUTHENTICATION: Final = "urn:fhirserver:interaction"
"""What happens to accounts, sessions and grants: `login`, `token`, `grant`, ... as whoever traces it names it."""
DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"
SOURCES: Final = "http://terminology.hl7.org/CodeSystem/security-source-type"
ENTITY_TYPES: Final = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
OBJECT_ROLES: Final = "http://terminology.hl7.org/CodeSystem/object-role"
BALP_ENTITIES: Final = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
BALP: Final = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
PROFESSIONS: Final = "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante"
SPECIALITIES: Final = "https://mos.esante.gouv.fr/NOS/TRE_R38-SpecialiteOrdinale/FHIR/TRE-R38-SpecialiteOrdinale"

Code = tuple[str, str]
"""System and code."""


class Pattern(NamedTuple):
    """How BALP writes interactions of one kind: the action, the types of the agents, and the profile, if it has one."""

    action: str
    profile: str
    client: Code
    server: Code
    user: Code


_SOURCE, _DESTINATION = (DCM, "110153"), (DCM, "110152")
_AUTHOR, _RECIPIENT = (PARTICIPATION, "AUT"), (PARTICIPATION, "IRCP")
_READ: Final = Pattern("R", "Read", _DESTINATION, _SOURCE, _RECIPIENT)
_QUERY: Final = Pattern("E", "Query", _SOURCE, _DESTINATION, _RECIPIENT)
_HISTORY: Final = _READ._replace(profile="")
_EXECUTE: Final = _QUERY._replace(profile="")

PATTERNS: Final = {
    "create": Pattern("C", "Create", _SOURCE, _DESTINATION, _AUTHOR),
    "read": _READ,
    "vread": _READ,
    "update": Pattern("U", "Update", _SOURCE, _DESTINATION, _AUTHOR),
    "patch": Pattern("U", "Update", _SOURCE, _DESTINATION, _AUTHOR),
    "delete": Pattern("D", "Delete", (DCM, "110150"), (PROVENANCE_PARTICIPANT, "custodian"), _AUTHOR),
    "search-type": _QUERY,
    "search-system": _QUERY,
    "history-instance": _HISTORY,
    "history-type": _HISTORY,
    "history-system": _HISTORY,
    "transaction": _EXECUTE,
    "batch": _EXECUTE,
    "operation": _EXECUTE,
}
"""By the code of the interaction, which is the subtype."""
OTHER: Final = _EXECUTE
USER_AUTHENTICATION: Final = "110114"
"""Of DICOM: the type of what is no interaction of REST."""


TYPES: Final = {"backup": (DCM, "110106"), "restore": (DCM, "110107")}
"""Of DICOM, what the whole database goes through: Export, Import."""


def event_type(what: str) -> Code:
    return TYPES.get(what, (EVENTS, "rest") if what in PATTERNS else (DCM, USER_AUTHENTICATION))


def subtype(what: str) -> Code:
    return (RESTFUL if what in PATTERNS else AUTHENTICATION), what


OUTCOME: Final = (("0", 0, 400), ("4", 400, 500), ("8", 500, 1000))
"""The outcome of a status, from the one up to below the other: success, minor failure, serious failure."""

PATIENT: Final = ((ENTITY_TYPES, "1"), (OBJECT_ROLES, "1"))
DATA: Final = ((ENTITY_TYPES, "2"), (OBJECT_ROLES, "4"))
QUERY: Final = ((ENTITY_TYPES, "2"), (OBJECT_ROLES, "24"))
REQUEST: Final = (BALP_ENTITIES, "XrequestId")
"""Type and role of the entities; that of the request has no role."""


def outcome(status: int) -> str:
    """The outcome of an HTTP status."""
    return next(code for code, low, high in OUTCOME if low <= status < high)


def roles(profession: str | None) -> list[Code]:
    """What a profession such as `G15_10/SM26` says of its bearer: his profession, and his speciality."""
    first, _, second = (profession or "").partition("/")
    found = [(PROFESSIONS, first.removeprefix("G15_"))] if first.startswith("G15_") else []
    return [*found, *([(SPECIALITIES, second)] if second else [])]
