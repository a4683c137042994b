"""Beginning a job, and who may ask about it: the requester who began it, with the same rights.

A job belongs to the whole Requester: its result is what he might see with that purpose and those scopes, so that a
token of the same person with narrower scopes does not reach it. To anybody else it is as unknown as one that never was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.access import Requester
from fhirserver.errors import NotFound, TooMany
from fhirserver.rest.answer import Answer
from fhirserver.store.jobs import document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.audit import Event
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Job

STATUS: Final = "$job-status"
FILE: Final = "$job-file"
MOST: Final = 5
"""Jobs of one requester that may be open at once."""
RETRY_AFTER: Final = "2"


def requester_of(job: Job) -> Requester:
    """Whom a job is done for."""
    if job.who is None:
        raise ValueError(f"the job {job.id} is nobody's")
    return Requester.written(job.who)


def begin(
    exchange: Exchange, kind: str, asked: Mapping[str, Any], event: Event | None, *, wait: float = 0.0
) -> tuple[Job, Answer]:
    """A new job of the requester, and the answer that tells where to ask about it: 202 with `Content-Location`.

    Raises TooMany when he has `MOST` open already.
    """
    refuse_more(exchange)
    who = exchange.access.requester.described()
    job = exchange.services.store.jobs.start(document(kind, who, asked, exchange.services.clock(), wait=wait))
    return job, accepted(exchange, job, event)


def refuse_more(exchange: Exchange) -> None:
    """Raises TooMany when the requester has as many jobs as he may."""
    if exchange.services.store.jobs.open_for(exchange.access.requester.described()) >= MOST:
        text = f"{MOST} jobs of yours are not done yet: wait for one, or cancel it (DELETE its status URL)."
        raise TooMany(text, headers={"Retry-After": "30"})


def accepted(exchange: Exchange, job: Job, event: Event | None) -> Answer:
    """202, and where to ask."""
    location = f"{exchange.services.base}/{STATUS}?id={job.id}"
    return Answer(202, None, {"Content-Location": location, "Preference-Applied": "respond-async"}, event)


def own(exchange: Exchange, id: str) -> Job:
    """The job of that id. Raises NotFound for one that is not there, cancelled, over, or another requester's."""
    job = exchange.services.store.jobs.find(id)
    known = job is not None and job.state != "cancelled" and job.who is not None
    if job is None or not known or requester_of(job) != exchange.access.requester:
        raise unknown()
    if job.kept is not None and job.kept <= exchange.services.clock():
        raise unknown()
    return job


def unknown() -> NotFound:
    return NotFound("There is no such job.")
