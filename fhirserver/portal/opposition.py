"""`/opposition`: who was told of the opening opposes it, by the code of the letter, without an account (R.1111-28)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import request

from fhirserver.access import Access
from fhirserver.auth.accounts.invitations import TooEarly
from fhirserver.auth.accounts.people import read_birth, read_matricule
from fhirserver.errors import Conflict
from fhirserver.espace.space import Actor
from fhirserver.portal import tracing
from fhirserver.portal.language import N_, _
from fhirserver.portal.login import place, waiting
from fhirserver.portal.page import page
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from flask import Blueprint, Response

_WRONG: Final = N_(
    "Le code, la date de naissance ou le numéro ne conviennent pas, ou le code n’est plus valable. "
    "Après cinq erreurs il est annulé : demandez-en un autre."
)
_LATE: Final = N_(
    "L’espace n’attend plus d’opposition : il est ouvert ou vous l’avez déjà refusé. Ouvert, il peut être clôturé à "
    "tout moment."
)
_TICK: Final = N_("Cochez la case pour confirmer.")


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/opposition", "oppose", oppose, methods=["GET", "POST"])


def oppose() -> Response:
    """The proofs, and the opposition. The code is used up by it, and by nothing else here."""
    if request.method == "GET":
        return _page(200)
    form, found = request.form, services()
    if form.get("confirmation") != "oui":
        return _page(422, {"confirmation": _(_TICK)})
    birth, number = read_birth(form.get("naissance", "")), read_matricule(form.get("matricule", "")[:40])
    try:
        proven = found.accounts.invitations.prove(form.get("code", "")[:40], birth, number, place().address)
    except TooEarly as early:
        return _page(429, {"": waiting(early.wait)})
    if proven is None:
        tracing.refused("activate", None)
        return _page(401, {"": _(_WRONG)})
    actor = Actor(
        "representative" if proven.reach.related else "holder",
        Access.system("opposition by code", found.clock()),
        found.origin,
    )
    try:
        found.spaces.happen(actor, proven.reach.patient, "oppose")
    except Conflict:
        return _page(409, {"": _(_LATE)})
    found.accounts.invitations.take(proven.key)
    return page("espace/opposed.html", name=proven.name)


def _page(status: int, errors: dict[str, str] | None = None) -> Response:
    return page("espace/opposition.html", status, errors=errors or {})
