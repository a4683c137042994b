"""What is in one record, moved into another, and back: current versions, history, and what documents brought along.

An envelope that was moved bears `was`:

id   the record that it was in first, whose part of the target it is now (`access.rules.parts`); `NOWHERE` for what was
     about both patients
by   the records whose merges moved it, the last one last
v    of a current version: for each of these, the version that it had before
pat, patx, t   as they were, where they do not follow from the rest
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from pymongo import InsertOne, ReplaceOne, UpdateOne
from pymongo.errors import OperationFailure

from fhirserver import jsontext
from fhirserver.access import DOCUMENT, author_references
from fhirserver.errors import Unprocessable
from fhirserver.store import bodies
from fhirserver.store.collections import HISTORY
from fhirserver.store.derived import copied
from fhirserver.store.envelope import encode, following, history_key, instant, stamped, superseded, unpacked
from fhirserver.store.errors import WRITE_CONFLICT
from fhirserver.store.merges import NOWHERE
from fhirserver.store.planner import is_embedded
from fhirserver.store.policies import WATCHED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pymongo.client_session import ClientSession
    from pymongo.collection import Collection

    from fhirserver.access import Access
    from fhirserver.store.derived import Derived
    from fhirserver.store.envelope import Indexed
    from fhirserver.store.transaction import Room

Row = dict[str, Any]
Resource = dict[str, Any]

AT_ONCE: Final = 200
"""Writes of one command."""
UNCHANGING: Final = frozenset({"Bundle", "AuditEvent"})
"""Types that say what they said: a document is signed as a whole, a trace is never changed."""
MOST: Final = 20_000
"""Resources that one merge moves: they are one transaction."""
MOST_EMBEDDED: Final = 1500
"""The same on the embedded database, which stalls for a minute over larger transactions, and gives up."""


class Bearing(Protocol):
    """What a resource says when it is of another record."""

    def forth(self, resource: Resource) -> Resource:
        """With the references to the source as references to the target."""

    def back(self, resource: Resource, before: Resource | None) -> Resource:
        """With those back again; `before`: as it was, None for what came later."""

    def index(self, resource: Resource, pat: str | None) -> Indexed:
        """Its search entries in the record of `pat`."""


class Moved(NamedTuple):
    """How many resources, and those by reference that policies of others may depend on."""

    number: int
    watched: frozenset[str]


class Moving:
    """Moves records in one transaction, all of whose other writes were sent."""

    def __init__(self, room: Room, access: Access, session: ClientSession, derived: Derived, token: int) -> None:
        self._room, self._access, self._session = room, access, session
        self._derived, self._token = derived, token
        self._copies: dict[str, Row] = {}
        self._most = MOST_EMBEDDED if is_embedded(room.collections.database) else MOST

    def forth(self, source: str, target: str, bearing: Bearing) -> Moved:
        """All of the source but its Patient. Raises Unprocessable (`too-costly`)."""

        def changed(type_: str, row: Row) -> Row:
            was = _was(row, source, target)
            pat = target if row.get("pat") == source else row.get("pat")
            made = self._rewritten(type_, row, bearing.forth(_body(row)), pat, bearing)
            if type_ in UNCHANGING:  # found under both names
                made["t"] = list(dict.fromkeys([*made["t"], *(_pointing(each, source, target) for each in made["t"])]))
            return made | {"was": was}

        def past(row: Row) -> Row:
            return _moved(row, source, target)

        return self._all(({"pat": source}, {"patx": source}), changed, past)

    def back(self, source: str, target: str, bearing: Bearing) -> Moved:
        """All that `forth` moved and that is still there."""

        def changed(type_: str, row: Row) -> Row:
            was = row["was"]
            before = self._version(type_, row, was["v"][-1]) if was["v"] else None
            kept = {name: each for name, each in was.items() if name in ("pat", "patx", "t")}
            pat = kept.get("pat", source)
            body = bearing.back(_body(row), None if before is None else _body(before))
            made = self._rewritten(type_, row, body, pat, bearing)
            if before is not None and f"patient|{source}" in before["acl"]["by"]:
                by = [f"patient|{source}" if key == f"patient|{target}" else key for key in made["acl"]["by"]]
                made["acl"] = {**made["acl"], "by": sorted(by)}
            return _unmarked(made, was)

        def past(row: Row) -> Row:
            return _moved_back(row, source, target)

        own = {"pat": target, "was.by": source}, {"patx": target, "was.by": source}
        return self._all(own, changed, past)

    def since(self, target: str, moment: Any, most: int) -> list[str]:
        """Names of what came into the target after a moment, and was not moved there."""
        found: list[str] = []
        for type_ in self._types():
            where = {"pat": target, "was": {"$exists": False}, "acl.at": {"$gt": moment}}
            rows = self._current(type_).find(where, {"_id": 1}, session=self._session).limit(most - len(found))
            found += sorted(f"{type_}/{row['_id']}" for row in rows)
            if len(found) >= most:
                break
        return found

    def _all(
        self,
        where: tuple[Row, ...],
        changed: Callable[[str, Row], Row],
        past: Callable[[Row], Row],
    ) -> Moved:
        count, watched = 0, set[str]()
        self._copies.clear()
        for type_ in self._types():
            rows = self._rows(type_, where)
            count += len(rows)
            if count > self._most:
                text = f"More than {self._most} resources would move: the most that one merge may."
                raise Unprocessable(text, code="too-costly")
            after = [self._followed(row, changed(type_, row)) for row in rows]
            older = [(row["_id"], self._followed(row, past(row))) for row in self._older(type_, where)]
            self._write(type_, rows, after, past)
            self._write_past(type_, older)
            if type_ in WATCHED:
                watched.update(f"{type_}/{row['_id']}" for row in rows)
            if type_ == DOCUMENT:
                self._copies = {row["_id"]: copied(row) for row in after}
        for id_ in self._copies:
            self._derived.forget(id_)
        return Moved(count, frozenset(watched))

    def _followed(self, row: Row, values: Row) -> Row:
        """The values with the copy of the document that the envelope was derived from, as that is now."""
        copy = self._copies.get(row["doc"]["_id"]) if "doc" in row else None
        return values if copy is None else values | {"doc": copy}

    def _types(self) -> Iterator[str]:
        """Documents first: what was derived from them bears copies of them."""
        there = sorted(self._room.collections.types(), key=lambda each: (each != DOCUMENT, each))
        return (each for each in there if each != "Patient" and self._room.collections.of_patients(each))

    def _rows(self, type_: str, where: tuple[Row, ...]) -> list[Row]:
        """Current envelopes, each once, with their whole bodies under `body`."""
        found: dict[str, Row] = {}
        for each in where:
            for row in self._current(type_).find(each, session=self._session).limit(self._most + 1):
                found[row["_id"]] = row
        return self._whole(type_, list(found.values()))

    def _whole(self, type_: str, rows: list[Row]) -> list[Row]:
        whole = [dict(row) for row in rows]
        bodies.join(type_, whole, self._room.collections.database[bodies.COLLECTION], self._session)
        return [row | {"body": unpacked(each)} for row, each in zip(rows, whole, strict=True)]

    def _version(self, type_: str, row: Row, version: int) -> Row | None:
        if row["v"] == version:
            return row
        found = self._past(type_).find_one({"_id": history_key(row["_id"], version)}, session=self._session)
        return None if found is None else self._whole(type_, [found])[0]

    def _rewritten(self, type_: str, row: Row, resource: Resource, pat: str | None, bearing: Bearing) -> Row:
        """The envelope in another record: the next version, where the resource says something else."""
        same = type_ in UNCHANGING or jsontext.dump(resource) == jsontext.dump(_body(row))
        version = row["v"] if same else row["v"] + 1
        moment = row["lu"] if same else following(self._access.now, row["lu"])
        whole = _body(row) if same else stamped(resource, row["_id"], version, moment)
        numbers = self._room.rules.identifiers(author_references(whole), self._session)
        now = instant(self._access.now)
        judged = self._room.acl(whole, self._access.requester, now, row["acl"], identifiers=numbers)
        made = encode(whole, version, moment, bearing.index(whole, pat), judged)
        if same:
            made |= {name: row[name] for name in ("r", "z") if name in row}
        made |= {name: row[name] for name in ("doc", "made", "was") if name in row}
        return made | ({"pat": pat} if pat is not None else {}) | {"w": self._token}

    def _write(self, type_: str, rows: list[Row], after: list[Row], past: Callable[[Row], Row]) -> None:
        if not rows:
            return
        replaced, kept, chunks = [], [], []
        for row, made in zip(rows, after, strict=True):
            if made["v"] != row["v"]:
                before = {name: each for name, each in row.items() if name != "body"}
                gone = superseded(row["_id"], before)
                kept.append(_without_none(gone | self._followed(gone, past(gone))))
                chunks += bodies.split(type_, made)
            replaced.append(ReplaceOne({"_id": row["_id"], "v": row["v"]}, made))
        if self._sent(self._current(type_), replaced) != len(rows):
            raise OperationFailure("another transaction was first", WRITE_CONFLICT)
        self._sent(self._past(type_), [InsertOne(row) for row in kept])
        self._sent(self._room.collections.database[bodies.COLLECTION], [InsertOne(row) for row in chunks])

    def _older(self, type_: str, where: tuple[Row, ...]) -> list[Row]:
        """What the rules read of the envelopes in history."""
        wanted = {"pat": 1, "patx": 1, "t": 1, "was": 1, "doc._id": 1}
        found: dict[str, Row] = {}
        for each in where:
            for row in self._past(type_).find(each, wanted, session=self._session):
                found[row["_id"]] = row
        return list(found.values())

    def _write_past(self, type_: str, after: list[tuple[str, Row]]) -> None:
        self._sent(self._past(type_), [UpdateOne({"_id": key}, _change(values)) for key, values in after])

    def _sent(self, collection: Collection[Row], writes: Sequence[InsertOne[Row] | ReplaceOne[Row] | UpdateOne]) -> int:
        """Sends writes, some at a time so that none takes long; how many documents they met."""
        met = 0
        for start in range(0, len(writes), AT_ONCE):
            some = list(writes[start : start + AT_ONCE])
            met += collection.bulk_write(some, ordered=False, session=self._session).matched_count
        return met

    def _current(self, type_: str) -> Collection[Row]:
        return self._room.collections.current(type_)

    def _past(self, type_: str) -> Collection[Row]:
        return self._room.collections.database[f"{type_}{HISTORY}"]


def _body(row: Row) -> Resource:
    return jsontext.parse_object(row["body"])


def _was(row: Row, source: str, target: str) -> Row:
    """The mark of what a merge moves."""
    both = row.get("pat") != source or target in row.get("patx", ())
    before = row.get("was") or {"id": source, "by": [], "v": []}
    kept = {name: row[name] for name in ("pat", "patx") if name in row} if both else {}
    return (
        before
        | {"by": [*before["by"], source], "v": [*before["v"], row["v"]]}
        | kept
        | ({"id": NOWHERE} if both else {})
    )


def _moved(row: Row, source: str, target: str) -> Row:
    """What changes of an envelope of history."""
    pat = target if row.get("pat") == source else row.get("pat")
    patx = [target if each == source else each for each in row.get("patx", ())]
    patx = sorted({*patx} - {pat})
    terms = [_pointing(term, source, target) for term in row.get("t", ())]
    was = _was(row | {"v": 0}, source, target)
    if any(_names(term, target) for term in row.get("t", ())):
        was |= {"t": row["t"]}
    return {"pat": pat, "patx": patx or None, "t": terms, "was": was}


def _moved_back(row: Row, source: str, target: str) -> Row:
    was = row["was"]
    terms = was.get("t") or [_pointing(term, target, source) for term in row.get("t", ())]
    changed = {"pat": was.get("pat", source), "patx": was.get("patx", row.get("patx")), "t": terms}
    return changed | {"was": _unmarked({}, was).get("was")}


def _unmarked(row: Row, was: Mapping[str, Any]) -> Row:
    """Without the last merge's mark."""
    row = {name: each for name, each in row.items() if name != "was"}
    by = was["by"][:-1]
    if not by:
        return row
    left = {name: each for name, each in was.items() if name not in ("pat", "patx", "t")}
    return row | {"was": left | {"by": by, "v": was["v"][:-1]}}


def _names(term: str, patient: str) -> bool:
    return f"|Patient/{patient}" in term


def _pointing(term: str, source: str, target: str) -> str:
    head, bar, rest = term.partition(f"|Patient/{source}")
    return f"{head}|Patient/{target}" if bar and (not rest or rest.startswith("/_history/")) else term


def _without_none(row: Row) -> Row:
    return {name: each for name, each in row.items() if each is not None}


def _change(values: Row) -> Row:
    """An update that sets what is there and takes off what is None."""
    there = {name: each for name, each in values.items() if each is not None}
    gone = {name: "" for name, each in values.items() if each is None}
    return {"$set": there, **({"$unset": gone} if gone else {})}
