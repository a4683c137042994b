"""Authorization code with PKCE (RFC 6749, 4.1; RFC 7636; RFC 9700, 2.1): S256 alone, one use, for a minute."""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError, InvalidScopeError, OAuth2Request
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge

from fhirserver.auth.clients.client import digest
from fhirserver.auth.server.granting import Answer, Granting
from fhirserver.auth.server.issuing import Login, Standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.access import Requester
    from fhirserver.auth.server.request import Request
    from fhirserver.store import Register, Store

REGISTER: Final = "codes"
LIFETIME: Final = timedelta(seconds=60)
REMEMBERED: Final = timedelta(minutes=10)
"""How long a code is known after its issue, so that its second use shows."""
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_PROMPTS: Final = ("none", "login", "consent", "select_account")


class Consent(NamedTuple):
    """What somebody granted: `subject` with the scopes that he ticked; `context`, `fhir_user` as of `Standing`."""

    subject: Requester
    login: Login
    context: Mapping[str, Any] = {}
    fhir_user: str | None = None


class Code(NamedTuple):
    """An authorization code that was given: to whom, and what for."""

    key: str
    standing: Standing
    redirect_uri: str
    code_challenge: str
    code_challenge_method: str = "S256"

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return " ".join(self.standing.scopes)


class Codes:
    """The codes of one server; the database holds a digest of each."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, code: str, standing: Standing, redirect_uri: str, challenge: str) -> None:
        now = datetime.now(UTC)
        row = {
            "standing": standing.described(),
            "redirect_uri": redirect_uri,
            "code_challenge": challenge,
            "expires": now + LIFETIME,
            "until": now + REMEMBERED,
            "used": None,
        }
        self._rows.add(digest(code), row)

    def find(self, code: str) -> tuple[Code, bool] | None:
        """A code that is known, and whether it is still good: neither used nor expired."""
        now = datetime.now(UTC)
        row = self._rows.find(digest(code), now)
        if row is None or (row["used"] is None and row["expires"] <= now):
            return None
        standing = Standing.written(row["standing"])
        return Code(row["_id"], standing, row["redirect_uri"], row["code_challenge"]), row["used"] is None

    def use(self, code: Code) -> bool:
        """Takes a code: of several who do, one does."""
        return self._rows.change(code.key, {"used": datetime.now(UTC)}, used=None) is not None

    @property
    def _rows(self) -> Register:
        return self._store.register(REGISTER)


class CodeGrant(Granting, AuthorizationCodeGrant):
    """A replayed code revokes what it gave (RFC 6749, 4.1.2)."""

    GRANT_TYPE = "authorization_code"
    request: Request

    @staticmethod
    def validate_authorization_redirect_uri(request: OAuth2Request, client: Any) -> str:
        asked = request.payload.redirect_uri
        if not asked or not client.check_redirect_uri(asked):
            raise InvalidRequestError("The redirect_uri is not one that the client registered.")
        return str(asked)

    def validate_requested_scope(self) -> None:
        """All that is asked besides client, redirect and challenge."""
        _check_state(self.request)
        _check_prompt(self.request)
        self.server.check_audience(self.request)
        if not (self.request.get("scope") or "").split():
            raise InvalidScopeError("The scope is missing.")

    def generate_authorization_code(self) -> str:
        return secrets.token_urlsafe(32)

    def save_authorization_code(self, code: str, request: Any) -> None:
        consent: Consent = request.user
        party = request.client
        grant = self.server.grants.make(
            party.id, consent.login.account, replace(consent.subject, client=party.id), datetime.now(UTC) + REMEMBERED
        )
        standing = Standing(
            grant.id,
            party.id,
            grant.subject,
            consent.login,
            consent.context,
            consent.fhir_user,
            request.get("nonce"),
        )
        self.standing = standing
        self.server.codes.add(code, standing, self.request.get("redirect_uri") or "", request.get("code_challenge"))

    def validate_token_request(self) -> None:
        party = self.authenticated()
        code = self.request.get("code")
        if code is None:
            raise InvalidRequestError("The code is missing.")
        found = self.query_authorization_code(code, party)
        if found is None:
            raise InvalidGrantError("The code is not valid: it was used, has expired, or is not this client's.")
        if self.request.get("redirect_uri") != found.redirect_uri:
            raise InvalidGrantError("The redirect_uri is not that of the authorization request.")
        self.request.authorization_code = found
        self.server.challenge.validate_code_verifier(self, None)

    def query_authorization_code(self, code: str, client: Any) -> Code | None:
        known = self.server.codes.find(code)
        if known is None or known[0].standing.client != client.id:
            return None
        found, good = known
        if not good:
            self.server.grants.revoke(found.standing.grant)
            return None
        return found

    def create_token_response(self) -> Answer:
        code: Code = self.request.authorization_code
        standing = code.standing
        if not self.server.codes.use(code):
            self.server.grants.revoke(standing.grant)
            raise InvalidGrantError("The code was used already: what it gave is revoked.")
        if self.server.grants.prolong(standing.grant, self.server.end_of(standing)) is None:
            raise InvalidGrantError("What was granted is revoked.")
        return self.answered(standing, lasting=self.server.is_lasting(standing, self.request))


class Challenge(CodeChallenge):
    """PKCE for every client, by S256 alone; the verifier is asked for whoever the client is."""

    DEFAULT_CODE_CHALLENGE_METHOD = "S256"
    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]  # noqa: RUF012 - authlib's

    def __init__(self) -> None:
        super().__init__(required=True)

    def __call__(self, grant: Any) -> None:
        grant.register_hook("after_validate_authorization_request_payload", self.validate_code_challenge)

    def validate_code_challenge(self, grant: Any, redirect_uri: str | None) -> None:
        if grant.request.get("code_challenge_method") != "S256":
            raise InvalidRequestError("The code_challenge_method must be S256.")
        if not _CHALLENGE.fullmatch(grant.request.get("code_challenge") or ""):
            raise InvalidRequestError("The code_challenge must be the BASE64URL of a SHA-256: 43 characters.")

    def validate_code_verifier(self, grant: Any, result: Any) -> None:
        verifier = grant.request.get("code_verifier")
        if not verifier:
            raise InvalidRequestError("The code_verifier is missing.")
        super().validate_code_verifier(grant, result)


def _check_state(request: Request) -> None:
    if not request.get("state"):
        raise InvalidRequestError("The state is missing.")
    if request.get("request") or request.get("request_uri"):
        name = "request_not_supported" if request.get("request") else "request_uri_not_supported"
        raise OAuth2Error("Parameters are sent as they are, not as a request object.", error=name)
    if request.get("response_mode") not in (None, "query"):
        raise InvalidRequestError("The response_mode must be query.")


def _check_prompt(request: Request) -> None:
    prompts = (request.get("prompt") or "").split()
    if any(each not in _PROMPTS for each in prompts) or ("none" in prompts and len(prompts) > 1):
        raise InvalidRequestError("The prompt must be none alone, or of login, consent and select_account.")
    if not (request.get("max_age") or "0").isdecimal():
        raise InvalidRequestError("The max_age must be a number of seconds.")
