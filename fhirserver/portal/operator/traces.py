"""`/operateur/traces`: whether the chains of traces are whole, as the last verification found, and to begin another."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from flask import request

from fhirserver.portal import browser, parameters
from fhirserver.portal.language import N_, _
from fhirserver.portal.operator import staff
from fhirserver.portal.page import page
from fhirserver.portal.record.space import Refused
from fhirserver.portal.record.wording import when

if TYPE_CHECKING:
    from flask import Blueprint, Response

    from fhirserver.auth.sessions import Session

PATH: Final = f"{staff.PATH}/traces"
FAULTS: Final = {
    "the record was changed": N_("l’enregistrement a été modifié"),
    "it purges what was not old enough": N_("il efface des traces qui n’étaient pas assez anciennes"),
    "it is no erasure of this server's": N_("il annonce un effacement que ce serveur n’a pas fait"),
    "it is not the record that an anchor names": N_("ce n’est pas l’enregistrement qu’une ancre désigne"),
    "an anchor that was named is missing, or was changed": N_("une ancre désignée manque, ou a été modifiée"),
    "what is named as an anchor is none": N_("ce qui est désigné comme ancre n’en est pas une"),
    "it is missing, with all that followed: an anchor names it": N_(
        "il manque, avec tout ce qui le suivait : une ancre le désigne"
    ),
}
"""What `audit.verifying` says."""
MISSING: Final = re.compile(r"(-?\d+) records are missing before record (\d+)")
_MISSING: Final = N_("%(count)s enregistrements manquent avant l’enregistrement %(number)s")
_COUNTS: Final = ("records", "chains", "anchors", "faults", "named")
_RUNNING: Final = N_("Une vérification est déjà en cours.")
_MANY: Final = N_("Trop de travaux sont en cours : attendez la fin de l’un d’eux.")


def routes(pages: Blueprint) -> None:
    pages.add_url_rule(PATH, "operator_traces", traces, methods=["GET", "POST"])


def traces() -> Response:
    """The last verification; POST begins one."""
    session = staff.operator()
    if request.method == "GET":
        return _page(session, 200, "")
    try:
        staff.api(session).ask("POST", "$audit-verify")
    except Refused as refused:
        return _page(session, refused.status, _(_RUNNING) if refused.status == 409 else _(_MANY))
    return browser.redirect(PATH)


def said(text: str) -> str:
    """A fault in the words of the page."""
    if found := MISSING.fullmatch(text):
        return _(_MISSING, count=found[1], number=found[2])
    return _(FAULTS[text]) if text in FAULTS else text


def _page(session: Session, status: int, error: str) -> Response:
    told = staff.api(session).read("$audit-verify")["parameter"]
    running = bool(parameters.value(told, "running"))
    response = page(
        "operator/traces.html",
        status,
        errors={"": error} if error else {},
        running=running,
        failed=when(parameters.value(told, "failed"), time=True),
        ended=when(parameters.value(told, "ended"), time=True),
        anchored=when(parameters.value(told, "anchored"), time=True),
        counts={name: parameters.value(told, name) for name in _COUNTS},
        chains=[(each["name"], each["records"]) for each in parameters.values(told, "chain")],
        faults=[(each["chain"], each["record"], said(each["text"])) for each in parameters.values(told, "fault")],
        here="traces",
    )
    if running:
        response.headers["Refresh"] = "5"
    return response
