"""Which records were merged into which, and what `$unmerge` must know.

_id          the Patient that was merged (the source)       into      the one that it is part of (the target)
names        both: one index finds who has to do with whom  at        when
mine         Consents and CareTeams of the target from before (`Consent/x`): they open what was there before
traitant     keys of the target's médecin traitant then: likewise
identifiers  those that the target took over                space     states of the target's space before and after
active       what the source's Patient said of being active

A record that absorbed others may itself be merged: a chain, undone from its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pymongo import ASCENDING

from fhirserver.access import united
from fhirserver.store import spaces

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pymongo.client_session import ClientSession
    from pymongo.database import Database

Row = dict[str, Any]

COLLECTION: Final = "merges"
NOWHERE: Final = "|"
"""The part of a record in which is what was about both patients: of no professional, then as now."""


class Family(NamedTuple):
    """Records that are one: the `root`, and how each of the others came to it, by its id."""

    root: str
    merged: Mapping[str, Row]

    @property
    def members(self) -> tuple[str, ...]:
        return (self.root, *sorted(self.merged))

    def origin(self, name: str, was: Mapping[str, Any] | None) -> str | None:
        """The record whose resources a Consent or CareTeam (`Consent/x`) of the root opens; None: those of all."""
        if was is not None:
            return str(was["id"])
        mine = any(name in row["mine"] for row in self.merged.values() if row["into"] == self.root)
        return self.root if mine else None

    @property
    def traitant(self) -> frozenset[str]:
        """The keys of the root's médecin traitant from before it absorbed others."""
        return frozenset(key for row in self.merged.values() if row["into"] == self.root for key in row["traitant"])


_TOGETHER: Final = ("basis", "blocked", "actors", "refs")
_BESIDE: Final = ("_id", "space", "birth", "traitant", "team", "rules", "actors")


def one_of(parts: Mapping[str, Row], patient: str, root: str) -> Row:
    """The policy document of one of several records that are one, of the policies that each would have alone."""
    whole = dict(parts[patient])
    for name in _TOGETHER:
        whole[name] = sorted({key for each in parts.values() for key in each[name]})
    whole["beside"] = [{name: each[name] for name in _BESIDE} for id_, each in parts.items() if id_ != patient]
    return whole | ({"into": root} if patient != root else {})


def begin(
    database: Database[Row], session: ClientSession, source: str, target: str, at: datetime, facts: Mapping[str, Any]
) -> None:
    """Records a merge, and of both spaces the stricter states as those of the target's."""
    policy = database["policy"].find_one({"_id": target}, {"traitant": 1}, session=session) or {}
    names = ((type_, {"pat": target, "was": {"$exists": False}}) for type_ in ("Consent", "CareTeam"))
    mine = [f"{each}/{row['_id']}" for each, where in names for row in database[each].find(where, {}, session=session)]
    states = [(spaces.of(database, each, session) or {}).get("states", []) for each in (target, source)]
    together = united(*states)
    Merges(database, session).add(
        {
            "_id": source,
            "into": target,
            "names": [source, target],
            "at": at,
            "mine": sorted(mine),
            "traitant": list(policy.get("traitant", ())),
            "space": [states[0], together],
            **facts,
        }
    )
    if together != states[0]:
        spaces.replace(database, target, together, session)


def end(database: Database[Row], session: ClientSession, source: str) -> None:
    """Forgets a merge; the target's space is what it would be without it, unless its state was changed meanwhile."""
    merges = Merges(database, session)
    row = merges.of(source) or {}
    rows = merges.into(row["into"])
    now = (spaces.of(database, row["into"], session) or {}).get("states", [])
    states = list[Row]()
    together: list[Row] | None = None
    for each in rows:
        before, after = each["space"]
        states = states if before == together else before
        together = after
        if each["_id"] != source:
            own = (spaces.of(database, each["_id"], session) or {}).get("states", [])
            pair = [states, united(states, own)]
            database[COLLECTION].update_one({"_id": each["_id"]}, {"$set": {"space": pair}}, session=session)
            states = pair[1]
    if now == together != states:
        spaces.replace(database, row["into"], states, session)
    database[COLLECTION].delete_one({"_id": source}, session=session)


class Merges:
    """The merges of one database, in a transaction where there is one."""

    def __init__(self, database: Database[Row], session: ClientSession | None = None) -> None:
        self._rows, self._session = database[COLLECTION], session

    def make(self) -> None:
        """Makes the index."""
        self._rows.create_index([("names", ASCENDING)], name="names")

    def of(self, patient: str) -> Row | None:
        """How a record came to be merged; None for one that was not."""
        return self._rows.find_one({"_id": patient}, session=self._session)

    def family(self, patient: str) -> Family:
        """The records that are one with a patient's."""
        known: dict[str, Row] = {}
        waiting, seen = [patient], {patient}
        while waiting:
            for row in self._rows.find({"names": waiting.pop()}, session=self._session):
                known[row["_id"]] = row
                waiting += [name for name in row["names"] if name not in seen]
                seen.update(row["names"])
        (root,) = seen - known.keys()
        return Family(root, known)

    def absorbed(self, patient: str) -> frozenset[str]:
        """The ids of the records that became part of this one, directly or with others."""
        found: set[str] = set()
        waiting = [patient]
        while waiting:
            name = waiting.pop()
            rows = self._rows.find({"names": name, "into": name}, {"_id": 1}, session=self._session)
            new = [row["_id"] for row in rows if row["_id"] not in found]
            found.update(new)
            waiting += new
        return frozenset(found)

    def into(self, target: str) -> list[Row]:
        """The merges into a record, in their order."""
        return self._rows.find({"names": target, "into": target}, session=self._session).sort("at").to_list()

    def since(self, moment: Any) -> list[Row]:
        """Merges of after a moment."""
        return list(self._rows.find({"at": {"$gte": moment}}, session=self._session))

    def add(self, row: Row) -> None:
        """Records a merge."""
        self._rows.insert_one(row, session=self._session)
