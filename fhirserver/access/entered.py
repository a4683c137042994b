"""What a person enters is told apart by a tag, and by a Provenance: the server sets both, nobody else.

The tag is a code of HL7's v3-ObservationValue: `PATAST` (the person asserts it), `PACQAST` (a representative does). The
Provenance bears a tag of the server's own, `ORIGIN`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.spec.systems import OBSERVATION_VALUE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Resource = dict[str, Any]

CODES: Final[Mapping[str, str]] = {"patient": "PATAST", "representative": "PACQAST"}
"""By the kind of requester who enters something."""
_DISPLAYS: Final = {"PATAST": "patient asserted", "PACQAST": "patient acquaintance asserted"}
ORIGIN: Final = {"system": "urn:fhirserver:entered", "code": "origin"}
"""The tag of a Provenance that the server wrote."""
REMINDER, ANSWER = "urn:fhirserver:reminder", "urn:fhirserver:reminder-answer"
"""Systems of the identifier and of the code of a Basic that says what the person answered to a reminder."""
APART: Final = frozenset({
    "Appointment", "AppointmentResponse", "AuditEvent", "Binary", "Bundle", "CareTeam", "Communication",
    "CommunicationRequest", "Composition", "Consent", "DocumentManifest", "DocumentReference", "List", "Patient",
    "Provenance", "RelatedPerson", "Subscription",
})  # fmt: skip
"""Types that are no data of health, or say themselves, and must, who wrote them."""


def marks(resource: Mapping[str, Any] | None) -> frozenset[str]:
    """The codes by which it is told apart: none of what professionals and systems wrote."""
    return frozenset(str(each["code"]) for each in tags(resource) if _is_mark(each))


def is_origin(resource: Mapping[str, Any] | None) -> bool:
    """Whether it is a Provenance that only the server writes."""
    return (resource or {}).get("resourceType") == "Provenance" and bears_origin(resource)


def bears_origin(resource: Mapping[str, Any] | None) -> bool:
    """Whether it bears the tag of such a Provenance."""
    return any(each.get("system") == ORIGIN["system"] for each in tags(resource))


def is_answer(resource: Mapping[str, Any] | None) -> bool:
    """Whether it is, or is found as, what the person answers to reminders: nobody else says that."""
    found = resource if resource is not None and resource.get("resourceType") == "Basic" else {}
    code = found.get("code")
    told = (found.get("identifier"), code.get("coding") if isinstance(code, dict) else None)
    systems = (each.get("system") for some in told if isinstance(some, list) for each in some if isinstance(each, dict))
    return any(each in (REMINDER, ANSWER) for each in systems)


def marked(resource: Resource, codes: Iterable[str]) -> Resource:
    """The resource with just these marks; what else it is tagged with stays."""
    wanted = sorted(codes)
    if sorted(marks(resource)) == wanted:
        return resource
    meta = dict(resource.get("meta") or {})
    kept = [each for each in meta.get("tag") or () if not (isinstance(each, dict) and _is_mark(each))]
    tags = [*kept, *({"system": OBSERVATION_VALUE, "code": code, "display": _DISPLAYS[code]} for code in wanted)]
    meta.pop("tag", None)
    return {**resource, "meta": meta | ({"tag": tags} if tags else {})}


def expected(
    kind: str, own: bool, type_: str, pre: Mapping[str, Any] | None, sent: frozenset[str]
) -> frozenset[str] | None:
    """The marks that a written resource is to bear; None where those that were sent are nobody's to put there.

    `kind`: of the requester; `own`: whether it is, or will be, an entry of his. What an operator sends stays.
    """
    if kind == "operator":
        return sent
    found = marks(pre)
    if not found and own and kind in CODES and type_ not in APART:
        found = frozenset({CODES[kind]})
    return found if sent <= found else None


def tags(resource: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The tags of a resource, as far as they are any."""
    meta = (resource or {}).get("meta")
    found = meta.get("tag") if isinstance(meta, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _is_mark(tag: Mapping[str, Any]) -> bool:
    return tag.get("system") == OBSERVATION_VALUE and tag.get("code") in _DISPLAYS
