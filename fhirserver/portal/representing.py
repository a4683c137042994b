"""Who represents whom, as a page says it: the measure, since when and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.access import representation
from fhirserver.auth.accounts.people import name_of
from fhirserver.portal.language import N_, _
from fhirserver.portal.record.space import Refused
from fhirserver.portal.record.wording import when
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from fhirserver.access.representation import Rights
    from fhirserver.portal.record.space import Space

MEASURES: Final = {
    "authority": N_("autorité parentale"),
    "guardianship": N_("tutelle d’un mineur"),
    "unnamed": N_("représentant légal"),
    "tutelle": N_("tutelle"),
    "habilitation": N_("habilitation familiale"),
    "mandate": N_("mandat de protection future"),
    "curatelle": N_("curatelle : assiste, sans accéder à l’espace"),
    "safeguard": N_("sauvegarde de justice : sans accès à l’espace"),
}


class Represented(NamedTuple):
    """`mine`: it is who reads the page. `until`: empty, as long as the measure, or the minority, lasts."""

    name: str
    measure: str
    since: str
    until: str
    closes: bool
    mine: bool


def of(space: Space) -> list[Represented]:
    """The representatives of a person, and who assists him, as far as the requester sees them; none where the space
    shows nothing."""
    try:
        found = space.ask("GET", f"Patient/{space.id}/RelatedPerson?active:not=false&_count=50&_total=none")
    except Refused:
        return []
    entries = jsontext.parse_object(found.body or b"{}").get("entry", ())
    people = services().accounts.people
    patient = people.patient(space.id)
    if patient is None:
        return []
    minor = people.is_minor(patient)
    told = []
    for each in (entry["resource"] for entry in entries):
        rights = people.rights(patient, str(each["id"]))
        if each["resourceType"] == "RelatedPerson" and (measure := _measure(each, rights, minor=minor)):
            told.append(_told(each, measure, rights, minor, space.subject.id))
    return told


def _measure(related: dict[str, Any], rights: Rights, *, minor: bool) -> str:
    """What there is to say of the measure; empty of who neither represents nor assists."""
    of_ = "minor" if minor else "adult"
    named = [each for each in representation.named(related) if each.of == of_]
    if any(rights):
        return next((each.name for each in named if any(each.rights)), "unnamed")
    return next((each.name for each in named if not any(each.rights)), "")


def _told(related: dict[str, Any], measure: str, rights: Rights, minor: bool, who: str) -> Represented:
    period = related.get("period") or {}
    since, end = (when(period.get(each)) for each in ("start", "end"))
    until = _("jusqu’au %(day)s", day=end) if end else _("jusqu’à la majorité") if minor else ""
    mine = who == f"RelatedPerson/{related['id']}"
    return Represented(name_of(related), _(MEASURES[measure]), since, until, rights.close, mine)
