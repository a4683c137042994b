"""`/catalogue/revue`: operators look at what was submitted, write the words of the catalogue, and decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import Response, abort, request

from fhirserver.access import Access
from fhirserver.audit import Event
from fhirserver.auth.clients.catalogue import FOLLOWING, categories, lacking
from fhirserver.auth.clients.client import STATUSES
from fhirserver.errors import BadRequest, Conflict
from fhirserver.portal import browser
from fhirserver.portal.catalogue.listing import PATH, lines, named
from fhirserver.portal.language import N_, _
from fhirserver.portal.operator import staff
from fhirserver.portal.page import page
from fhirserver.rest.catalogue import about
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from flask import Blueprint

    from fhirserver.auth.clients.client import Client
    from fhirserver.auth.sessions import Session

REVIEW: Final = f"{PATH}/revue"
NAMES: Final = {
    "submitted": N_("Proposée"),
    "referenced": N_("Référencée"),
    "suspended": N_("Suspendue"),
    "withdrawn": N_("Retirée"),
}
LISTS: Final = {
    "submitted": N_("Proposées"),
    "referenced": N_("Référencées"),
    "suspended": N_("Suspendues"),
    "withdrawn": N_("Retirées"),
}
DECISIONS: Final = {"referenced": N_("Référencer"), "suspended": N_("Suspendre"), "withdrawn": N_("Retirer")}
LACKING: Final = {
    "publisher": N_("l’éditeur"),
    "purpose": N_("la finalité"),
    "categories": N_("une catégorie"),
    "hosting": N_("l’hébergement"),
    "organization": N_("le FINESS de l’établissement"),
}
_REFUSED: Final = N_(
    "Ce qui est saisi n’est pas recevable : vérifiez les longueurs, le FINESS et le motif ; la fiche d’une application "
    "référencée est complète."
)
_MEANWHILE: Final = N_(
    "Ce client a été modifié entre-temps, ou cette décision n’est plus possible : vérifiez son état."
)


def routes(pages: Blueprint) -> None:
    pages.add_url_rule(REVIEW, "review", overview)
    pages.add_url_rule(f"{REVIEW}/<client_id>", "review_client", client_page)
    pages.add_url_rule(f"{REVIEW}/<client_id>/fiche", "review_entry", entry, methods=["POST"])
    pages.add_url_rule(f"{REVIEW}/<client_id>/decision", "review_decision", decision, methods=["POST"])


def overview() -> Response:
    """The clients of a status, those to be looked at first."""
    _operator()
    status = request.args.get("etat", "submitted")
    if status not in STATUSES:
        abort(404)
    after = request.args.get("apres", "")
    found = services().catalogue.listed(status, after)
    following = found[-1].id if len(found) == 100 else None
    return page("catalogue/review.html", clients=found, state=status, lists=_lists(), following=following)


def client_page(client_id: str) -> Response:
    _operator()
    return _shown(services().catalogue.client(client_id))


def entry(client_id: str) -> Response:
    """Keeps what people read of the app, and for whom it acts."""
    who, form = _operator(), request.form
    catalogue = services().catalogue
    client = catalogue.client(client_id)
    written: dict[str, Any] = {name: form.get(name, "").strip() for name in ("publisher", "purpose")}
    written["categories"] = form.getlist("categories")
    if host := form.get("host", "").strip():
        written["hosting"] = {"host": host, "hds": form.get("hds") == "oui"}
    try:
        client = catalogue.describe(client, {name: each for name, each in written.items() if each})
        organization = form.get("organization", "").strip() or None
        client = catalogue.appoint(client, organization, resource_server=form.get("resource_server") == "oui")
    except (BadRequest, Conflict) as error:
        return _shown(client, error)
    _trace(who, client_id)
    return browser.redirect(f"{REVIEW}/{client_id}")


def decision(client_id: str) -> Response:
    who, catalogue = _operator(), services().catalogue
    client = catalogue.client(client_id)
    try:
        catalogue.decide(client, request.form.get("status", ""), who.account, request.form.get("reason", ""))
    except (BadRequest, Conflict) as error:
        return _shown(client, error)
    _trace(who, client_id)
    return browser.redirect(f"{REVIEW}/{client_id}")


def _lists() -> dict[str, str]:
    return {status: _(name) for status, name in LISTS.items()}


def _names() -> dict[str, str]:
    return {status: _(name) for status, name in NAMES.items()}


def _operator() -> Session:
    """The session of an operator with two factors; for others there is nothing here."""
    return staff.operator()


def _trace(who: Session, client_id: str) -> None:
    found = services()
    found.trace(Access.of(who.subject, found.clock()), Event("register", 200, about(client_id)))


def _shown(client: Client, error: BadRequest | Conflict | None = None) -> Response:
    errors = {} if error is None else {"": _MEANWHILE if isinstance(error, Conflict) else _REFUSED}
    return page(
        "catalogue/client.html",
        200 if error is None else 422,
        app=client,
        names=_names(),
        decisions=[(each, _(DECISIONS[each])) for each in FOLLOWING[client.status]],
        lacking=[_(LACKING[each]) for each in lacking(client)],
        categories=[(each.code, named(each)) for each in categories()],
        lines=lines(client.scopes),
        errors=errors,
    )
