"""The door to MongoDB."""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pymongo.errors import AutoReconnect, DuplicateKeyError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from fhirserver.store import claims, connection, erasing, reindexing, retention, schema, traces, upgrades
from fhirserver.store.changes import Changes
from fhirserver.store.collections import Collections
from fhirserver.store.definitions import Registry, Writing
from fhirserver.store.erasing import Erasing
from fhirserver.store.errors import StoreError, busy, is_transient, translated, unclear
from fhirserver.store.files import Files
from fhirserver.store.insight import Insight
from fhirserver.store.jobs import Jobs
from fhirserver.store.merges import Merges
from fhirserver.store.outbox import Outbox
from fhirserver.store.planner import is_embedded
from fhirserver.store.quarantine import Quarantine
from fhirserver.store.registers import Register
from fhirserver.store.spaces import Spaces
from fhirserver.store.subscribers import Subscribers
from fhirserver.store.traces import COLLECTION as TRACES
from fhirserver.store.traces import Traces
from fhirserver.store.transaction import Room, Rules, Transaction
from fhirserver.store.view import Steady, View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from pymongo.client_session import ClientSession
    from pymongo.collection import Collection
    from pymongo.database import Database

    from fhirserver.access import Access
    from fhirserver.spec import Definitions
    from fhirserver.store.envelope import Indexed
    from fhirserver.store.traces import Traced

T = TypeVar("T")

PATIENCE: Final = 15.0
"""Seconds that a transaction is tried again before the client is asked to."""
LEASE: Final = 20.0
"""Seconds after which a job is taken from a worker that says nothing."""
_PAUSE: Final = 0.005
_LONGEST_PAUSE: Final = 0.25


class _Process:
    """What belongs to one process: the client and all that holds it."""

    def __init__(self, store: Store) -> None:
        self.pid = os.getpid()
        self.client = connection.connect(store.uri, selection=store.selection, operation=store.operation)
        self.database = connection.database(self.client, store.name)
        collections = Collections(
            self.database,
            store.definitions.resource_types,
            store.definitions.compartment("Patient"),
            store.operation,
            Traces(self.database, store.traced, store.index) if store.traced is not None else None,
        )
        self.room = Room(collections, store.make_rules(self.database), store.index, store.acl)
        self.files = Files(self.database)
        self.jobs = Jobs(self.database, store.lease)
        self.outbox = Outbox(self.database)
        self.subscribers = Subscribers(self.database)
        self.registers: dict[str, Register] = {}
        self._turn = threading.RLock()
        self._one_by_one: bool | None = None

    def turn(self) -> threading.RLock | None:
        """What large transactions take turns by, where the database wants it."""
        if self._one_by_one is None:
            self._one_by_one = is_embedded(self.database)
        return self._turn if self._one_by_one else None


