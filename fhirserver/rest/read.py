"""read and vread (https://hl7.org/fhir/R4/http.html#read, #vread)."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from fhirserver.audit import Entity, Event
from fhirserver.errors import FhirError, Gone, NotFound
from fhirserver.rest import negotiate, subsets
from fhirserver.rest.answer import Answer, http_date, version_headers
from fhirserver.rest.documents.retrieving import retrieved

if TYPE_CHECKING:
    from fhirserver.rest.exchange import Exchange
    from fhirserver.rest.subsets import Subset
    from fhirserver.store import Stored

_VERSION: Final = re.compile(r"[1-9][0-9]{0,17}")


def read(exchange: Exchange, type: str, id: str) -> Answer:
    """The current version; 304 when the client has it; 404 when absent or hidden; 410 when deleted."""
    subset = subsets.asked(exchange, type)
    stored = exchange.view.read(type, id)
    if stored is None:
        raise unknown(type, id)
    if stored.deleted:
        raise Gone(f"{type}/{id} was deleted.", headers=version_headers(stored))
    return _version(exchange, "read", stored, subset)


def vread(exchange: Exchange, type: str, id: str, version: str) -> Answer:
    """One version of the resource's history, judged by what may be seen now."""
    subset = subsets.asked(exchange, type)
    stored = exchange.view.vread(type, id, int(version)) if _VERSION.fullmatch(version) else None
    if stored is None:
        raise NotFound(f"{type}/{id} has no version {version} here.")
    if stored.deleted:
        raise Gone(f"{type}/{id} was deleted in version {version}.", headers=version_headers(stored))
    return _version(exchange, "vread", stored, subset)


def unknown(type: str, id: str) -> FhirError:
    """The one answer for an id that never existed and for one that may not be seen."""
    return NotFound(f"{type}/{id} is not known here.")


def _version(exchange: Exchange, interaction: str, stored: Stored, subset: Subset | None) -> Answer:
    headers = version_headers(stored)
    if stored.type == "Binary" and subset is None and not _has_it(exchange, stored):
        answer = retrieved(exchange, interaction, stored)
        if answer is not None:
            return answer
    status = 304 if _has_it(exchange, stored) else 200
    event = Event(interaction, status, (Entity.of(stored),))
    (part,) = subsets.cut(exchange.services.definitions, [stored], subset) if status == 200 else (stored,)
    return Answer(status, part.body if status == 200 else None, headers, event)


def _has_it(exchange: Exchange, stored: Stored) -> bool:
    """RFC 9110, 13.2.2: `If-None-Match` first; `If-Modified-Since` only without it, to the second."""
    given = exchange.request.headers
    if "If-None-Match" in given:
        return negotiate.none_match(given["If-None-Match"], stored.version)
    since = given.get("If-Modified-Since")
    if not since:
        return False
    try:
        return parsedate_to_datetime(http_date(stored.last_updated)) <= parsedate_to_datetime(since)
    except (ValueError, TypeError):
        return False
