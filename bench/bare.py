"""The bare loop: the very database commands that one interaction issues, recorded and sent again by pymongo alone.

No HTTP, no JSON, no validation, no rules: what is left is the price of the database work, the ceiling for the server.
"""

from __future__ import annotations

import multiprocessing
import time
import uuid
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pymongo
from bson import decode, encode
from pymongo import monitoring
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from bench.clients import Latencies, measured, summary
from fhirserver.store.connection import CODEC

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.queues import Queue

_OF_THE_SESSION: Final = (
    "lsid",
    "txnNumber",
    "startTransaction",
    "autocommit",
    "$clusterTime",
    "$db",
    "$readPreference",
)
_LEFT_OUT: Final = frozenset({"hello", "isMaster", "ping", "endSessions", "saslStart", "saslContinue", "buildInfo"})
THREADS: Final = 4
"""Threads of a process, as a server's worker has them."""


class Command(NamedTuple):
    """A recorded command, as BSON, and whether it was part of a transaction or of a snapshot."""

    name: str
    content: bytes
    in_transaction: bool


class Recorder(monitoring.CommandListener):
    """Keeps the commands sent while it is on."""

    def __init__(self) -> None:
        self.on = False
        self.commands: list[Command] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if self.on and event.command_name not in _LEFT_OUT:
            in_transaction = "autocommit" in event.command
            content = {key: value for key, value in event.command.items() if key not in _OF_THE_SESSION}
            if in_transaction or event.command_name != "aggregate":
                content.pop("readConcern", None)
            content.pop("writeConcern", None)
            self.commands.append(Command(event.command_name, encode(content, codec_options=CODEC), in_transaction))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        return

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        return

    def record(self, work: Callable[[], object]) -> list[Command]:
        """The commands of one call, after a first that warms what is cached."""
        work()
        self.commands, self.on = [], True
        try:
            work()
        finally:
            self.on = False
        return self.commands


def apart(commands: list[Command]) -> list[Command]:
    """The same with an insert for each document, as a plain loop over them sends."""
    found: list[Command] = []
    for each in commands:
        content: dict[str, Any] = decode(each.content, codec_options=CODEC)
        for document in content.get("documents", (None,)):
            one = content if document is None else content | {"documents": [document]}
            found.append(each._replace(content=encode(one, codec_options=CODEC)))
    return found


def replay(uri: str, database: str, commands: list[Command], *, clients: int, seconds: float) -> Latencies:
    """What `clients` threads reach, spread over processes as the server's workers are."""
    processes = max(1, clients // THREADS)
    context = multiprocessing.get_context("spawn")
    results: Queue[tuple[list[float], float]] = context.Queue()
    parts = [
        context.Process(target=_process, args=(uri, database, commands, clients // processes, seconds, results))
        for _ in range(processes)
    ]
    for part in parts:
        part.start()
    found = [results.get() for _ in parts]
    for part in parts:
        part.join()
    return summary([each for times, _ in found for each in times], max(elapsed for _, elapsed in found), 0)


def _process(
    uri: str, database: str, commands: list[Command], threads: int, seconds: float, results: Queue[Any]
) -> None:
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(uri)
    client.admin.command("ping")
    times: list[list[float]] = [[] for _ in range(threads)]
    end = time.perf_counter() + seconds

    def work(place: int) -> None:
        while (began := time.perf_counter()) < end:
            once(client, database, commands)
            times[place].append(time.perf_counter() - began)

    began = time.perf_counter()
    measured(work, times, [0], threads)
    results.put(([each for part in times for each in part], time.perf_counter() - began))


def once(client: pymongo.MongoClient[dict[str, Any]], database: str, commands: list[Command]) -> None:
    """Sends the commands, those of a transaction in one; what is inserted gets ids of its own."""
    fresh = uuid.uuid4().hex
    inside = [each for each in commands if each.in_transaction and each.name != "commitTransaction"]
    for place, each in enumerate(commands):
        if not each.in_transaction:
            client[database].command(_again(each, f"{fresh}-{place}"))
    if inside:
        with (
            client.start_session() as session,
            session.start_transaction(ReadConcern("snapshot"), WriteConcern("majority")),
        ):
            for place, each in enumerate(inside):
                client[database].command(_again(each, f"{fresh}-{place}"), session=session)


def _again(command: Command, fresh: str) -> dict[str, Any]:
    content: dict[str, Any] = decode(command.content)
    for place, document in enumerate(content.get("documents", ())):
        document["_id"] = f"{fresh}-{place}"
    return content