class Store:
    """The database `database` behind `uri`, a MongoDB replica set or sharded cluster.

    `index` extracts the search entries of a resource, `acl` its access data, `rules` makes the access rules of a
    database; each has the server's own as its default. Raises StoreError when the database cannot be used.
    """

    def __init__(
        self,
        uri: str,
        database: str = "fhir",
        *,
        definitions: Definitions,
        index: Callable[[dict[str, Any]], Indexed] | None = None,
        acl: Callable[..., dict[str, Any]] | None = None,
        rules: Callable[[Database[dict[str, Any]]], Rules] | None = None,
        plain_labels: bool = False,
        selection: float = connection.SELECTION_TIMEOUT,
        operation: float = connection.OPERATION_TIMEOUT,
        patience: float = PATIENCE,
        lease: float = LEASE,
        traced: Traced | None = None,
    ) -> None:
        self.uri, self.name, self.definitions = uri, database, definitions
        self.selection, self.operation, self.patience = selection, operation, patience
        self.lease, self.traced = lease, traced
        self.writing = Writing()
        self.index = index or _default_index(definitions)
        self.acl = acl or _default_acl()
        self.make_rules = rules or _default_rules(definitions, plain_labels)
        self._lock = threading.Lock()
        self._process: _Process | None = None
        try:
            connection.check(self._bound().client, database)
            schema.meet(self._bound().database)
            with translated():
                traces.make(self._bound().database)
        except StoreError:
            self.close()
            raise

    def view(self, access: Access, *, steady: bool = False) -> View:
        """What `access` may see; `steady`: for searches that are answered together (`store.view.Steady`)."""
        room = self._bound().room
        return (Steady if steady else View)(room.collections, room.rules, access)

    def insight(self, access: Access) -> Insight:
        """What the rules read of that which `access` may see."""
        room = self._bound().room
        return Insight(room.collections, room.rules, access)

    def claimed(self, keys: Iterable[str]) -> frozenset[str]:
        """Those of the keys that some transaction has claimed."""
        with translated():
            return claims.known(self._bound().database[claims.COLLECTION], frozenset(keys))

    @contextlib.contextmanager
    def large(self, types: Iterable[str]) -> Iterator[None]:
        """Within this a transaction stores many resources, of these types: their collections are there beforehand, for
        a transaction that makes them itself begins anew.

        On the embedded database large transactions of a process come one after another: several that fill the same page
        of an index keep each other waiting for many seconds. Raises Unavailable after `patience` seconds.
        """
        process = self._bound()
        with translated():
            for type_ in sorted(set(types)):
                process.room.collections.make(type_)
            turn = process.turn()
        if turn is None:
            yield
            return
        if not turn.acquire(timeout=self.patience):
            raise busy()
        try:
            yield
        finally:
            turn.release()

    def transact(self, access: Access, work: Callable[[Transaction], T]) -> T:
        """Runs `work` in one transaction and returns what it returns, once a majority holds the writes.

        `work` runs again when the transaction met another one, so it may do nothing that cannot be done twice: read
        and write through its argument, compute, nothing else. What it raises ends the transaction without a trace.
        Raises Unavailable when it could not be committed in `patience` seconds.
        """
        process, until = self._bound(), time.monotonic() + self.patience
        with self.writing.under_way(), translated():
            for attempt in range(1_000_000):
                with process.client.start_session() as session:
                    transaction = Transaction(process.room, access, session)
                    try:
                        return self._attempt(transaction, session, work, until)
                    except PyMongoError as error:
                        if not is_transient(error) or time.monotonic() > until:
                            raise
                _pause(attempt)
        raise AssertionError

    @property
    def files(self) -> Files:
        """Files, for who holds what names them (`store.files`)."""
        return self._bound().files

    @property
    def jobs(self) -> Jobs:
        """Work that outlives requests (`store.jobs`)."""
        return self._bound().jobs

    @property
    def outbox(self) -> Outbox:
        """What is to be told later (`store.outbox`)."""
        return self._bound().outbox

    @property
    def changes(self) -> Changes:
        """What is written to resources, as it is written (`store.changes`)."""
        return Changes(self._bound().database)

    @property
    def subscribers(self) -> Subscribers:
        """Who is subscribed, and what waits to be told (`store.subscribers`)."""
        return self._bound().subscribers

    @property
    def quarantine(self) -> Quarantine:
        """Documents that wait for their patient (`store.quarantine`)."""
        return Quarantine(self._bound().database)

    @property
    def spaces(self) -> Spaces:
        """The records of spaces (`store.spaces`)."""
        return Spaces(self._bound().database)

    def erasing(self, access: Access, patients: Iterable[str]) -> Erasing:
        """All that is of a person (`store.erasing`), for the server's own work. Raises PermissionError for others."""
        self._kept(access)
        return Erasing(self._bound().database, self._bound().room.collections, patients)

    def family(self, patient: str) -> list[str]:
        """The records that are one with this one (`store.erasing.family`). Raises Conflict for a merged one."""
        return erasing.family(self._bound().database, patient)

    def knows(self, patients: Iterable[str]) -> bool:
        """Whether anything is here of a person."""
        return erasing.known(self._bound().database, patients)

    def everybody(self, access: Access) -> Iterator[str]:
        """The ids of all patients, for the server's own work. Raises PermissionError for others."""
        self._kept(access)
        return erasing.everybody(self._bound().database)

    def absorbed(self, patient: str) -> frozenset[str]:
        """The ids of the records that were merged into this one, and into those: what was traced of it under them."""
        with translated():
            return Merges(self._bound().database).absorbed(patient)

    def merged_into(self, patient: str) -> str | None:
        """The record that this one was merged into, if it was."""
        with translated():
            row = Merges(self._bound().database).of(patient)
        return None if row is None else str(row["into"])

    def merged_since(self, moment: datetime) -> list[tuple[str, str]]:
        """Source and target of the merges after a moment."""
        with translated():
            return [(row["_id"], row["into"]) for row in Merges(self._bound().database).since(moment)]

    @property
    def registry(self) -> Registry:
        """The search parameters that were added (`store.definitions`)."""
        return Registry(self._bound().database)

    def register(self, name: str, by: Sequence[str] = ()) -> Register:
        """Rows of what is no health data (`store.registers`). To be asked for anew each time: it is the process's."""
        process = self._bound()
        return process.registers.setdefault(name, Register(process.database, name, by))

    def ids(self, access: Access, type_: str, after: str, count: int) -> list[str]:
        """The next ids of a type, for the server's own work."""
        return reindexing.ids(self._bound().room.collections, access, type_, after, count)

    def reindex(self, access: Access, type_: str, ids: list[str], index: reindexing.Reindex) -> reindexing.Stretch:
        """Makes the search entries of some resources anew (`store.reindexing`)."""
        found = reindexing.stretch(self._bound().room.collections, access, type_, ids, index)
        if found.moved:
            self.transact(access, lambda tx: tx.rebuild(found.moved))
        return found

    def migrate(self, access: Access) -> Iterator[int]:
        """Brings what older versions stored to this one's format, for its own work (`store.schema.migrate`)."""
        self._kept(access)
        database = self._bound().database

        def besides() -> Iterator[int]:
            return upgrades.rebuilt(database, lambda some: self.transact(access, lambda tx: tx.rebuild(some)))

        types = self.definitions.resource_types
        yield from schema.migrate(database, types, upgrades.migrations(database), besides=besides)

    def about(self, type_: str) -> int:
        """About how many resources of a type there are."""
        return reindexing.count(self._bound().room.collections, type_)

    def trace(self, *records: Mapping[str, Any]) -> None:
        """Stores the audit records of reads; each bears its own `_id`, so that it is never stored twice."""
        kept = self._bound().database[TRACES]
        with translated():
            try:
                if len(records) == 1:
                    kept.insert_one(dict(records[0]))
                else:
                    kept.insert_many([dict(each) for each in records])
            except AutoReconnect:
                for each in records:
                    try:
                        kept.insert_one(dict(each))
                    except DuplicateKeyError:
                        continue

    def traces(self, access: Access) -> Iterator[dict[str, Any]]:
        """All traces by chain and place, for the server's own work. Raises PermissionError for anybody else."""
        with translated():
            yield from self._kept(access).find().sort("_id").hint("_id_")

    def landmarks(self, access: Access) -> list[dict[str, Any]]:
        """The traces that are about the chains themselves. Raises PermissionError as `traces`."""
        with translated():
            return traces.landmarks(self._kept(access))

    def heads(self, access: Access, since: datetime | None) -> dict[str, tuple[int, str]]:
        """Where the chains of traces end (`store.traces.heads`). Raises PermissionError as `traces`."""
        with translated():
            return traces.heads(self._kept(access), since)

    def old_traces(self, access: Access, before: datetime) -> dict[str, tuple[int, str]]:
        """Up to where the chains are older than a moment (`store.traces.old`). Raises PermissionError as `traces`."""
        with translated():
            return traces.old(self._kept(access), before)

    def forget_traces(self, access: Access, chain: str, end: int) -> None:
        """Throws away the beginning of a chain (`store.traces.forget`). Raises PermissionError as `traces`."""
        with translated():
            traces.forget(self._kept(access), chain, end)

    def forget(self, access: Access, type_: str, term: str, before: datetime, count: int) -> int:
        """Removes what is kept no longer (`store.retention.forget`). Raises PermissionError for anybody's work."""
        if access.reason is None:
            raise PermissionError("only the server's own work removes anything for good")
        with translated():
            return retention.forget(self._bound().room.collections, type_, term, before, count)

    def new_traces(
        self, access: Access, known: Mapping[str, int], since: datetime | None, count: int
    ) -> list[dict[str, Any]]:
        """Traces beyond what is known (`store.traces.beyond`). Raises PermissionError as `traces`."""
        with translated():
            return traces.beyond(self._kept(access), known, since, count)

    def _kept(self, access: Access) -> Collection[dict[str, Any]]:
        if access.reason is None:
            raise PermissionError("traces are read through AuditEvent")
        return self._bound().database[TRACES]

    def ping(self) -> None:
        """Returns when the database answers. Raises Unavailable."""
        with translated():
            self._bound().database.command("ping")

    def close(self) -> None:
        """Closes the connections of this process."""
        with self._lock:
            process, self._process = self._process, None
            if process is not None and process.pid == os.getpid():
                process.client.close()

    def _bound(self) -> _Process:
        process = self._process
        if process is None or process.pid != os.getpid():
            with self._lock:
                process = self._process
                if process is None or process.pid != os.getpid():
                    process = self._process = _Process(self)
        return process

    def _attempt(
        self, transaction: Transaction, session: ClientSession, work: Callable[[Transaction], T], until: float
    ) -> T:
        session.start_transaction(ReadConcern("snapshot"), WriteConcern("majority"))
        try:
            result = work(transaction)
            transaction.settle()
        except BaseException:
            _abort(session)
            raise
        try:
            _commit(session, until)
        except PyMongoError as error:
            if not is_transient(error) or not _landed(transaction):
                raise
        return result


