"""Ways through the pages; each yields the name of a page while the browser is on it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.browser.house import LEA, MARC
from tests.browser.people import activates, activation_steps, confirms
from tests.browser.tour_agenda import agenda
from tests.browser.tour_roles import care, representative
from tests.portal.people import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.house import House
    from tests.browser.visit import Visit

LOGIN = "parent.deux"
PARENT = "RelatedPerson?name=Claire"
CLAIRE = "Patient?given=Claire"


def first_visit(visit: Visit, house: House) -> Iterator[str]:
    """Léa's mother: from a letter to the space, and what is at hand before."""
    page, root = visit.page, house.root
    for name, path in (
        ("accueil", "/"),
        ("demande", "/activation/demande"),
        ("opposition", "/opposition"),
        ("oubli", "/connexion/oubli"),
        ("introuvable", "/nulle-part"),
    ):
        page.goto(root + path)
        yield name
    page.goto(f"{root}/connexion/oubli")
    visit.fill(Identifiant="personne")
    visit.press("Recevoir un code")
    yield "oubli-code"
    page.goto(f"{root}/activation")
    visit.fill(Code_provisoire="ABCDE-FGHJK", Date_de_naissance="01/01/2000", Numéro_de_sécurité_sociale="1" * 15)
    visit.press("Continuer")
    yield "activation-refus"
    yield from activation_steps(visit, house, LEA, "parent.un", related=house.found(PARENT))


def account(visit: Visit, house: House) -> Iterator[str]:
    """An app asks Léa's mother; what her account is for."""
    page, root = visit.page, house.root
    activates(visit, house, LEA, LOGIN, related=house.found(PARENT))
    visit.press("Se déconnecter")
    page.goto(f"{root}/connexion")
    yield "connexion"
    visit.fill(Identifiant=LOGIN, Mot_de_passe="pas le bon du tout")
    visit.press("Continuer")
    yield "connexion-refus"
    page.goto(house.app.home)
    visit.press("Relier mon dossier")
    visit.fill(Identifiant=LOGIN, Mot_de_passe=PASSWORD)
    visit.press("Continuer")
    yield "second-facteur"
    confirms(visit, house, LOGIN, "Se connecter")
    yield "consentement"
    visit.press("Autoriser ce que j’ai coché")
    yield "consentement-refus"
    page.get_by_label("Consulter : résultats et mesures").check()
    page.get_by_label("Garder cet accès").check()
    visit.press("Autoriser ce que j’ai coché")
    yield "application"
    for name, path in (
        ("compte", "/compte"),
        ("compte-espace", "/compte/espace"),
        ("autorisations", "/compte/applications"),
        ("catalogue", "/catalogue"),
        ("facteur", "/compte/facteur"),
        ("cle", "/compte/cle"),
        ("mot-de-passe", "/compte/mot-de-passe"),
        ("choix-du-dossier", "/choisir"),
        ("franceconnect", "/compte/franceconnect"),
    ):
        page.goto(root + path)
        yield name
    page.goto(f"{root}/catalogue")
    visit.press("Carnet de mesures")
    yield "fiche"
    page.goto(f"{root}/compte/facteur")
    page.get_by_label("Une application qui affiche des codes").check()
    visit.press("Continuer")
    yield "facteur-application"
    page.goto(f"{root}/activation")
    visit.fill(Code_provisoire=house.code(MARC[1]), Date_de_naissance=MARC[0])
    visit.fill(Numéro_de_sécurité_sociale=MARC[1])
    visit.press("Continuer")
    yield "activation-relier"
    page.goto(f"{root}/compte/espace")
    visit.press("Préparer la copie")
    page.get_by_text("La copie est prête").wait_for(timeout=300_000)
    yield "copie"
    page.goto(f"{root}/compte/applications")
    visit.press("Retirer l’autorisation")
    yield "autorisations-retrait"


