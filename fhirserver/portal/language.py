"""The language of a page: French, or English where somebody chose it, or where the server's setting says so.

The texts of templates and modules are French; `english/<area>.csv` (columns `fr`, `en`) holds what each is in English.
A placeholder is `%(name)s`, in both. A text that stands in no table is shown in French; a test finds it.

In templates `{% trans %}…{% endtrans %}` and `_("…")`, of constants only: what they say is taken for HTML, the values
put in are escaped. In Python `_("…", name=value)`, and `N_("…")` for a constant that `_` translates when it is shown.
"""

from __future__ import annotations

import csv
import re
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from flask import Response, current_app, g, has_request_context, request
from jinja2.ext import i18n
from werkzeug.exceptions import HTTPException

from fhirserver.portal import browser, sealed
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Blueprint
    from jinja2 import Environment

FRENCH: Final = "fr"
ENGLISH: Final = "en"
NAMES: Final = {FRENCH: "Français", ENGLISH: "English"}
COOKIE: Final = "langue"
_BEFORE_SIGN: Final = re.compile(" (?=[:;!?»])")
_YEAR: Final = 365 * 24 * 3600


def routes(pages: Blueprint) -> None:
    pages.record_once(lambda state: install(state.app.jinja_env))
    pages.add_url_rule("/langue", "language", choose, methods=["POST"])


def install(environment: Environment) -> None:
    """Lets templates speak both languages."""
    environment.add_extension(i18n)
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(translated, of_number, newstyle=True)  # type: ignore[attr-defined]


def choose() -> Response:
    """Keeps the language that the form of each page names, for a year, and goes back to that page."""
    chosen, path = request.form.get("langue", ""), request.form.get("retour", "")
    response = browser.redirect(path if _is_page(path) else "/")
    return browser.set_cookie(response, COOKIE, chosen, _YEAR) if chosen in NAMES else response


def current() -> str:
    """The language of the page being answered."""
    if not has_request_context():
        return FRENCH
    if "language" not in g:
        chosen = browser.cookie(COOKIE)
        g.language = chosen if chosen in NAMES else services().settings.language
    return str(g.language)


def others() -> dict[str, str]:
    """The names of the other languages, by code."""
    return {code: name for code, name in NAMES.items() if code != current()}


def here() -> str:
    """The page to come back to, with its query; of an address that takes forms only, the nearest page above it, where
    the form stands."""
    path = request.full_path.rstrip("?")
    if _is_page(path):
        return path
    above = request.path
    while above and not _is_page(above):
        above = above.rpartition("/")[0]
    return above or "/"


def N_(text: str) -> str:  # noqa: N802 - as gettext calls it
    """Marks a constant that is translated by `_` where it is shown."""
    return text


def translated(text: str) -> str:
    """A French text in the language of the page; in French, no sign begins a line."""
    return english().get(text, text) if current() == ENGLISH else _kept_together(text)


@lru_cache(4096)
def _kept_together(text: str) -> str:
    """With spaces at which no line ends, where French has one before `:`, `;`, `!`, `?`, `»` and after `«`."""
    return _BEFORE_SIGN.sub("\u00a0", text).replace("« ", "«\u00a0")


def of_number(one: str, several: str, number: int) -> str:
    """The form for a number: in French, none and one are singular."""
    many = number != 1 if current() == ENGLISH else number > 1
    return translated(several if many else one)


def _(text: str, **values: Any) -> str:
    """A French text in the language of the page, with the values of its placeholders."""
    told = translated(text)
    return told % values if values else told


def words(row: Mapping[str, str], column: str = "words") -> str:
    """What a row of a table says in the language of the page: its column `en`, or the French one."""
    return row["en"] if current() == ENGLISH else row[column]


@cache
def english() -> Mapping[str, str]:
    """The English of each French text."""
    found: dict[str, str] = {}
    for file in sorted(resources.files("fhirserver.portal").joinpath("english").iterdir(), key=lambda each: each.name):
        if file.name.endswith(".csv"):
            lines = file.read_text("utf-8").splitlines()
            found.update((row["fr"], row["en"]) for row in csv.DictReader(lines))
    return found


def _is_page(path: str) -> bool:
    """Whether a path of ours answers a GET."""
    if not sealed.is_path(path):
        return False
    adapter = current_app.url_map.bind("")
    try:
        adapter.match(path.partition("?")[0], method="GET")
    except HTTPException:
        return False
    return True
