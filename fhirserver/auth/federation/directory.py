"""The professionals whom the directory here knows, by their national number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fhirserver.access import Access, keys
from fhirserver.search import parse

if TYPE_CHECKING:
    from fhirserver.clock import Clock
    from fhirserver.spec import Definitions
    from fhirserver.store import Store

REASON: Final = "authentication"


class Directory:
    """Reads the Practitioners of one server, as its own trusted work."""

    def __init__(self, store: Store, definitions: Definitions, clock: Clock) -> None:
        self._store, self._definitions, self._clock = store, definitions, clock

    def practitioner(self, rpps: str) -> str | None:
        """`Practitioner/abc`, the one active bearer of an RPPS number; None when there is none, or more than one."""
        if not rpps.isdecimal():
            return None
        numbers = ",".join(keys.to_identifiers(f"rpps|{rpps}"))
        asked = [("identifier", numbers), ("active:not", "false"), ("_count", "2"), ("_total", "none")]
        view = self._store.view(Access.system(REASON, self._clock()))
        found = view.search(parse(self._definitions, "Practitioner", asked)).matches
        return f"Practitioner/{found[0].id}" if len(found) == 1 else None
