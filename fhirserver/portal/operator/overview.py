"""`/operateur`: what waits for an operator, as counts, and where to go; an agent goes on to the spaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fhirserver.portal import browser, parameters
from fhirserver.portal.language import N_, _
from fhirserver.portal.operator import staff
from fhirserver.portal.page import page

if TYPE_CHECKING:
    from flask import Blueprint, Response

_COUNTS: Final = {
    "apps-submitted": (N_("Applications à examiner"), "/catalogue/revue"),
    "spaces-due": (N_("Espaces dont une échéance est passée"), ""),
    "erasures-due": (N_("Effacements à faire"), ""),
    "quarantine-held": (N_("Documents en attente de leur patient"), ""),
    "news-waiting": (N_("Notifications et courriels à envoyer"), ""),
    "news-late": (N_("Envois qui ont échoué et seront retentés"), ""),
    "subscriptions-failing": (N_("Abonnements dont les envois échouent"), ""),
    "jobs-open": (N_("Travaux en cours"), ""),
    "jobs-failed": (N_("Travaux qui ont échoué"), ""),
}


def routes(pages: Blueprint) -> None:
    pages.add_url_rule(staff.PATH, "operator", overview)


def overview() -> Response:
    session = staff.member()
    if not staff.is_operator(session):
        return browser.redirect(f"{staff.PATH}/espaces")
    told = staff.api(session).read("$service-overview")["parameter"]
    counts = [(_(text), path, int(parameters.value(told, name) or 0)) for name, (text, path) in _COUNTS.items()]
    return page("operator/overview.html", counts=counts, here="overview")
