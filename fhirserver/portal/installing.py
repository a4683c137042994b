"""`/manifest.webmanifest`: the pages can be put among the programs of a telephone or a desk (W3C Web App Manifest).

Nothing is kept for use without a network, so there is no service worker: of health data nothing stays on a lost device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson
from flask import Response

from fhirserver.portal import assets, language
from fhirserver.portal.language import N_, _

if TYPE_CHECKING:
    from flask import Blueprint

PATH: Final = "/manifest.webmanifest"
MEDIA: Final = "application/manifest+json"
THEME: Final = {"light": "#ffffff", "dark": "#16161a"}
"""The colour of the page (`--paper` of the style sheet), by colour scheme."""
_ICONS: Final = (("icon-192.png", 192, "any"), ("icon-512.png", 512, "any"), ("icon-maskable-512.png", 512, "maskable"))
_SHORTCUTS: Final = ((N_("Dossier"), "/dossier"), (N_("Mon compte"), "/compte"))


def routes(pages: Blueprint) -> None:
    pages.add_url_rule(PATH, "manifest", manifest)


def manifest() -> Response:
    """What a browser needs to install the pages, in the language of who asks."""
    told = {
        "id": "/",
        "name": _("Espace de santé"),
        "short_name": _("Santé"),
        "description": _("Vos documents, vos résultats et vos traitements, au même endroit."),
        "lang": language.current(),
        "dir": "ltr",
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": THEME["light"],
        "theme_color": THEME["light"],
        "categories": ["health"],
        "icons": [_icon(*each) for each in _ICONS],
        "shortcuts": [{"name": _(name), "url": url} for name, url in _SHORTCUTS],
    }
    response = Response(orjson.dumps(told), content_type=MEDIA)
    response.headers["Cache-Control"] = "no-cache"
    response.vary.add("Cookie")
    return response


def _icon(name: str, side: int, purpose: str) -> dict[str, str]:
    return {"src": assets.url(name), "sizes": f"{side}x{side}", "type": "image/png", "purpose": purpose}
