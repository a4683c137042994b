"""Search within a compartment, by GET and by POST (https://hl7.org/fhir/R4/compartmentdefinition.html).

`Patient/123/Observation?code=x` finds the Observations of the compartment of Patient/123. Nothing is said of whether
there is such a Patient: the answer for one who is hidden is that for one who never was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fhirserver.errors import BadRequest, NotFound
from fhirserver.rest.search_system import together
from fhirserver.rest.search_type import search
from fhirserver.rest.searching import form_params
from fhirserver.search import terms

if TYPE_CHECKING:
    from fhirserver.rest.answer import Answer
    from fhirserver.rest.exchange import Exchange

COMPARTMENTS: Final = ("Device", "Encounter", "Patient", "Practitioner", "RelatedPerson")


def compartment_get(exchange: Exchange, owner: str, owner_id: str, type: str) -> Answer:
    """`GET [base]/[compartment]/[id]/[type]?parameters`."""
    _check(exchange, owner, owner_id, type)
    return search(exchange, type, exchange.params, (owner, owner_id))


def compartment_post(exchange: Exchange, owner: str, owner_id: str, type: str) -> Answer:
    """`POST [base]/[compartment]/[id]/[type]/_search`."""
    _check(exchange, owner, owner_id, type)
    return search(exchange, type, form_params(exchange), (owner, owner_id))


def compartment_all_get(exchange: Exchange, owner: str, owner_id: str) -> Answer:
    """`GET [base]/[compartment]/[id]/*?parameters`: over all its types, or those that `_type` names."""
    return together(
        exchange, f"{owner}/{owner_id}/*", exchange.params, _types(exchange, owner, owner_id), (owner, owner_id)
    )


def compartment_all_post(exchange: Exchange, owner: str, owner_id: str) -> Answer:
    """`POST [base]/[compartment]/[id]/*/_search`."""
    types = _types(exchange, owner, owner_id)
    return together(exchange, f"{owner}/{owner_id}/*", form_params(exchange), types, (owner, owner_id))


def _types(exchange: Exchange, owner: str, owner_id: str) -> list[str]:
    _check(exchange, owner, owner_id, owner)
    return sorted({owner, *exchange.services.definitions.compartment(owner)})


def _check(exchange: Exchange, owner: str, owner_id: str, type: str) -> None:
    """Raises NotFound for what is no compartment, or a type that is never in it; BadRequest for what is no id."""
    if owner not in COMPARTMENTS:
        raise NotFound(f"{owner} has no compartment: {', '.join(COMPARTMENTS)} have.", code="not-supported")
    if not terms.ID.fullmatch(owner_id):
        raise BadRequest(f"{owner_id!r} cannot be an id: 1 to 64 of A-Z, a-z, 0-9, `-` and `.`.")
    if type != owner and type not in exchange.services.definitions.compartment(owner):
        raise NotFound(f"{type} is not in the compartment of {owner}.", code="not-supported")
