"""What searches ask of the terminology: `:in`, `:not-in`, `:above`, `:below`
(https://hl7.org/fhir/R4/search.html#token)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from fhirserver import jsontext
from fhirserver.errors import BadRequest, Gone, NotFound, Unprocessable
from fhirserver.rest.operations.stored import instance, terminology
from fhirserver.terminology import TooCostly

if TYPE_CHECKING:
    from collections.abc import Collection

    from fhirserver.rest.exchange import Exchange
    from fhirserver.terminology import Terminology

Pair = tuple[str, str]


class CodeSet:
    """What is in a value set, given by its canonical or as a resource."""

    def __init__(self, terminology: Terminology, value_set: str | dict[str, Any], also: tuple[Pair, ...] = ()) -> None:
        self._terminology, self._value_set, self._also = terminology, value_set, also

    def listed(self, most: int) -> Collection[Pair] | None:
        """All; None for more than `most`, or what cannot be listed. Raises BadRequest for what is not known here."""
        return None if self._all is None or len(self._all) > most else self._all

    def holds(self, system: str, code: str) -> bool:
        """Whether a code is in it. Raises BadRequest when that cannot be told."""
        told = (system, code) in self._also or self._terminology.holds(self._value_set, system, code)
        if told is None:
            raise BadRequest(
                f"Of the code {code} of {system} it cannot be told here whether it is meant.", code="not-found"
            )
        return told

    @cached_property
    def _all(self) -> Collection[Pair] | None:
        """None when they cannot be listed."""
        try:
            return dict.fromkeys([*self._also, *self._terminology.members(self._value_set)])
        except TooCostly:
            return None
        except (NotFound, Unprocessable) as error:
            raise BadRequest(error.text, code=error.issues[0].code) from None


class Codes:
    """Codes by value set and by hierarchy, as far as the requester may ask about them."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def members(self, value_set: str) -> CodeSet:
        """What is in a value set, given by its canonical or as `ValueSet/id`."""
        if value_set.startswith("ValueSet/"):
            try:
                stored = instance(self._exchange, "ValueSet", value_set.removeprefix("ValueSet/"))
            except (NotFound, Gone):
                raise BadRequest(f"{value_set} is not known here.", code="not-found") from None
            return CodeSet(self._terminology, jsontext.parse_object(stored.body))
        return CodeSet(self._terminology, value_set)

    def related(self, system: str, code: str, above: bool) -> CodeSet:
        """A code and all below it, or above it, in the hierarchy of its system."""
        operator = "generalizes" if above else "is-a"
        condition = {"property": "concept", "op": operator, "value": code}
        compose = {"include": [{"system": system, "filter": [condition]}]}
        value_set = {"resourceType": "ValueSet", "status": "active", "compose": compose}
        return CodeSet(self._terminology, value_set, ((system, code),))

    @cached_property
    def _terminology(self) -> Terminology:
        return terminology(self._exchange)
