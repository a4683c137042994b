"""Token exchange (RFC 8693): the software of a structure, known by its TLS certificate (RFC 8705), gives a token of Pro
Santé Connect and gets one of this server for the same professional, good only with that certificate.

Beyond RFC 8693: `situation` (site or FINESS number, when the professional has several), `purpose_of_use` and
`purpose_of_use_reason`. `actor_token`: of who acts in the professional's place.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError, InvalidScopeError

from fhirserver.auth.clients.metadata import TOKEN_EXCHANGE
from fhirserver.auth.federation.professional import NotAccepted
from fhirserver.auth.federation.provider import Unavailable
from fhirserver.auth.federation.subject import InvalidToken, SubjectTokens, Told
from fhirserver.auth.server import scopes
from fhirserver.auth.server.granting import Answer, TokenGranting
from fhirserver.auth.server.issuing import Login, Standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.access import Delegate, Requester
    from fhirserver.auth.server.party import Party

ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a type of tokens
JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
_STRUCTURE: Final = "3"
"""First digit of the national identifier of staff of a structure with a FINESS number."""


class InvalidTargetError(OAuth2Error):
    """RFC 8693, 2.2.2: the token cannot be made for this audience or resource."""

    error = "invalid_target"


class ProviderUnavailableError(OAuth2Error):
    error = "temporarily_unavailable"
    status_code = 503


class Exchange(TokenGranting):
    """`tokens` judges what is brought; `linked`: the Practitioner of an RPPS number here, as `Practitioner/abc`."""

    GRANT_TYPE = TOKEN_EXCHANGE
    tokens: SubjectTokens
    linked: Callable[[str], str | None]

    def validate_token_request(self) -> None:
        party = self.authenticated()
        if self.request.certificate is None:
            raise InvalidRequestError("Tokens are exchanged over mutual TLS: the client shows its certificate.")
        self._check_types()
        self._check_targets()
        told = self._told("subject_token")
        known = party.client.metadata.get("psc_client_id")
        if known is not None and told.client != known:
            raise InvalidRequestError("The subject_token was given to another client than this one.")
        subject = self._requester(told, party)
        self.request.user = (told, replace(subject, scopes=self._scopes(party), client=party.id))

    def create_token_response(self) -> Answer:
        told, subject = self.request.user
        account = f"psc|{told.professional.id}"
        standing = Standing("", self.request.client.id if self.request.client else "", subject)
        grant = self.server.grants.make(standing.client, account, subject, self.server.end_of(standing))
        login = Login(account, at=datetime.now(UTC), acr=told.acr)
        status, body, headers = self.answered(standing._replace(grant=grant.id, login=login))
        return status, {**body, "issued_token_type": ACCESS_TOKEN}, headers

    def _check_types(self) -> None:
        if self.request.get("subject_token") is None:
            raise InvalidRequestError("The subject_token is missing.")
        if self.request.get("subject_token_type") not in (ACCESS_TOKEN, JWT):
            raise InvalidRequestError("The subject_token_type must be that of an access token, or of a JWT.")
        if (self.request.get("actor_token") is None) != (self.request.get("actor_token_type") is None):
            raise InvalidRequestError("actor_token and actor_token_type go together.")
        if self.request.get("actor_token_type") not in (None, ACCESS_TOKEN, JWT):
            raise InvalidRequestError("The actor_token_type must be that of an access token, or of a JWT.")
        if self.request.get("requested_token_type") not in (None, ACCESS_TOKEN, JWT):
            raise InvalidRequestError("The requested_token_type must be that of an access token.")

    def _check_targets(self) -> None:
        known = {self.server.audience.rstrip("/"), self.server.issuer.rstrip("/")}
        asked = [each for name in ("audience", "resource") for each in self.request.payload.datalist.get(name, ())]
        if any(each.rstrip("/") not in known for each in asked):
            raise InvalidTargetError("Tokens are made for the FHIR base of this server only.")

    def _told(self, name: str) -> Told:
        try:
            return self.tokens.told(self.request.get(name) or "")
        except InvalidToken as error:
            raise InvalidRequestError(f"The {name} is not accepted: {error}") from None
        except Unavailable:
            raise ProviderUnavailableError(
                "The identity provider cannot be asked about the token: try again."
            ) from None

    def _requester(self, told: Told, party: Party) -> Requester:
        who = told.professional
        own = party.client.organization
        wanted = self.request.get("situation") or next(
            (own for each in who.situations if each.organization == own), None
        )
        try:
            situation = who.situation(wanted)
            subject = who.requester(
                situation,
                purpose=self.request.get("purpose_of_use"),
                reason=self.request.get("purpose_of_use_reason"),
                delegate=self._delegate(told, situation.organization),
            )
        except NotAccepted as error:
            raise InvalidRequestError(str(error)) from None
        return replace(subject, id=self.linked(subject.rpps or "") or subject.id)

    def _delegate(self, told: Told, organization: str | None) -> Delegate | None:
        """Who acts in the professional's place: whom the subject_token lets (`may_act`), of staff those of his site."""
        if self.request.get("actor_token") is None:
            return None
        actor = self._told("actor_token")
        if told.may_act is not None and told.may_act.get("sub") != actor.subject:
            raise InvalidRequestError("The subject_token lets somebody else act (may_act).")
        if actor.subject == told.subject:
            return None
        number = actor.professional.id
        if actor.professional.rpps is None and number.partition("/")[0] != f"{_STRUCTURE}{organization}":
            raise InvalidRequestError("Who acts is staff of another structure than the professional's.")
        return actor.professional.delegate()

    def _scopes(self, party: Party) -> tuple[str, ...]:
        """What is asked of what is registered, at the level of the user; all of it when nothing is asked."""
        asked = tuple((self.request.get("scope") or "").split()) or party.client.scopes
        allowed = scopes.of_resources(scopes.allowed(asked, party.client.scopes))
        found = tuple(scopes.text(each) for each in allowed if each.level == "user")
        if not found:
            raise InvalidScopeError("None of the scopes is one that the client is registered for, at the level user/.")
        return found


def exchange(tokens: SubjectTokens, linked: Callable[[str], str | None]) -> type[Exchange]:
    """The grant type, to be registered with a server."""
    made: dict[str, Any] = {"tokens": tokens, "linked": staticmethod(linked)}
    return type("Exchange", (Exchange,), made)
