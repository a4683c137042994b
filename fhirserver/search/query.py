"""What a query string asks for, ready to be made a pipeline of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from fhirserver.predicate import Predicate

Total = Literal["none", "estimate", "accurate"]


class SortKey(NamedTuple):
    """A field of the envelope to sort on: `s.birthdate.lo` (ascending), `s.birthdate.hi` (descending), `lu`, `_id`.

    What lacks the field comes last in either direction.
    """

    field: str
    descending: bool


@dataclass(frozen=True)
class Query:
    """A search of one resource type.

    `where`: conditions on the envelope that all hold; `patients`: ids one of which is the `pat` of whatever matches,
    None when the query does not say; `count`: matches a page; `summary`, `elements`: what of the resources is wanted;
    `params`: the parameters that were used, as given, for the self link; `ignored`: names that were passed over
    (`handling=lenient`).
    """

    type: str
    where: tuple[Predicate, ...] = ()
    patients: frozenset[str] | None = None
    sort: tuple[SortKey, ...] = ()
    count: int = 50
    total: Total = "accurate"
    summary: str | None = None
    elements: tuple[str, ...] = ()
    params: tuple[tuple[str, str], ...] = ()
    ignored: tuple[str, ...] = ()
