"""Whether one search finds one resource."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fhirserver.search import Indexer, parse
from fhirserver.spec import Definitions
from tests.search import stored
from tests.search.naive import BASE

if TYPE_CHECKING:
    from collections.abc import Collection

    from fhirserver.search import Query

NOW = datetime(2025, 1, 1, tzinfo=UTC)


class OneCode:
    """A terminology in which every value set and every hierarchy is of one code."""

    def __init__(self, system: str = "http://loinc.org", code: str = "718-7") -> None:
        self.pair = (system, code)

    def members(self, value_set: str) -> OneCode:
        return self

    def related(self, system: str, code: str, above: bool) -> OneCode:
        return OneCode(system, code)

    def listed(self, most: int) -> Collection[tuple[str, str]]:
        return [self.pair]

    def holds(self, system: str, code: str) -> bool:
        return (system, code) == self.pair


def finds(resource: dict[str, Any], *params: tuple[str, str], zone: str = "UTC") -> bool:
    """Whether the parameters, all of them, find the resource in a server at `BASE`, in a time zone."""
    defs = Definitions.core()
    document = stored.envelope(Indexer(defs, base_url=BASE, timezone=zone), {"id": "x", **resource})
    query = parse(defs, resource["resourceType"], params, timezone=zone, base_url=BASE, now=NOW)
    return stored.found(query, [document]) == {"x"}


def query(resource_type: str, *params: tuple[str, str], lenient: bool = False) -> Query:
    return parse(Definitions.core(), resource_type, params, lenient=lenient, base_url=BASE, now=NOW, codes=OneCode())
