"""`/operateur/espaces`: a space by its matricule INS or id: its state, what happened, what may be done, and doing it.

No name, and nothing of health. What may be done the API says; it is done after a page that asks for a confirmation, if
the space is still as it was shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import abort, request

from fhirserver import jsontext
from fhirserver.espace.tables import transitions
from fhirserver.portal import browser, parameters
from fhirserver.portal.language import N_, _
from fhirserver.portal.operator import staff
from fhirserver.portal.page import page
from fhirserver.portal.record.space import Refused
from fhirserver.portal.record.wording import when
from fhirserver.rest.operations.espace import EVENTS
from fhirserver.rest.routes import ID

if TYPE_CHECKING:
    from flask import Blueprint, Response

    from fhirserver.auth.sessions import Session
    from fhirserver.portal.record.space import Space

PATH: Final = f"{staff.PATH}/espaces"
STATES: Final = {
    "none": N_("ouvert (rien n’est enregistré de l’espace)"),
    "open": N_("ouvert"),
    "announced": N_("annoncé : la personne peut s’y opposer"),
    "opposed": N_("non ouvert : la personne s’y est opposée"),
    "suspended": N_("suspendu : personne n’y accède"),
    "closed": N_("clôturé"),
    "archived": N_("clôturé et archivé"),
    "deceased": N_("clôturé par le décès"),
    "expired": N_("à effacer"),
    "erased": N_("effacé"),
}
ACTS: Final = {
    "announce": N_("Enregistrer que la personne a été informée"),
    "oppose": N_("Enregistrer l’opposition à l’ouverture"),
    "activate": N_("Activer l’espace"),
    "suspend": N_("Suspendre l’espace"),
    "object": N_("Enregistrer l’opposition à la clôture"),
    "lift": N_("Lever la suspension"),
    "close": N_("Clôturer l’espace"),
    "archive": N_("Archiver l’espace"),
    "reopen": N_("Rouvrir l’espace"),
    "request-erasure": N_("Enregistrer la demande d’effacement"),
    "erase": N_("Effacer maintenant tout ce que contient l’espace"),
}
"""What is offered, in this order. A death the Patient says."""
HAPPENED: Final = {
    "announce": N_("la personne a été informée"),
    "open": N_("ouverture sans opposition"),
    "oppose": N_("opposition à l’ouverture"),
    "activate": N_("activation"),
    "suspend": N_("suspension"),
    "object": N_("opposition à la clôture"),
    "lift": N_("levée de la suspension"),
    "lapse": N_("clôture au terme de la suspension"),
    "close": N_("clôture"),
    "archive": N_("archivage"),
    "reopen": N_("réouverture"),
    "request-erasure": N_("demande d’effacement"),
    "die": N_("décès"),
    "come-of-age": N_("majorité"),
    "expire": N_("effacement au terme de l’archivage"),
    "erase": N_("effacement demandé"),
}
BY: Final = {
    "holder": N_("la personne"),
    "representative": N_("un représentant"),
    "agent": N_("un agent de l’Assurance Maladie"),
    "operator": N_("un opérateur"),
    "time": N_("le temps"),
}
_FIELD: Final = "matricule"
_NONE: Final = N_("Aucun espace ne répond à ce matricule INS ou à cet identifiant.")
_WRONG: Final = N_("Écrivez un matricule INS, de 15 caractères, ou l’identifiant d’un dossier.")
_MEANWHILE: Final = N_("L’espace a changé entre-temps : vérifiez son état.")
_TICK: Final = N_("Cochez la case pour confirmer.")
_LONGEST: Final = 64


def routes(pages: Blueprint) -> None:
    pages.add_url_rule(PATH, "operator_spaces", find, methods=["GET", "POST"])
    pages.add_url_rule(f"{PATH}/<id>", "operator_space", space)
    pages.add_url_rule(f"{PATH}/<id>/<event>", "operator_space_act", act, methods=["GET", "POST"])


def find() -> Response:
    """The form; what was typed leads to the space. It comes by POST: no address and no log holds a matricule."""
    session = staff.member()
    typed = request.form.get(_FIELD, "").strip()[:_LONGEST]
    if request.method == "GET":
        return _form(200, "")
    try:
        found = _found(staff.api(session), typed)
    except Refused:
        return _form(422, typed, {_FIELD: _(_WRONG)})
    if not found:
        return _form(404, typed, {_FIELD: _(_NONE)})
    return browser.redirect(f"{PATH}/{found[0]}") if len(found) == 1 else _form(200, typed, several=found)


def space(id: str) -> Response:
    session = staff.member()
    return _page(session, id, _asked(session, id))


def act(id: str, event: str) -> Response:
    """The confirmation of an event, and the event itself."""
    session = staff.member()
    told = _asked(session, id)
    if event not in ACTS:
        abort(404)
    if event not in parameters.values(told, "possible"):
        return _page(session, id, told, 409, _(_MEANWHILE)) if request.method == "POST" else abort(404)
    if request.method == "GET":
        return _confirmation(id, event, told)
    if request.form.get("etat") != _version(told):
        return _page(session, id, told, 409, _(_MEANWHILE))
    if request.form.get("confirmation") != "oui":
        return _confirmation(id, event, told, 422, {"confirmation": _(_TICK)})
    return _done(session, id, event)


def _done(session: Session, id: str, event: str) -> Response:
    operation = next((name for name, (each, _said) in EVENTS.items() if each == event), event)
    api = staff.api(session)
    try:
        answer = api.ask("POST", f"Patient/{id}/$espace-{operation}")
    except Refused as refused:
        if refused.status not in (403, 409):
            abort(refused.status)
        return _page(session, id, _asked(session, id), 409, _(_MEANWHILE))
    if event == "erase":
        return _certificate(answer.body or b"{}")
    return browser.redirect(f"{PATH}/{id}?fait={event}")


def _found(api: Space, typed: str) -> list[str]:
    """The ids of spaces. Raises Refused for what is neither a matricule nor an id."""
    if ID.fullmatch(typed):
        try:
            api.ask("GET", f"Patient/{typed}/$espace")
        except Refused as refused:
            if refused.status != 404:
                raise
        else:
            return [typed]
    body = {"resourceType": "Parameters", "parameter": [{"name": _FIELD, "valueString": typed}]}
    answer = api.ask("POST", "Patient/$espace-find", body)
    return [str(each) for each in parameters.values(_parameters(answer.body or b"{}"), "patient")]


def _asked(session: Session, id: str) -> parameters.Parameters:
    """What the API says of a space; the page of 404 for one that is not there."""
    if not ID.fullmatch(id):
        abort(404)
    answer = staff.api(session).got(f"Patient/{id}/$espace")
    return _parameters(answer.body or b"{}")


def _parameters(body: bytes) -> parameters.Parameters:
    found: parameters.Parameters = jsontext.parse_object(body).get("parameter", [])
    return found


def _page(session: Session, id: str, told: parameters.Parameters, status: int = 200, error: str = "") -> Response:
    state, offered = str(parameters.value(told, "state")), parameters.values(told, "possible")
    done = request.args.get("fait", "")
    return page(
        "operator/space.html",
        status,
        errors={"": error} if error else {},
        done=_(HAPPENED[done]) if done in ACTS else "",
        id=id,
        state=_(STATES[state]) if state in STATES else state,
        since=when(parameters.value(told, "since"), time=True),
        due=[(when(each["at"], time=True), _(HAPPENED[each["event"]])) for each in parameters.values(told, "due")],
        erased_by=when(parameters.value(told, "erased-by")),
        events=[_step(each) for each in reversed(parameters.values(told, "event"))],
        acts=[(event, _(text)) for event, text in ACTS.items() if event in offered],
        here="spaces",
    )


def _step(step: dict[str, Any]) -> dict[str, str]:
    return {
        "at": when(step["at"], time=True),
        "what": _(HAPPENED[step["event"]]),
        "by": _(BY[step["by"]]),
        "article": str(step["article"]),
    }


def _confirmation(
    id: str, event: str, told: parameters.Parameters, status: int = 200, errors: dict[str, str] | None = None
) -> Response:
    state = str(parameters.value(told, "state"))
    found = transitions()[event, state]
    return page(
        "operator/confirm.html",
        status,
        errors=errors or {},
        id=id,
        event=event,
        act=_(ACTS[event]),
        state=_(STATES[state]),
        then=_(STATES[found.to]) if found.to != state else "",
        told=bool(found.told),
        article=found.article,
        version=_version(told),
        here="spaces",
    )


def _version(told: parameters.Parameters) -> str:
    """By which it is seen whether the space is still as it was shown: its state, and how much happened."""
    return f"{parameters.value(told, 'state')}-{len(parameters.values(told, 'event'))}"


def _certificate(body: bytes) -> Response:
    """What was erased, to be printed: it names nobody, and is not shown again."""
    told = _parameters(body)
    counts = {name: parameters.value(told, name) for name in ("resources", "accounts", "traces", "waiting", "beside")}
    at = when(parameters.value(told, "at"), time=True)
    return page("operator/certificate.html", number=parameters.value(told, "number"), at=at, here="spaces", **counts)


def _form(status: int, typed: str, errors: dict[str, str] | None = None, several: list[str] | None = None) -> Response:
    return page("operator/spaces.html", status, typed=typed, errors=errors or {}, several=several or [], here="spaces")
