"""Indexing anew, carried out: once every worker writes by the parameters of now, over all that is stored, by id.

What is written meanwhile needs nothing: its worker has indexed it. What the walk finds is changed only at the version
that it read (`store.reindexing`). Then the parameters that were added are there to be searched by.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from fhirserver.access import Access
from fhirserver.rest.compartment import in_record
from fhirserver.rest.inforce import parameters
from fhirserver.spec.parameters import ANCESTORS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fhirserver.rest.services import Services
    from fhirserver.search import Index
    from fhirserver.store import Added, Lease

WINDOW: Final = 20_000
SIZE: Final = 200
"""Ids that are listed, and resources that are read, at once."""
_PAUSE: Final = 0.2


def carry_out(services: Services, lease: Lease) -> Mapping[str, Any]:
    """The result: resources `seen` and `changed`, parameters that may be searched by now (`usable`).

    Position: `covered` (place and digest of those parameters), `types` with how many resources each has about, `at`
    and `after` in them.
    """
    position = dict(lease.job.position)
    if "covered" not in position:
        position = _begun(services, lease)
        lease.save(position, "beginning")
    while position["at"] < len(position["types"]):
        _type(services, lease, position)
    usable = services.store.registry.indexed([(place, digest) for place, digest in position["covered"]])
    services.in_force.refreshed()
    return {"seen": position["seen"], "changed": position["changed"], "usable": usable}


def _type(services: Services, lease: Lease, position: dict[str, Any]) -> None:
    """The next window of a type, and when it was the last one, on to the next type."""
    type, access = position["types"][position["at"]], Access.system("reindex")
    ids = services.store.ids(access, type, position["after"], WINDOW)
    for start in range(0, len(ids), SIZE):
        lease.check()
        some = ids[start : start + SIZE]
        found = services.store.reindex(access, type, some, _Reindex(services))
        position["seen"] += found.seen
        position["changed"] += found.changed
        position["after"] = some[-1]
        lease.save(position, f"{position['seen']} of about {position['all']} resources, at {type}")
    if len(ids) < WINDOW:
        position |= {"at": position["at"] + 1, "after": ""}
        lease.save(position, f"{position['seen']} of about {position['all']} resources, after {type}")


class _Reindex:
    """Indexes a resource as a write would, in the record where it is: a deposit may have named its patient by INS."""

    def __init__(self, services: Services) -> None:
        self._indexer = services.indexer

    def __call__(self, resource: dict[str, Any], pat: str | None) -> Index:
        return in_record(self._indexer, resource, pat)


def _begun(services: Services, lease: Lease) -> dict[str, Any]:
    state = services.in_force.refreshed()
    while not services.in_force.everywhere(state.epoch):
        lease.check()
        time.sleep(_PAUSE)
    pending = [each for each in state.added if not each.usable]
    asked = lease.job.asked["types"]
    types = _concerned(services, pending) if asked is None else list(asked)
    if asked is not None:
        pending = [each for each in pending if set(_concerned(services, [each])) <= set(types)]
    return {
        "covered": [[each.place, each.digest] for each in pending],
        "types": types,
        "all": sum(services.store.about(type) for type in types),
        "at": 0,
        "after": "",
        "seen": 0,
        "changed": 0,
    }


def _concerned(services: Services, added: Iterable[Added]) -> list[str]:
    """The types that parameters are for."""
    bases = {base for each in added for base, _ in parameters(each.resource)}
    every = services.published.resource_types
    return list(every) if bases & set(ANCESTORS) else sorted(bases)
