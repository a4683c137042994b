"""How a job stands, what came of it, and its files (Bulk Data Access 2.0, "Bulk Data Status Request", "Output File
Request"; https://hl7.org/fhir/R4/async.html)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fhirserver import jsontext
from fhirserver.audit import Entity, Event, Shown
from fhirserver.errors import BadRequest
from fhirserver.rest.answer import Answer, http_date, of_value
from fhirserver.rest.jobs import reindex, results, verification
from fhirserver.rest.jobs.asking import FILE, RETRY_AFTER, own, unknown
from fhirserver.rest.jobs.portability import ARCHIVE
from fhirserver.rest.operations.stored import instance

if TYPE_CHECKING:
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import File, Job


def job_status(exchange: Exchange) -> Answer:
    """`GET $job-status?id=`: 202 with `X-Progress` while it goes on, then what came of it."""
    job = own(exchange, _id(exchange))
    if job.state == "open":
        return Answer(202, None, {"X-Progress": job.told[:100], "Retry-After": RETRY_AFTER})
    headers = {"Expires": http_date(job.kept)} if job.kept else {}
    if job.state == "failed":
        return Answer(int(job.result["status"]), jsontext.dump(job.result["outcome"]), headers)
    if "files" in job.result:
        content = jsontext.dump(_manifest(exchange, job))
        media = {"Content-Type": "application/json", "Content-Length": str(len(content))}
        return Answer(200, None, {**headers, **media}, parts=[content])
    if job.kind in (reindex.KIND, verification.KIND):
        counts = [{"name": name, "valueInteger": count} for name, count in job.result.items()]
        return replace(of_value(200, {"resourceType": "Parameters", "parameter": counts}), headers=headers)
    content = b"".join(exchange.services.store.files.read(job.result["file"]))
    results.require_seen(exchange, content)
    return Answer(200, content, headers)


def job_cancel(exchange: Exchange) -> Answer:
    """`DELETE $job-status?id=`: the job ends, what came of it is deleted; from now on it is unknown."""
    job = own(exchange, _id(exchange))
    if not exchange.services.store.jobs.cancel(job.id):
        raise unknown()
    return Answer(202)


def job_file(exchange: Exchange) -> Answer:
    """`GET $job-file?id=`: one file of an export, of what may still be seen; whose data it tells is traced."""
    file = exchange.services.store.files.find(_id(exchange))
    if file is None or file.owner is None:
        raise unknown()
    job = own(exchange, file.owner)
    listed = {each["id"]: each for each in job.result.get("files", ())}
    if file.id not in listed:
        raise unknown()
    query = f"{FILE}?id={file.id} ({listed[file.id]['type']})"
    if ARCHIVE in file.facts:
        return _archive(exchange, file)
    part = results.of_file(exchange, file)
    event = Event("operation", 200, query=query, patients=part.patients, found=tuple(map(Shown, part.patients)))
    headers = {"Content-Type": file.media, "Content-Length": str(part.length)}
    read = exchange.services.store.files.read
    parts = (chunk for begin, end in part.spans for chunk in read(file.id, begin, end))
    return Answer(200, None, headers, event, parts=parts)


def _archive(exchange: Exchange, file: File) -> Answer:
    """The whole of a record, while the person may still see it."""
    patient = instance(exchange, "Patient", file.facts[ARCHIVE])
    headers = {
        "Content-Type": file.media,
        "Content-Length": str(file.length),
        "Content-Disposition": 'attachment; filename="dossier.zip"',
    }
    event = Event("operation", 200, (Entity.of(patient),), query=f"{FILE}?id={file.id} (archive)")
    return Answer(200, None, headers, event, parts=exchange.services.store.files.read(file.id))


def _manifest(exchange: Exchange, job: Job) -> dict[str, Any]:
    base = exchange.services.base
    return {
        "transactionTime": job.result["at"],
        "request": job.asked["request"],
        "requiresAccessToken": True,
        "output": [
            {"type": each["type"], "url": f"{base}/{FILE}?id={each['id']}", "count": each["count"]}
            for each in job.result["files"]
        ],
        "error": [],
    }


def _id(exchange: Exchange) -> str:
    ids = [value for name, value in exchange.params if name == "id"]
    if len(ids) != 1 or len(exchange.params) > 1:
        raise BadRequest("Say which by the one parameter id.")
    return ids[0]
