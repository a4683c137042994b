"""history of one resource (https://hl7.org/fhir/R4/http.html#history)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from fhirserver.audit import Entity, Event
from fhirserver.errors import BadRequest
from fhirserver.rest import bundles
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.pages import PARAMETER, PageKey
from fhirserver.rest.read import unknown

if TYPE_CHECKING:
    from fhirserver.rest.exchange import Exchange

DEFAULT_COUNT: Final = 50
MAX_COUNT: Final = 1000
_NUMBER: Final = re.compile(r"[0-9]{1,9}")


def history_instance(exchange: Exchange, type: str, id: str) -> Answer:
    """All versions that may be seen, newest first, in pages of `_count`."""
    target = f"{type}/{id}/_history"
    params, before = exchange.params, None
    if [name for name, _ in params] == [PARAMETER]:
        key = exchange.services.seal.open(params[0][1], target, exchange.access.requester)
        params, before = list(key.params), int(key.after[0])
    count = _count(params)
    page = exchange.view.history(type, id, count=count, before=before)
    if not page.matches and before is None and not page.total:
        raise unknown(type, id)
    url = f"{exchange.services.base}/{target}"
    links = {"self": f"{url}?_count={count}" if params else url}
    if page.after is not None:
        sealed = exchange.services.seal.seal(PageKey(target, tuple(params), page.after), exchange.access.requester)
        links["next"] = f"{url}?{PARAMETER}={sealed}"
    entities = tuple(Entity(type, id, stored.version, stored.pat) for stored in page.matches)
    bundle = bundles.history(exchange.services.base, page.matches, page.total, links)
    return of_value(200, bundle, Event("history-instance", 200, entities or (Entity(type, id),)))


def _count(params: list[tuple[str, str]]) -> int:
    counts = [value for name, value in params if name == "_count"]
    for name, _ in params:
        if name != "_count":
            raise BadRequest(f"The parameter {name!r} is not offered for history.", code="not-supported")
    if len(counts) > 1 or any(not _NUMBER.fullmatch(value) for value in counts):
        raise BadRequest("_count must be one whole number.")
    return min(int(counts[0]), MAX_COUNT) if counts else DEFAULT_COUNT
