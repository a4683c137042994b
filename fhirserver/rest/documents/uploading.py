"""`POST [base]/Binary` with bytes of any type, and whose they are in `X-Security-Context`
(https://hl7.org/fhir/R4/binary.html#rest). Large ones are written as they come, whatever their size in memory.
"""

from __future__ import annotations

import base64
import re
import threading
import time
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from werkzeug.http import parse_options_header

from fhirserver.access import require
from fhirserver.errors import BadRequest, TooLarge, TooSlow, Unavailable
from fhirserver.rest import conforming, negotiate, writing
from fhirserver.rest.documents.belonging import BINARY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.rest.answer import Answer
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction

INLINE: Final = 256 * 1024
"""Bytes up to which a Binary is kept in its resource."""
PART: Final = 256 * 1024
AT_ONCE: Final = 2
"""Uploads at once in a worker, of those larger than other bodies may be: they hold a thread while they come."""
SECONDS: Final = 10.0
"""Time that a content has to come, and a second more for each `SLOWEST` bytes of it."""
SLOWEST: Final = 100_000
CONTEXT: Final = "X-Security-Context"
_REFERENCE: Final = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}|https?://[^\s]{1,2000}")
_places = threading.BoundedSemaphore(AT_ONCE)


def is_raw(exchange: Exchange) -> bool:
    """Whether the body is the content itself, and not a Binary in FHIR JSON or XML."""
    media = parse_options_header(exchange.request.headers.get("Content-Type") or "")[0].lower()
    return not exchange.nested and bool(media) and media not in negotiate.names()


def uploaded(exchange: Exchange) -> Answer:
    """Stores the bytes: 201 with the Binary's Location, and the resource without its bytes when it is large.

    Raises TooLarge, TooSlow, BadRequest when they end early, Unavailable when too many large ones are under way; then
    nothing is left of them.
    """
    require(exchange.access.requester, BINARY, "c")
    exchange.refuse_parameters()
    writing.refuse_headers(exchange, "If-Match", "If-None-Match", "If-None-Exist", "If-Unmodified-Since")
    resource = _resource(exchange)
    conforming.validated(exchange, resource)
    if (exchange.request.content_length or 0) <= exchange.services.settings.max_body_bytes:
        return _taken(exchange, resource)
    if not _places.acquire(blocking=False):
        text = "Other large contents are on their way: send it again in a moment."
        raise Unavailable(text, code="throttled", headers={"Retry-After": "5"})
    try:
        return _taken(exchange, resource)
    finally:
        _places.release()


def _taken(exchange: Exchange, resource: dict[str, Any]) -> Answer:
    parts = _parts(exchange)
    first = _first(parts)
    if len(first) <= INLINE:
        whole = resource | ({"data": base64.b64encode(first).decode()} if first else {})
        return _stored(exchange, whole, writing.new_id())
    return _streamed(exchange, resource, chain((first,), parts))


def _streamed(exchange: Exchange, resource: dict[str, Any], parts: Iterator[bytes]) -> Answer:
    id, files = writing.new_id(), exchange.services.store.files
    file = files.write(parts, resource["contentType"], f"{BINARY}/{id}", until_owned=True)
    try:
        answer = _stored(exchange, resource, id)
    except BaseException:
        files.delete(file.id)
        raise
    files.settle(file.id)
    return answer


def _stored(exchange: Exchange, resource: dict[str, Any], id: str) -> Answer:
    def work(tx: Transaction) -> list[Stored]:
        return [writing.create(exchange, tx, resource, id)]

    return writing.answer(exchange, writing.commit(exchange, "create", 201, work)[0], 201, [])


def _resource(exchange: Exchange) -> dict[str, Any]:
    headers = exchange.request.headers
    found: dict[str, Any] = {"resourceType": BINARY, "contentType": headers["Content-Type"]}
    context = headers.get(CONTEXT)
    if context is not None:
        if not _REFERENCE.fullmatch(context):
            raise BadRequest(f"{CONTEXT} must be a reference, such as DocumentReference/1.")
        found["securityContext"] = {"reference": context}
    return found


def _parts(exchange: Exchange) -> Iterator[bytes]:
    """The body to its end. Raises TooLarge, TooSlow, or BadRequest for one that ends before its announced length."""
    began = time.monotonic()
    request, most = exchange.request, exchange.services.settings.max_binary_bytes
    announced = request.content_length
    if announced is None:
        most = min(most, exchange.services.settings.max_body_bytes)
    size = 0
    while (announced or 0) <= most >= size and (part := request.stream.read(PART)):
        size += len(part)
        if time.monotonic() - began > SECONDS + size / SLOWEST:
            raise TooSlow("The content did not arrive in time: send it faster.")
        yield part
    if max(size, announced or 0) > most:
        text = f"The content is larger than {most} bytes, the most that is taken here"
        raise TooLarge(text + (": announce its length." if announced is None else "."))
    if announced is not None and size < announced:
        raise BadRequest(f"The body ended after {size} of {announced} bytes.", code="structure")


def _first(parts: Iterator[bytes]) -> bytes:
    """As much as tells whether the content is large, or all of it."""
    found = bytearray()
    for part in parts:
        found += part
        if len(found) > INLINE:
            break
    return bytes(found)
