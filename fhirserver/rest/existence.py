"""The existence test of the DMP (TD0.2): is there a record with this INS, and is it open?

`GET Patient?identifier=urn:oid:1.2.250.1.213.1.4.8|<INS>`, for the purpose of feeding: tells the identifier that was
asked for and `active`, and needs no right to read. Whatever else is asked of Patient for this purpose finds nothing. No
id is told: a deposit names its patient by the INS.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fhirserver import jsontext
from fhirserver.access import Access, feeding, reach, spaces
from fhirserver.predicate import TRUE
from fhirserver.rest.compartment import INS_SYSTEMS
from fhirserver.rest.subsets import TAG
from fhirserver.store import Page, Stored

if TYPE_CHECKING:
    from fhirserver.rest.exchange import Exchange
    from fhirserver.search import Query

REASON: Final = "existence of a record"
_NONE: Final = frozenset({"announced", "opposed", "expired"})
"""States of a space in which there is no record yet, or none any more."""


def is_asked(exchange: Exchange, type: str) -> bool:
    """Whether this search of a type is for feeding, and so is no consultation."""
    return type == "Patient" and feeding(exchange.access.requester)


def found(exchange: Exchange, query: Query) -> tuple[Page, frozenset[str]]:
    """The one record that has the INS asked for, an open one before any other, and whose it is."""
    identifier = _asked(query)
    if identifier is None or reach(exchange.access, "Patient", "s") != TRUE:
        return Page([], 0, None), frozenset()
    known = _known(exchange, query)
    if not known:
        return Page([], 0, None), frozenset()
    told = {"meta": {"tag": [TAG]}, "identifier": [identifier], "active": True in known}
    body = jsontext.dump({"resourceType": "Patient", **told})
    return Page([Stored("Patient", "", 0, exchange.access.now, False, body, None, {})], 1, None), known[max(known)]


def _asked(query: Query) -> dict[str, str] | None:
    """The INS, where it and nothing else is asked for."""
    if [name for name, _ in query.params] != ["identifier"]:
        return None
    system, _, value = query.params[0][1].partition("|")
    return {"system": system, "value": value} if system in INS_SYSTEMS and value.isalnum() else None


def _known(exchange: Exchange, query: Query) -> dict[bool, frozenset[str]]:
    """Patients that there is a record of, by whether it is open."""
    store, now = exchange.services.store, exchange.access.now
    trusted = Access.system(REASON, now)
    known: dict[bool, set[str]] = {}
    for stored in store.view(trusted).search(replace(query, count=10, total="none")).matches:
        record = store.insight(trusted).record("Patient", stored.id)
        for policy in record.policies if record is not None else ():
            state = spaces.state(policy.space, now)
            if state not in _NONE:
                known.setdefault(state == spaces.OPEN, set()).add(stored.id)
    return {is_open: frozenset(ids) for is_open, ids in known.items()}