def _commit(session: ClientSession, until: float) -> None:
    """Commits, asking again while it is not known whether the commit arrived; it takes effect once at most."""
    for attempt in range(1_000_000):
        try:
            session.commit_transaction()
        except PyMongoError as error:
            if not error.has_error_label("UnknownTransactionCommitResult"):
                raise
            if time.monotonic() > until:
                raise unclear() from error
            _pause(attempt)
        else:
            return


def _landed(transaction: Transaction) -> bool:
    try:
        return transaction.landed()
    except PyMongoError as error:
        raise unclear() from error


def _abort(session: ClientSession) -> None:
    try:
        session.abort_transaction()
    except PyMongoError:  # the server ends it by itself; the cause is on its way up already
        return


def _pause(attempt: int) -> None:
    longest = min(_PAUSE * 2 ** min(attempt, 10), _LONGEST_PAUSE)
    time.sleep(longest * (0.5 + random.random() / 2))  # noqa: S311 - spreads retries


def _default_index(definitions: Definitions) -> Callable[[dict[str, Any]], Indexed]:
    from fhirserver.search import Indexer

    return Indexer(definitions).index


def _default_acl() -> Callable[..., dict[str, Any]]:
    from fhirserver.access import acl

    return acl


def _default_rules(definitions: Definitions, plain: bool) -> Callable[[Database[dict[str, Any]]], Rules]:
    from fhirserver.search.scoped import scoped
    from fhirserver.store.policies import Policies

    return lambda database: Policies(database, scoped(definitions), plain=plain)
