"""Terminology that is stored on this server, as far as the requester may see it; it goes before the packages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.errors import Gone
from fhirserver.predicate import In
from fhirserver.rest.read import unknown
from fhirserver.search import Query, SortKey, parse
from fhirserver.spec.canonical import matching, rank, split
from fhirserver.terminology import Found, Kept

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored
    from fhirserver.terminology import Terminology

_MOST: Final = 100
"""Resources of one canonical, or concept maps of one code system, that are looked at."""
_PARSED: Final = Kept(128)


class StoredTerminology:
    """Finds by `url` through the requester's view; one search for each canonical of a request."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._found: dict[tuple[str, str], Found | None] = {}

    def find(self, type: str, canonical: str) -> Found | None:
        """The version asked for, else the latest by its own version, then by the time it was stored."""
        key = (type, canonical)
        if key not in self._found:
            self._found[key] = self._search(type, canonical)
        return self._found[key]

    def concept_maps(self, systems: frozenset[str]) -> Iterable[Found]:
        stored: dict[str, Stored] = {}
        for system in sorted(systems):
            for side in ("source-system", "target-system"):
                stored |= {each.id: each for each in self._matches("ConceptMap", side, system)}
        return [resource(each) for each in stored.values()]

    def _search(self, type: str, canonical: str) -> Found | None:
        url, version, _ = split(canonical)
        found = [resource(each) for each in self._matches(type, "url", url)]
        if version is not None:
            return matching(found, _version, version)
        return max(found, key=lambda each: rank(_version(each)), default=None)

    def _matches(self, type: str, parameter: str, uri: str) -> list[Stored]:
        params = [(parameter, _escaped(uri)), ("_count", str(_MOST)), ("_sort", "-_lastUpdated")]
        query = parse(self._exchange.services.definitions, type, params)
        return self._exchange.view.search(query).matches


def terminology(exchange: Exchange) -> Terminology:
    """All terminology that the requester may ask about."""
    return exchange.services.terminology.with_(StoredTerminology(exchange))


def instance(exchange: Exchange, type: str, id: str) -> Stored:
    """The resource that an operation is called on. Raises NotFound, the same for hidden and absent, or Gone."""
    stored = exchange.view.read(type, id)
    if stored is None:
        raise unknown(type, id)
    if stored.deleted:
        raise Gone(f"{type}/{id} was deleted.")
    return stored


def by_ids(exchange: Exchange, type: str, ids: Iterable[str]) -> list[Stored]:
    """Those of the resources that may be seen, in the order of their ids."""
    wanted = tuple(sorted(set(ids)))
    query = Query(type, (In("_id", wanted),), None, (SortKey("_id", False),), len(wanted), "none")
    return exchange.view.search(query).matches


def resource(stored: Stored) -> Found:
    """A stored resource, parsed once for each version."""
    key = (stored.type, stored.id, stored.version, stored.last_updated)
    parsed: dict[str, Any] = _PARSED.of(key, lambda: jsontext.parse_object(stored.body))
    return Found(parsed, key)


def _version(found: Found) -> str | None:
    version: str | None = found.resource.get("version")
    return version


def _escaped(text: str) -> str:
    """A value that search takes as it is (search.html#escaping)."""
    for each in "\\,$|":
        text = text.replace(each, "\\" + each)
    return text
