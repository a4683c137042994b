"""Simulated identity providers for tests, which misbehave on demand; and the browser that goes there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from examples.providers.provider import CLIENTS, Answer, Ask, FranceConnect, Provider
from fhirserver import jsontext

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CALLBACK = "http://127.0.0.1:1/retour"


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class Bending:
    """`bend`: changes of what is answered, by what it is: `id_token` (claims to claims), `token` (of the id token made,
    with the provider), `userinfo`, `document`; by its path, such as `/token`, the answer."""

    bend: Mapping[str, Callable[..., Any]] = {}


class BendingPsc(Bending, Provider):
    def answer(self, ask: Ask) -> Answer:
        answered = super().answer(ask)
        return self.bend[ask.path](answered) if ask.path in self.bend else answered

    def id_claims(self, asked: Mapping[str, Any], access: str) -> dict[str, Any]:
        return _bent(self.bend, "id_token", super().id_claims(asked, access))

    def id_token(self, asked: Mapping[str, Any], access: str) -> str:
        made = super().id_token(asked, access)
        return str(self.bend["token"](self, self.id_claims(asked, access))) if "token" in self.bend else made

    def told(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return _bent(self.bend, "userinfo", super().told(asked))

    def document(self) -> dict[str, Any]:
        return _bent(self.bend, "document", super().document())


class BendingFranceConnect(BendingPsc, FranceConnect):
    pass


def _bent(bend: Mapping[str, Callable[..., Any]], name: str, value: dict[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = bend[name](value) if name in bend else value
    return changed


def visited(url: str, who: str) -> dict[str, str]:
    """What the provider sends back with the browser of somebody who logs in there."""
    joint = "&" if "?" in url else "?"
    location = _location(f"{url}{joint}login_hint={who}")
    return dict(parse_qsl(urlsplit(location).query))


def access_token(provider: str, who: str, client: str = "logiciel") -> str:
    """The access token that a hospital's software gets at the provider, for a professional who logs in there."""
    asked = {"client_id": client, "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid", "state": "s"}
    code = visited(f"{provider}/authorize?{urlencode(asked)}", who)["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "client_id": client}
    body = urlencode({**form, "client_secret": CLIENTS[client]}).encode()
    with build_opener(_Stay).open(Request(f"{provider}/token", body), timeout=60) as answer:
        return str(jsontext.parse(answer.read())["access_token"])


def _location(url: str) -> str:
    try:
        build_opener(_Stay).open(url, timeout=60)
    except HTTPError as error:
        with error:
            return str(error.headers["Location"])
    raise AssertionError("the provider did not send the browser back")
