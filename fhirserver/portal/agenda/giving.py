"""`/dossier/<patient>/agenda/inscrire`: a professional books for the person whose record is open, in his own agenda."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import request

from fhirserver.portal import browser
from fhirserver.portal.agenda import booking, keeping, telling
from fhirserver.portal.agenda.telling import TYPE
from fhirserver.portal.language import N_, _
from fhirserver.portal.page import page
from fhirserver.portal.record.space import PAGE, Refused, opened

if TYPE_CHECKING:
    from flask import Blueprint, Response

    from fhirserver.portal.record.space import Space

_REASON: Final = N_("Écrivez le motif en 500 caractères au plus, sur une ligne.")
_GONE: Final = N_("Ce créneau n’est plus libre : choisissez-en un autre.")


def routes(pages: Blueprint) -> None:
    pages.add_url_rule("/dossier/<patient>/agenda/inscrire", "agenda_give", give, methods=["GET", "POST"])


def give(patient: str) -> Response:
    """The free slots of the professional's agendas; then the appointment on one, of which the person is told."""
    space = opened(patient, "practitioner")
    if request.method == "GET":
        return _offered(space)
    slot, reason, errors = request.form.get("creneau", ""), request.form.get("motif", "").strip(), dict[str, str]()
    if not telling.is_plain(reason):
        errors["motif"] = _(_REASON)
    found = keeping.free(space, keeping.schedules(space), slot=slot)
    if found is None or not found.resources:
        errors["creneau"] = _(_GONE)
    elif not errors:
        try:
            space.ask("POST", TYPE, booking.made(space, found.resources[0], reason))
        except Refused as refused:
            errors["creneau"] = _(_GONE) if refused.status == 409 else refused.told
        else:
            return browser.redirect("/mon-agenda?fait=inscrit")
    return _offered(space, 422, errors, reason, slot)


def _offered(
    space: Space, status: int = 200, errors: dict[str, str] | None = None, reason: str = "", slot: str = ""
) -> Response:
    schedules = keeping.schedules(space)
    found = keeping.free(space, schedules, page=request.args.get(PAGE, ""))
    return page(
        "agenda/give.html",
        status,
        schedules=schedules,
        slots=[(each["id"], telling.when(each)) for each in found.resources] if found is not None else [],
        found=found,
        errors=errors or {},
        typed=reason[: telling.LONGEST],
        chosen=slot,
        here="agenda",
    )
