"""The pages of a record, by who it is shown to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver.portal.language import N_, _

if TYPE_CHECKING:
    from fhirserver.portal.record.space import Space


class Entry(NamedTuple):
    """`path` below the record's own; `personal`: for the person's own side only; `professional`: for the other."""

    name: str
    path: str
    label: str
    personal: bool = False
    professional: bool = False


ENTRIES: Final = (
    Entry("overview", "", N_("Accueil")),
    Entry("profile", "/profil", N_("Profil médical")),
    Entry("measures", "/mesures", N_("Mesures")),
    Entry("documents", "/documents", N_("Documents")),
    Entry("biology", "/biologie", N_("Biologie")),
    Entry("imaging", "/imagerie", N_("Imagerie")),
    Entry("reminders", "/rappels", N_("Prévention"), personal=True),
    Entry("agenda", "/agenda", N_("Agenda"), personal=True),
    Entry("agenda", "/agenda/inscrire", N_("Donner un rendez-vous"), professional=True),
    Entry("messages", "/messages", N_("Messagerie"), personal=True),
    Entry("messages", "/messages/nouveau", N_("Écrire à la personne"), professional=True),
    Entry("sharing", "/partage", N_("Partage et accès"), personal=True),
    Entry("journal", "/journal", N_("Journal des accès"), personal=True),
    Entry("news", "/notifications", N_("Notifications"), personal=True),
)


def entries(space: Space) -> list[tuple[str, str, str]]:
    """Name, path and label of the pages that it may open."""
    shown = (each for each in ENTRIES if not (each.professional if space.is_person else each.personal))
    return [(each.name, each.path, _(each.label)) for each in shown]
