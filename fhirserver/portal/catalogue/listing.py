"""`/catalogue`: the referenced apps by category, and what is known of one."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final

from flask import Response, abort, request

from fhirserver.auth.clients.catalogue import categories
from fhirserver.errors import NotFound
from fhirserver.portal import browser
from fhirserver.portal.consent import wording
from fhirserver.portal.language import ENGLISH, N_, _, current
from fhirserver.portal.operator import staff
from fhirserver.portal.page import page
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flask import Blueprint

    from fhirserver.auth.clients.catalogue import Category
    from fhirserver.auth.clients.client import Client

PATH: Final = "/catalogue"
LASTING: Final = {
    "offline_access": N_("Garder cet accès quand vous n’utilisez pas l’application"),
    "online_access": N_("Garder cet accès tant que vous êtes connecté"),
}
_LOGO: Final = re.compile(r"data:(image/(?:png|jpeg|webp));base64,(.+)")


def routes(pages: Blueprint) -> None:
    pages.add_url_rule(PATH, "catalogue", catalogue)
    pages.add_url_rule(f"{PATH}/<client_id>", "catalogue_app", app)
    pages.add_url_rule(f"{PATH}/<client_id>/logo", "catalogue_logo", logo)


def catalogue() -> Response:
    """The apps, of one category when it is chosen."""
    chosen = request.args.get("categorie")
    found = services().catalogue.apps()
    used = {code for each in found for code in each.catalogue.get("categories", ())}
    shown = [each for each in categories() if each.code in used]
    if chosen is not None and chosen not in used:
        abort(404)
    groups = [(named(each), _of(found, each.code)) for each in shown if chosen in (None, each.code)]
    listed = [(each.code, named(each)) for each in shown]
    return page("catalogue/list.html", groups=groups, categories=listed, chosen=chosen)


def app(client_id: str) -> Response:
    """One app: who publishes it, what for, what it may ask, where it keeps data."""
    client = referenced(client_id)
    names = {each.code: named(each) for each in categories()}
    chosen = [names[each] for each in client.catalogue.get("categories", ()) if each in names]
    return page(
        "catalogue/app.html",
        app=client,
        categories=chosen,
        lines=lines(client.scopes),
        has_logo=_inline_logo(client) is not None,
    )


def logo(client_id: str) -> Response:
    """The logo that came with the registration. One at another address is not shown: no third party is asked."""
    reviewing = staff.is_operator(browser.current_session())
    found = _inline_logo(services().catalogue.client(client_id) if reviewing else referenced(client_id))
    if found is None:
        abort(404)
    response = Response(base64.b64decode(found[2]), content_type=found[1])
    response.headers["Content-Security-Policy"] = "default-src 'none'"
    return response


def referenced(client_id: str) -> Client:
    """The referenced app of this id. Raises NotFound."""
    client = services().catalogue.client(client_id)
    if client.status != "referenced":
        raise NotFound("There is no app of this id.")
    return client


def lines(scopes: Iterable[str]) -> list[wording.Item]:
    """What scopes let an app do, in plain words."""
    known = wording.known(scopes, services().definitions.resource_types)
    return wording.items(known, {name: _(words) for name, words in LASTING.items()})


def named(category: Category) -> str:
    """The name of a category of apps."""
    return category.english if current() == ENGLISH else category.display


def _of(found: list[Client], category: str) -> list[Client]:
    return [each for each in found if category in each.catalogue.get("categories", ())]


def _inline_logo(client: Client) -> re.Match[str] | None:
    return _LOGO.fullmatch(str(client.metadata.get("logo_uri", "")))
