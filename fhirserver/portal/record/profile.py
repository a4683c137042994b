"""`/dossier/<patient>/profil`: allergies, treatments, problems, vaccinations and measures, of what may be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.portal.language import N_, _
from fhirserver.portal.page import page
from fhirserver.portal.record import wording
from fhirserver.portal.record.biology import TYPE, row
from fhirserver.portal.record.space import opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Blueprint, Response

_TITLES: Final = {
    "AllergyIntolerance": N_("Allergies et intolérances"),
    "MedicationStatement": N_("Traitements"),
    "MedicationRequest": N_("Prescriptions en cours"),
    "Condition": N_("Problèmes de santé"),
    "Immunization": N_("Vaccinations"),
    "Procedure": N_("Actes"),
    "DeviceUseStatement": N_("Dispositifs"),
}
"""By the types of the summary (`rest.documents.summary`), in order; results of analyses have a page of their own."""
_ALWAYS: Final = ("AllergyIntolerance", "MedicationStatement", "Condition", "Immunization")
_NAMES: Final = ("code", "vaccineCode", "medicationCodeableConcept", "medicationReference", "device")
_DATES: Final = (
    "occurrenceDateTime", "occurrenceString", "onsetDateTime", "effectiveDateTime", "performedDateTime", "authoredOn",
    "recordedDate", "dateAsserted", "recordedOn",
)  # fmt: skip
_STATES: Final = {
    "active": "",
    "completed": "",
    "in-progress": N_("en cours"),
    "inactive": N_("inactif"),
    "resolved": N_("résolu"),
    "remission": N_("en rémission"),
    "recurrence": N_("récidive"),
    "on-hold": N_("suspendu"),
    "intended": N_("prévu"),
    "stopped": N_("arrêté"),
    "refuted": N_("écarté"),
    "unconfirmed": N_("non confirmé"),
    "provisional": N_("à confirmer"),
    "differential": N_("à confirmer"),
}


class Item(NamedTuple):
    """`own`: entered by the person, or who represents him, not by a professional."""

    name: str
    date: str
    details: str
    own: bool


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/dossier/<patient>/profil", "profile", profile)


def profile(patient: str) -> Response:
    """The summary of the record by sections, then the latest of each measure."""
    space = opened(patient)
    bundle = space.read(f"Patient/{space.id}/$summary")
    found: dict[str, list[Item]] = {}
    for each in bundle["entry"]:
        resource = each["resource"]
        if resource["resourceType"] in _TITLES:
            found.setdefault(resource["resourceType"], []).append(item(resource))
    sections = [
        (_(title), found.get(type_, [])) for type_, title in _TITLES.items() if type_ in found or type_ in _ALWAYS
    ]
    asked = (("patient", f"Patient/{space.id}"), ("category", "vital-signs"))
    measures = [row(each["resource"]) for each in space.read(f"{TYPE}/$lastn", *asked).get("entry", ())]
    return page("record/profile.html", sections=sections, measures=measures, born=_born(space.patient), here="profile")


def item(resource: Mapping[str, Any]) -> Item:
    """An entry of a section."""
    named: Any = next((resource[each] for each in _NAMES if resource.get(each)), {})
    date = next((str(resource[each]) for each in _DATES if resource.get(each)), "")
    return Item(
        wording.concept(named) or wording.actor(named) or _("Sans nom"),
        wording.when(date) or date,
        "; ".join(_details(resource)),
        _is_own(resource),
    )


def _details(resource: Mapping[str, Any]) -> list[str]:
    found = [wording.concept(each) for one in resource.get("reaction", ()) for each in one.get("manifestation", ())]
    found += [str(each["text"]) for each in resource.get("dosage", ()) if each.get("text")]
    found += [str(each["text"]) for each in resource.get("dosageInstruction", ()) if each.get("text")]
    if resource.get("criticality") == "high":
        found.append(_("risque élevé"))
    codes = [_code(resource.get(each)) for each in ("clinicalStatus", "verificationStatus", "status")]
    return [each for each in [*found, *(_(_STATES.get(code, "")) for code in codes)] if each]


def _code(value: Any) -> str:
    if isinstance(value, dict):
        return str(next((each.get("code") for each in value.get("coding", ())), ""))
    return str(value or "")


def _is_own(resource: Mapping[str, Any]) -> bool:
    authors = [resource.get(each) for each in ("recorder", "asserter", "informationSource")]
    said = [str(each.get("reference", "")) for each in authors if isinstance(each, dict)]
    return bool(said) and all(each.startswith(("Patient/", "RelatedPerson/")) for each in said)


def _born(patient: Mapping[str, Any]) -> str:
    return wording.when(patient.get("birthDate"))
