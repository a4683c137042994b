"""The authorisation server of one worker: what authlib asks for, over our registers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from authlib.common.urls import add_params_to_uri
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import (
    AuthorizationServer as Base,
)
from authlib.oauth2.rfc6749 import (
    InvalidClientError,
    InvalidRequestError,
)

from fhirserver.access import tables
from fhirserver.auth import sessions, tokens
from fhirserver.auth.clients.client import Clients
from fhirserver.auth.clients.metadata import TOKEN_EXCHANGE
from fhirserver.auth.grants import Grants
from fhirserver.auth.server.code import Challenge, CodeGrant, Codes
from fhirserver.auth.server.issuing import Standing, access_token_claims, id_token_claims
from fhirserver.auth.server.party import Party
from fhirserver.auth.server.refresh import Refreshes, RefreshGrant
from fhirserver.auth.server.request import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.auth.ring import KeyRing
    from fhirserver.auth.server.code import Consent
    from fhirserver.auth.server.granting import Granting
    from fhirserver.store import Store

METHODS: Final = ("client_secret_basic", "client_secret_post", "none")
BACKEND: Final = timedelta(minutes=5)
_INTERACTIONS: Final = {"authorization_code": "token", "refresh_token": "refresh", "client_credentials": "token"}


class AuthorizationServer(Base):
    """`issuer`: URL of this server; `audience`: the FHIR base, which tokens are for. `lifetime` of access tokens and
    `refresh`: how long `offline_access` lasts. In `production` a client must be referenced."""

    def __init__(
        self,
        store: Store,
        keys: KeyRing,
        *,
        issuer: str,
        audience: str,
        production: bool,
        lifetime: timedelta = timedelta(minutes=10),
        refresh: timedelta = timedelta(days=90),
        emergency: timedelta = timedelta(seconds=tokens.EMERGENCY_SECONDS),
    ) -> None:
        super().__init__()
        self.store, self.keys, self.issuer, self.audience, self.production = store, keys, issuer, audience, production
        self.lifetime, self.refresh, self.emergency = lifetime, refresh, emergency
        self.clients, self.grants = Clients(store), Grants(store)
        self.codes, self.refreshes = Codes(store), Refreshes(store)
        self.challenge = Challenge()
        self.auth_methods = list(METHODS)
        self.grant_types: list[str] = []
        self.register_grant(CodeGrant, [self.challenge])
        self.register_grant(RefreshGrant)

    # What rooms add

    def register_grant(self, grant_cls: Any, extensions: Any = None) -> None:
        self.grant_types.append(grant_cls.GRANT_TYPE)
        super().register_grant(grant_cls, extensions)

    def register_client_auth_method(
        self, method: str, func: Callable[[Callable[[str], Party | None], Request], Party | None]
    ) -> None:
        """`func(query_client, request)` gives the client that proved who it is in this way, or None."""
        self.auth_methods.append(method)
        super().register_client_auth_method(method, func)

    # The token endpoint

    def token(self, request: Request) -> Response:
        """The answer of the token endpoint: RFC 6749, 5.1 or 5.2."""
        grant: Granting | None = None
        try:
            request.require_single()
            grant = self.get_token_grant(request)
            grant.validate_token_request()
            response = self.handle_response(*grant.create_token_response())
        except OAuth2Error as error:
            response = self.refusal(request, error)
        standing = grant.standing if grant is not None else None
        response.interaction = _INTERACTIONS.get(request.get("grant_type") or "", "token")
        response.subject = standing.subject if standing is not None else None
        response.client = request.client.id if request.client is not None else None
        return response

    def issued(self, standing: Standing, request: Request, *, lasting: bool = False) -> dict[str, Any]:
        """The body of a token answer. Raises InvalidClientError when the client was suspended meanwhile."""
        if self.query_client(standing.client) is None:
            raise InvalidClientError("The client is not known here, or may not be used.")
        seconds = int(self.lifetime_of(standing).total_seconds())
        claims = access_token_claims(
            standing,
            issuer=self.issuer,
            audience=self.audience,
            lifetime=seconds,
            certificate=request.certificate if self.binds(request) else None,
        )
        token = self.keys.sign(claims)
        answer: dict[str, Any] = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": seconds,
            "scope": " ".join(standing.scopes),
            **standing.context,
        }
        if "openid" in standing.scopes:
            told = id_token_claims(standing, token, issuer=self.issuer, lifetime=seconds)
            answer["id_token"] = self.keys.sign(told, typ="JWT")
        if lasting:
            answer["refresh_token"] = self.refreshes.add(standing._replace(nonce=None), self.end_of(standing))
        return answer

    def lifetime_of(self, standing: Standing) -> timedelta:
        """A backend service asks anew after five minutes at most (SMART App Launch 2.2, "Backend Services")."""
        return min(self.lifetime, BACKEND) if standing.subject.kind == "system" else self.lifetime

    def binds(self, request: Request) -> bool:
        """Whether tokens are bound to the client's certificate (RFC 8705, 3): where it showed one, and says so."""
        bound = request.client is not None and request.client.client.metadata.get(
            "tls_client_certificate_bound_access_tokens"
        )
        exchanged = request.get("grant_type") == TOKEN_EXCHANGE
        return bool(bound) or exchanged or (request.auth_method or "").endswith("tls_client_auth")

    def end_of(self, standing: Standing) -> datetime:
        """When a grant ends: `offline_access` after long, `online_access` with the longest session, others soon."""
        lasts = self.lifetime + timedelta(seconds=tokens.LEEWAY_SECONDS)
        if "offline_access" in standing.scopes:
            lasts = self.offline(standing.subject.kind)
        elif "online_access" in standing.scopes:
            lasts = sessions.LONGEST
        return datetime.now(UTC) + (min(lasts, self.emergency) if _is_emergency(standing) else lasts)

    def offline(self, kind: str) -> timedelta:
        """How long `offline_access` lasts. A professional shows who he is each working day, by his card or e-CPS."""
        return min(self.refresh, sessions.LONGEST) if kind == "practitioner" else self.refresh

    def is_lasting(self, standing: Standing, request: Request) -> bool:
        """Whether a refresh token goes with the answer. An emergency is asked for anew each time."""
        asked = "offline_access" in standing.scopes or "online_access" in standing.scopes
        may = request.client is not None and request.client.check_grant_type("refresh_token")
        return asked and may and not _is_emergency(standing)

    @staticmethod
    def narrowed(standing: Standing, scopes: tuple[str, ...]) -> Standing:
        return standing._replace(subject=replace(standing.subject, scopes=scopes))

    # The authorization endpoint

    def asked(self, request: Request) -> CodeGrant:
        """A valid authorization request. Raises OAuth2Error, to be answered with `refusal`: it goes back to the client
        only where the redirect_uri is the client's own."""
        if request.payload.repeated is not None:
            raise InvalidRequestError("A parameter stands more than once.")
        grant = self.get_authorization_grant(request)
        try:
            grant.validate_consent_request()
        except OAuth2Error as error:
            error.state = request.get("state")
            raise
        return grant

    def decided(self, grant: CodeGrant, consent: Consent | None) -> Response:
        """Where the browser goes with a code; with `access_denied` when the person said no."""
        response: Response = self.create_authorization_response(grant.request, consent, grant)
        response.interaction = "grant"
        response.subject = grant.standing.subject if grant.standing is not None else None
        response.client = grant.request.client.id if grant.request.client is not None else None
        return response

    def refusal(self, request: Request, error: OAuth2Error) -> Response:
        """An error as JSON, or as a redirect where it may go there."""
        response: Response = self.handle_error_response(request, error)
        response.client = request.client.id if request.client is not None else None
        return response

    def check_audience(self, request: Request) -> None:
        """`aud` is the FHIR base that tokens are for (SMART App Launch 2.2): no token for another server is made."""
        if (request.get("aud") or "").rstrip("/") != self.audience.rstrip("/"):
            raise InvalidRequestError("The aud must be the FHIR base that the tokens are for.")

    # What authlib asks for

    def query_client(self, client_id: str) -> Party | None:
        """The client, when it may be used at all."""
        client = self.clients.find(client_id, datetime.now(UTC))
        return Party(client) if client is not None and client.usable(self.production) else None

    def authenticate_client(self, request: Any, methods: Any, endpoint: str = "token") -> Party:
        try:
            party: Party = super().authenticate_client(request, methods, endpoint)
        except OAuth2Error as error:
            if isinstance(error, InvalidClientError):
                basic = request.headers.get("Authorization") is not None
                raise InvalidClientError(_UNKNOWN, status_code=401 if basic else 400) from None
            raise
        except ValueError:
            raise InvalidClientError(_UNKNOWN, status_code=401) from None
        if request.auth_method == "none" and request.headers.get("Authorization") is not None:
            raise InvalidClientError(_UNKNOWN, status_code=401)
        if request.get("client_id") not in (None, party.id):
            raise InvalidRequestError("The client_id is not that of the client that proved who it is.")
        return party

    def get_authorization_grant(self, request: Any) -> CodeGrant:
        if request.payload.response_type in CodeGrant.RESPONSE_TYPES:
            found: CodeGrant = super().get_authorization_grant(request)
            return found
        party = self.query_client(request.get("client_id") or "")
        if party is None:
            raise InvalidClientError(_UNKNOWN)
        uri = CodeGrant.validate_authorization_redirect_uri(request, party)
        missing = request.payload.response_type is None
        error = InvalidRequestError if missing else UnsupportedResponseType
        raise error("The response_type must be code.", redirect_uri=uri, state=request.get("state"))

    def get_token_grant(self, request: Any) -> Any:
        if request.payload.grant_type is None:
            raise InvalidRequestError("The grant_type is missing.")
        if request.payload.grant_type not in self.grant_types:
            raise OAuth2Error("There is no such grant type here.", error="unsupported_grant_type")
        return super().get_token_grant(request)

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Nobody listens."""

    def create_oauth2_request(self, request: Any) -> Request:
        """It is one already."""
        made: Request = request
        return made

    def handle_response(self, status: int, body: Any, headers: Any) -> Response:
        """Answers to the client's redirect_uri name their issuer (RFC 9207)."""
        found = dict(headers)
        if "Location" in found:
            found["Location"] = add_params_to_uri(found["Location"], [("iss", self.issuer)])
        return Response(status, body, found)


class UnsupportedResponseType(OAuth2Error):
    error = "unsupported_response_type"


_UNKNOWN: Final = "The client is not known here, may not be used, or did not prove who it is."


def _is_emergency(standing: Standing) -> bool:
    return tables.purpose(standing.subject.purpose).family == "emergency"
