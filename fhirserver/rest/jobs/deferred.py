"""Requests that were put off (`deferring`), carried out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from flask import Request, current_app
from werkzeug.exceptions import HTTPException
from werkzeug.test import EnvironBuilder

from fhirserver import jsontext
from fhirserver.errors import FhirError, NotFound
from fhirserver.outcome import Issue, outcome
from fhirserver.rest import inner
from fhirserver.rest.answer import Answer
from fhirserver.rest.batch import of_answer
from fhirserver.rest.exchange import Exchange
from fhirserver.rest.jobs.asking import requester_of
from fhirserver.rest.jobs.deferring import WRITES
from fhirserver.rest.routes import ROUTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.rest.services import Services
    from fhirserver.store import Job, Lease

_BROKEN = "The server went away while it carried this out. It may have been stored: look before you repeat it."
_log = logging.getLogger(__name__)


def carry_out(services: Services, lease: Lease) -> Mapping[str, Any]:
    """The result: `file`, which holds the batch-response with the answer.

    A Bundle that a worker was at when it ended is not carried out again: what came of it is not known.
    """
    job = lease.job
    if job.asked["route"] == WRITES and job.position:
        answer = Answer(500, jsontext.dump(outcome([Issue("error", "incomplete", _BROKEN)])))
    else:
        if not job.position:  # to save counts as going on: a request that ends workers would never be given up
            lease.save({"begun": True}, "at work")
        answer = _answered(services, job)
    bundle = {"resourceType": "Bundle", "type": "batch-response", "entry": [of_answer(answer)]}
    content = jsontext.dump(bundle)
    return {"file": services.store.files.write([content], "application/fhir+json", owner=job.id).id}


def _answered(services: Services, job: Job) -> Answer:
    try:
        exchange = Exchange(services, _request(services, job), requester_of(job))
        exchange.inner = inner
        endpoint, path = current_app.url_map.bind_to_environ(exchange.request.environ).match()
        route = next(each for each in ROUTES if each.name == endpoint.rpartition(".")[2])
        try:
            answer = _handled(exchange, route.handler, path)
        except FhirError as error:
            answer = inner.refusal(route, error, path)
        if answer.event is not None:
            services.trace(exchange.access, answer.event)
    except HTTPException:
        return _refused(NotFound("There is nothing at this path."))
    except FhirError as error:
        return _refused(error)
    except Exception:
        _log.exception("unexpected fault in a request that was put off")
        return Answer(500, jsontext.dump(outcome([Issue("fatal", "exception", inner.FAULT)])))
    return answer


def _handled(exchange: Exchange, handler: Any, path: Mapping[str, Any]) -> Answer:
    inner.check_path(exchange, path)
    answer: Answer = handler(exchange, **path)
    return answer


def _request(services: Services, job: Job) -> Request:
    body = job.asked["body"]
    content = None if body is None else b"".join(services.store.files.read(body))
    path, _, query = job.asked["url"].partition("?")
    headers = {name: value for name, value in job.asked["headers"].items() if value}
    builder = EnvironBuilder(path, query_string=query, method=job.asked["method"], headers=headers, data=content)
    return Request(builder.get_environ())


def _refused(error: FhirError) -> Answer:
    return Answer(error.status, jsontext.dump(outcome(error.issues)), error.headers)
