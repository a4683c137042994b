"""`/patients`: a professional finds a record by INS, or opens it in an emergency for a reason (CSP L.1111-17 I)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import abort, request

from fhirserver.access import Access
from fhirserver.portal import browser, demo
from fhirserver.portal.consent.records import Records
from fhirserver.portal.language import N_, _
from fhirserver.portal.page import page
from fhirserver.portal.record import emergency
from fhirserver.portal.record.space import Refused, Space
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from flask import Blueprint, Response

    from fhirserver.access import Requester
    from fhirserver.auth.sessions import Session

_UNKNOWN: Final = N_("Aucun dossier ouvert que vous puissiez consulter ne porte ce matricule INS.")
_NONE: Final = N_("Aucun dossier ouvert en urgence ne porte ce matricule, ou la personne s’y est opposée.")
_REASON: Final = N_("Dites pourquoi, en %(most)s caractères au plus : la personne le lira.")


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/patients", "find_patient", find, methods=["GET", "POST"])
    pages.add_url_rule("/patients/urgence", "break_glass", break_glass, methods=["POST"])


def find() -> Response:
    """The search; what is hidden is answered as what is not there."""
    session, number = _professional(), request.form.get("ins", "")[:40]
    if request.method == "GET":
        return _page(200, {}, "")
    record = Records(services(), session.subject).by_ins(number)
    if record is None:
        return _page(404, {"ins": _UNKNOWN}, number)
    return browser.redirect(f"/dossier/{record.id}")


def break_glass() -> Response:
    """Opens one record for a while; the person and the médecin traitant are told, with the reason."""
    session, number = _professional(), request.form.get("matricule", "")[:40]
    reason = request.form.get("motif", "").strip()
    if not reason or len(reason) > emergency.LONGEST or not reason.isprintable():
        return _page(422, {"motif": _(_REASON, most=emergency.LONGEST)}, "", number, reason[: emergency.LONGEST])
    record = _open_in_emergency(emergency.declared(session.subject, reason), number)
    if record is None:
        return _page(404, {"matricule": _NONE}, "", number, reason)
    return emergency.begin(browser.redirect(f"/dossier/{record}"), record, reason)


def _open_in_emergency(who: Requester, number: str) -> str | None:
    """The id of the record of an INS, when it is seen in an emergency.

    An emergency reaches whom a request names by id (docs/access.md): the server itself looks up which that is, and
    tells nothing unless the professional then reads it.
    """
    looking = Access.system("emergency", services().clock()).requester
    record = Records(services(), looking).by_ins(number)
    if record is None:
        return None
    try:
        Space(who, record.id).ask("GET", f"Patient/{record.id}")
    except Refused:
        return None
    return record.id


def _professional() -> Session:
    session = browser.needed_session()
    if session.subject.kind != "practitioner":
        abort(404)
    return session


def _page(status: int, errors: dict[str, str], number: str, urgent: str = "", reason: str = "") -> Response:
    minutes = services().settings.emergency_seconds // 60
    shown: dict[str, Any] = {
        "number": number,
        "urgent": urgent,
        "reason": reason,
        "minutes": minutes,
        "demo": demo.numbers(),
    }
    return page("record/find.html", status, errors=errors, **shown)
