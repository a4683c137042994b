"""batch: several requests, each on its own (https://hl7.org/fhir/R4/http.html#transaction)."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
from werkzeug.http import HTTP_STATUS_CODES

from fhirserver import jsontext
from fhirserver.errors import BadRequest, FhirError, TooLarge, Unavailable
from fhirserver.outcome import outcome
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.entries import listed, refuse_unknown, request_of
from fhirserver.rest.patch import of_binary

if TYPE_CHECKING:
    from fhirserver.rest.exchange import Exchange

SECONDS: Final = 60.0
"""Time after which no further entry of a Bundle is begun."""
MOST_BYTES: Final = 50_000_000
"""Size of the resources in an answer after which no further entry of a Bundle is begun."""


class Bounds:
    """What one Bundle may take: `SECONDS` from now on, and answers of `MOST_BYTES`."""

    def __init__(self) -> None:
        self._until = time.monotonic() + SECONDS
        self._left = MOST_BYTES

    def check(self) -> None:
        """Raises Unavailable or TooLarge when it is enough."""
        if time.monotonic() > self._until:
            text = f"Not carried out: the Bundle takes more than {SECONDS:.0f} seconds. Send it in parts."
            raise Unavailable(text, code="throttled")
        if self._left < 0:
            text = f"Not carried out: the answer has more than {MOST_BYTES} bytes. Send the Bundle in parts."
            raise TooLarge(text, code="too-costly")

    def count(self, answer: Answer) -> None:
        self._left -= len(answer.body or b"")


def batch(exchange: Exchange, bundle: dict[str, Any]) -> Answer:
    """`POST [base]` with a Bundle of type `batch`: the entries in order, each answered as a request of its own.

    When the Bundle has taken as much as it may (`Bounds`), the entries that are left are answered 503 or 413.
    """
    entries = listed(bundle)
    refuse_unknown(exchange, bundle)
    requests = [(*request_of(place, entry), entry.get("resource")) for place, entry in enumerate(entries)]
    answers, bounds = [], Bounds()
    for method, url, headers, resource in requests:
        try:
            bounds.check()
        except FhirError as error:
            answers.append(of_answer(Answer(error.status, jsontext.dump(outcome(error.issues)))))
            continue
        sent, content = _content(method, headers, resource)
        answer = exchange.inner.answered(exchange, method, url, sent, content)
        bounds.count(answer)
        answers.append(of_answer(answer, head=method == "HEAD"))
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
    response: dict[str, Any] = {"status": f"{answer.status} {HTTP_STATUS_CODES[answer.status]}"}
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
