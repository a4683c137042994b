"""How fast biology reports (CDA of level 3) come in over HTTP, beside a bare loop that writes the same documents.

    python -m bench.deposits [--mongo URI] [--seconds 10] [--clients 8]

The report of `bench.documents`, each time under another unique id. The bare loop sends the inserts of one deposit,
recorded, in one transaction each, by pymongo alone: as the server does (one command a collection), and one by one.
Server and loops are measured in turns. Some deposits come first, one after another: the embedded database stands
still for seconds while many at once fill the first page of a new index.
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
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pymongo import monitoring

from bench import bare, clients, setting
from bench.clients import Request
from fhirserver.app import create_app
from fhirserver.documents.cda import convert
from tools.cda.header import written
from tools.cda.reports import large

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.clients import Latencies
    from bench.setting import Setting

MEDIA = "application/hl7-v3+xml"
WARM = 20
"""Deposits before the measurement."""
TURNS = 2


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Speed of deposits of biology reports.", allow_abbrev=False)
    parser.add_argument("--mongo", metavar="URI", help="a replica set; default: the embedded database")
    parser.add_argument("--seconds", type=float, default=10, help="length of each measurement")
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fhirserver-bench-")))
        made = stack.enter_context(setting.running(folder, options.mongo))
        made.fill(1, 1)
        _measure(made, options.seconds, options.clients)


def _measure(made: Setting, seconds: float, count: int) -> None:
    report = written(large())
    known = convert(report).document
    _record(made, known.patient.resource)
    root = known.unique_id.removeprefix("urn:oid:").encode()
    numbers = itertools.count(1)

    def requests(_: int) -> Iterator[Request]:
        for number in numbers:
            yield Request("POST", "/fhir/$cda", report.replace(root, b"1.2.250.1.213.99.20.%d" % number), MEDIA)

    commands = [each for each in _recorded(made, requests(0)) if each.name == "insert"]
    loops = {"a command a collection": commands, "one by one": bare.apart(commands)}
    print(f"{len(report):,} bytes, {count} clients, {TURNS} turns of {seconds:g} s; CPU per document", flush=True)
    for _ in range(TURNS):
        before = made.cpu()
        found = clients.run("127.0.0.1", made.port, made.token, requests, clients=count, seconds=seconds)
        server, database = _spent(made, before, found)
        print(f"  server: {found.rate:.2f} documents/s, {found.failures} failed, p50 {found.p50:.0f} ms; CPU "
              f"{server:.0f} ms of the server, {database:.0f} ms of the database", flush=True)  # fmt: skip
        for words, each in loops.items():
            before = made.cpu()
            loop = bare.replay(made.uri, made.name, each, clients=count, seconds=seconds)
            ratio = found.rate / max(loop.rate, 1e-9)
            spent = _spent(made, before, loop)[1]
            print(f"  bare loop, {words}: {loop.rate:.2f} documents/s; CPU {spent:.0f} ms of the database; "
                  f"the server reaches {ratio:.2f} of it", flush=True)  # fmt: skip


def _spent(made: Setting, before: tuple[float, float], found: Latencies) -> list[float]:
    """CPU milliseconds a document, of the server's processes and of the database's."""
    return [
        (after - earlier) / max(found.requests, 1) * 1000 for after, earlier in zip(made.cpu(), before, strict=True)
    ]


def _recorded(made: Setting, requests: Iterator[Request]) -> list[bare.Command]:
    """The commands of a deposit that finds its actors."""
    recorder = bare.Recorder()
    monitoring.register(recorder)
    client = create_app(made.services()).test_client()
    headers = {"Authorization": f"Bearer {made.token}", "Content-Type": MEDIA}

    def send() -> None:
        request = next(requests)
        answer = client.post(request.path, data=request.body, headers=headers)
        if answer.status_code != 201:
            raise SystemExit(answer.get_data(as_text=True))

    for _ in range(WARM):
        send()
    return recorder.record(send)


def _record(made: Setting, said: dict[str, Any]) -> None:
    """Stores the Patient whom the report is about."""
    kept = {name: said[name] for name in ("resourceType", "name", "gender", "birthDate")}
    numbers = [{"use": "official", **each} for each in said["identifier"] if ".213.1.4." in each["system"]]
    body = json.dumps({**kept, "active": True, "identifier": numbers}).encode()
    headers = {"Authorization": f"Bearer {made.operator}", "Content-Type": "application/fhir+json"}
    url = f"http://127.0.0.1:{made.port}/fhir/Patient"
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as answer:
        assert answer.status == 201


if __name__ == "__main__":
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR") is None:
        with tempfile.TemporaryDirectory() as metrics:
            again = [sys.executable, "-m", "bench.deposits", *sys.argv[1:]]
            raise SystemExit(subprocess.call(again, env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": metrics}))
    main()
