"""batch: several requests, each on its own (https://hl7.org/fhir/R4/http.html#transaction)."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

from fhirserver import jsontext
from fhirserver.errors import BadRequest
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.entries import listed, refuse_unknown, request_of
from fhirserver.rest.patch import of_binary

if TYPE_CHECKING:
    from fhirserver.rest.exchange import Exchange


def batch(exchange: Exchange, bundle: dict[str, Any]) -> Answer:
    """`POST [base]` with a Bundle of type `batch`: the entries in order, each answered as a request of its own."""
    entries = listed(bundle)
    refuse_unknown(exchange, bundle)
    requests = [(*request_of(place, entry), entry.get("resource")) for place, entry in enumerate(entries)]
    answers = []
    for method, url, headers, resource in requests:
        sent, content = _content(method, headers, resource)
        answers.append(of_answer(exchange.inner.answered(exchange, method, url, sent, content), head=method == "HEAD"))
    response = {"resourceType": "Bundle", "type": "batch-response"}
    return of_value(200, response | ({"entry": answers} if answers else {}))


def _content(method: str, headers: dict[str, str], resource: Any) -> tuple[dict[str, str], bytes | None]:
    """Headers and body of an entry's request: a Binary that patches stands for what it holds."""
    if method == "PATCH" and isinstance(resource, dict) and resource.get("resourceType") == "Binary":
        try:
            media, content = of_binary(resource)
        except BadRequest:
            return headers, jsontext.dump(resource)
        return {**headers, "Content-Type": media}, content
    return headers, None if resource is None else jsontext.dump(resource)


def of_answer(answer: Answer, *, head: bool = False) -> dict[str, Any]:
    """An entry that says what a single request would have been answered."""
    response: dict[str, Any] = {"status": f"{answer.status} {HTTPStatus(answer.status).phrase}"}
    entry: dict[str, Any] = {"response": response}
    for header, name in (("Location", "location"), ("ETag", "etag")):
        if header in answer.headers:
            response[name] = answer.headers[header]
    if "Last-Modified" in answer.headers:
        at = parsedate_to_datetime(answer.headers["Last-Modified"])
        response["lastModified"] = at.isoformat().replace("+00:00", "Z")
    if answer.body is not None and answer.status >= 400:
        response["outcome"] = orjson.Fragment(answer.body)
    elif answer.body is not None and not head:
        entry["resource"] = orjson.Fragment(answer.body)
    return entry
