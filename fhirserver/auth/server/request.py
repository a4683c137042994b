"""Requests to the authorisation server, and its answers, as plain data: no HTTP library is known here."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Payload, OAuth2Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fhirserver.access import Requester
    from fhirserver.auth.server.party import Party

REPEATABLE: Final = frozenset({"audience", "resource"})
"""Parameters that may stand more than once (RFC 8693, 2.1)."""


class Payload(OAuth2Payload):
    def __init__(self, params: Iterable[tuple[str, str]]) -> None:
        self._lists: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in params:
            self._lists[name].append(value)

    @property
    def data(self) -> dict[str, str]:
        """The parameters that say something: an empty one is as if it were not there (RFC 6749, 3.1)."""
        return {name: values[0] for name, values in self._lists.items() if values[0]}

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        return self._lists

    @property
    def repeated(self) -> str | None:
        """A parameter that stands more than once and may not (RFC 6749, 3.1 and 3.2)."""
        return next((name for name, each in self._lists.items() if len(each) > 1 and name not in REPEATABLE), None)


class Request(OAuth2Request):
    """`params`: of the query (authorisation) or of the form (all else), in order. `certificate`: the client's TLS
    certificate in DER, when it showed one that is believed (RFC 8705)."""

    payload: Payload
    client: Party | None

    def __init__(
        self,
        method: str,
        params: Iterable[tuple[str, str]],
        headers: Mapping[str, str] | None = None,
        certificate: bytes | None = None,
    ) -> None:
        # Not super().__init__, which refuses http: TLS ends before this server, and the settings see to it.
        self.method, self.uri = method, ""
        self.headers = dict(headers or {})
        self.payload = Payload(params)
        self.certificate = certificate
        self.client = None
        self.auth_method: str | None = None
        self.user: Any = None
        self.authorization_code: Any = None
        self.refresh_token: Any = None
        self.credential: Any = None
        self._scope: str | None = None
        self._body = None

    @property
    def form(self) -> dict[str, str]:
        return self.payload.data

    @property
    def args(self) -> dict[str, str]:
        return self.payload.data

    def get(self, name: str) -> str | None:
        return self.payload.data.get(name)

    def require_single(self) -> None:
        """Raises InvalidRequestError when a parameter is repeated, or the client shows who it is in two ways."""
        if self.payload.repeated is not None:
            raise InvalidRequestError("A parameter stands more than once.")
        basic = self.headers.get("Authorization", "").lower().startswith("basic ")
        shown = [basic, *(name in self.form for name in ("client_secret", "client_assertion"))]
        if sum(shown) > 1:
            raise InvalidRequestError("The client must prove who it is in one way only (RFC 6749, 2.3).")


@dataclass
class Response:
    """`body`: JSON value, or empty. `interaction`, `subject`, `client`: what the trace tells of it."""

    status: int
    body: dict[str, Any] | str
    headers: dict[str, str] = field(default_factory=dict)
    interaction: str = ""
    subject: Requester | None = None
    client: str | None = None

    @property
    def location(self) -> str | None:
        return self.headers.get("Location")

    @property
    def error(self) -> str | None:
        return self.body.get("error") if isinstance(self.body, dict) else None
