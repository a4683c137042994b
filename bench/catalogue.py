"""`python -m bench.catalogue [--mongo URI] [--sizes 10000,50000]`: every interaction, at each size, beside a bare loop.

Each figure stands beside pymongo alone on the same database in the same run, in turns: for reads and writes the very
commands that the server sent, recorded and sent again; for searches the bare aggregation that answers them, without
access and trace. Latencies are of one client; transactions are also measured with several. Prints one table.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pymongo
from pymongo import monitoring

from bench import bare, clients, population, queries, setting
from bench.clients import Latencies, Request
from fhirserver.access import Access, Requester
from fhirserver.store.connection import CODEC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.setting import Setting
    from fhirserver.store import Store, Transaction

ENTRIES: Final = 50
CLIENTS: Final = 8
ROUNDS: Final = 3
_BATCH: Final = 500


class Case(NamedTuple):
    """`per`: entries of one request; `sent`: its requests in turn; `bare`: one turn without the server."""

    name: str
    requests: Callable[[], Iterator[Request]]
    bare: Callable[[int], object] | None = None
    per: int = 1


class Figures(NamedTuple):
    """Milliseconds at one client; CPU milliseconds a request, of server and database."""

    p50: float
    p99: float
    server: float
    database: float
    bare: float

    @property
    def times(self) -> float:
        return self.p50 / self.bare if self.bare else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--mongo", metavar="URI", default="embedded", help="a replica set; default: embedded")
    parser.add_argument("--sizes", default="10000,50000", help="resources, as many figures as sizes")
    parser.add_argument("--seconds", type=float, default=1.5, help="length of each of three rounds")
    parser.add_argument("--only", default="", help="a part of the names of what is measured")
    options = parser.parse_args()
    sizes = sorted(int(each) for each in options.sizes.split(","))
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fhirserver-bench-")))
        mongo = None if options.mongo == "embedded" else options.mongo
        made = stack.enter_context(setting.running(folder, mongo, profiles="core"))
        run = _Run(made, options.seconds, options.only)
        for size in sizes:
            run.fill(size)
            run.measure(size)
        run.report(sizes)


@dataclass
class _Rate:
    """Requests of several rounds, and the seconds that they took."""

    requests: int = 0
    failures: int = 0
    seconds: float = 0.0

    def add(self, round_: Latencies) -> None:
        self.requests += round_.requests
        self.failures += round_.failures
        self.seconds += round_.requests / round_.rate if round_.rate else 0.0

    @property
    def rate(self) -> float:
        return self.requests / self.seconds if self.seconds else 0.0


class _Loaded(NamedTuple):
    """Transactions of several clients: of the server, of the same commands, and of a loop with an insert an entry."""

    server: _Rate
    same: _Rate
    loop: _Rate
    cpu: float


class _Run:
    def __init__(self, made: Setting, seconds: float, only: str) -> None:
        self._made, self._seconds, self._only = made, seconds, only
        self._recorder = bare.Recorder()
        monitoring.register(self._recorder)
        self._services = made.services()
        self._client = made.client(self._services)
        client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(made.uri)
        self._bare = client.get_database(made.name, CODEC)
        self._patients = 0
        self._found: dict[str, dict[int, Figures]] = {}
        self._transactions: dict[int, _Loaded] = {}

    def fill(self, size: int) -> None:
        """Records up to `size` resources, through the store."""
        began = time.perf_counter()
        if not self._patients:
            self._store(population.common())
        before, self._patients = self._patients, max(size // population.RECORD, 2 * population.OWN)
        self._store(each for number in range(before, self._patients) for each in population.record(number))
        if not before:
            self._store(population.teams())
        print(f"{size} resources stored in {time.perf_counter() - began:.0f} s", file=sys.stderr)

    def _store(self, resources: Iterator[dict[str, Any]]) -> None:
        store: Store = self._services.store
        access = Access(Requester("operator", "operator"), self._services.clock())
        while part := list(itertools.islice(resources, _BATCH)):

            def work(tx: Transaction, part: list[dict[str, Any]] = part) -> None:
                for each in part:
                    tx.create(each, each["id"], fresh=True)

            store.transact(access, work)

    def measure(self, size: int) -> None:
        for case in self._cases():
            if self._only not in case.name:
                continue
            print(f"{size}: {case.name}", file=sys.stderr)
            self._found.setdefault(case.name, {})[size] = self._figures(case)
        if self._only in "transaction":
            self._transactions[size] = self._loaded()

    def _cases(self) -> Iterator[Case]:
        own = range(population.OWN)
        single = [Request("GET", f"/fhir/Observation/p{number}o{number}") for number in own]
        versions = [Request("GET", f"{each.path}/_history/1") for each in single]
        results = [population.observation(number, 1) for number in population.FED]
        creates = [Request("POST", "/fhir/Observation", json.dumps(each).encode()) for each in results]
        yield self._replayed("read", single)
        yield self._replayed("vread", versions)
        yield self._replayed("create", creates)
        yield self._replayed("update", self._updates(results))
        yield self._replayed(f"transaction of {ENTRIES}", [_transaction(each) for each in population.FED], ENTRIES)
        for each in queries.MEASURED:
            asked = [Request("GET", f"/fhir/{each.of(number)}") for number in own]
            yield Case(each.name, lambda asked=asked: itertools.cycle(asked), self._aggregation(each))  # type: ignore[misc]

    def _aggregation(self, query: queries.Query) -> Callable[[int], object] | None:
        answered = query.bare
        return None if answered is None else lambda turn: answered(self._bare, turn % population.OWN)

    def _updates(self, results: list[dict[str, Any]]) -> list[Request]:
        """Updates of resources made for it, so that what others read stays as it is."""
        made = []
        for each in results:
            answer = self._client(Request("POST", "/fhir/Observation", json.dumps(each).encode()))
            id = json.loads(answer)["id"]
            made.append(Request("PUT", f"/fhir/Observation/{id}", json.dumps(each | {"id": id}).encode()))
        return made

    def _replayed(self, name: str, requests: list[Request], per: int = 1) -> Case:
        """Beside the commands of its first request, sent again; what this writes, the others do not touch."""
        commands = self._recorder.record(lambda: self._client(requests[0]))
        client = self._bare.client
        return Case(
            name,
            lambda: itertools.cycle(requests[1:]),
            lambda _: bare.once(client, self._made.name, commands),
            per,
        )

    def _figures(self, case: Case) -> Figures:
        """In turns: the server for a round, the bare loop for a round."""
        times: list[float] = []
        loops: list[float] = []
        server = database = 0.0
        for _ in range(ROUNDS):
            before = self._made.cpu()
            found = self._asked(case, 1)
            after = self._made.cpu()
            if found.failures:
                raise SystemExit(f"{case.name}: {found.failures} of {found.requests} requests failed")
            times += found.times
            server, database = server + after[0] - before[0], database + after[1] - before[1]
            loops += _looped(case.bare, self._seconds) if case.bare else []
        all_ = clients.summary(times, 1, 0)
        loop = clients.summary(loops, 1, 0) if loops else None
        count = len(times) / 1000
        return Figures(all_.p50, all_.p99, server / count, database / count, loop.p50 if loop else 0.0)

    def _asked(self, case: Case, count: int) -> Latencies:
        return clients.run(
            "127.0.0.1",
            self._made.port,
            self._made.token,
            lambda place: itertools.islice(case.requests(), place, None),
            clients=count,
            seconds=self._seconds,
        )

    def _loaded(self) -> _Loaded:
        """In turns, as `_figures`. `cpu`: milliseconds of the server's an entry."""
        requests = [_transaction(number) for number in population.FED]
        case = Case("", lambda: itertools.cycle(requests))
        commands = self._recorder.record(lambda: self._client(requests[0]))
        found, same, loop = _Rate(), _Rate(), _Rate()
        cpu = 0.0
        for _ in range(ROUNDS):
            before = self._made.cpu()[0]
            found.add(self._asked(case, CLIENTS))
            cpu += self._made.cpu()[0] - before
            for rate, each in ((same, commands), (loop, bare.apart(commands))):
                rate.add(bare.replay(self._made.uri, self._made.name, each, clients=CLIENTS, seconds=self._seconds))
        return _Loaded(found, same, loop, cpu / max(found.requests, 1) / ENTRIES * 1000)

    def report(self, sizes: list[int]) -> None:
        columns = [f"{size / 1000:g}k p50 ms | p99 | server ms | db ms | bare ms | times" for size in sizes]
        print("| | " + " | ".join(columns) + (" | growth | of db ms |" if len(sizes) > 1 else " |"))
        print("|" + "---|" * (1 + 6 * len(sizes) + 2 * (len(sizes) > 1)))
        for name, by_size in self._found.items():
            cells = [f"{value:.2f}" for size in sizes for value in (*by_size[size], by_size[size].times)]
            if len(sizes) > 1:
                first, last = by_size[sizes[0]], by_size[sizes[-1]]
                cells.append(f"{last.p50 / first.p50:.2f}")
                cells.append(f"{last.database / first.database:.2f}" if first.database else "")
            print(f"| {name} | " + " | ".join(cells) + " |")
        for size, (found, same, loop, cpu) in self._transactions.items():
            print(
                f"\n{size}: transactions of {ENTRIES}, {CLIENTS} clients: {found.rate:.1f}/s"
                f" ({cpu:.2f} ms of server CPU an entry, {found.failures} failures);"
                f" the same commands {same.rate:.1f}/s, ratio {found.rate / max(same.rate, 1e-9):.2f};"
                f" an insert an entry {loop.rate:.1f}/s, ratio {found.rate / max(loop.rate, 1e-9):.2f}"
            )


def _looped(turn: Callable[[int], object], seconds: float) -> list[float]:
    """The times of the bare loop, in seconds; the first turn warms."""
    turn(0)
    times: list[float] = []
    end = time.perf_counter() + seconds
    for place in itertools.count():
        began = time.perf_counter()
        if began >= end:
            return times
        turn(place)
        times.append(time.perf_counter() - began)
    return times


def _transaction(number: int) -> Request:
    entry = [
        {"resource": population.observation(number, place), "request": {"method": "POST", "url": "Observation"}}
        for place in range(ENTRIES)
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entry}
    return Request("POST", "/fhir", json.dumps(bundle).encode())


if __name__ == "__main__":
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR") is None:
        with tempfile.TemporaryDirectory() as metrics:
            again = [sys.executable, "-m", "bench.catalogue", *sys.argv[1:]]
            raise SystemExit(subprocess.call(again, env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": metrics}))
    main()
