"""Which page of the portal is visited where on the tour, and which are not visited, with the reason."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

VISITED: Final = {
    "/": "accueil",
    "/activation": "activation",
    "/activation/code": "activation-code",
    "/activation/compte": "activation-compte",
    "/activation/demande": "demande",
    "/activation/relier": "activation-relier",
    "/catalogue": "catalogue",
    "/catalogue/<client_id>": "fiche",
    "/catalogue/revue": "revue",
    "/catalogue/revue/<client_id>": "revue-fiche",
    "/choisir": "choix-du-dossier",
    "/compte": "compte",
    "/compte/applications": "autorisations",
    "/compte/cle": "cle",
    "/compte/espace": "compte-espace",
    "/compte/espace/copie/<job>": "copie",
    "/compte/facteur": "facteur",
    "/compte/facteur/code": "facteur-application",
    "/compte/franceconnect": "franceconnect",
    "/compte/mot-de-passe": "mot-de-passe",
    "/connexion": "connexion",
    "/connexion/code": "second-facteur",
    "/connexion/oubli": "oubli",
    "/connexion/oubli/code": "oubli-code",
    "/dossier/<patient>": "espace",
    "/dossier/<patient>/agenda": "agenda",
    "/dossier/<patient>/agenda/creneau/<slot>": "agenda-creneau",
    "/dossier/<patient>/agenda/inscrire": "agenda-inscrire",
    "/dossier/<patient>/agenda/noter": "agenda-note-refus",
    "/dossier/<patient>/agenda/passes": "agenda-passes",
    "/dossier/<patient>/agenda/prendre": "agenda-recherche",
    "/dossier/<patient>/agenda/prendre/<schedule>": "agenda-creneaux",
    "/dossier/<patient>/agenda/rendez-vous/<id>": "agenda-rendez-vous",
    "/dossier/<patient>/biologie": "biologie",
    "/dossier/<patient>/biologie/resultats": "resultats",
    "/dossier/<patient>/documents": "documents",
    "/dossier/<patient>/documents/<id>": "document",
    "/dossier/<patient>/documents/ajouter": "document-ajout",
    "/dossier/<patient>/groupe-sanguin": "groupe-sanguin",
    "/dossier/<patient>/imagerie": "imagerie",
    "/dossier/<patient>/imagerie/<id>": "imagerie-examen",
    "/dossier/<patient>/imagerie/documents": "imagerie-documents",
    "/dossier/<patient>/journal": "journal",
    "/dossier/<patient>/messages": "messages",
    "/dossier/<patient>/messages/<id>": "messages-conversation",
    "/dossier/<patient>/messages/nouveau": "messages-ecrire",
    "/dossier/<patient>/mesures": "mesures",
    "/dossier/<patient>/mesures/<name>": "mesure",
    "/dossier/<patient>/mesures/<name>/<id>": "mesure-changement",
    "/dossier/<patient>/mesures/<name>/ajouter": "mesure-ajout",
    "/dossier/<patient>/notifications": "notifications",
    "/dossier/<patient>/partage": "partage",
    "/dossier/<patient>/profil": "profil",
    "/dossier/<patient>/profil/<section>/<id>": "profil-changement",
    "/dossier/<patient>/profil/<section>/ajouter": "profil-ajout",
    "/dossier/<patient>/rappels": "rappels",
    "/federation/psc/situation": "situation",
    "/messages": "messages-professionnel",
    "/messages/<id>": "messages-professionnel-conversation",
    "/mon-agenda": "mon-agenda",
    "/oauth/authorize": "consentement",
    "/operateur": "service",
    "/operateur/espaces": "service-espaces",
    "/operateur/espaces/<id>": "service-espace",
    "/operateur/espaces/<id>/<event>": "service-espace-confirmation",
    "/operateur/traces": "service-traces",
    "/opposition": "opposition",
    "/patients": "patients",
}
"""By rule of the route: the name of the page that a way yields there."""
_FILE: Final = "a file, no page"
_ONWARD: Final = "leads on to another page at once"
REASONS: Final = {
    "/agenda/<secret>.ics": _FILE,
    "/catalogue/<client_id>/logo": _FILE,
    "/compte/espace/copie/<job>/dossier.zip": _FILE,
    "/dossier": _ONWARD,
    "/dossier/<patient>/biologie/courbe.svg": _FILE,
    "/dossier/<patient>/documents/<id>/fichier/<int:place>": _FILE,
    "/dossier/<patient>/documents/<id>/lire": "a document as its author wrote it, in a sandbox",
    "/dossier/<patient>/imagerie/<id>/images/<int:number>.jpg": _FILE,
    "/dossier/<patient>/messages/<id>/piece/<int:place>": _FILE,
    "/dossier/<patient>/mesures/<name>/courbe.svg": _FILE,
    "/facteur/qr.svg": _FILE,
    "/federation/<name>": _ONWARD,
    "/federation/<name>/retour": _ONWARD,
    "/manifest.webmanifest": _FILE,
    "/messages/<id>/piece/<int:place>": _FILE,
    "/static/<digest>/<name>": _FILE,
}


def misplaced(name: str, url: str) -> bool:
    """Whether a way yields a page of the table elsewhere than the table says."""
    rules = [rule for rule, each in VISITED.items() if each == name]
    return bool(rules) and not any(re.fullmatch(re.sub("<[^>]+>", "[^/]+", rule), urlsplit(url).path) for rule in rules)
