"""What requesters see across patients: compiled once, until a policy that names them changes, or the time comes.

Of many policies those alone are judged again that changed; what each of the others gave is kept, patients of whom the
same was said sharing it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bson import ObjectId

from fhirserver.access import Policy, compose, part
from fhirserver.store.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from pymongo.client_session import ClientSession

    from fhirserver.access import Access, Part, Requester
    from fhirserver.predicate import Predicate
    from fhirserver.store.actors import Actors, Members
    from fhirserver.store.moment import Moment

Stamped = tuple[ObjectId, Policy]
"""A policy and the stamp of its document."""

_KEPT: Final = 200_000
"""Patients, over all requesters and types."""
_ENTRY: Final = 30
"""What an entry weighs by itself, in patients."""


class _Seen(NamedTuple):
    members: tuple[Members, ...]
    since: datetime
    until: datetime | None
    parts: Mapping[str, tuple[ObjectId, Part]]
    predicate: Predicate


class Across:
    """The predicates of requests that are limited to no patient. `loaded` gives policies by patient and stamp."""

    def __init__(
        self,
        actors: Actors,
        loaded: Callable[[Mapping[str, ObjectId], ClientSession | None], Mapping[str, Stamped]],
    ) -> None:
        self._actors, self._loaded = actors, loaded
        self._kept: Kept[tuple[Requester, str], _Seen] = Kept(_KEPT)

    def predicate(
        self,
        access: Access,
        resource_type: str,
        represented: Policy | None,
        session: ClientSession | None,
        moment: Moment,
    ) -> Predicate:
        """What the requester may see of a type. `represented`: the policy of the minor whom he represents."""
        key = access.requester, resource_type
        members = moment.members
        if members is None:
            members = moment.members = self._actors.members(access.requester.named, session)
        kept = self._kept.get(key)
        if kept is not None and _same(kept.members, members) and holds(kept.since, kept.until, access.now):
            return kept.predicate
        policies = {patient: stamp for each in members for patient, stamp in each.policies.items()}
        parts = self._parts(access, resource_type, kept, policies, session)
        found = compose(access, resource_type, [(each, made) for each, (_, made) in parts.items()], represented, None)
        self._kept.put(key, _Seen(members, access.now, found.until, parts, found.predicate), len(parts) + _ENTRY)
        return found.predicate

    def _parts(
        self,
        access: Access,
        resource_type: str,
        kept: _Seen | None,
        policies: Mapping[str, ObjectId],
        session: ClientSession | None,
    ) -> dict[str, tuple[ObjectId, Part]]:
        parts: dict[str, tuple[ObjectId, Part]] = {}
        if kept is not None:
            for patient, (stamp, made) in kept.parts.items():
                if policies.get(patient) == stamp and holds(kept.since, made.until, access.now):
                    parts[patient] = stamp, made
        same = {(made.keys, made.until): made for _, made in parts.values()}
        missing = {patient: stamp for patient, stamp in policies.items() if patient not in parts}
        for patient, (stamp, policy) in self._loaded(missing, session).items():
            made = part(access, resource_type, policy, None)
            parts[patient] = stamp, same.setdefault((made.keys, made.until), made)
        return parts


def holds(since: datetime, until: datetime | None, now: datetime) -> bool:
    """Whether what was compiled at `since` is right at `now`: neither outlived, nor of a later time."""
    return since <= now and (until is None or now < until)


def _same(one: tuple[Members, ...], other: tuple[Members, ...]) -> bool:
    return len(one) == len(other) and all(each is its for each, its in zip(one, other, strict=True))
