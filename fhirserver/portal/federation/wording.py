"""What people read of logins at providers, in French."""

from __future__ import annotations

from typing import Final

REFUSED: Final = {
    "denied": "Vous avez interrompu la connexion. Vous pouvez recommencer.",
    "state": (
        "Cette connexion n’a pas été commencée dans ce navigateur, ou il y a trop longtemps. "
        "Recommencez depuis la page de connexion."
    ),
    "token": "La réponse reçue n’est pas valable. Recommencez ; si cela se reproduit, prévenez l’assistance.",
    "provider": "Le service de connexion a répondu par une erreur. Recommencez dans quelques instants.",
    "unavailable": "Le service de connexion ne répond pas. Réessayez dans quelques instants.",
    "acr": "Cette connexion n’est pas assez sûre pour des données de santé. Choisissez un moyen d’un niveau supérieur.",
    "identity": "Votre carte ne donne pas de numéro RPPS : elle n’ouvre pas de session ici.",
    "staff": (
        "Votre carte est celle du personnel d’une structure : elle n’ouvre pas de session sans un professionnel."
    ),
    "situation": "Aucune situation d’exercice n’est enregistrée pour vous à l’annuaire santé.",
    "purpose": "Le motif d’accès transmis n’est pas recevable.",
    "unlinked": (
        "Cette identité FranceConnect n’est reliée à aucun compte. Connectez-vous avec votre identifiant, "
        "puis reliez FranceConnect dans « Mon compte »."
    ),
    "traits": (
        "L’identité reçue de FranceConnect n’est pas celle du dossier de ce compte : nom, prénoms, sexe, date et lieu "
        "de naissance doivent être les mêmes. Si votre dossier comporte une erreur, demandez sa correction."
    ),
    "taken": "Cette identité FranceConnect est déjà reliée à un autre compte.",
    "other": "La session a changé pendant la connexion : recommencez.",
    "no-record": "Ce compte ne mène pas à votre propre dossier : FranceConnect ne peut pas y être relié.",
}
"""By `why`: what stands on the page."""

STATUS: Final = {"unavailable": 503, "provider": 502, "state": 400, "token": 400}
"""Statuses other than 403."""

PROFESSIONS: Final = {
    "G15_10": "Médecin",
    "G15_21": "Pharmacien",
    "G15_26": "Audioprothésiste",
    "G15_28": "Opticien-lunetier",
    "G15_31": "Assistant dentaire",
    "G15_40": "Chirurgien-dentiste",
    "G15_50": "Sage-femme",
    "G15_60": "Infirmier",
    "G15_69": "Infirmier psychiatrique",
    "G15_70": "Masseur-kinésithérapeute",
    "G15_80": "Pédicure-podologue",
    "G15_81": "Orthoprothésiste",
    "G15_82": "Podo-orthésiste",
    "G15_83": "Orthopédiste-orthésiste",
    "G15_84": "Oculariste",
    "G15_85": "Épithésiste",
    "G15_86": "Technicien de laboratoire médical",
    "G15_91": "Orthophoniste",
    "G15_92": "Orthoptiste",
    "G15_93": "Psychologue",
    "G15_94": "Ergothérapeute",
    "G15_95": "Diététicien",
    "G15_96": "Psychomotricien",
    "G15_98": "Manipulateur d’électroradiologie",
}
"""Names of professions (TRE_G15)."""


def profession(code: str) -> str:
    """The name of a profession, its code where there is none."""
    return PROFESSIONS.get(code.partition("/")[0], code)
