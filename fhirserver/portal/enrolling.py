"""Pages that set a second factor up, for a new account and for one that is there: what they share."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import segno
from flask import Response, request

from fhirserver.auth.accounts import factors
from fhirserver.auth.accounts.refused import Refused
from fhirserver.mail import is_address, phone_number
from fhirserver.portal import browser
from fhirserver.portal.language import N_, _
from fhirserver.portal.login import waiting
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from flask import Blueprint

COOKIE: Final = "facteur"
NAMES: Final = {
    "mail": N_("Un code par courriel, à chaque connexion"),
    "phone": N_("Un code par message sur votre téléphone"),
    "totp": N_("Une application qui affiche des codes (plus sûr, marche sans réseau)"),
}
WRONG: Final = N_("Ce code ne convient pas, ou il n’est plus valable.")
UNSENT: Final = N_("Le code n’a pas pu être envoyé à cette adresse. Vérifiez-la, ou choisissez un autre moyen.")


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/facteur/qr.svg", "qr", qr)


def options() -> list[tuple[str, str]]:
    """What can be chosen here."""
    return [(each, _(NAMES[each])) for each in services().accounts.enrolments.methods]


def chosen(errors: dict[str, str]) -> tuple[str, str]:
    """The way that the form chooses, and its address; what is wrong goes to `errors`."""
    method, typed = request.form.get("moyen", ""), request.form.get("adresse", "").strip()
    if method not in services().accounts.enrolments.methods:
        errors["moyen"] = _("Choisissez un moyen.")
    elif method == "mail" and not is_address(typed):
        errors["adresse"] = _("Indiquez une adresse de courriel, comme nom@exemple.fr.")
    elif method == "phone":
        number = phone_number(typed)
        if number is None:
            errors["adresse"] = _("Indiquez un numéro de téléphone, comme 06 12 34 56 78.")
        return method, number or ""
    return method, typed


def told(refused: Refused) -> str:
    """Why a step was refused, in words."""
    if refused.why == "wait":
        return waiting(refused.wait)
    return UNSENT if refused.why == "unsent" else WRONG


def shown(login: str) -> dict[str, str]:
    """What a page shows to set an app up; nothing for other factors. Raises Refused."""
    enrolments, token = services().accounts.enrolments, browser.cookie(COOKIE)
    row = enrolments.find(token)
    if row.get("method") != "totp":
        return {"address": row.get("address", "")}
    return {"seed": enrolments.seed(token), "login": login}


def qr() -> Response:
    """The QR code of the app that is being set up."""
    enrolments, token = services().accounts.enrolments, browser.cookie(COOKIE)
    try:
        row = enrolments.find(token)
        uri = factors.totp_uri(enrolments.seed(token), str(row["purpose"].get("login", "")))
    except Refused:
        return Response(status=404)
    drawn = io.BytesIO()
    segno.make(uri, micro=False).save(drawn, kind="svg", scale=4, border=4, xmldecl=False, dark="#000", light="#fff")
    return Response(drawn.getvalue(), content_type="image/svg+xml")
