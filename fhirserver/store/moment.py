"""What a snapshot says of the policies: it cannot change, so that the steps of one search read it once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bson import ObjectId

    from fhirserver.predicate import Predicate
    from fhirserver.store.actors import Members


@dataclass(slots=True)
class Moment:
    """For one requester, and as long as the snapshot that it was read from; within a transaction there is none.

    `stamps`: of policies by patient, None of those who have no policy; `members`: the policies that name him.
    """

    stamps: dict[str, ObjectId | None] = field(default_factory=dict)
    members: tuple[Members, ...] | None = None
    predicates: dict[tuple[str, frozenset[str] | None, str], Predicate] = field(default_factory=dict)
