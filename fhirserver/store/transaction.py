"""One interaction's writes: versions, history, index entries, policies and traces, all or none.

Writes wait in memory until something must be read or the transaction commits, and go out one command a collection: a
transaction Bundle of a hundred entries costs a few round trips.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Protocol

from pymongo.errors import BulkWriteError, OperationFailure

from fhirserver.access import DOCUMENT
from fhirserver.errors import Conflict, NotFound, PreconditionFailed
from fhirserver.store import bodies, claims, jobs, locks, merges, outbox, spaces
from fhirserver.store.definitions import Registry
from fhirserver.store.departments import concerned
from fhirserver.store.derived import Derived
from fhirserver.store.envelope import (
    Stored,
    decode,
    encode,
    following,
    history_key,
    instant,
    stamped,
    superseded,
    tombstone,
    unpacked,
)
from fhirserver.store.errors import WRITE_CONFLICT
from fhirserver.store.merges import Merges
from fhirserver.store.moving import Moved, Moving
from fhirserver.store.policies import ACTORS, PATIENT_RULES, WATCHED
from fhirserver.store.quarantine import Quarantine
from fhirserver.store.subscribers import Subscribers
from fhirserver.store.traces import COLLECTION as TRACES
from fhirserver.store.view import Judge, View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from pymongo.client_session import ClientSession
    from pymongo.collection import Collection

    from fhirserver.access import Access, Policy
    from fhirserver.store.collections import Collections
    from fhirserver.store.envelope import Indexed
    from fhirserver.store.moving import Bearing

Row = dict[str, Any]

_DUPLICATE: Final = 11000


class Rules(Judge, Protocol):
    """The access rules as the store keeps them."""

    def refresh(
        self,
        session: ClientSession,
        patients: frozenset[str],
        references: frozenset[str],
        derived: Mapping[str, Iterable[str]],
        fresh: frozenset[str] = frozenset(),
    ) -> None: ...
    def load(self, patients: Iterable[str], session: ClientSession | None) -> list[Policy]: ...
    def identifiers(
        self, references: frozenset[str], session: ClientSession | None
    ) -> Mapping[str, tuple[str, ...]]: ...


@dataclass(frozen=True, slots=True)
class Room:
    """What a transaction works with."""

    collections: Collections
    rules: Rules
    index: Callable[[dict[str, Any]], Indexed]
    acl: Callable[..., dict[str, Any]]


class Mark(NamedTuple):
    """A document by which a transaction is known to have been committed: a version of a resource, or a trace."""

    type: str
    id: str
    version: int
    token: int


class Transaction:
    """Reads and writes of one interaction. Given by `Store.transact`, of no use after it."""

    def __init__(self, room: Room, access: Access, session: ClientSession) -> None:
        self._room, self._access, self._session = room, access, session
        self._token = random.getrandbits(63)
        self._inserts: dict[str, list[Row]] = {}
        self._seen: dict[tuple[str, str], Row] = {}
        self._patients, self._references = set[str](), set[str]()
        self._fresh, self._told_of = set[str](), set[str]()
        self._policies: dict[str, Policy | None] = {}
        self._actors: dict[str, tuple[str, ...]] = {}
        self._derived = Derived(room.collections.database, session)
        self.mark: Mark | None = None
        self.coming: frozenset[str] = frozenset()
        """What it is going to store yet, whoever refers to it before (`Practitioner/abc`)."""
        self.besides: list[Stored] = []
        """What was written in consequence of another write, for the trace."""
        self.view = _TransactionView(self, room.collections, room.rules, access, session)

    def trusted(self, access: Access) -> View:
        """Another's view inside this transaction, such as that of `Access.system`."""
        return _TransactionView(self, self._room.collections, self._room.rules, access, self._session)

    def policy(self, patient: str | None) -> Policy | None:
        """The policy of a patient as this transaction sees it, which is from before its writes; None for none."""
        if patient is None:
            return None
        if patient not in self._policies:
            self._policies[patient] = next(iter(self._room.rules.load([patient], self._session)), None)
        return self._policies[patient]

    def space(self, patient: str, state: str, since: datetime | None = None) -> None:
        """Records that the person's space is in a state (`access.spaces`) from `since` on, now if it is not told.

        What was recorded to follow later is void. Raises ValueError for what is no state.
        """
        moment = instant(since or self._access.now)
        spaces.record(self._room.collections.database, patient, state, moment, self._session)
        self._patients.add(patient)

    @property
    def spaces(self) -> spaces.Spaces:
        """The records of spaces, as this transaction sees them."""
        return spaces.Spaces(self._room.collections.database, self._session)

    def keep_spaces(self, rows: Mapping[str, Row], *, new: bool = False) -> None:
        """Stores the records of spaces (`store.spaces`), by patient; `new`: of whom nothing is recorded."""
        (spaces.begin if new else spaces.keep)(self._room.collections.database, rows, self._session)
        self._patients.update(rows)

    def lock(self, keys: Iterable[str]) -> None:
        """Of two transactions that lock the same key, one comes wholly after the other. To be called before reading."""
        locks.touch(self._collection(locks.COLLECTION), keys, self._session)

    def claim(self, keys: Iterable[str]) -> frozenset[str]:
        """Those of the keys that nobody claimed before: what they stand for is this transaction's to do, once."""
        return claims.take(self._collection(claims.COLLECTION), frozenset(keys), self._session)

    def identifiers(self, references: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        """National keys of the local actors, such as `Practitioner/abc`, that are here and have some."""
        asked = frozenset(references)
        if unknown := asked - self._actors.keys():
            if self._inserts.keys() & ACTORS:
                self.flush()
            found = self._room.rules.identifiers(unknown, self._session)
            self._actors.update({each: found.get(each, ()) for each in unknown})
        return {each: keys for each in asked if (keys := self._actors[each])}

    def create(
        self,
        resource: Mapping[str, Any],
        id_: str,
        *,
        fresh: bool = False,
        index: Indexed | None = None,
        identifiers: Mapping[str, tuple[str, ...]] | None = None,
        document: str | None = None,
    ) -> Stored:
        """Stores the first version, or after a deletion the next one. `fresh`: the server has just made up the id.

        `index` are its search entries when they are known already, `identifiers` the national keys of its authors.
        `document` (`DocumentReference/x`): what it was derived from; it is seen only where that is (`store.derived`).
        Raises Conflict when a resource with this id is there, seen or not.
        """
        type_ = resource["resourceType"]
        self._ready(type_)
        last = None if fresh else self._last(type_, id_)
        version, moment = (last["v"] + 1, last["lu"]) if last else (1, None)
        copy = self._copied(type_, document) if document else None
        envelope, stored = self._envelope(resource, id_, version, moment, None, index, identifiers, copy)
        if fresh:  # nothing can name an id that did not exist
            self._references.discard(f"{type_}/{id_}")
            self._fresh |= {id_} if type_ == "Patient" else set()
        self._insert(type_, envelope)
        if type_ == DOCUMENT and last and "made" in last:
            envelope["made"] = last["made"]
            self._follow(id_, last, envelope)
        return stored

    def update(
        self,
        resource: Mapping[str, Any],
        expected: int | None = None,
        *,
        index: Indexed | None = None,
        identifiers: Mapping[str, tuple[str, ...]] | None = None,
        document: str | None = None,
    ) -> Stored:
        """Stores the next version of the resource that `resource` names; the one before goes to history.

        `index`, `identifiers` and `document` as for `create`; without `document` it stays derived from what it was.
        Raises NotFound when it is absent, hidden or deleted, PreconditionFailed when it is not at version `expected`.
        """
        type_, id_ = resource["resourceType"], resource["id"]
        before = self._before(type_, id_, expected)
        copy = self._copied(type_, document) if document else before.get("doc")
        envelope, stored = self._envelope(
            resource, id_, before["v"] + 1, before["lu"], before["acl"], index, identifiers, copy
        )
        envelope |= {name: before[name] for name in ("made", "was") if name in before}
        self._concerns(type_, before)
        self._supersede(type_, before)
        chunks = bodies.split(type_, envelope)
        self._queue(bodies.COLLECTION, chunks)
        result = self._collection(type_).replace_one({"_id": id_}, envelope, session=self._session)
        _exactly_one(result.matched_count)
        self.remember(type_, envelope)
        if type_ == DOCUMENT:
            self._follow(id_, before, envelope)
            self._derived.written(envelope)
        return stored

    def delete(self, type_: str, id_: str, expected: int | None = None) -> Stored:
        """Leaves a tombstone, which is returned; the last version goes to history.

        Raises NotFound when it is absent, hidden or deleted, PreconditionFailed when it is not at version `expected`.
        """
        before = self._before(type_, id_, expected)
        moment = following(self._access.now, before["lu"])
        end = tombstone(before, moment) | {"w": self._token}
        self._concerns(type_, before)
        self._supersede(type_, before)
        self._queue(f"{type_}.history", [end])
        result = self._collection(type_).delete_one({"_id": id_}, session=self._session)
        _exactly_one(result.deleted_count)
        self._seen.pop((type_, id_), None)
        if type_ == DOCUMENT:
            self._derived.forget(id_)
            end["made"] = {"types": self._derived.types(id_, before)}
            self._follow(id_, before, None)
        self.mark = self.mark or Mark(type_, id_, end["v"], self._token)
        return decode(type_, end, b"")

    @property
    def registry(self) -> Registry:
        """The search parameters that were added, as this transaction sees and changes them."""
        self.flush()
        return Registry(self._room.collections.database, self._session)

    @property
    def subscribers(self) -> Subscribers:
        """Who is subscribed, as this transaction sees and changes it."""
        return Subscribers(self._room.collections.database, self._session)

    @property
    def quarantine(self) -> Quarantine:
        """Documents that wait for their patient, as this transaction sees and changes them."""
        return Quarantine(self._room.collections.database, self._session)

    def made(self, document: str) -> list[tuple[str, str]]:
        """Type and id of all that was derived from a document (`DocumentReference/x`) and is still there."""
        self.flush()
        return self._derived.listed(document)

    def start(self, job: Row) -> None:
        """A job (`store.jobs.document`) that is there when these writes are."""
        self._queue(jobs.COLLECTION, [job])

    @property
    def merges(self) -> Merges:
        """Which records were merged into which, as this transaction sees and changes it."""
        return Merges(self._room.collections.database, self._session)

    def merge(self, source: str, target: str, bearing: Bearing, facts: Row) -> int:
        """Moves all of a record but its Patient into another one (`store.moving`); how many resources.

        `facts`: what the Patients were before (`store.merges`). Both Patients are to be written by the caller.
        """
        merges.begin(self._room.collections.database, self._session, source, target, instant(self._access.now), facts)
        return self.follow(source, target, bearing)

    def follow(self, source: str, target: str, bearing: Bearing) -> int:
        """Moves what is in a record that was merged: what came while it was."""
        return self._moved(source, target, lambda moving: moving.forth(source, target, bearing))

    def unmerge(self, source: str, target: str, bearing: Bearing) -> int:
        """Moves back what `merge` moved, and forgets it."""
        moved = self._moved(source, target, lambda moving: moving.back(source, target, bearing))
        merges.end(self._room.collections.database, self._session, source)
        return moved

    def since(self, patient: str, moment: datetime, most: int) -> list[str]:
        """What came into a record after a moment, and was not moved there (`Observation/x`)."""
        self.flush()
        return self._moving().since(patient, moment, most)

    def _moved(self, source: str, target: str, move: Callable[[Moving], Moved]) -> int:
        self.flush()
        done = move(self._moving())
        self._seen.clear()
        self._patients.update((source, target))
        self._references.update(done.watched)
        return done.number

    def _moving(self) -> Moving:
        return Moving(self._room, self._access, self._session, self._derived, self._token)

    def post(self, rows: Iterable[Row]) -> None:
        """What is to be told later (`store.outbox`), once these writes are there."""
        self._queue(outbox.COLLECTION, [dict(row) for row in rows])

    def rebuild(self, patients: Iterable[str]) -> None:
        """Makes the policies of patients anew."""
        self._patients.update(patients)

    def trace(self, record: Mapping[str, Any]) -> None:
        """Stores an audit record with these writes; it bears its own `_id`."""
        self._queue(TRACES, [dict(record)])
        self.mark = self.mark or Mark(TRACES, record["_id"], 0, 0)

    def flush(self) -> None:
        """Sends what waits."""
        waiting, self._inserts = self._inserts, {}
        for name, rows in waiting.items():
            try:
                self._collection(name).insert_many(rows, session=self._session)
            except BulkWriteError as error:
                raise _refused(error) from None

    def settle(self) -> None:
        """Sends what waits, and brings the policies up to date with it: reads that follow are judged by them."""
        self._derived.finish(self._inserts.get(DOCUMENT, ()))
        self.flush()
        patients, references = frozenset(self._patients), frozenset(self._references)
        derived = {each: types for each, types in self._derived.patients.items() if not self._tells(each, types)}
        if patients or references or derived:
            alone = frozenset(self._fresh - self._told_of - derived.keys())
            self._room.rules.refresh(self._session, patients, references, derived, alone)
            self._policies.clear()
        self._patients, self._references, self._fresh, self._derived.patients = set(), set(), set(), {}

    def landed(self) -> bool:
        """Whether these writes are in the database, asked outside the transaction after an unclear commit."""
        if self.mark is None:
            return True
        type_, id_, version, token = self.mark
        if type_ == TRACES:
            return self._collection(TRACES).find_one({"_id": id_}, {"_id": 1}) is not None
        current = self._collection(type_).find_one({"_id": id_}, {"w": 1})
        past = self._collection(f"{type_}.history").find_one({"_id": history_key(id_, version)}, {"w": 1})
        return any(row is not None and row.get("w") == token for row in (current, past))

    def remember(self, type_: str, row: Row) -> None:
        """Keeps what was read or written, so that a write of the same resource need not read it again."""
        if not row.get("del"):
            self._seen[type_, row["_id"]] = row

    def _envelope(
        self,
        resource: Mapping[str, Any],
        id_: str,
        version: int,
        previous: datetime | None,
        acl: Row | None,
        index: Indexed | None,
        identifiers: Mapping[str, tuple[str, ...]] | None,
        copy: Row | None,
    ) -> tuple[Row, Stored]:
        moment = following(self._access.now, previous)
        whole = stamped(resource, id_, version, moment)
        now = instant(self._access.now)
        judged = self._room.acl(whole, self._access.requester, now, acl, identifiers=identifiers)
        envelope = encode(whole, version, moment, index or self._room.index(whole), judged) | {"w": self._token}
        type_ = whole["resourceType"]
        if copy is not None:
            self._derived.bear(type_, envelope, copy)
        self._concerns(type_, envelope)
        self.mark = self.mark or Mark(type_, id_, version, self._token)
        return envelope, decode(type_, envelope, unpacked(envelope))

    def _tells(self, patient: str, types: set[str]) -> bool:
        """Whether it is known already that the policy tells of what is derived of these types."""
        policy = self._policies.get(patient)
        return policy is not None and policy.derived.issuperset(types)

    def _insert(self, type_: str, envelope: Row) -> None:
        self._queue(bodies.COLLECTION, bodies.split(type_, envelope))
        self._queue(type_, [envelope])
        self.remember(type_, envelope)
        if type_ == DOCUMENT:
            self._derived.written(envelope)

    def _last(self, type_: str, id_: str) -> Row | None:
        """The tombstone of a deleted resource; raises Conflict when there is a current version."""
        self.flush()
        collections, session = self._room.collections, self._session
        if collections.current(type_).find_one({"_id": id_}, {"_id": 1}, session=session):
            raise Conflict(f"{type_}/{id_} was stored already.")
        wanted = {"v": 1, "lu": 1, "made": 1}
        return collections.history(type_).find_one({"id": id_}, wanted, sort={"v": -1}, session=session)

    def _copied(self, type_: str, document: str) -> Row:
        if not self._derived.knows(document):
            self.flush()
        return self._derived.of(type_, document)

    def _follow(self, id_: str, before: Row, envelope: Row | None) -> None:
        """What was made of a document follows it; what was read of that before is out of date."""
        if types := self._derived.types(id_, before):
            for type_ in types:
                self._ready(type_)
            self.flush()
            self._derived.follow(id_, before, envelope)
            self._seen = {key: row for key, row in self._seen.items() if row.get("doc", {}).get("_id") != id_}

    def _before(self, type_: str, id_: str, expected: int | None) -> Row:
        if (type_, id_) not in self._seen:
            self.view.read(type_, id_)
        row = self._seen.get((type_, id_))
        if row is None:
            raise NotFound(f"{type_}/{id_} is not known.")
        if expected is not None and row["v"] != expected:
            raise PreconditionFailed(f"{type_}/{id_} is no longer at version {expected}: read it again.")
        return row

    def _ready(self, type_: str) -> None:
        """Has the collections and indexes of the type made; when that was now, this transaction begins anew."""
        if self._room.collections.make(type_):
            raise OperationFailure("collections were made meanwhile", WRITE_CONFLICT)

    def _supersede(self, type_: str, before: Row) -> None:
        self._ready(type_)
        if type_ in self._inserts:
            self.flush()
        self._queue(f"{type_}.history", [superseded(before["_id"], before)])

    def _concerns(self, type_: str, envelope: Row) -> None:
        if type_ in PATIENT_RULES:
            about = {*envelope.get("patx", ()), envelope.get("pat")} - {None}
            self._patients |= about
            self._told_of |= about if type_ != "Patient" else set()
        if type_ in WATCHED:
            more = concerned(envelope["t"]) if type_ == "Organization" else ()
            self._references |= {f"{type_}/{envelope['_id']}", *more}
        if type_ in ACTORS:
            self._actors.clear()

    def _queue(self, name: str, rows: list[Row]) -> None:
        if rows:
            self._inserts.setdefault(name, []).extend(rows)

    def _collection(self, name: str) -> Collection[Row]:
        return self._room.collections.database[name]


class _TransactionView(View):
    """The view of a transaction: sees its own writes, and keeps what it read for the writes that follow.

    What is to be written is read by whatever lets read.
    """

    _by_id: ClassVar[str] = "rs"

    _content: ClassVar[Row] = {"$project": {"s": 0, "x": 0}}

    def __init__(
        self, transaction: Transaction, collections: Collections, judge: Judge, access: Access, session: ClientSession
    ) -> None:
        super().__init__(collections, judge, access, session)
        self._transaction = transaction

    def _run(self, collection: Collection[Row], stages: Any) -> list[Row]:
        self._transaction.flush()
        return super()._run(collection, stages)

    def _row(self, type_: str, id_: str) -> Row | None:
        row = super()._row(type_, id_)
        if row is not None:
            self._transaction.remember(type_, row)
        return row


def _exactly_one(count: int) -> None:
    """Raises what makes the transaction run again when the version that it read is gone."""
    if count != 1:
        raise OperationFailure("another transaction was first", WRITE_CONFLICT)


def _refused(error: BulkWriteError) -> Exception:
    """The error without the documents that the driver puts into its own: they are no matter for a log."""
    codes = [fault.get("code") for fault in error.details.get("writeErrors", ())]
    if _DUPLICATE in codes:
        return Conflict("A resource with this id was stored meanwhile.")
    return OperationFailure("MongoDB refused an insert", codes[0] if codes else None)
