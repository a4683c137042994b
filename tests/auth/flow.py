"""An app and somebody's browser: what it takes to get tokens from the authorisation server."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from fhirserver.access import Requester
from fhirserver.auth import tokens
from fhirserver.auth.clients.client import Client, Clients, digest
from fhirserver.auth.sessions import Session, Sessions
from tests.application import BASE, Answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.application import Application

REDIRECT = "https://app.example/cb"
SCOPE = "openid fhirUser profile launch/patient offline_access patient/*.cruds user/*.cruds"
GRANTS = ["authorization_code", "refresh_token"]
VERIFIER = secrets.token_urlsafe(48)
STATE = "state-1"


def challenge(verifier: str = VERIFIER) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def registered(
    application: Application, id: str = "app", *, secret: str | None = None, status: str = "referenced", **metadata: Any
) -> Client:
    """A client that is known to the server: public unless it has a secret."""
    described = {
        "client_name": "Carnet de santé",
        "redirect_uris": [REDIRECT],
        "grant_types": GRANTS,
        "token_endpoint_auth_method": "client_secret_basic" if secret else "none",
        "scope": SCOPE,
    }
    client = Client(id, status, described | metadata, secret=digest(secret) if secret else None)
    Clients(application.services.store).save(client)
    return client


def asked(**changes: str | None) -> dict[str, str]:
    """The parameters of a valid authorization request, some of them changed; None takes one away."""
    params: dict[str, str | None] = {
        "response_type": "code",
        "client_id": "app",
        "redirect_uri": REDIRECT,
        "scope": "launch/patient patient/Observation.rs",
        "state": STATE,
        "aud": BASE,
        "code_challenge": challenge(),
        "code_challenge_method": "S256",
    }
    return {name: value for name, value in (params | changes).items() if value is not None}


def patient_of(id: str = "p") -> Requester:
    """The holder of a record, as a login makes him."""
    scopes = tokens.DEFAULT_SCOPES["patient"]
    return Requester("patient", f"patient/{id}", patient=id, purpose="PATRQT", scopes=scopes, name="Claire EXEMPLE")


class Person:
    """Somebody logged in, in a browser."""

    def __init__(self, application: Application, subject: Requester, acr: str = "eidas2") -> None:
        self.application = application
        self.browser = application.app.test_client()
        self.sessions = Sessions(application.services.store)
        self.secret = self.sessions.open(subject, f"account-{subject.id}", ("pwd", "otp"), acr)
        self.browser.set_cookie("session", self.secret)

    @property
    def session(self) -> Session:
        found = self.sessions.find(self.secret)
        assert found is not None
        return found

    def open(self, params: Mapping[str, str] | Iterable[tuple[str, str]]) -> Answer:
        """GET of the authorization endpoint."""
        pairs = params.items() if hasattr(params, "items") else params
        return answer(self.browser.get("/oauth/authorize?" + urlencode(list(pairs))))

    def decide(self, params: Mapping[str, str], *ticked: str, decision: str = "accorder", **fields: str) -> Answer:
        """What the form of the consent screen sends."""
        form = {"csrf": self.session.csrf, "decision": decision, "portee": list(ticked), **fields}
        if "dossier" not in form and (
            shown := re.search(rb'name="dossier" value="([^"]+)"', self.open(params).content)
        ):
            form["dossier"] = shown[1].decode()
        return answer(self.browser.post("/oauth/decision?" + urlencode(params), data=form))

    def code(self, *ticked: str, decision: str | None = None, **changes: str | None) -> str:
        """A code for the request: all is granted unless something is ticked."""
        answer = self.decide(asked(**changes), *ticked, decision=decision or ("accorder" if ticked else "tout"))
        found = told(answer)
        assert "code" in found, (answer.status, found, answer.content[-600:])
        return found["code"]


class Tokens(NamedTuple):
    status: int
    value: dict[str, Any]

    @property
    def access(self) -> str:
        assert self.status == 200, self
        return str(self.value["access_token"])


def token(application: Application, params: Mapping[str, str | None] | list[tuple[str, str]], **headers: str) -> Answer:
    """POST of the token endpoint."""
    pairs = params if isinstance(params, list) else [(name, each) for name, each in params.items() if each is not None]
    response = application.app.test_client().post(
        "/oauth/token",
        data=urlencode(pairs),
        headers={"Content-Type": "application/x-www-form-urlencoded"}
        | {name.replace("_", "-"): value for name, value in headers.items()},
    )
    return answer(response)


def exchange(code: str, **changes: str | None) -> dict[str, str | None]:
    """The parameters that turn a code into tokens."""
    params = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "client_id": "app"}
    return {**params, "code_verifier": VERIFIER} | changes


def told(answer: Answer) -> dict[str, str]:
    """What a redirect to the app tells it; nothing of an answer that goes elsewhere."""
    location = answer.headers.get("location", "")
    return dict(parse_qsl(urlsplit(location).query)) if "://" in location.partition("?")[0] else {}


def basic(id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{id}:{secret}".encode()).decode()


def answer(response: Any) -> Answer:
    found = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, found, response.data)
