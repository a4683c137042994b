"""Web pages: what a person sees in a browser. Server-rendered, without script unless a page cannot do without.

Each module of pages offers `routes(pages)`, which adds its URLs to the blueprint, and stands in `_PAGES`. All get the
headers, the errors as pages, and the check of the form's token from here (`page`, `browser`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import Blueprint

from fhirserver.portal import (
    account,
    activation,
    agenda,
    assets,
    browser,
    catalogue,
    consent,
    demo,
    enrolling,
    entering,
    espace,
    federation,
    forgotten,
    home,
    installing,
    language,
    login,
    messages,
    operator,
    opposition,
    page,
    record,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_PAGES: Final[tuple[Callable[[Blueprint], None], ...]] = (
    language.routes,
    installing.routes,
    assets.routes,
    home.routes,
    demo.routes,
    consent.routes,
    login.routes,
    forgotten.routes,
    entering.routes,
    enrolling.routes,
    activation.routes,
    account.routes,
    espace.routes,
    opposition.routes,
    federation.routes,
    catalogue.routes,
    record.routes,
    operator.routes,
    messages.routes,
    agenda.routes,
)


def blueprint() -> Blueprint:
    """All pages."""
    pages = Blueprint("portal", __name__, template_folder="templates")
    page.prepare(pages)
    browser.prepare(pages)
    for routes in _PAGES:
        routes(pages)
    return pages


__all__ = ["blueprint"]
