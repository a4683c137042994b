"""A browser without script: cookies, links, forms with the fields that they came with."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.application import Application


class Form(NamedTuple):
    action: str
    fields: dict[str, str]


class Page(NamedTuple):
    """What was answered; `text` without markup."""

    status: int
    headers: dict[str, str]
    html: str
    path: str

    @property
    def text(self) -> str:
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", self.html)).split())

    @property
    def forms(self) -> list[Form]:
        reader = _Forms()
        reader.feed(self.html)
        return reader.found

    def form(self, action: str, **values: str) -> Form:
        """The form that goes to that path, with these values of hidden fields or of buttons."""
        fitting = [
            each
            for each in self.forms
            if each.action.partition("?")[0] == action and values.items() <= each.fields.items()
        ]
        assert fitting, (action, self.forms, self.text)
        return fitting[0]


class Browser:
    """`follow`: goes where it is led, as browsers do."""

    def __init__(self, application: Application, agent: str = "Mozilla/5.0 (X11; Linux) Firefox/140.0") -> None:
        self.client = application.app.test_client()
        self.agent = agent

    def get(self, path: str, *, follow: bool = True, **headers: str) -> Page:
        return self._open("GET", path, None, follow, headers)

    def post(self, path: str, fields: dict[str, str], *, follow: bool = True, **headers: str) -> Page:
        return self._open("POST", path, fields, follow, headers)

    def send(
        self, page: Page, action: str, typed: dict[str, str] | None = None, *, follow: bool = True, **values: str
    ) -> Page:
        """Fills the form of the page that goes to `action`, and sends it."""
        form = page.form(action)
        return self.post(form.action, form.fields | (typed or {}) | values, follow=follow)

    def cookie(self, name: str) -> str | None:
        found = self.client.get_cookie(name)
        return found.value if found else None

    def _open(
        self, method: str, path: str, fields: dict[str, str] | None, follow: bool, headers: dict[str, str]
    ) -> Page:
        sent = {"User-Agent": self.agent} | {name.replace("_", "-"): value for name, value in headers.items()}
        response = self.client.open(path, method=method, data=fields, headers=sent)
        found = {name.lower(): value for name, value in response.headers.items()}
        if follow and response.status_code in (302, 303) and found["location"].startswith("/"):
            return self._open("GET", found["location"], None, follow, headers)
        return Page(response.status_code, found, response.get_data(as_text=True), path)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.found.append(Form(given.get("action") or "", {}))
            self._inside = True
        elif tag == "input" and self._inside and given.get("type") not in ("radio", "checkbox", "submit"):
            self.found[-1].fields[given.get("name") or ""] = given.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "form"
