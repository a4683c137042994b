"""`python -m bench.main`: read, create with validation, and patient search, through HTTP and as a bare loop.

Prints for each, at one client and at eight: requests a second, p50, p99, CPU of server and database a request, the bare
loop's rate, and the ratio; then the share of each room. Figures of one run compare with each other, not with another
machine's.
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
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pymongo import monitoring

from bench import bare, clients, rooms, setting
from bench.clients import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.setting import Setting


class Case(NamedTuple):
    name: str
    request: Request


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--mongo", metavar="URI", help="a replica set; default: the embedded database")
    parser.add_argument("--seconds", type=float, default=5, help="length of each measurement")
    parser.add_argument("--patients", type=int, default=40)
    parser.add_argument("--observations", type=int, default=60, help="Observations of each patient")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fhirserver-bench-")))
        made = stack.enter_context(setting.running(folder, options.mongo))
        made.fill(options.patients, options.observations)
        _report(made, options.seconds)


def _cases(made: Setting) -> list[Case]:
    observation = json.dumps(setting.observation(made.patients[0], 1)).encode()
    return [
        Case("read", Request("GET", f"/fhir/{made.observations[0]}")),
        Case("patient search", Request("GET", made.search(made.patients[0]))),
        Case("create", Request("POST", "/fhir/Observation", observation)),
    ]


def _report(made: Setting, seconds: float) -> None:
    head = ("", "clients", "req/s", "p50 ms", "p99 ms", "server ms", "db ms", "bare/s", "ratio")
    print("".join(f"{each:>15}" if not place else f"{each:>10}" for place, each in enumerate(head)))
    recorder = bare.Recorder()
    monitoring.register(recorder)
    client = made.client(made.services())
    for case in _cases(made):
        send = partial(client, case.request)
        commands = recorder.record(send)
        for count in (1, 8):
            _line(case, count, made, commands, seconds)
        print(f"{'':>15}  commands: {', '.join(each.name for each in commands)}")
        found = rooms.shares(send, seconds)
        print(f"{'':>15}  rooms: " + ", ".join(f"{room} {share:.0%}" for room, share in found.items() if share > 0.01))


def _line(case: Case, count: int, made: Setting, commands: list[bare.Command], seconds: float) -> None:
    before = made.cpu()
    found = clients.run(
        "127.0.0.1", made.port, made.token, lambda place: _requests(case, made, place), clients=count, seconds=seconds
    )
    server, database = (
        (after - earlier) / max(found.requests, 1) * 1000 for after, earlier in zip(made.cpu(), before, strict=True)
    )
    loop = bare.replay(made.uri, made.name, commands, clients=count, seconds=seconds)
    figures = (found.rate, found.p50, found.p99, server, database, loop.rate, found.rate / max(loop.rate, 1e-9))
    shown = "".join(f"{figure:>10.2f}" for figure in figures)
    print(f"{case.name:>15}{count:>10}{shown}" + (f"  {found.failures} FAILED" if found.failures else ""), flush=True)


def _requests(case: Case, made: Setting, place: int) -> Iterator[Request]:
    """Reads and searches go round the records, so that no answer is the last one again."""
    if case.name == "read":
        references = itertools.cycle(made.observations[place::8] or made.observations)
        return (Request("GET", f"/fhir/{each}") for each in references)
    if case.name == "patient search":
        return (Request("GET", made.search(each)) for each in itertools.cycle(made.patients[place % 3 :]))
    return itertools.repeat(case.request)


if __name__ == "__main__":
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR") is None:
        with tempfile.TemporaryDirectory() as metrics:
            again = [sys.executable, "-m", "bench.main", *sys.argv[1:]]
            raise SystemExit(subprocess.call(again, env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": metrics}))
    main()
