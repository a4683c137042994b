"""Retrieve document (IHE ITI-68): a Binary as its own bytes, or as the resource (https://hl7.org/fhir/R4/binary.html#rest).

Without an `Accept` that names FHIR, the bytes; large ones come from where they are stored, piece by piece. What a
browser is shown runs nothing.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any, Final

from werkzeug.http import parse_accept_header, parse_options_header, parse_range_header

from fhirserver import jsontext, xmltext
from fhirserver.audit import Entity, Event
from fhirserver.errors import NotAcceptable
from fhirserver.rest import negotiate
from fhirserver.rest.answer import Answer, version_headers
from fhirserver.rest.documents import contents
from fhirserver.rest.documents.belonging import BINARY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fhirserver.rest.exchange import Exchange
    from fhirserver.rest.services import Services
    from fhirserver.store import File, Stored

OWN_PAGE: Final = "application/pdf"
"""Shown by the browser's own reader, which a sandbox would keep from opening."""
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_MARK: Final = base64.b64encode(b"where the bytes of the file go").decode()
_MEDIA: Final = re.compile(r"[!#$&^_.+\-A-Za-z0-9]+/[!#$&^_.+\-A-Za-z0-9]+(;[ -~]*)?")
_TOO_FAR: Final = 416


def retrieved(exchange: Exchange, interaction: str, stored: Stored) -> Answer | None:
    """The bytes, or 416; of a large one also the resource, as it comes; None where the resource is answered as any.

    Raises NotAcceptable when the client takes neither.
    """
    value = jsontext.parse_object(stored.body)
    media = str(value.get("contentType", "application/octet-stream"))
    file = _file(exchange.services, value, stored)
    event = Event(interaction, 200, (Entity.of(stored),))
    if not wants_bytes(exchange, media):
        return None if file is None else _resource(exchange, stored, value, file, event)
    data = b"" if file else contents.decoded(value.get("data", ""), "Binary.data")
    length = file.length if file else len(data)
    headers = version_headers(stored) | shown_headers(media) | {"Accept-Ranges": "bytes"}
    start, end, status = _range(exchange, length, headers["ETag"])
    if status == _TOO_FAR:
        return Answer(_TOO_FAR, None, {"Content-Range": f"bytes */{length}"}, event._replace(status=_TOO_FAR))
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{length}"
    headers["Content-Length"] = str(end - start)
    parts = exchange.services.store.files.read(file.id, start, end) if file else [data[start:end]]
    return Answer(status, None, headers, event._replace(status=status), parts)


def written(services: Services, stored: Stored) -> tuple[int, Iterable[bytes]]:
    """A resource as JSON, and its length; of a Binary whose bytes lie in a file with these, as they are read."""
    value = jsontext.parse_object(stored.body) if stored.type == BINARY else {}
    file = _file(services, value, stored) if value else None
    if file is None:
        return len(stored.body), (stored.body,)
    before, _, after = jsontext.dump(value | {"data": _MARK}).partition(_MARK.encode())
    length = len(before) + 4 * -(-file.length // 3) + len(after)
    return length, _filled(before, services.store.files.read(file.id), after)


def shown_headers(media: str) -> dict[str, str]:
    """Headers of bytes that somebody else wrote: a browser neither runs nor fetches anything for them."""
    media = media if _MEDIA.fullmatch(media) else "application/octet-stream"
    sandbox = "" if media.partition(";")[0] == OWN_PAGE else "; sandbox"
    return {"Content-Type": media, "Content-Security-Policy": POLICY + sandbox}


def wants_bytes(exchange: Exchange, media: str) -> bool:
    """Whether the client takes the bytes rather than the resource. Raises NotAcceptable when it takes neither."""
    request = exchange.request
    if exchange.nested or not negotiate.native(request):
        return False
    accept = request.headers.get("Accept")
    if not accept:
        return True
    plain = media.partition(";")[0].strip().lower()
    ranges: dict[str, float] = {}
    for text, quality in parse_accept_header(accept):
        ranges.setdefault(parse_options_header(text)[0].lower(), quality)
    fhir = max((ranges[each] for each in negotiate.names() if each in ranges and each != plain), default=0.0)
    whole = next((ranges[each] for each in (plain, plain.partition("/")[0] + "/*", "*/*") if each in ranges), 0.0)
    if not fhir and not whole:
        text = f"The Binary is {plain}; it is also given as {negotiate.FHIR_JSON} and {negotiate.FHIR_XML}."
        raise NotAcceptable(text)
    return whole > fhir


def _file(services: Services, value: dict[str, Any], stored: Stored) -> File | None:
    if "data" in value:
        return None
    found = services.store.files.owned(f"{BINARY}/{stored.id}")
    return found[-1] if found else None


def _range(exchange: Exchange, length: int, etag: str) -> tuple[int, int, int]:
    """Start, end and status; several ranges, and those of another version (`If-Range`), are answered by the whole."""
    given = exchange.request.headers
    asked = parse_range_header(given.get("Range"))
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1 or given.get("If-Range", etag) != etag:
        return 0, length, 200
    first, last = asked.ranges[0]
    if last is None and first < -length:
        return 0, length, 206 if length else 200  # RFC 9110, 14.1.2: a suffix longer than all is all
    found = asked.range_for_length(length)
    return (*found, 206) if found is not None else (0, 0, _TOO_FAR)


def _resource(exchange: Exchange, stored: Stored, value: dict[str, Any], file: File, event: Event) -> Answer:
    """The resource with the bytes of a file in it, in base64, as they are read."""
    media = exchange.wanted.media
    marked = value | {"data": _MARK}
    if media == negotiate.FHIR_XML:
        body = xmltext.dump(marked, exchange.services.definitions, pretty=exchange.wanted.pretty)
    else:
        body = jsontext.dump(marked)
    before, _, after = body.partition(_MARK.encode())
    length = len(before) + 4 * -(-file.length // 3) + len(after)
    headers = version_headers(stored) | {"Content-Type": f"{media}; charset=utf-8", "Content-Length": str(length)}
    return Answer(200, None, headers, event, _filled(before, exchange.services.store.files.read(file.id), after))


def _filled(before: bytes, parts: Iterable[bytes], after: bytes) -> Iterator[bytes]:
    yield before
    left = b""
    for part in parts:
        whole = left + part
        cut = len(whole) - len(whole) % 3
        yield base64.b64encode(whole[:cut])
        left = whole[cut:]
    yield base64.b64encode(left)
    yield after
