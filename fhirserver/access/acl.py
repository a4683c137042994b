"""What access rules need of a resource, extracted when it is written: the envelope's `acl`.

author  actor keys of whom the resource names as author
by      actor keys of who deposited it
labels  `system|code` and bare codes of its security labels
conf    confidentiality, 0 (U) to 5 (V); 3 (N) if it says nothing
type    codes of its document type, when there is one
purposes  codes of the purposes of use that its labels name, when they name any
with    actor keys of who takes part in it, of what is private to them (`access.private`)
at      when it was deposited
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.access import keys, private, subscriber
from fhirserver.spec import systems

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from fhirserver.access.requester import Requester

RANKS: Final = {"U": 0, "L": 1, "M": 2, "N": 3, "R": 4, "V": 5}
NORMAL, RESTRICTED = RANKS["N"], RANKS["R"]
CONFIDENTIALITY: Final = (
    systems.CONFIDENTIALITY,
    "http://hl7.org/fhir/v3/Confidentiality",
    "urn:oid:2.16.840.1.113883.5.25",
    "2.16.840.1.113883.5.25",
    "https://mos.esante.gouv.fr/NOS/TRE_A08-HL7Confidentiality/FHIR/TRE-A08-HL7Confidentiality",
)
PURPOSE_SYSTEMS: Final = (systems.ACT_REASON, "urn:oid:2.16.840.1.113883.5.8")
MASKED: Final = ("MASQUE_PS", "MASQUE_PSOCIAL", "MASQUE_PT")
HIDDEN_FROM_PATIENT: Final = "INVISIBLE_PATIENT"
HIDDEN_FROM_REPRESENTATIVES: Final = "INVISIBLE_REPRESENTANTS_LEGAUX"
THROUGH: Final = "urn:fhirserver:label|through-document"
"""On a Binary whose `securityContext` is a document's: where it does not bear that document (`doc`), only who needs no
labels judged sees it."""

_AUTHORS: Final = (
    "author", "asserter", "recorder", "requester", "authenticator", "attester", "informationSource", "operator",
    "resultsInterpreter", "source", "sender", "enterer", "prescriber",
)  # fmt: skip
_PERFORMED: Final = frozenset({
    "Observation", "DiagnosticReport", "Procedure", "Immunization", "MedicationAdministration", "MedicationDispense",
    "ClinicalImpression", "RiskAssessment", "ChargeItem",
})  # fmt: skip
"""Types whose performer did what they tell; that of a request is only asked to."""
_TYPED: Final = frozenset({"DocumentReference", "Composition", "DocumentManifest"})


def acl(
    resource: Mapping[str, Any],
    requester: Requester,
    now: datetime,
    previous: Mapping[str, Any] | None = None,
    *,
    identifiers: Mapping[str, tuple[str, ...]] | None = None,
) -> dict[str, Any]:
    """The `acl` of a resource. `previous`, that of the version before, keeps who deposited it and when.

    `identifiers` gives national keys of local authors, `Practitioner/abc`.
    """
    labels = set(_labels(resource))
    rank = max((RANKS[code] for code in _confidentiality(resource)), default=NORMAL)
    authors = set(_authors(resource, identifiers or {}))
    types = {code for _, code in _codings(resource.get("type"))} if resource.get("resourceType") in _TYPED else set()
    if resource.get("resourceType") == "Binary" and _of_document(resource):
        labels.add(THROUGH)
    found: dict[str, Any] = {
        "author": sorted(authors),
        "by": list(previous["by"]) if previous else _depositors(resource, requester),
        "labels": sorted(labels),
        "conf": rank,
        "at": previous["at"] if previous else now,
    }
    purposes = {code for system, code in _labelled(resource) if system in PURPOSE_SYSTEMS}
    between = private.participants(resource, identifiers or {})
    more = {"type": sorted(types), "purposes": sorted(purposes), "with": between}
    return found | {name: value for name, value in more.items() if value}


def _depositors(resource: Mapping[str, Any], requester: Requester) -> list[str]:
    return [subscriber.key(requester)] if resource.get("resourceType") == subscriber.TYPE else sorted(requester.own)


def security(resource: Mapping[str, Any]) -> list[Any]:
    """The elements that carry labels, as they stand: compared to tell whether a write changes who sees."""
    meta = resource.get("meta")
    found = [meta.get("security") if isinstance(meta, dict) else None]
    return [*found, resource.get("securityLabel"), resource.get("confidentiality")]


def label_codes(resource: Mapping[str, Any]) -> frozenset[str]:
    """The bare codes of all labels."""
    return frozenset(code for _, code in _labelled(resource))


def _labels(resource: Mapping[str, Any]) -> Iterator[str]:
    for system, code in _labelled(resource):
        yield code
        if system:
            yield f"{system}|{code}"


def _confidentiality(resource: Mapping[str, Any]) -> Iterator[str]:
    """Codes of the ladder. R and V count whatever their system, lower ones only where they are meant so: a mistaken
    system may hide, never show."""
    for system, code in _labelled(resource):
        if code in ("R", "V") or (code in RANKS and (not system or system in CONFIDENTIALITY)):
            yield code


def _labelled(resource: Mapping[str, Any]) -> Iterator[tuple[str | None, str]]:
    meta = resource.get("meta")
    yield from _codings({"coding": meta.get("security") if isinstance(meta, dict) else None})
    for concept in _list(resource.get("securityLabel")):
        yield from _codings(concept)
    if resource.get("resourceType") == "Composition" and isinstance(resource.get("confidentiality"), str):
        yield None, resource["confidentiality"]


def _authors(resource: Mapping[str, Any], identifiers: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    inner = keys.contained(resource)
    names: Iterable[str] = _AUTHORS
    if resource.get("resourceType") in _PERFORMED:
        names = (*_AUTHORS, "performer")
    for name in names:
        value = resource.get(name)
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict):
                for reference in (each, each.get("actor"), each.get("party"), each.get("agent")):
                    yield from keys.of_reference(reference, identifiers, inner)


def author_references(resource: Mapping[str, Any]) -> frozenset[str]:
    """Local references whose national keys the rules want (`identifiers`): authors, who takes part in what is private,
    and members of a CareTeam."""
    found = {key for key in _authors(resource, {}) if "|" not in key} | set(private.references(resource))
    if resource.get("resourceType") == "CareTeam":
        found.update(keys.references([resource.get("participant"), resource.get("managingOrganization")]))
    return frozenset(found)


def _of_document(binary: Mapping[str, Any]) -> bool:
    context = binary.get("securityContext")
    if not isinstance(context, dict):
        return False
    place = keys.local(context.get("reference"))
    return place is None or place[0] != "Patient"


def _codings(concept: Any) -> Iterator[tuple[str | None, str]]:
    for each in _list(concept.get("coding") if isinstance(concept, dict) else None):
        if isinstance(each, dict) and isinstance(each.get("code"), str):
            system = each.get("system")
            yield (system if isinstance(system, str) else None), each["code"]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
