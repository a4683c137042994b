"""A document as who writes it here sends it: bytes inside, for PDSm's simplified publication (IHE ITI-105)."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any, Final

from fhirserver.documents.cda.publication import CLASSES, category
from fhirserver.documents.cda.rules import displays
from fhirserver.spec.systems import LOINC

if TYPE_CHECKING:
    from datetime import datetime

Resource = dict[str, Any]

SIMPLIFIED: Final = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-simplified-publish"
VISIBILITY: Final = (
    "https://mos.esante.gouv.fr/NOS/TRE_A07-StatutVisibiliteDocument/FHIR/TRE-A07-StatutVisibiliteDocument"
)
OWN: Final = "DOCPAT"
"""How the codes of what persons deposit themselves begin."""
_TYPES: Final = (
    "https://mos.esante.gouv.fr/NOS/TRE_A05-TypeDocComplementaireCISIS/FHIR/TRE-A05-TypeDocComplementaireCISIS"
)
_OWN_CLASS: Final = "90"
_LOINC: Final = re.compile(r"\d+-\d")


def types() -> dict[str, str]:
    """The types of documents of the health record (JDV_J07), by code."""
    return displays("J07")


def document(
    patient: str, unique: str, type_: str, title: str, media: str, data: bytes, author: Resource, now: datetime
) -> Resource:
    """A DocumentReference. `unique`: its uniqueId, a URI; `type_`: a code of `types()`; `title`: a line."""
    coding = {
        "system": LOINC if _LOINC.fullmatch(type_) else _TYPES,
        "code": type_,
        "display": types()[type_],
    }
    own = {"coding": [{"system": CLASSES, "code": _OWN_CLASS}]}
    return {
        "resourceType": "DocumentReference",
        "meta": {"profile": [SIMPLIFIED]},
        "masterIdentifier": {"use": "usual", "system": "urn:ietf:rfc:3986", "value": unique},
        "status": "current",
        "type": {"coding": [coding]},
        "category": [own if type_.startswith(OWN) else category({"coding": [coding]})],
        "subject": {"reference": f"Patient/{patient}"},
        "date": now.isoformat(timespec="seconds"),
        "author": [author],
        "custodian": {"display": "Espace de santé de la personne"},
        "content": [{"attachment": {"contentType": media, "data": base64.b64encode(data).decode(), "title": title}}],
    }


def labelled(made: Resource, *codes: str) -> Resource:
    """With labels of visibility (TRE_A07)."""
    labels = [{"coding": [{"system": VISIBILITY, "code": each}]} for each in codes]
    return made | ({"securityLabel": labels} if labels else {})
