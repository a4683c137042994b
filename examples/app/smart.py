"""What an app needs of SMART App Launch 2.2: registration, the way to the consent and back, tokens, their end.

Nothing but the standard library.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode

SCOPES = "launch/patient offline_access patient/Patient.rs patient/Observation.rs patient/DocumentReference.rs"


class Refused(Exception):
    """The server said no; `error` is its word for it (RFC 6749, 4.1.2.1 and 5.2)."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class Ended(Exception):
    """The tokens are good for nothing any more: the person took the permission back, or its time is over."""


@dataclass
class Attempt:
    """A way to the consent that is not finished: what comes back must fit it."""

    state: str
    verifier: str


@dataclass
class Access:
    """What the app holds of one person. `granted`: the scopes, which may be fewer than were asked."""

    patient: str
    granted: list[str]
    token: str
    refresh: str | None

    def may_read(self, type: str) -> bool:
        return any(each.startswith(f"patient/{type}.") for each in self.granted)


class Smart:
    """One FHIR server, to a public client registered there. `base`: the FHIR base; `home`: the app's own address."""

    def __init__(self, base: str, home: str, client: str | None = None) -> None:
        self.base, self.home = base.rstrip("/"), home.rstrip("/")
        self.callback = f"{self.home}/retour"
        self.told: dict[str, Any] = _json(f"{self.base}/.well-known/smart-configuration")
        self.client = client or self._register()

    def _register(self) -> str:
        """RFC 7591. In production an operator looks at the app before anybody can let it in."""
        metadata = {
            "client_name": "Carnet de mesures",
            "client_uri": f"{self.home}/",
            "initiate_login_uri": f"{self.home}/lancer",
            "redirect_uris": [self.callback],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none",
            "scope": SCOPES,
        }
        body = json.dumps(metadata).encode()
        answer = _json(self.told["registration_endpoint"], body, {"Content-Type": "application/json"})
        return str(answer["client_id"])

    def begin(self, launch: str | None = None) -> tuple[str, Attempt]:
        """Where to send the browser, and what to keep until it is back. `launch`: what other software handed over."""
        attempt = Attempt(secrets.token_urlsafe(16), secrets.token_urlsafe(48))
        digest = hashlib.sha256(attempt.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.client,
            "redirect_uri": self.callback,
            "scope": f"launch {SCOPES}" if launch else SCOPES,
            "state": attempt.state,
            "aud": self.base,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        query = urlencode({**asked, "launch": launch} if launch else asked)
        return f"{self.told['authorization_endpoint']}?{query}", attempt

    def finish(self, attempt: Attempt | None, answer: dict[str, str]) -> Access:
        """The code that came back becomes tokens. Raises Refused: by the person, or because the answer is not ours."""
        if attempt is None or answer.get("state") != attempt.state:
            raise Refused("foreign_state")
        if answer.get("iss") != self.told["issuer"]:
            raise Refused("foreign_issuer")
        if "code" not in answer:
            raise Refused(answer.get("error", "no_code"))
        told = self._token(
            grant_type="authorization_code",
            code=answer["code"],
            redirect_uri=self.callback,
            code_verifier=attempt.verifier,
        )
        return Access(told["patient"], told["scope"].split(), told["access_token"], told.get("refresh_token"))

    def search(self, access: Access, type: str, **params: str) -> list[dict[str, Any]]:
        """The resources of a first page. The access token lasts ten minutes: an older one is renewed. Raises Ended."""
        try:
            found = self._get(access, f"{type}?{urlencode(params)}")
        except HTTPError as error:
            if error.code != 401:
                raise
            self._renew(access)
            found = self._get(access, f"{type}?{urlencode(params)}")
        return [entry["resource"] for entry in found.get("entry", ())]

    def revoke(self, access: Access) -> None:
        """The app gives back what it was granted (RFC 7009)."""
        form = {"token": access.refresh or access.token, "client_id": self.client}
        urllib.request.urlopen(self.told["revocation_endpoint"], urlencode(form).encode(), timeout=30).close()

    def _renew(self, access: Access) -> None:
        """The new refresh token is stored, and the old one forgotten: used twice, it would end everything."""
        if access.refresh is None:
            raise Ended
        try:
            told = self._token(grant_type="refresh_token", refresh_token=access.refresh)
        except Refused as error:
            raise Ended from error
        access.token, access.refresh = told["access_token"], told["refresh_token"]

    def _token(self, **form: str) -> dict[str, Any]:
        body = urlencode({**form, "client_id": self.client}).encode()
        try:
            return _json(self.told["token_endpoint"], body)
        except HTTPError as error:
            raise Refused(json.load(error).get("error", "")) from error

    def _get(self, access: Access, path: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {access.token}", "Accept": "application/fhir+json"}
        return _json(f"{self.base}/{path}", None, headers)


def _json(url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> dict[str, Any]:
    with urllib.request.urlopen(urllib.request.Request(url, body, headers or {}), timeout=30) as answer:
        told: dict[str, Any] = json.load(answer)
        return told
