"""`POST $reindex`: makes the search entries of what is stored anew, in the background; for operators.

It starts by itself when a search parameter is added. By hand it serves after an upgrade that reads resources otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.access import require
from fhirserver.audit import Event
from fhirserver.errors import BadRequest, Forbidden
from fhirserver.rest.jobs import asking
from fhirserver.rest.parameters import received_as

if TYPE_CHECKING:
    from fhirserver.rest.answer import Answer
    from fhirserver.rest.exchange import Exchange

KIND: Final = "reindex"
_PARAMETERS: Final[list[dict[str, Any]]] = [
    {"name": "type", "type": "code", "max": "*"},
    {"name": "parameter", "type": "code", "max": "*"},
]


def reindex(exchange: Exchange, type: str = "") -> Answer:
    """202, and where to ask. `type`: those types only; `parameter`: the types that have one of these parameters."""
    if exchange.access.requester.kind != "operator":
        raise Forbidden("Only the operator of the server indexes anew.")
    require(exchange.access.requester, "SearchParameter", "u")
    inputs = received_as(exchange, _PARAMETERS)
    types: list[str] = inputs.all("type")
    for each in types:
        if each not in exchange.services.definitions.resource_types:
            raise BadRequest(f"type={each} is no resource type of FHIR R4.")
    for code in inputs.all("parameter"):
        types += _having(exchange, code)
    asked = {"types": sorted(set(types)) or None if types else list(exchange.services.definitions.resource_types)}
    event = Event("operation", 202, query=f"$reindex?{' '.join(asked['types'] or ())[:200]}")
    return asking.begin(exchange, KIND, asked, event)[1]


def _having(exchange: Exchange, code: str) -> list[str]:
    state = exchange.services.in_force.refreshed()
    definitions = state.indexer.catalogue.defs
    found = [type for type in definitions.resource_types if code in definitions.search_parameters(type)]
    if not found:
        raise BadRequest(f"parameter={code}: no resource type has a search parameter of this code.")
    return found
