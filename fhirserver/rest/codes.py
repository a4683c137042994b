"""What searches ask of the terminology: `:in`, `:not-in`, `:above`, `:below`
(https://hl7.org/fhir/R4/search.html#token)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from fhirserver import jsontext
from fhirserver.errors import BadRequest, Gone, NotFound, Unprocessable
from fhirserver.rest.operations.stored import instance, terminology
from fhirserver.terminology import Wish

if TYPE_CHECKING:
    from fhirserver.rest.exchange import Exchange
    from fhirserver.terminology import Terminology

Pair = tuple[str, str]


class Codes:
    """Codes by value set and by hierarchy, as far as the requester may ask about them."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def members(self, value_set: str, most: int) -> list[Pair]:
        """System and code of all that is in a value set, given by its canonical or as `ValueSet/id`."""
        if value_set.startswith("ValueSet/"):
            try:
                stored = instance(self._exchange, "ValueSet", value_set.removeprefix("ValueSet/"))
            except (NotFound, Gone):
                raise BadRequest(f"{value_set} is not known here.", code="not-found") from None
            return self._expanded(jsontext.parse_object(stored.body), most)
        return self._expanded(value_set, most)

    def related(self, system: str, code: str, above: bool, most: int) -> list[Pair]:
        """A code and all below it, or above it, in the hierarchy of its system."""
        operator = "generalizes" if above else "is-a"
        condition = {"property": "concept", "op": operator, "value": code}
        compose = {"include": [{"system": system, "filter": [condition]}]}
        found = self._expanded({"resourceType": "ValueSet", "status": "active", "compose": compose}, most)
        return list(dict.fromkeys([(system, code), *found]))

    @cached_property
    def _terminology(self) -> Terminology:
        return terminology(self._exchange)

    def _expanded(self, value_set: str | dict[str, Any], most: int) -> list[Pair]:
        try:
            found = self._terminology.expand(value_set, Wish(count=most + 1), now=self._exchange.access.now)
        except (NotFound, Unprocessable) as error:
            raise BadRequest(error.text, code=error.issues[0].code) from None
        listed = found["expansion"].get("contains", ())
        return [(each.get("system", ""), each["code"]) for each in listed]
