"""What a person decides of access, as Consents: whom he blocks, and which emergencies he opposes (docs/access.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.access.keys import FINESS, RPPS
from fhirserver.portal.language import N_
from fhirserver.portal.record import wording
from fhirserver.spec.systems import LOINC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.portal.record.space import Space

Resource = dict[str, Any]
TYPE: Final = "Consent"
EMERGENCIES: Final = {
    "BTG": N_(
        "Un professionnel qui ne vous suit pas peut ouvrir le dossier en urgence, et dit pourquoi (bris de glace)"
    ),
    "ETREAT": N_("Le médecin régulateur du SAMU-Centre 15 peut ouvrir le dossier"),
}
"""By purpose of use: what the law allows unless the person opposes it (CSP L.1111-17 I)."""
_TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem"
_DIRECTORY: Final = {RPPS: "Practitioner", FINESS: "Organization"}
_PLAIN: Final = frozenset({"type", "actor", "id"})


class Choice(NamedTuple):
    """A Consent as the page shows it: `kind` is block, permit, emergency or other; `who` it names; `purposes`."""

    id: str
    version: str
    kind: str
    who: list[str]
    purposes: list[str]
    date: str


def choice(consent: Mapping[str, Any]) -> Choice:
    provision = consent.get("provision") or {}
    who = [_named(each.get("reference") or {}) for each in provision.get("actor", ())]
    purposes = [str(each.get("code")) for each in provision.get("purpose", ())]
    return Choice(
        consent["id"],
        consent["meta"]["versionId"],
        _kind(provision, who, purposes),
        who,
        purposes,
        wording.when(consent.get("dateTime")),
    )


def numbered(text: str) -> tuple[str, str] | None:
    """System and value of an RPPS or a FINESS number; None of what is neither."""
    number = "".join(text.split()).upper()
    if len(number) == 11 and number.isascii() and number.isdigit():
        return RPPS, number
    fits = len(number) == 9 and number.isascii() and number.isalnum() and number[2:].isdigit()
    return (FINESS, number) if fits else None


def found(space: Space, system: str, value: str) -> Resource | None:
    """Whom the directory knows by a number."""
    bundle = space.read(_DIRECTORY[system], ("identifier", f"{system}|{value}"), ("_count", "1"), ("_total", "none"))
    return next((each["resource"] for each in bundle.get("entry", ())), None)


def actor(space: Space, system: str, value: str) -> Resource:
    """A Reference by number, with the name that the directory gives."""
    known = found(space, system, value)
    name = name_of(known) if known else ""
    named = {"display": name} if name else {}
    return {"type": _DIRECTORY[system], "identifier": {"system": system, "value": value}, **named}


def name_of(actor: Mapping[str, Any]) -> str:
    """The name of a Practitioner or an Organization."""
    name = actor.get("name")
    return name if isinstance(name, str) else wording.person(name)


def block(space: Space, system: str, value: str, date: str) -> Resource:
    """A Consent that denies all to a professional or an establishment."""
    role = {"coding": [{"system": f"{_TERMINOLOGY}/v3-ParticipationType", "code": "IRCP"}]}
    return _consent(space, date, {"actor": [{"role": role, "reference": actor(space, system, value)}]})


def opposition(space: Space, purpose: str, date: str) -> Resource:
    """A Consent that denies a kind of emergency to everyone."""
    coding = {"system": f"{_TERMINOLOGY}/v3-ActReason", "code": purpose}
    return _consent(space, date, {"purpose": [coding]})


def _consent(space: Space, date: str, provision: Resource) -> Resource:
    who = space.subject
    performer = f"Patient/{space.id}" if who.kind == "patient" else who.id
    return {
        "resourceType": TYPE,
        "status": "active",
        "scope": {"coding": [{"system": f"{_TERMINOLOGY}/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": LOINC, "code": "59284-0"}]}],
        "patient": {"reference": f"Patient/{space.id}"},
        "dateTime": date,
        "performer": [{"reference": performer}],
        "policyRule": {"coding": [{"system": f"{_TERMINOLOGY}/v3-ActCode", "code": "OPTIN"}]},
        "provision": {"type": "deny", **provision},
    }


def _kind(provision: Mapping[str, Any], who: list[str], purposes: list[str]) -> str:
    rest = provision.keys() - _PLAIN
    if provision.get("type") == "deny" and who and not rest:
        return "block"
    if provision.get("type") == "deny" and not who and rest == {"purpose"} and set(purposes) <= EMERGENCIES.keys():
        return "emergency"
    return "permit" if provision.get("type") == "permit" and who and not rest else "other"


def _named(reference: Mapping[str, Any]) -> str:
    identifier = reference.get("identifier") or {}
    number = {RPPS: "RPPS", FINESS: "FINESS"}.get(str(identifier.get("system")), "")
    told = " ".join(each for each in (number, str(identifier.get("value", ""))) if each)
    parts = [str(reference.get("display", "")), told or str(reference.get("reference", ""))]
    return ", ".join(filter(None, parts))
