"""`/dossier/<patient>/profil`: allergies, treatments, problems, vaccinations …, of what may be seen; what the person
entered stands apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.espace.profile import entries, tables
from fhirserver.portal.language import N_, _
from fhirserver.portal.page import done, page
from fhirserver.portal.record import own, wording
from fhirserver.portal.record.space import opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Blueprint, Response

    from fhirserver.portal.record.space import Resource, Space

_PRESCRIPTIONS: Final = "MedicationRequest"
_TYPES: Final = (*(each.type for each in tables.sections().values() if each.type != "Observation"), _PRESCRIPTIONS)
_MOST: Final = "500"
_NOT: Final = frozenset({"entered-in-error", "not-done", "not-taken", "cancelled", "draft"})
_ALWAYS: Final = ("allergies", "traitements", "problemes", "vaccinations")
"""Sections that professionals are shown when they are empty, too."""
_NAMES: Final = ("code", "vaccineCode", "medicationCodeableConcept", "medicationReference", "device")
_DATES: Final = (
    "occurrenceDateTime", "occurrenceString", "onsetDateTime", "effectiveDateTime", "performedDateTime", "authoredOn",
)  # fmt: skip
_RECORDED: Final = ("recordedDate", "dateAsserted", "recordedOn")
_PERIODS: Final = ("effectivePeriod", "timingPeriod", "onsetPeriod", "performedPeriod")
_DONE: Final = {"ajoute": N_("C’est enregistré."), "change": N_("C’est modifié."), "supprime": N_("C’est supprimé.")}
_STATES: Final = {
    "active": "",
    "final": "",
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
    """`own`: entered by the person, or who represents him, not by a professional; `path`: where who is logged in
    changes it."""

    name: str
    date: str
    details: str
    own: bool
    path: str = ""


class Part(NamedTuple):
    """A section: its name in paths, empty where nothing is entered; what professionals wrote, what the person said."""

    name: str
    title: str
    others: list[Item]
    said: list[Item]


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/dossier/<patient>/profil", "profile", profile)


def profile(patient: str) -> Response:
    """What is known of the person's health, by sections."""
    space = opened(patient)
    found: dict[str, list[Item]] = {}
    for resource in sorted(_known(space), key=_at, reverse=True):
        if name := _section(resource):
            found.setdefault(name, []).append(_placed(space, name, item(resource), resource))
    parts = [
        _part(each.name, own.name(each.names), found.get(each.name, []))
        for each in tables.sections().values()
        if space.is_person or each.name in found or each.name in _ALWAYS
    ]
    if prescribed := found.get(_PRESCRIPTIONS):
        parts.insert(2, _part("", _("Prescriptions en cours"), prescribed))
    return page(
        "record/profile.html",
        parts=parts,
        born=_born(space.patient),
        gender=space.patient.get("gender"),
        done=done(_DONE),
        here="profile",
    )


def _known(space: Space) -> list[Resource]:
    """What the sections are made of: of all types at once, and the latest of each habit."""
    types = ("_type", ",".join(_TYPES))
    found = space.found("", types, ("patient", f"Patient/{space.id}"), ("_count", _MOST))
    habits = space.search("Observation", ("category", "social-history"), ("_sort", "-date"), ("_count", _MOST))
    told = sorted(habits.resources, key=lambda each: (str(each.get("effectiveDateTime")), each["meta"]["lastUpdated"]))
    latest = {(str(each.get("code")), own.is_entered(each)): each for each in told}
    return [each for each in (*found.resources, *latest.values()) if not _is_wrong(each)]


def _is_wrong(resource: Mapping[str, Any]) -> bool:
    """Whether it is no part of the profile: a mistake, or what was not done or is no more."""
    status = _code(resource.get("status"))
    if resource["resourceType"] == _PRESCRIPTIONS:
        return status not in ("active", "on-hold")
    return not _NOT.isdisjoint({status, _code(resource.get("verificationStatus"))})


def _section(resource: Mapping[str, Any]) -> str:
    """The section that a resource stands in; empty for what is none."""
    if resource["resourceType"] == _PRESCRIPTIONS:
        return _PRESCRIPTIONS
    if resource["resourceType"] == "Observation" and _is_social(resource):
        return "habitudes"
    section = entries.section_of(resource)
    return section.name if section else ""


def _is_social(resource: Mapping[str, Any]) -> bool:
    return any(_code(each) == "social-history" for each in resource.get("category", ()))


def _placed(space: Space, section: str, told: Item, resource: Mapping[str, Any]) -> Item:
    changes = space.is_person and own.is_mine(space, resource) and entries.section_of(resource) is not None
    return told._replace(path=f"/profil/{section}/{resource['id']}") if changes else told


def _part(name: str, title: str, items: list[Item]) -> Part:
    return Part(name, title, [each for each in items if not each.own], [each for each in items if each.own])


def item(resource: Mapping[str, Any]) -> Item:
    """An entry of a section."""
    named: Any = next((resource[each] for each in _NAMES if resource.get(each)), {})
    date = next((str(resource[each]) for each in _DATES if resource.get(each)), "")
    return Item(
        wording.offered(named) or wording.actor(named) or _named_within(resource) or _("Sans nom"),
        wording.when(date) or date or _period(resource) or _recorded(resource),
        wording.series(_details(resource)),
        own.is_entered(resource) or _is_own(resource),
    )


def _named_within(resource: Mapping[str, Any]) -> str:
    """What a relative has or had."""
    return ", ".join(filter(None, (wording.concept(each.get("code")) for each in resource.get("condition", ()))))


def _at(resource: Mapping[str, Any]) -> str:
    """The day by which entries of a section stand in order, the newest first."""
    periods = ((resource.get(each) or {}).get("start") for each in _PERIODS)
    dates = (resource.get(each) for each in (*_DATES, *_RECORDED))
    return next((str(each) for each in (*dates, *periods) if each), "")


def _recorded(resource: Mapping[str, Any]) -> str:
    return wording.when(next((resource[each] for each in _RECORDED if resource.get(each)), ""))


def _period(resource: Mapping[str, Any]) -> str:
    period: Any = next((resource[each] for each in _PERIODS if resource.get(each)), {})
    start, end = (wording.when(period.get(each)) for each in ("start", "end"))
    if start and end:
        return _("de %(start)s à %(end)s", start=start, end=end)
    return _("depuis %(start)s", start=start) if start else _("jusque %(end)s", end=end) if end else ""


def _details(resource: Mapping[str, Any]) -> list[str]:
    found = [wording.concept(each) for one in resource.get("reaction", ()) for each in one.get("manifestation", ())]
    found += [wording.offered(resource.get("relationship"))]
    found += [wording.amount(resource)] if resource["resourceType"] == "Observation" else []
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
