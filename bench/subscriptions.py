"""`python -m bench.subscriptions`: what Subscriptions cost who writes, and how soon what is stored is told.

Creates of an Observation, one client: without Subscriptions, with a hundred that it does not meet, and that it does.
Then one Subscription: from the answer of the create to the notification; and how many a second many creates bring.
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
from typing import Any, Final
from urllib.parse import urlsplit

import psutil

COMMAND: Final = str(Path(sys.executable).parent / "fhirserver")
_CODE: Final = "718-7"


class Hook:
    """An endpoint that notes when each notification came, by the value of the Observation."""

    def __init__(self) -> None:
        self.came: dict[int, float] = {}
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hook.came.setdefault(body.get("valueInteger", -1), time.monotonic())
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
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/fhir+json"}
        content = None if body is None else json.dumps(body)
        self._connection.request(method, f"{self._parts.path}/{path}", content, headers)
        answer = self._connection.getresponse()
        read = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {read[:300]!r}")
        return dict(json.loads(read)) if read else {}

    def observe(self, patient: str) -> int:
        """Stores an Observation of its own value."""
        self.values += 1
        coding = {"system": "http://loinc.org", "code": _CODE}
        made = {"resourceType": "Observation", "status": "final", "code": {"coding": [coding]}}
        self.send("POST", "Observation", made | {"subject": {"reference": patient}, "valueInteger": self.values})
        return self.values

    def subscribe(self, hook: Hook, criteria: str) -> str:
        channel = {"type": "rest-hook", "payload": "application/fhir+json", "endpoint": hook.url}
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
    _rate(client, hook, patient, count)
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


def _rate(client: Client, hook: Hook, patient: str, count: int) -> None:
    began = time.monotonic()
    values = {client.observe(patient) for _ in range(count)}
    stored = time.monotonic() - began
    _wait(hook, values)
    told = max(hook.came[value] for value in values) - began
    print(f"{'many at once':>22}: stored {count / stored:.0f} a second, told {count / told:.0f} a second")


def _wait(hook: Hook, values: set[int]) -> None:
    until = time.monotonic() + 120
    while not values <= hook.came.keys():
        if time.monotonic() > until:
            raise SystemExit(f"{len(values - hook.came.keys())} notifications did not come")
        time.sleep(0.01)


if __name__ == "__main__":
    main()
