"""What a machine can tell of WCAG 2.2 AA: names of fields, languages, titles, headings, contrast."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from fhirserver.portal import assets
from tests.portal.browser import Browser
from tests.portal.people import first_step, log_in, person

if TYPE_CHECKING:
    from tests.application import Application
    from tests.mail.server import Box

OPEN = ("/", "/connexion", "/connexion/oubli", "/connexion/oubli/code", "/activation", "/activation/demande")
OWN = ("/compte", "/compte/facteur", "/compte/cle", "/compte/mot-de-passe", "/choisir")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.labelled: set[str] = set()
        self.fields: list[dict[str, str]] = []
        self.tags: Counter[str] = Counter()
        self.lang = ""
        self.levels: list[int] = []
        self.described: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags[tag] += 1
        self.ids += [given["id"]] if "id" in given else []
        self.described |= set(given.get("aria-describedby", "").split())
        if tag == "html":
            self.lang = given.get("lang", "")
        if tag == "label":
            self.labelled.add(given["for"])
        if tag in ("input", "select", "textarea") and given.get("type") != "hidden":
            self.fields.append(given)
        if re.fullmatch(r"h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag == "img":
            assert given.get("alt"), "an image without words"


def _check(html: str) -> None:
    reader = _Reader()
    reader.feed(html)
    assert reader.lang == "fr"
    assert reader.tags["h1"] == 1
    assert reader.tags["main"] == 1
    assert reader.tags["title"] == 1
    assert [name for name, count in Counter(reader.ids).items() if count > 1] == []
    assert reader.described <= set(reader.ids)
    assert all(b - a <= 1 for a, b in zip([1, *sorted(reader.levels)], sorted(reader.levels), strict=False))
    for field in reader.fields:
        assert field["id"] in reader.labelled, field
        assert "placeholder" not in field
        assert field.get("type") in ("radio", "checkbox") or "autocomplete" in field
    assert not re.search(r"\son[a-z]+=|style=|javascript:", html)
    assert re.search(r'<a class="skip" href="#contenu">', html)


@pytest.mark.parametrize("path", OPEN)
def test_pages_for_everybody_name_their_fields(house: Application, path: str) -> None:
    _check(Browser(house).get(path).html)


def test_pages_of_the_account_name_their_fields(house: Application, mailbox: Box) -> None:
    browser = log_in(house, person(house), mailbox)
    for path in OWN:
        page = browser.get(path)
        assert page.status == 200, path
        _check(page.html)


def test_a_form_that_was_refused_announces_what_is_wrong(house: Application, mailbox: Box) -> None:
    browser = log_in(house, person(house), mailbox)
    typed = {"actuel": "x", "mot-de-passe": "court", "confirmation": "x"}
    page = browser.send(browser.get("/compte/mot-de-passe"), "/compte/mot-de-passe", typed)
    _check(page.html)
    assert "<title>Erreur – " in page.html
    assert 'role="alert"' in page.html
    assert '<a href="#actuel">' in page.html
    assert re.search(r'id="actuel"[^>]*aria-invalid="true"[^>]*aria-describedby=" ?actuel-erreur"', page.html)
    _check(first_step(Browser(house), "personne").html)


@pytest.mark.parametrize("theme", [0, 1])
def test_text_stands_out_from_what_is_behind_it(theme: int) -> None:
    style = assets._all()["portal.css"].content.decode()
    found = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[theme]
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", found))
    for front, back in (
        *(("ink", each) for each in ("paper", "panel")),
        *(("soft", each) for each in ("paper", "panel")),
        *(("act", each) for each in ("paper", "panel")),
        *(("wrong", each) for each in ("paper", "panel")),
        ("on-act", "act"),
    ):
        assert _contrast(colours[front], colours[back]) >= 4.5, (front, back)
    assert _contrast(colours["line"], colours["paper"]) >= 3


def _contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
