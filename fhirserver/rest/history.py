"""history of a resource, a type and all types (https://hl7.org/fhir/R4/http.html#history)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from fhirserver.audit import Entity, Event
from fhirserver.errors import BadRequest
from fhirserver.rest import bundles
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.pages import PARAMETER, PageKey
from fhirserver.rest.read import unknown
from fhirserver.search import dates
from fhirserver.store.timeline import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Page

DEFAULT_COUNT: Final = 50
MAX_COUNT: Final = 1000
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_NAMES: Final = ("_count", "_since", "_at")

Params = list[tuple[str, str]]


class _Asked(NamedTuple):
    target: str
    params: Params
    after: tuple[object, ...] | None
    size: int
    span: Span


def history_instance(exchange: Exchange, type: str, id: str) -> Answer:
    """All versions that may be seen, newest first, in pages of `_count`; with `_since` or `_at`, some of them."""
    asked = _asked(exchange, f"{type}/{id}/_history")
    if asked.span != Span():
        newest = exchange.view.read(type, id)
        if newest is None:
            raise unknown(type, id)
        return _timeline(exchange, asked, "history-instance", (type,), id)
    before = None if asked.after is None else int(str(asked.after[0]))
    page = exchange.view.history(type, id, count=asked.size, before=before)
    if not page.matches and before is None and not page.total:
        raise unknown(type, id)
    return _answer(exchange, asked, page, "history-instance", (Entity(type, id),))


def history_type(exchange: Exchange, type: str) -> Answer:
    """What happened to the resources of a type, newest first."""
    return _timeline(exchange, _asked(exchange, f"{type}/_history"), "history-type", (type,))


def history_system(exchange: Exchange) -> Answer:
    """What happened to all resources, newest first."""
    types = exchange.services.definitions.resource_types
    return _timeline(exchange, _asked(exchange, "_history"), "history-system", types)


def _timeline(
    exchange: Exchange, asked: _Asked, interaction: str, types: Sequence[str], id: str | None = None
) -> Answer:
    page = exchange.view.timeline(types, asked.span, asked.size, asked.after, id_=id)  # type: ignore[arg-type]
    return _answer(exchange, asked, page, interaction, (Entity(types[0], id),) if id else ())


def _answer(exchange: Exchange, asked: _Asked, page: Page, interaction: str, nothing: tuple[Entity, ...]) -> Answer:
    """The Bundle, whose `self` link says what was asked for and whose `next` link is the requester's own."""
    url = f"{exchange.services.base}/{asked.target}"
    query = urlencode(
        [
            *((name, str(asked.size) if name == "_count" else value) for name, value in asked.params),
            *exchange.general,
        ],
        safe=":",
        quote_via=quote,
    )
    links = {"self": f"{url}?{query}" if query else url}
    if page.after is not None:
        key = PageKey(asked.target, tuple(asked.params), page.after)
        sealed = exchange.services.seal.seal(key, exchange.access.requester)
        links["next"] = f"{url}?{urlencode([(PARAMETER, sealed), *exchange.general])}"
    entities = tuple(Entity.of(each) for each in page.matches)
    bundle = bundles.history(exchange.services.base, page.matches, page.total, links)
    target = None if interaction == "history-instance" else f"{asked.target}?{query}".rstrip("?")
    return of_value(200, bundle, Event(interaction, 200, entities or nothing, query=target))


def _asked(exchange: Exchange, target: str) -> _Asked:
    """What is asked for, by parameters or by a page link, beside which nothing may stand. Raises BadRequest."""
    params, after = exchange.params, None
    if [name for name, _ in params] == [PARAMETER]:
        key = exchange.services.seal.open(params[0][1], target, exchange.access.requester)
        params, after = list(key.params), key.after
    for name, _ in params:
        if name not in _NAMES:
            raise BadRequest(f"The parameter {name!r} is not offered for history.", code="not-supported")
        if sum(each == name for each, _ in params) > 1:
            raise BadRequest(f"The parameter {name} must be given once.")
    given = dict(params)
    if "_since" in given and "_at" in given:
        raise BadRequest("Give _since or _at, not both.")
    return _Asked(target, params, after, _count(given.get("_count")), _span(exchange, given))


def _count(text: str | None) -> int:
    if text is not None and not _NUMBER.fullmatch(text):
        raise BadRequest("_count must be one whole number.")
    return DEFAULT_COUNT if text is None else min(int(text), MAX_COUNT)


def _span(exchange: Exchange, given: dict[str, str]) -> Span:
    """`_since`: from then on; `_at`: the versions that were current at that time, which may be a whole day or year."""
    for name in ("_since", "_at"):
        if name not in given:
            continue
        found = dates.interval(given[name], ZoneInfo(exchange.services.settings.timezone))
        if found is None:
            raise BadRequest(f"{name}={given[name]!r} is no date or time such as 2026-01-31T12:00:00%2B01:00.")
        start, end = dates.instant(found.lo), dates.instant(found.hi)
        return Span(since=start) if name == "_since" else Span(start=start, end=end)
    return Span()
