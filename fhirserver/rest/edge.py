"""From HTTP to a handler and back: authentication, errors as OperationOutcome, the trace before the answer leaves."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import HTTPException

from fhirserver import jsontext, xmltext
from fhirserver.errors import FhirError, NotAcceptable, TooSlow, Unavailable
from fhirserver.outcome import Issue, outcome
from fhirserver.rest import inner, negotiate
from fhirserver.rest.answer import Answer
from fhirserver.rest.exchange import Exchange
from fhirserver.rest.jobs import deferring
from fhirserver.rest.negotiate import FHIR_XML, Wanted
from fhirserver.rest.routes import ROUTES, Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

    from fhirserver.rest.services import Services

EXTENSION: Final = "fhirserver"
_PLAIN: Final = Wanted("application/json")
"""The form of answers that are no FHIR resources."""
REFUSED: Final = "fhirserver.refused"
"""Key of a request's environment: why the gate before the application refuses it, `FULL` or `SLOW`."""
FULL: Final = "full"
SLOW: Final = "slow"
RETRY_AFTER: Final = "2"
"""Seconds that a client is asked to wait when there is no room."""
_log = logging.getLogger(__name__)

_HTTP_CODES: Final = {400: "invalid", 404: "not-found", 405: "not-supported", 413: "too-long", 415: "not-supported"}


def blueprint() -> Blueprint:
    """All interactions below the FHIR base, from the table in `routes`."""
    fhir = Blueprint("fhir", __name__, url_prefix=inner.PREFIX)
    for route in ROUTES:
        fixed = {"type": route.type} if route.type else {}
        fhir.add_url_rule(
            route.path, route.name, _view(route), methods=[route.method], strict_slashes=False, defaults=fixed
        )
    return fhir


def register_errors(app: Flask) -> None:
    """No answer below `/fhir` is ever an HTML page or a stack trace."""
    app.before_request(_refused)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, _fault)


def _refused() -> Response | None:
    """What the gate does not let work is answered, and counted, like any other."""
    why = request.environ.get(REFUSED)
    if why is None:
        return None
    error: FhirError = TooSlow("The body did not arrive in time: send it faster, or in parts.")
    if why == FULL:
        text = "The server is at its capacity: try again."
        error = Unavailable(text, code="throttled", headers={"Retry-After": RETRY_AFTER})
    response = _respond(_unexpected(error))
    response.headers["Connection"] = "close"
    return response


def services() -> Services:
    found: Services = current_app.extensions[EXTENSION]
    return found


def _view(route: Route) -> Callable[..., Response]:
    def view(**path: str) -> Response:
        exchange: Exchange | None = None
        try:
            if route.open:
                inner.check_open(route, request.args)
                wanted = _wanted() if route.interaction else _PLAIN
                return _respond(route.handler(services(), **path), wanted)
            exchange = Exchange(services(), request)
            exchange.inner = inner
            inner.check_path(exchange, path)
            deferred = deferring.begun(exchange, route.name, route.path) if exchange.prefer.asynchronous else None
            answer: Answer = deferred or route.handler(exchange, **path)
        except FhirError as error:
            answer = inner.refusal(route, error, path)
        return _traced(exchange, answer)

    return view


def _traced(exchange: Exchange | None, answer: Answer) -> Response:
    """The answer, once its trace is safe. Who sends no token at all leaves none."""
    wanted = None if exchange is None else exchange.wanted
    if answer.event is not None:
        try:
            if exchange is not None:
                exchange.services.trace(exchange.access, answer.event)
            elif answer.status == 401 and "Authorization" in request.headers:
                services().trace_nobody(answer.event)
        except FhirError as error:
            return _respond(_unexpected(error), wanted)
    return _respond(answer, wanted)


def _wanted() -> Wanted:
    """The form that the request asks for, whoever sends it. Raises NotAcceptable."""
    media = negotiate.answer_type(request.headers.get("Accept"), request.args.get("_format"))
    return Wanted(media, request.args.get("_pretty") == "true")


def _respond(answer: Answer, wanted: Wanted | None = None) -> Response:
    """The answer in the form that is wanted; without one, as the request says if it can be done, else JSON."""
    if answer.parts is not None:
        return _private(Response(answer.parts, answer.status, dict(answer.headers)))
    if wanted is None:
        try:
            wanted = _wanted()
        except NotAcceptable:
            wanted = Wanted()
    if answer.body is not None and wanted.media == FHIR_XML:
        answer, wanted = _as_xml(answer, wanted)
    elif answer.body is not None and wanted.pretty:
        answer = replace(answer, body=jsontext.pretty(jsontext.parse(answer.body)))
    response = Response(answer.body or b"", answer.status, dict(answer.headers))
    if answer.body is None:
        del response.headers["Content-Type"]
    else:
        response.headers["Content-Type"] = f"{wanted.media}; charset=utf-8"
    return _private(response)


def _private(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store" if response.status_code != 304 else "private"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _as_xml(answer: Answer, wanted: Wanted) -> tuple[Answer, Wanted]:
    """The answer as XML. What XML cannot carry is 406 when it is read, and JSON when it tells of what was done."""
    try:
        value = jsontext.parse_object(answer.body or b"")
        body = xmltext.dump(value, services().definitions, pretty=wanted.pretty)
    except NotAcceptable as error:
        if answer.status < 300 and request.method in ("GET", "HEAD"):
            return _as_xml(_unexpected(error), wanted)
        return answer, Wanted()
    return replace(answer, body=body), wanted


def _unexpected(error: FhirError) -> Answer:
    return Answer(error.status, jsontext.dump(outcome(error.issues)), error.headers)


def http_error(error: HTTPException) -> Response:
    """What Flask itself refuses: unknown paths, methods, bodies beyond measure."""
    status = error.code or 500
    text = {
        404: "There is nothing at this path.",
        405: "This method is not offered at this path.",
        413: "The body is larger than this server takes.",
    }.get(status, "The request cannot be understood.")
    answer = _problem(status, _HTTP_CODES.get(status, "invalid"), text)
    if status == 405 and getattr(error, "valid_methods", None):
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))  # type: ignore[attr-defined]
    return _respond(answer)


def _fault(error: Exception) -> Response:
    """A fault of ours: logged with its place, told without it."""
    if isinstance(error, FhirError):
        return _respond(_unexpected(error))
    _log.exception("unexpected fault")
    return _respond(_problem(500, "exception", inner.FAULT))


def _problem(status: int, code: str, text: str) -> Answer:
    body: Any = outcome([Issue("error" if status < 500 else "fatal", code, text)])
    return Answer(status, jsontext.dump(body))
