"""`/dossier/<patient>/partage`: who sees what, and what the person decides of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import abort, request

from fhirserver.access.keys import RPPS
from fhirserver.portal import browser
from fhirserver.portal.language import N_, _
from fhirserver.portal.page import done, page
from fhirserver.portal.record import choices, documents, seers, wording
from fhirserver.portal.record.space import PERSONS, Refused, access_of, changed, opened

if TYPE_CHECKING:
    from flask import Blueprint, Response

    from fhirserver.portal.record.space import Space

_NUMBER: Final = N_("Écrivez un numéro RPPS (11 chiffres) ou FINESS (9 caractères).")
_RPPS: Final = N_("Écrivez le numéro RPPS du médecin (11 chiffres).")
_UNKNOWN: Final = N_("L’annuaire ne connaît pas de professionnel de ce numéro.")
_NOT_DONE: Final = N_("Ce choix n’a pas été enregistré : il a été modifié entre-temps, ou il ne vous appartient pas.")
_DONE: Final = {
    "bloque": N_("Cet accès est bloqué."),
    "retire": N_("Ce choix est retiré."),
    "urgence": N_("Votre choix pour les urgences est enregistré."),
    "traitant": N_("Le médecin traitant est enregistré."),
    "sans-traitant": N_("Il n’y a plus de médecin traitant dans le dossier."),
}


def routes(pages: Blueprint) -> None:
    base = "/dossier/<patient>/partage"
    pages.add_url_rule(base, "sharing", sharing)
    pages.add_url_rule(f"{base}/blocage", "sharing_block", block, methods=["POST"])
    pages.add_url_rule(f"{base}/retrait", "sharing_withdraw", withdraw, methods=["POST"])
    pages.add_url_rule(f"{base}/urgence", "sharing_emergency", emergency, methods=["POST"])
    pages.add_url_rule(f"{base}/traitant", "sharing_traitant", traitant, methods=["POST"])


def sharing(patient: str) -> Response:
    return _page(opened(patient, *PERSONS))


def block(patient: str) -> Response:
    """Blocks a professional or an establishment by number: nothing is seen, in an emergency neither."""
    space = opened(patient, *PERSONS)
    typed = request.form.get("numero", "")[:40]
    number = choices.numbered(typed)
    if number is None:
        return _page(space, 422, {"numero": _NUMBER}, typed)
    return _stored(space, choices.block(space, *number, _now(space)), "bloque")


def withdraw(patient: str) -> Response:
    """Ends a choice: its Consent is inactive from then on, and stays in the record."""
    space = opened(patient, *PERSONS)
    consent = space.one(choices.TYPE, request.form.get("choix", ""))
    try:
        version = request.form.get("version", "")
        changed(space, consent, [{"op": "replace", "path": "/status", "value": "inactive"}], version)
    except Refused:
        return _page(space, 409, {"": _NOT_DONE})
    return _done(space, "retire")


def emergency(patient: str) -> Response:
    """Opposes a kind of emergency; the way back is to withdraw that."""
    space, purpose = opened(patient, *PERSONS), request.form.get("urgence", "")
    if purpose not in choices.EMERGENCIES:
        abort(400)
    return _stored(space, choices.opposition(space, purpose, _now(space)), "urgence")


def traitant(patient: str) -> Response:
    """Names the médecin traitant (CSP L.1111-16), or none."""
    space = opened(patient, *PERSONS)
    named: list[dict[str, Any]] = []
    if request.form.get("decision") != "aucun":
        typed = request.form.get("rpps", "")[:40]
        number = choices.numbered(typed)
        if number is None or number[0] != RPPS:
            return _page(space, 422, {"rpps": _RPPS}, rpps=typed)
        known = choices.found(space, *number)
        if known is None:
            return _page(space, 422, {"rpps": _UNKNOWN}, rpps=typed)
        named = [{"reference": f"Practitioner/{known['id']}", "display": choices.name_of(known) or number[1]}]
    had = "generalPractitioner" in space.patient
    patch: dict[str, Any] = {"op": "replace" if had else "add", "path": "/generalPractitioner", "value": named}
    if not named:
        patch = {"op": "remove", "path": "/generalPractitioner"}
    try:
        if named or had:
            changed(space, space.patient, [patch], request.form.get("version", ""))
    except Refused:
        return _page(space, 409, {"": _NOT_DONE})
    return _done(space, "traitant" if named else "sans-traitant")


def _stored(space: Space, consent: dict[str, Any], done: str) -> Response:
    try:
        space.ask("POST", choices.TYPE, consent)
    except Refused:
        return _page(space, 403, {"": _NOT_DONE})
    return _done(space, done)


def _done(space: Space, done: str) -> Response:
    return browser.redirect(f"{space.url}/partage?fait={done}")


def _page(
    space: Space, status: int = 200, errors: dict[str, str] | None = None, typed: str = "", rpps: str = ""
) -> Response:
    shown = request.args.get("document", "")
    document = space.one(documents.TYPE, shown) if shown else None
    resource = f"{documents.TYPE}/{document['id']}" if document else f"Patient/{space.id}"
    consents = space.search(choices.TYPE, ("status", "active"), ("_sort", "-date"), ("_count", "100"))
    found = [choices.choice(each) for each in consents.resources]
    opposed = {purpose: each for each in found if each.kind == "emergency" for purpose in each.purposes}
    return page(
        "record/sharing.html",
        status,
        errors=errors or {},
        done=done(_DONE),
        seers=seers.seers(space, resource),
        document=documents.summary(document) if document else None,
        blocks=[each for each in found if each.kind == "block"],
        others=[each for each in found if each.kind in ("permit", "other")],
        emergencies=[(purpose, _(words), opposed.get(purpose)) for purpose, words in choices.EMERGENCIES.items()],
        traitants=[_traitant(space, each) for each in space.patient.get("generalPractitioner", ())],
        typed=typed,
        rpps=rpps,
        here="sharing",
    )


def _traitant(space: Space, reference: dict[str, Any]) -> str:
    """The name of the médecin traitant, of the directory where the reference says none."""
    if told := wording.actor(reference):
        return told
    kind, _slash, id_ = str(reference.get("reference", "")).partition("/")
    if kind != "Practitioner" or not id_:
        return _("Médecin traitant")
    bundle = space.read(kind, ("_id", id_), ("_total", "none"))
    return next((choices.name_of(each["resource"]) for each in bundle.get("entry", ())), _("Médecin traitant"))


def _now(space: Space) -> str:
    return access_of(space).now.isoformat(timespec="seconds")
