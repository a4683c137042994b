"""`/accounts/api`: what operators do about accounts: provisional codes, and the Vitale cards that prove who one is.

Refusals are OperationOutcomes; each call is traced in the record that it is about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import jsonschema
from flask import Blueprint, Response, request

from fhirserver.access import Access, require
from fhirserver.audit import Event
from fhirserver.errors import BadRequest, Conflict, FhirError, Forbidden, Unavailable
from fhirserver.mail import Undelivered
from fhirserver.rest.edge import services
from fhirserver.rest.oauth.bearer import required
from fhirserver.rest.oauth.register import answer, body

if TYPE_CHECKING:
    from collections.abc import Callable

PATH: Final = "/accounts/api"
_ID: Final = {"type": "string", "pattern": r"^[A-Za-z0-9\-.]{1,64}$"}
INVITATION: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"patient": _ID, "related": _ID, "send": {"enum": ["letter", "mail"]}},
    "required": ["patient"],
    "additionalProperties": False,
}
CARD: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"patient": _ID, "serial": {"type": "string", "pattern": r"^[0-9A-Za-z ]{6,40}$"}},
    "required": ["patient", "serial"],
    "additionalProperties": False,
}


def blueprint() -> Blueprint:
    routes = Blueprint("accounts-api", __name__)
    routes.add_url_rule(f"{PATH}/invitations", "invite", lambda: _asked("invite", INVITATION, invite), methods=["POST"])
    routes.add_url_rule(f"{PATH}/cards", "card", lambda: _asked("card", CARD, card), methods=["POST"])
    return routes


def invite(access: Access, asked: dict[str, Any]) -> dict[str, Any]:
    """A provisional code; it is told where a letter is to carry it, and not where it was mailed. `ends`: the moment at
    which it is void; `last`: its last day where the person lives."""
    invitations = services().accounts.invitations
    code, made = invitations.invite(asked["patient"], by=access.requester.id, related=asked.get("related"))
    told: dict[str, Any] = {"patient": made.reach.patient, "related": made.reach.related}
    told |= {"ends": made.ends.isoformat(), "last": made.last.isoformat()}
    if asked.get("send") != "mail":
        return {**told, "code": code}
    try:
        invitations.mail(code, made)
    except Undelivered as error:
        invitations.take(made.key)
        raise Unavailable(f"The code was not sent: {error}") from None
    except Conflict:
        invitations.take(made.key)
        raise
    return told


def card(_: Access, asked: dict[str, Any]) -> dict[str, Any]:
    """Keeps the serial number of a person's Vitale card, as a digest."""
    services().accounts.invitations.know_card(asked["patient"], asked["serial"])
    return {"patient": asked["patient"]}


def _asked(
    interaction: str, schema: dict[str, Any], view: Callable[[Access, dict[str, Any]], dict[str, Any]]
) -> Response:
    found = services()
    who = required(found, request, interaction).requester
    access, about, status = Access.of(who, found.clock()), tuple[str, ...](), 201
    try:
        if who.kind != "operator":
            raise Forbidden("Accounts are kept by operators.")
        require(who, "Patient", "u")  # an app of an operator gets no further than its scopes
        asked = body()
        for error in jsonschema.Draft202012Validator(schema).iter_errors(asked):
            at = "/".join(map(str, error.path)) or "The body"
            raise BadRequest(f"{at} is not as it should be: {error.validator}.")
        about = (str(asked["patient"]),)
        return answer(201, view(access, asked))
    except FhirError as error:
        status = error.status
        raise
    finally:
        found.trace(access, Event(interaction, status, patients=about if status < 400 else ()))
