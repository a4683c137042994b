"""Identifiers of code systems and of identifier domains: OIDs in CDA, URIs in FHIR, each way (`systems.csv`)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from fhirserver.tables import rows as rows_of

URN_OID: Final = "urn:oid:"
URN_UUID: Final = "urn:uuid:"
URI: Final = "urn:ietf:rfc:3986"

IDENTIFIER_TYPES: Final = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"

PERSONS: Final = "1.2.250.1.71.4.2.1"
"""National identifiers of professionals (IDNPS): a digit that tells the register, then the number."""
STRUCTURES: Final = "1.2.250.1.71.4.2.2"
"""National identifiers of organisations (IDNST), likewise."""

_V2: Final = "2.16.840.1.113883.12."
_V2_URI: Final = "http://terminology.hl7.org/CodeSystem/v2-"

_oid = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*))+").fullmatch
_uuid = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch


class Register(NamedTuple):
    """A national register: identifiers of its domain `root` begin with `prefix`."""

    root: str
    prefix: str
    pattern: str
    system: str
    type: str | None


REGISTERS: Final = (
    Register(PERSONS, "8", r"[0-9]{11}", "https://rpps.esante.gouv.fr", "RPPS"),
    Register(STRUCTURES, "1", r"[0-9A-Z]{9}", "https://finess.esante.gouv.fr", None),
    Register(STRUCTURES, "2", r"[0-9]{9}", "https://sirene.fr", "SIREN"),
    Register(STRUCTURES, "3", r"[0-9]{14}", "https://sirene.fr", "SIRET"),
)

TYPES: Final = {
    PERSONS: "IDNPS",
    STRUCTURES: "IDNST",
    "1.2.250.1.213.1.4.8": "INS-NIR",
    "1.2.250.1.213.1.4.9": "INS-NIA",
    "1.2.250.1.213.1.4.10": "INS-NIR-TEST",
    "1.2.250.1.213.1.4.11": "INS-NIR-DEMO",
}
"""`Identifier.type` by the domain of the identifier."""


def system(oid: str) -> str:
    """The FHIR system of a code system's OID, `urn:oid:…` when no other is known."""
    known = _tables()[0].get(oid)
    if known is None and oid.startswith(_V2) and oid[len(_V2) :].isdecimal():
        known = f"{_V2_URI}{int(oid[len(_V2) :]):04}"
    return known or urn(oid) or oid


def oid(uri: str) -> str | None:
    """The OID of a FHIR system; None when it has none that is known here."""
    if uri.startswith(URN_OID):
        return uri[len(URN_OID) :]
    known = _tables()[1].get(uri)
    if known is None and uri.startswith(_V2_URI) and uri[len(_V2_URI) :].isdecimal():
        return f"{_V2}{int(uri[len(_V2_URI) :])}"
    return known


def urn(root: str) -> str | None:
    """`urn:oid:…` or `urn:uuid:…` of the root of an instance identifier; None when it is neither."""
    if is_oid(root):
        return URN_OID + root
    return URN_UUID + root.lower() if _uuid(root) else None


def is_oid(text: str) -> bool:
    return _oid(text) is not None


@lru_cache(1)
def _tables() -> tuple[dict[str, str], dict[str, str]]:
    forward = {row["oid"]: row["system"] for row in rows_of(__package__, "systems.csv")}
    backward: dict[str, str] = {}
    for number, uri in forward.items():
        backward.setdefault(uri, number)
    return forward, backward
