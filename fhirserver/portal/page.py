"""A page: rendered from its template, with the headers that every page has; errors are pages too.

`form-action` holds for redirects after a form as well: a page whose form ends at an app's address names that origin.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from flask import Response, g, render_template, request
from werkzeug.exceptions import HTTPException

from fhirserver.errors import FhirError
from fhirserver.portal import assets, browser, dates, installing, language
from fhirserver.portal.language import N_, _
from fhirserver.rest import edge, inner
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flask import Blueprint

_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)
_HEADERS: Final = {
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), publickey-credentials-get=(self)",
}
_TITLES: Final = {
    400: N_("Demande incorrecte"),
    403: N_("Accès refusé"),
    404: N_("Page introuvable"),
    405: N_("Demande incorrecte"),
    413: N_("Envoi trop volumineux"),
    429: N_("Trop de tentatives"),
    503: N_("Service momentanément indisponible"),
}
_TEXTS: Final = {
    400: N_("Le serveur ne comprend pas cette demande. Revenez en arrière et recommencez."),
    403: N_("Vous ne pouvez pas faire cela. Si vous veniez d’un formulaire, rechargez-le et envoyez-le de nouveau."),
    404: N_("Il n’y a pas de page à cette adresse."),
    405: N_("Cette adresse ne s’ouvre pas de cette façon."),
    413: N_("Ce que vous avez envoyé est trop grand."),
    429: N_("Patientez un moment, puis recommencez."),
    503: N_("Réessayez dans quelques instants."),
}
_FAULT: Final = N_("Une erreur est survenue de notre côté. Elle a été enregistrée ; réessayez plus tard.")
_ERROR: Final = N_("Erreur")
_log = logging.getLogger(__name__)


def done(texts: Mapping[str, str]) -> str:
    """What was just done, as the address that a form led to says it (`fait`), in words; empty for nothing."""
    return _(texts[told]) if (told := request.args.get("fait", "")) in texts else ""


def page(template: str, status: int = 200, *, form_action: Iterable[str] = (), **context: Any) -> Response:
    """The page of a template below `templates/`. `form_action`: URLs that its forms may lead to, besides our own.

    The texts of `errors` are told in the language of the page.
    """
    allow_forms_to(form_action)
    if errors := context.get("errors"):
        context["errors"] = {name: _(text) for name, text in errors.items()}
    return Response(
        render_template(template, **{**_context(), **context}), status, content_type="text/html; charset=utf-8"
    )


def allow_forms_to(urls: Iterable[str]) -> None:
    """The page being answered may have forms that end at these URLs, by way of redirects too."""
    found = {_source(each) for each in urls} - {""}
    g.form_action = g.get("form_action", frozenset()) | found


def prepare(pages: Blueprint) -> None:
    """What all pages share."""
    pages.record_once(lambda state: dates.install(state.app.jinja_env))
    pages.after_request(_with_headers)
    pages.register_error_handler(HTTPException, _http_error)
    pages.app_errorhandler(404)(_unknown)
    pages.register_error_handler(Exception, _fault)


def error_page(status: int, text: str = "", title: str = "") -> Response:
    """An error as a page; of no text, the usual one of the status."""
    return page(
        "error.html",
        status,
        return_to="/",  # what is hidden and what is not there have the same page
        title=_(title or _TITLES.get(status, _ERROR)),
        text=_(text or _TEXTS.get(status, _FAULT if status >= 500 else _TEXTS[400])),
    )


def _with_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    if response.mimetype == "text/html":
        response.headers.setdefault("Content-Language", language.current())
        response.vary.add("Cookie")
    policy = " ".join((_POLICY, *sorted(g.get("form_action", ()))))
    response.headers.setdefault("Content-Security-Policy", policy)
    return response


def _context() -> dict[str, Any]:
    return {
        "csrf": browser.csrf_token,
        "asset": assets.url,
        "session": browser.current_session(),
        "language": language,
        "themes": installing.THEME,
        **g.get("page_context", {}),
        "development": services().settings.environment != "production",
    }


def _http_error(error: HTTPException) -> Response:
    return error_page(error.code or 500)


def _unknown(error: HTTPException) -> Response:
    """Of an address that leads nowhere: a page for who reads pages, and what the edge says to all others."""
    if request.path.startswith(f"{inner.PREFIX}/") or "text/html" not in request.headers.get("Accept", ""):
        return edge.http_error(error)
    return _with_headers(error_page(404))


def _fault(error: Exception) -> Response:
    if isinstance(error, browser.LoginNeeded):
        return browser.to_login(error.path, again=error.again)
    if isinstance(error, FhirError):
        return error_page(error.status)
    _log.exception("unexpected fault")
    return error_page(500, title=_ERROR)


def _source(url: str) -> str:
    """The source expression of a URL (CSP 3, section 2.3.1): its origin, or its scheme when that is an app's own."""
    parts = urlsplit(url)
    if parts.scheme in ("http", "https"):
        safe = parts.netloc.replace("[", "").replace("]", "").replace(":", "").replace(".", "").replace("-", "")
        return f"{parts.scheme}://{parts.netloc}" if safe.isalnum() else ""
    return f"{parts.scheme}:" if parts.scheme.replace(".", "").replace("-", "").replace("+", "").isalnum() else ""
