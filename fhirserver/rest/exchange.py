"""One HTTP request as FHIR sees it: who asks, for what, and in which form the answer is wanted."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from fhirserver import jsontext
from fhirserver.access import Access
from fhirserver.errors import BadRequest, TooLarge
from fhirserver.rest import negotiate

if TYPE_CHECKING:
    from flask import Request

    from fhirserver.rest.services import Services
    from fhirserver.store import View

GENERAL_PARAMETERS = frozenset({"_format", "_pretty"})
"""Parameters that every interaction takes (http.html#parameters)."""


class Exchange:
    """A request by an authenticated requester. Raises Unauthenticated or NotAcceptable when it is made."""

    def __init__(self, services: Services, request: Request) -> None:
        self.services = services
        self.request = request
        requester = services.verifier.requester(request.headers.get("Authorization"))
        self.access = Access.of(requester, services.clock())
        negotiate.require_json_answer(request.headers.get("Accept"), request.args.get("_format"))
        self.pretty = request.args.get("_pretty") == "true"
        self.prefer = negotiate.prefer(request.headers.get("Prefer"))

    @cached_property
    def view(self) -> View:
        """All that this requester may see."""
        return self.services.store.view(self.access)

    @property
    def params(self) -> list[tuple[str, str]]:
        """The query's parameters in order, but for those that every interaction takes."""
        return [(name, value) for name, value in self.request.args.items(multi=True) if name not in GENERAL_PARAMETERS]

    @property
    def form(self) -> list[tuple[str, str]]:
        """The parameters in the body of a POST `_search`."""
        return [(name, value) for name, value in self.request.form.items(multi=True) if name not in GENERAL_PARAMETERS]

    def refuse_parameters(self) -> None:
        """For interactions that take none. Raises BadRequest that names the first."""
        for name, _ in self.params:
            raise BadRequest(f"The parameter {name!r} is not offered here.", code="not-supported")

    def body(self) -> dict[str, Any]:
        """The JSON object in the body. Raises UnsupportedMediaType, TooLarge or InvalidJson."""
        negotiate.require_json_body(self.request.headers.get("Content-Type"))
        limit = self.services.settings.max_body_bytes
        if (self.request.content_length or 0) > limit:
            raise TooLarge(f"The body is larger than {limit} bytes, the most that this server takes.")
        content = self.request.stream.read(limit + 1)
        if len(content) > limit:
            raise TooLarge(f"The body is larger than {limit} bytes, the most that this server takes.")
        return jsontext.parse_object(content)
