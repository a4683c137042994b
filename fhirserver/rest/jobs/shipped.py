"""The SearchParameters of added packages, registered as those of users are."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from fhirserver.access import Access
from fhirserver.rest import defining
from fhirserver.rest.jobs.reindex import KIND
from fhirserver.store.jobs import document

if TYPE_CHECKING:
    from fhirserver.rest.guides import Guide
    from fhirserver.rest.services import Services
    from fhirserver.store import Added, Transaction

_SOURCE = "package|"
_RETIRED = "retired"
_log = logging.getLogger(__name__)


def register(services: Services, known: Guide | None) -> Guide:
    """The guide of now; when it is another than the one known, the registry is brought in line with it.

    What an added package defines anew, or defines so that it cannot be used, is passed over and logged.
    """
    guide = services.guides.current
    if guide is known:
        return guide
    wanted = defining.of_packages(_found(services, guide))
    if wanted or any(each.place.startswith(_SOURCE) for each in services.in_force.refreshed().added):
        access = Access.system("packages")
        services.store.transact(access, lambda tx: _bring_in_line(services, tx, wanted, access))
        services.in_force.refreshed()
    return guide


def _found(services: Services, guide: Guide) -> dict[str, dict[str, Any]]:
    """The SearchParameters of packages that do not ship, by canonical."""
    found: dict[str, dict[str, Any]] = {}
    for package in guide.definitions.packages:
        if package not in services.published.packages:
            for entry in package.entries(defining.TYPE):
                resource = package.load(entry)
                if entry.url and resource.get("status") != _RETIRED:
                    found.setdefault(entry.url, resource)
    return found


def _bring_in_line(services: Services, tx: Transaction, wanted: list[Added], access: Access) -> None:
    registry = tx.registry
    present = {each.place: each for each in registry.all()}
    kept = [each for place, each in present.items() if not place.startswith(_SOURCE)]
    new = False
    for each in wanted:
        told = defining.fault(services.in_force, services.published, each, kept)
        if told:
            _log.info("the search parameter %s of an added package is passed over: %s", each.source, told)
            continue
        kept.append(each)
        before = present.get(each.place)
        if before is None or before.digest != each.digest:
            registry.put(each)
            new = True
    for place in present.keys() - {each.place for each in kept}:
        registry.drop(place)
    if new:
        tx.start(document(KIND, None, {"types": None}, access.now))