def record(visit: Visit, house: House) -> Iterator[str]:
    """Claire's own record, page by page."""
    page = visit.page
    page.goto(house.root)
    visit.press("Entrer comme Claire EXEMPLE, dans son espace")
    page.goto(f"{house.root}/dossier")
    yield "espace"
    for name, label in (
        ("profil", "Profil médical"),
        ("mesures", "Mesures"),
        ("documents", "Documents"),
        ("biologie", "Biologie"),
        ("imagerie", "Imagerie"),
        ("rappels", "Prévention"),
        ("messages", "Messagerie"),
        ("partage", "Partage et accès"),
        ("journal", "Journal des accès"),
        ("notifications", "Notifications"),
    ):
        page.get_by_role("navigation").get_by_role("link", name=label, exact=True).click()
        page.wait_for_load_state()
        yield name
    overview = page.url.rpartition("/")[0]
    page.goto(f"{overview}/profil/allergies/ajouter")
    visit.press("Enregistrer")
    yield "profil-refus"
    for name, path in (
        ("profil-ajout", "profil/habitudes/ajouter"),
        ("mesure", "mesures/tension"),
        ("mesure-ajout", "mesures/tension/ajouter"),
        ("groupe-sanguin", "groupe-sanguin"),
    ):
        page.goto(f"{overview}/{path}")
        yield name
    for name, path in (("profil-changement", "profil"), ("mesure-changement", "mesures/poids")):
        page.goto(f"{overview}/{path}")
        page.get_by_role("link", name=re.compile("^Modifier")).first.click()
        page.wait_for_load_state()
        yield name
    page.goto(f"{overview}/documents/ajouter")
    yield "document-ajout"
    page.goto(f"{overview}/documents")
    visit.press("Compte rendu de consultation")
    yield "document"
    page.goto(f"{overview}/biologie")
    page.get_by_role("link", name=re.compile("^H[ée]moglobin")).first.click()
    page.wait_for_load_state()
    yield "resultats"
    page.goto(f"{overview}/messages")
    visit.press("Relevé de tension")
    yield "messages-conversation"
    visit.press("Envoyer")
    yield "messages-refus"
    page.goto(f"{overview}/imagerie/documents")
    yield "imagerie-documents"
    page.goto(f"{overview}/imagerie")
    visit.press("Scanner du thorax")
    yield "imagerie-examen"


def professional(visit: Visit, house: House) -> Iterator[str]:
    """A physician of two situations, who opens an app."""
    page = visit.page
    page.goto(house.app.home)
    visit.press("Relier mon dossier")
    visit.press("Se connecter avec Pro Santé Connect")
    visit.press("medecin")
    yield "situation"
    visit.press("HOPITAL DE LA SIMULATION")
    yield "dossier"
    visit.fill(Matricule_INS_du_patient="284027505600135")
    visit.press("Continuer")
    yield "dossier-refus"
    page.goto(f"{house.root}/compte")
    yield "compte-professionnel"
    page.goto(f"{house.root}/patients")
    yield "patients"
    page.get_by_role("textbox").first.fill("284027505600134")
    visit.press("Ouvrir")
    yield "patients-refus"
    visit.fill(Matricule_INS_de_la_personne=MARC[1], Motif=" ")
    visit.press("Ouvrir en urgence")
    yield "urgence-refus"
    visit.fill(Motif="Inconscient à son arrivée")
    visit.press("Ouvrir en urgence")
    yield "urgence"


def correspondence(visit: Visit, house: House) -> Iterator[str]:
    """Claire's physician and his messages."""
    page = visit.page
    page.goto(house.root)
    visit.press("Entrer comme Docteur Dominique SOIGNANT, médecin")
    page.goto(f"{house.root}/messages")
    yield "messages-professionnel"
    visit.press("Relevé de tension")
    yield "messages-professionnel-conversation"
    record = f"{house.root}/dossier/{house.found(CLAIRE)}"
    for name, path in (("espace-professionnel", ""), ("profil-professionnel", "/profil")):
        page.goto(record + path)
        yield name
    page.goto(f"{record}/messages/nouveau")
    yield "messages-ecrire"
    visit.fill(Objet="Résultats")
    visit.press("Envoyer")
    yield "messages-ecrire-refus"


def operator(visit: Visit, house: House) -> Iterator[str]:
    """An operator, who looks at apps."""
    page = visit.page
    page.goto(f"{house.root}/connexion")
    visit.fill(Identifiant="revue", Mot_de_passe=PASSWORD)
    visit.press("Continuer")
    page.get_by_label("Code").fill(house.operator.now())
    visit.press("Se connecter")
    page.goto(f"{house.root}/catalogue/revue?etat=referenced")
    yield "revue"
    visit.press("Carnet de mesures")
    yield "revue-fiche"
    page.get_by_label("Éditeur").fill("")
    visit.press("Enregistrer la fiche")
    yield "revue-refus"
    yield from service(visit, house)


def service(visit: Visit, house: House) -> Iterator[str]:
    """The pages of the service, for who is logged in as an operator."""
    page = visit.page
    for name, path in (("service", ""), ("service-espaces", "/espaces"), ("service-traces", "/traces")):
        page.goto(f"{house.root}/operateur{path}")
        yield name
    visit.press("Vérifier maintenant")
    page.get_by_text("Les chaînes de traces sont entières.").wait_for()
    yield "service-traces-verifiees"
    page.goto(f"{house.root}/operateur/espaces")
    visit.fill(Matricule_INS_ou_identifiant_du_dossier="nobody")
    visit.press("Chercher")
    yield "service-espaces-refus"
    visit.fill(Matricule_INS_ou_identifiant_du_dossier=MARC[1])
    visit.press("Chercher")
    visit.press("Enregistrer que la personne a été informée")
    yield "service-espace-confirmation"
    page.get_by_label("je confirme").check()
    visit.press("Enregistrer que la personne a été informée")
    yield "service-espace"
    visit.press("Activer l’espace")
    page.get_by_label("je confirme").check()
    visit.press("Activer l’espace")


WAYS = (first_visit, account, record, representative, agenda, care, professional, correspondence, operator)
