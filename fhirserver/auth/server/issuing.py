"""What a token answer is made of: access token, refresh token, id token, launch context."""

from __future__ import annotations

import base64
import hashlib
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from fhirserver.access import Requester
from fhirserver.auth.tokens import access_claims, thumbprint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.auth.sessions import Session


class Login(NamedTuple):
    """How the person had logged in who granted: `session` is its key, `at` when. Empty for a backend service."""

    account: str = ""
    session: str = ""
    at: datetime | None = None
    acr: str = ""
    amr: tuple[str, ...] = ()

    @classmethod
    def of(cls, session: Session) -> Login:
        return cls(session.account, session.key, session.at, session.acr, session.amr)

    @classmethod
    def written(cls, row: Mapping[str, Any]) -> Login:
        return cls(**{**row, "amr": tuple(row["amr"])})

    def described(self) -> dict[str, Any]:
        return self._asdict() | {"amr": list(self.amr)}


class Standing(NamedTuple):
    """What the tokens of a grant are made of. `subject`: for whom, with the scopes granted; `context`: the launch
    context, as the token answer tells it (`patient`, `encounter`, …); `fhir_user`: URL of the person's resource."""

    grant: str
    client: str
    subject: Requester
    login: Login = Login()
    context: Mapping[str, Any] = {}
    fhir_user: str | None = None
    nonce: str | None = None

    @property
    def scopes(self) -> tuple[str, ...]:
        return self.subject.scopes

    @classmethod
    def written(cls, row: Mapping[str, Any]) -> Standing:
        fields = {name: row[name] for name in cls._fields}
        return cls(**{**fields, "subject": Requester.written(row["subject"]), "login": Login.written(row["login"])})

    def described(self) -> dict[str, Any]:
        plain = {"subject": self.subject.described(), "login": self.login.described(), "context": dict(self.context)}
        return self._asdict() | plain


def access_token_claims(
    standing: Standing, *, issuer: str, audience: str, lifetime: int, certificate: bytes | None
) -> dict[str, Any]:
    """The claims of an access token (RFC 9068), bound to the certificate that the client showed (RFC 8705)."""
    claims = access_claims(standing.subject, issuer=issuer, audience=audience, lifetime=lifetime)
    claims |= {"client_id": standing.client, "grant": standing.grant}
    if standing.login.at is not None:
        claims |= _authentication(standing.login)
    if standing.fhir_user and "fhirUser" in standing.scopes:
        claims["fhirUser"] = standing.fhir_user
    if certificate is not None:
        claims["cnf"] = {"x5t#S256": thumbprint(certificate)}
    return claims


def id_token_claims(standing: Standing, access_token: str, *, issuer: str, lifetime: int) -> dict[str, Any]:
    """The claims of an id token (OpenID Connect Core, 2; SMART: `fhirUser`)."""
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": standing.subject.id,
        "aud": standing.client,
        "azp": standing.client,
        "iat": now,
        "exp": now + lifetime,
        "at_hash": _half_hash(access_token),
        **_authentication(standing.login),
        **person_claims(standing.subject, standing.scopes, standing.fhir_user),
    }
    return claims | ({"nonce": standing.nonce} if standing.nonce else {})


def person_claims(subject: Requester, scopes: tuple[str, ...], fhir_user: str | None) -> dict[str, str]:
    """What of the person an app is told, by its scopes."""
    told = {"fhirUser": fhir_user} if fhir_user and "fhirUser" in scopes else {}
    return told | ({"name": subject.name} if subject.name and "profile" in scopes else {})


def _authentication(login: Login) -> dict[str, Any]:
    at = login.at or datetime.now(UTC)
    return {"auth_time": int(at.timestamp()), "acr": login.acr, "amr": list(login.amr)}


def _half_hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:16]).decode().rstrip("=")
