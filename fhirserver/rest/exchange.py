"""One HTTP request as FHIR sees it: who asks, for what, and in which form the answer is wanted."""

from __future__ import annotations

from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, unquote_to_bytes

from fhirserver import jsontext, xmltext
from fhirserver.access import Access
from fhirserver.errors import BadRequest, NotAcceptable, TooLarge
from fhirserver.rest import negotiate
from fhirserver.rest.oauth.bearer import presented

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Request

    from fhirserver.access import Requester
    from fhirserver.audit import Event
    from fhirserver.rest.answer import Answer
    from fhirserver.rest.services import Services
    from fhirserver.store import View

GENERAL_PARAMETERS = frozenset({"_format", "_pretty"})
"""Parameters that every interaction takes (http.html#parameters)."""
FORM = "application/x-www-form-urlencoded"
MOST_FORM_BYTES = 1 << 18
"""Enough for the longest search, all of it percent-encoded; larger: 413, before it is taken apart."""


class Inner(Protocol):
    """What carries out requests within a request."""

    def carried_out(
        self,
        outer: Exchange,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        body: bytes | None = None,
        view: View | None = None,
    ) -> Answer: ...

    def answered(
        self, outer: Exchange, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer: ...


class Exchange:
    """A request by an authenticated requester. Raises Unauthenticated or NotAcceptable when it is made.

    `requester` is who asks when that is known already: the request was taken before, to be carried out later. `grant`:
    what the token names, if it names one.
    `inner` carries out requests within this one (`rest.inner`): the edge gives it to those that come from outside.
    """

    inner: Inner
    nested = False
    """Whether it is a request within a request, which is answered with resources only."""

    def __init__(self, services: Services, request: Request, requester: Requester | None = None) -> None:
        self.services = services
        self.request = request
        self.grant: str | None = None
        if requester is None:
            shown = presented(services, request)
            requester, self.grant = shown.requester, shown.claims.get("grant")
        self.access = Access.of(requester, services.clock())
        try:
            media = negotiate.answer_type(request.headers.get("Accept"), self._general("_format"))
        except NotAcceptable:
            if not negotiate.native(request):
                raise
            media = negotiate.FHIR_JSON
        self.wanted = negotiate.Wanted(media, self._general("_pretty") == "true")
        self.prefer = negotiate.prefer(request.headers.get("Prefer"))

    def within(self, request: Request, view: View | None = None) -> Exchange:
        """A request of the same requester at the same moment, through `view` when it is given; answered in JSON."""
        made = copy(self)
        for name in ("_fields", "_taken"):
            made.__dict__.pop(name, None)
        made.request, made.wanted, made.nested = request, negotiate.Wanted(), True
        if view is not None:
            made.__dict__["view"] = view
        return made

    def trace(self, event: Event) -> None:
        """Traces what a request within this one did. Raises Unavailable."""
        self.services.trace(self.access, event)

    @cached_property
    def view(self) -> View:
        """All that this requester may see."""
        return self.services.store.view(self.access)

    @property
    def params(self) -> list[tuple[str, str]]:
        """The query's parameters in order, but for those that every interaction takes.

        Raises BadRequest for a query that is not UTF-8.
        """
        try:
            unquote_to_bytes(self.request.query_string).decode()
        except UnicodeDecodeError:
            raise BadRequest("The query of the URL is not UTF-8.") from None
        return [(name, value) for name, value in self.request.args.items(multi=True) if name not in GENERAL_PARAMETERS]

    @property
    def form(self) -> list[tuple[str, str]]:
        """The parameters in the body of a POST `_search`."""
        return [(name, value) for name, value in self._fields if name not in GENERAL_PARAMETERS]

    @property
    def general(self) -> list[tuple[str, str]]:
        """The parameters that every interaction takes, as given."""
        given = [*self.request.args.items(multi=True), *(self._fields if self.request.mimetype == FORM else ())]
        return [(name, value) for name, value in given if name in GENERAL_PARAMETERS]

    def refuse_parameters(self) -> None:
        """For interactions that take none. Raises BadRequest that names the first."""
        for name, _ in self.params:
            raise BadRequest(f"The parameter {name!r} is not offered here.", code="not-supported")

    def _general(self, name: str) -> str | None:
        """A parameter that every interaction takes; in a search by POST it may stand in the form."""
        if name in self.request.args or self.request.mimetype != FORM:
            return self.request.args.get(name)
        return next((value for each, value in self._fields if each == name), None)

    @cached_property
    def _fields(self) -> list[tuple[str, str]]:
        try:
            return parse_qsl(self._content(MOST_FORM_BYTES).decode(), keep_blank_values=True, errors="strict")
        except UnicodeDecodeError:
            raise BadRequest("The form is not UTF-8.") from None

    def body(self) -> dict[str, Any]:
        """The resource in the body, JSON or XML. Raises UnsupportedMediaType, TooLarge, InvalidJson or InvalidXml."""
        media = negotiate.body_type(self.request.headers.get("Content-Type"))
        content = self.content()
        if media == negotiate.FHIR_XML:
            return xmltext.parse(content, self.services.definitions)
        return jsontext.parse_object(content)

    def content(self) -> bytes:
        """The body's bytes. Raises TooLarge, or BadRequest when it ends early."""
        return self._content(self.services.settings.max_body_bytes)

    def _content(self, limit: int) -> bytes:
        """The body to its end; one that ends before its announced length is not taken for whole."""
        taken: bytes | None = self.__dict__.get("_taken")
        if taken is not None:
            return taken
        announced = self.request.content_length or 0
        parts, size = [], 0
        while announced <= limit >= size and (part := self.request.stream.read(limit + 1 - size)):
            parts.append(part)
            size += len(part)
        if max(size, announced) > limit:
            raise TooLarge(f"The body is larger than {limit} bytes, the most that is taken here.")
        if size < announced:
            raise BadRequest(f"The body ended after {size} of {announced} bytes.", code="structure")
        self._taken = b"".join(parts)
        return self._taken
