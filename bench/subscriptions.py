"""`python -m bench.subscriptions`: what Subscriptions cost who writes, and how soon what is stored is told.

Creates of an Observation, one client: without Subscriptions, with a hundred that it does not meet, and that it does.
Then one Subscription: from the answer of the create to the notification; and how many a second are told of many that
are stored at once, to one subscriber and to twenty, beside a bare loop of requests to that endpoint in the same run.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND: Final = str(Path(sys.executable).parent / "fhirserver")
_CODE: Final = "718-7"
_SUBSCRIBERS: Final = 20
_TOGETHER: Final = 50
"""Observations in one transaction."""


class Hook:
    """An endpoint that notes when each notification came, by the value of the Observation."""

    def __init__(self) -> None:
        self.came: dict[int, float] = {}
        self.all: set[tuple[str | None, int]] = set()
        self.last = 0.0
        hook = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                value = body.get("valueInteger", -1)
                hook.came.setdefault(value, time.monotonic())
                hook.all.add((self.headers["X-Who"], value))
                hook.last = time.monotonic()
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()


class Client:
    """One connection to a server that was started for this."""

    def __init__(self, base: str, token: str) -> None:
        self._parts, self._token = urlsplit(base), token
        self._connection = http.client.HTTPConnection(self._parts.hostname or "", self._parts.port)
        self.values = 0

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """What is answered. Ends the run with what is refused."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/fhir+json"}
        content = None if body is None else json.dumps(body)
        asked = method, f"{self._parts.path}/{path}".rstrip("/"), content, headers
        try:
            self._connection.request(*asked)
            answer = self._connection.getresponse()
        except ConnectionError:  # it was not used for so long that the server hung up
            self._connection.close()
            self._connection.request(*asked)
            answer = self._connection.getresponse()
        read = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {read[:300]!r}")
        return dict(json.loads(read)) if read else {}

    def observation(self, patient: str) -> dict[str, Any]:
        """Of its own value."""
        self.values += 1
        coding = {"system": "http://loinc.org", "code": _CODE}
        made = {"resourceType": "Observation", "status": "final", "code": {"coding": [coding]}}
        return made | {"subject": {"reference": patient}, "valueInteger": self.values}

    def observe(self, patient: str) -> int:
        """Stores an Observation of its own value."""
        self.send("POST", "Observation", self.observation(patient))
        return self.values

    def observe_many(self, patient: str, count: int) -> set[int]:
        """Stores as many in one transaction; their values."""
        made = [self.observation(patient) for _ in range(count)]
        entries = [{"resource": each, "request": {"method": "POST", "url": "Observation"}} for each in made]
        self.send("POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": entries})
        return {each["valueInteger"] for each in made}

    def subscribe(self, hook: Hook, criteria: str, who: str = "") -> str:
        channel: dict[str, Any] = {"type": "rest-hook", "payload": "application/fhir+json", "endpoint": hook.url}
        channel |= {"header": [f"X-Who: {who}"]} if who else {}
        made = {"resourceType": "Subscription", "status": "requested", "reason": "bench", "criteria": criteria}
        return str(self.send("POST", "Subscription", made | {"channel": channel})["id"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--count", type=int, default=300, help="creates of each kind")
    count: int = parser.parse_args().count
    with tempfile.TemporaryDirectory() as folder:
        line = [COMMAND, "serve", "--embedded", folder, "--port", str(_free()), "--workers", "1", "--profiles", "core"]
        server = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
        try:
            base = (server.stdout.readline() if server.stdout else "").split()[1]
            token = subprocess.run(
                [COMMAND, "token", "--data", folder, "--operator"], check=True, capture_output=True, text=True
            )
            _measure(Client(base, token.stdout.strip()), Hook(), server.pid, count)
        finally:
            server.terminate()
            server.wait()


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _measure(client: Client, hook: Hook, pid: int, count: int) -> None:
    patient = f"Patient/{client.send('POST', 'Patient', {'resourceType': 'Patient', 'active': True})['id']}"
    _creates(client, patient, pid, "warming", count // 3)
    _creates(client, patient, pid, "no Subscription", count)
    ids = [client.subscribe(hook, "Observation?code=1-1") for _ in range(100)]
    time.sleep(3)
    _creates(client, patient, pid, "100 that it meets not", count)
    _forget(client, ids)
    ids = [client.subscribe(hook, "Observation?code=718-7&patient=" + patient) for _ in range(100)]
    time.sleep(3)
    _creates(client, patient, pid, "100 that it meets", count // 10)
    _forget(client, ids)
    time.sleep(5)
    ids = [client.subscribe(hook, f"Observation?code={_CODE}&patient={patient}")]
    time.sleep(3)
    _latencies(client, hook, patient, count // 3)
    _forget(client, ids)
    for number in (1, _SUBSCRIBERS):
        names = [f"{number}-{place}" for place in range(number)]
        ids = [client.subscribe(hook, f"Observation?code={_CODE}&patient={patient}", each) for each in names]
        _rate(client, hook, patient, pid, names, count if number == 1 else count // 5)
        _forget(client, ids)


def _forget(client: Client, ids: list[str]) -> None:
    for each in ids:
        client.send("DELETE", f"Subscription/{each}")


def _creates(client: Client, patient: str, pid: int, name: str, count: int) -> None:
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    before, times = _seconds(processes), []
    for _ in range(count):
        began = time.perf_counter()
        client.observe(patient)
        times.append((time.perf_counter() - began) * 1000)
    spent = {each: (after - before[each]) / count * 1000 for each, after in _seconds(processes).items()}
    told = ", ".join(f"{each} {spent[each]:.1f} ms" for each in ("server", "database"))
    times.sort()
    print(f"{name:>22}: p50 {statistics.median(times):.1f} ms, p95 {times[count * 95 // 100]:.1f} ms; CPU {told}")


def _seconds(processes: list[psutil.Process]) -> dict[str, float]:
    found = {"server": 0.0, "database": 0.0}
    for each in processes:
        times = each.cpu_times()
        found["database" if "secantusd" in " ".join(each.cmdline()) else "server"] += times.user + times.system
    return found


def _latencies(client: Client, hook: Hook, patient: str, count: int) -> None:
    sent = {}
    for _ in range(count):
        value = client.observe(patient)
        sent[value] = time.monotonic()
        time.sleep(0.05)
    _wait(hook, set(sent))
    times = sorted((hook.came[value] - moment) * 1000 for value, moment in sent.items())
    print(
        f"{'told after the answer':>22}: p50 {statistics.median(times):.0f} ms, p95 {times[count * 95 // 100]:.0f} ms"
    )


def _rate(client: Client, hook: Hook, patient: str, pid: int, names: list[str], count: int) -> None:
    values: set[int] = set()
    began = time.monotonic()
    while len(values) < count:
        values |= client.observe_many(patient, min(_TOGETHER, count - len(values)))
    stored = time.monotonic() - began
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    before, already = _seconds(processes), len(hook.all)
    wanted = {(name, value) for name in names for value in values}
    _until(lambda: wanted <= hook.all, lambda: len(wanted - hook.all))
    told = len(wanted) / (hook.last - began)
    told_since = max(1, len(hook.all) - already)
    spent = {name: (after - before[name]) / told_since * 1000 for name, after in _seconds(processes).items()}
    bare = _bare(client, hook, patient, min(len(wanted), 500))
    print(
        f"{f'many to {len(names)}':>22}: stored {count / stored:.0f} a second, told {told:.0f} a second, "
        f"{told / bare:.2f} of a bare loop ({bare:.0f}); "
        f"CPU once all was stored: server {spent['server']:.1f} ms, database {spent['database']:.1f} ms a notification"
    )


def _bare(client: Client, hook: Hook, patient: str, count: int) -> float:
    """Requests a second of a loop that sends one after another, over one connection."""
    parts = urlsplit(hook.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    body = json.dumps(client.observation(patient)).encode()
    began = time.monotonic()
    for _ in range(count):
        connection.request("PUT", "/Observation/x", body, {"Content-Type": "application/fhir+json"})
        connection.getresponse().read()
    connection.close()
    return count / (time.monotonic() - began)


def _wait(hook: Hook, values: set[int]) -> None:
    _until(lambda: values <= hook.came.keys(), lambda: len(values - hook.came.keys()))


def _until(done: Callable[[], bool], missing: Callable[[], int]) -> None:
    until = time.monotonic() + 300
    while not done():
        if time.monotonic() > until:
            raise SystemExit(f"{missing()} notifications did not come")
        time.sleep(0.02)


if __name__ == "__main__":
    main()
