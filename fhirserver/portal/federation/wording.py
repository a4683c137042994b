"""What people read of logins at providers."""

from __future__ import annotations

from typing import Final

from fhirserver.portal.language import N_, _

REFUSED: Final = {
    "denied": N_("Vous avez interrompu la connexion. Vous pouvez recommencer."),
    "state": N_(
        "Cette connexion n’a pas été commencée dans ce navigateur, ou il y a trop longtemps. "
        "Recommencez depuis la page de connexion."
    ),
    "token": N_("La réponse reçue n’est pas valable. Recommencez ; si cela se reproduit, prévenez l’assistance."),
    "provider": N_("Le service de connexion a répondu par une erreur. Recommencez dans quelques instants."),
    "unavailable": N_("Le service de connexion ne répond pas. Réessayez dans quelques instants."),
    "acr": N_(
        "Cette connexion n’est pas assez sûre pour des données de santé. Choisissez un moyen d’un niveau supérieur."
    ),
    "identity": N_("Votre carte ne donne pas de numéro RPPS : elle n’ouvre pas de session ici."),
    "staff": N_(
        "Votre carte est celle du personnel d’une structure : elle n’ouvre pas de session sans un professionnel."
    ),
    "situation": N_("Aucune situation d’exercice n’est enregistrée pour vous à l’annuaire santé."),
    "purpose": N_("Le motif d’accès transmis n’est pas recevable."),
    "unlinked": N_(
        "Cette identité FranceConnect n’est reliée à aucun compte. Connectez-vous avec votre identifiant, "
        "puis reliez FranceConnect dans « Mon compte »."
    ),
    "traits": N_(
        "L’identité reçue de FranceConnect n’est pas celle du dossier de ce compte : nom, prénoms, sexe, date et lieu "
        "de naissance doivent être les mêmes. Si votre dossier comporte une erreur, demandez sa correction."
    ),
    "taken": N_("Cette identité FranceConnect est déjà reliée à un autre compte."),
    "other": N_("La session a changé pendant la connexion : recommencez."),
    "no-record": N_("Ce compte ne mène pas à votre propre dossier : FranceConnect ne peut pas y être relié."),
}
"""By `why`: what stands on the page."""

STATUS: Final = {"unavailable": 503, "provider": 502, "state": 400, "token": 400}
"""Statuses other than 403."""

PROFESSIONS: Final = {
    "G15_10": N_("Médecin"),
    "G15_21": N_("Pharmacien"),
    "G15_26": N_("Audioprothésiste"),
    "G15_28": N_("Opticien-lunetier"),
    "G15_31": N_("Assistant dentaire"),
    "G15_40": N_("Chirurgien-dentiste"),
    "G15_50": N_("Sage-femme"),
    "G15_60": N_("Infirmier"),
    "G15_69": N_("Infirmier psychiatrique"),
    "G15_70": N_("Masseur-kinésithérapeute"),
    "G15_80": N_("Pédicure-podologue"),
    "G15_81": N_("Orthoprothésiste"),
    "G15_82": N_("Podo-orthésiste"),
    "G15_83": N_("Orthopédiste-orthésiste"),
    "G15_84": N_("Oculariste"),
    "G15_85": N_("Épithésiste"),
    "G15_86": N_("Technicien de laboratoire médical"),
    "G15_91": N_("Orthophoniste"),
    "G15_92": N_("Orthoptiste"),
    "G15_93": N_("Psychologue"),
    "G15_94": N_("Ergothérapeute"),
    "G15_95": N_("Diététicien"),
    "G15_96": N_("Psychomotricien"),
    "G15_98": N_("Manipulateur d’électroradiologie"),
}
"""Names of professions (TRE_G15)."""


def profession(code: str) -> str:
    """The name of a profession, its code where there is none."""
    return _(PROFESSIONS.get(code.partition("/")[0], code))
