"""Requests within a request: the entries of a batch, and the reads of a transaction, go the way of single ones."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from flask import Request, current_app
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as NoSuchMethod
from werkzeug.test import EnvironBuilder

from fhirserver import jsontext
from fhirserver.audit import Entity, Event
from fhirserver.errors import BadRequest, FhirError, MethodNotAllowed, NotFound
from fhirserver.outcome import Issue, outcome
from fhirserver.rest.answer import Answer
from fhirserver.rest.exchange import GENERAL_PARAMETERS
from fhirserver.rest.negotiate import FHIR_JSON
from fhirserver.rest.routes import ID, ROUTES, Route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import View

PREFIX: Final = "/fhir"
FAULT: Final = "The server failed, and has logged it. Look whether a write was stored before you repeat it."
_ROUTES: Final = {route.name: route for route in ROUTES}
FULL_METADATA: Final = ("metadata", "mode", "full")
_INHERITED: Final = ("Accept-Language",)
_log = logging.getLogger(__name__)


def carried_out(
    outer: Exchange,
    method: str,
    url: str,
    headers: Mapping[str, str],
    *,
    body: bytes | None = None,
    view: View | None = None,
) -> Answer:
    """The answer to one request of the outer one's requester. `url` is relative to the base, or begins with it.

    `view` is what it reads through, in a transaction. Raises FhirError, as the request by itself would be answered.
    """
    route, path, exchange = _matched(outer, method, url, headers, body, view)
    return _handled(route, path, exchange)


def answered(outer: Exchange, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
    """As `carried_out`, with errors as answers, and traced: what a batch says of an entry."""
    try:
        route, path, exchange = _matched(outer, method, url, headers, body, None)
        try:
            answer = _handled(route, path, exchange)
        except FhirError as error:
            answer = refusal(route, error, path)
        if answer.event is not None:
            outer.trace(answer.event)
    except FhirError as error:
        return Answer(error.status, jsontext.dump(outcome(error.issues)), error.headers)
    except Exception:
        _log.exception("unexpected fault in an entry of a batch")
        return Answer(500, jsontext.dump(outcome([Issue("fatal", "exception", FAULT)])))
    return answer


def refusal(route: Route, error: FhirError, path: Mapping[str, str]) -> Answer:
    """The error as an answer; its trace says what was asked for, whether or not it exists."""
    type, id = path.get("type"), path.get("id")
    entities = (Entity(type, id, patient=id if type == "Patient" else None),) if type and id else ()
    event = Event(route.interaction, error.status, entities) if error.status < 500 else None
    return Answer(error.status, jsontext.dump(outcome(error.issues)), error.headers, event)


def check_path(exchange: Exchange, path: Mapping[str, str]) -> None:
    """Raises NotFound or BadRequest for a type or an id that can be none."""
    type, id = path.get("type"), path.get("id")
    if type is not None and type.startswith("$"):
        raise NotFound(f"There is nothing at this path: {type} is not offered there.", code="not-supported")
    if type is not None and type not in exchange.services.definitions.resource_types:
        raise NotFound(f"{type!r} is not a resource type of FHIR R4.", code="not-supported")
    if id is not None and id.startswith("$"):
        raise NotFound(f"The operation {id} is not offered on {type} by this method.", code="not-supported")
    if id is not None and not ID.fullmatch(id):
        raise BadRequest(f"{id!r} cannot be an id: 1 to 64 of A-Z, a-z, 0-9, `-` and `.`.")


def check_open(route: Route, params: Mapping[str, str]) -> None:
    """Raises BadRequest for a parameter of what needs no token: but for `mode=full` there is none."""
    for name, value in params.items():
        if route.interaction and name not in GENERAL_PARAMETERS and (route.name, name, value) != FULL_METADATA:
            raise BadRequest(f"{name}={value} is not offered here.", code="not-supported")


def _handled(route: Route, path: dict[str, Any], exchange: Exchange) -> Answer:
    if route.open:
        check_open(route, exchange.request.args)
        found: Answer = route.handler(exchange.services, **path)
        return found
    check_path(exchange, path)
    answer: Answer = route.handler(exchange, **path)
    return answer


def _matched(
    outer: Exchange, method: str, url: str, headers: Mapping[str, str], body: bytes | None, view: View | None
) -> tuple[Route, dict[str, Any], Exchange]:
    below = url.removeprefix(outer.services.base).lstrip("/")
    sent = {name: outer.request.headers[name] for name in _INHERITED if name in outer.request.headers}
    if body is not None:
        sent["Content-Type"] = FHIR_JSON
    sent.update(headers)
    environ = EnvironBuilder(f"{PREFIX}/{below}", method=method, headers=[*sent.items()], data=body).get_environ()
    try:
        endpoint, path = current_app.url_map.bind_to_environ(environ).match()
    except NoSuchMethod as error:
        allow = ", ".join(sorted(error.valid_methods or ()))
        raise MethodNotAllowed("This method is not offered at this path.", headers={"Allow": allow}) from None
    except HTTPException:
        raise NotFound("There is nothing at this path.") from None
    route = _ROUTES[endpoint.rpartition(".")[2]]
    if route.name == "bundle":
        raise BadRequest("A Bundle is not processed within a Bundle.", code="not-supported")
    return route, dict(path), outer.within(Request(environ), view)
