"""A real server for tests: `fhirserver serve` as a user starts it, with its workers and its embedded database."""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import secrets
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from fhirserver import cli, jsontext

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PATIENT = {"FHIRSERVER_QUERY_SECONDS": "60", "FHIRSERVER_SYNC_ON_COMMIT": "false"}
"""A machine on which everything else runs too is slow, not broken."""
COMMAND = str(Path(sys.executable).parent / "fhirserver")


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return jsontext.parse(self.body)


class Served:
    """A running server: its process, its FHIR base, its folder."""

    def __init__(self, process: subprocess.Popen[str], base: str, folder: Path) -> None:
        self.process, self.base, self.folder = process, base, folder

    def token(self, *words: str) -> str:
        """What `fhirserver token` prints; the command runs in this process, which is cheaper."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            assert cli.main(["token", "--data", str(self.folder), "--lifetime", "86400", *words]) == 0
        return printed.getvalue().strip()

    def call(
        self,
        method: str,
        path: str,
        token: str | None = None,
        body: bytes | dict[str, Any] | None = None,
        **headers: str,
    ) -> Answer:
        """One request on a connection of its own; `path` is below the FHIR base."""
        parts = urlsplit(self.base)
        content = jsontext.dump(body) if isinstance(body, dict) else body
        sent = {"Accept": "application/fhir+json", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if content is not None:
            sent.setdefault("Content-Type", "application/fhir+json")
        if token:
            sent["Authorization"] = f"Bearer {token}"
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=300)
        with contextlib.closing(connection):
            connection.request(method, f"{parts.path}/{path}".rstrip("/"), content, sent)
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, named, answer.read())


def free_port() -> int:
    """A port that nobody listens on, below those that the system gives to whoever asks for any.

    Drawn by the system: Hypothesis has two processes of tests draw the same.
    """
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def serve(
    folder: Path, *options: str, environ: Mapping[str, str] | None = None, port: int | None = None
) -> Iterator[Served]:
    """`fhirserver serve --embedded FOLDER`, ready; ended in order at the end."""
    line = [COMMAND, "serve", "--embedded", str(folder), "--port", str(port or free_port()), *options]
    environment = {**os.environ, **PATIENT, **(environ or {})}
    environment.pop("PROMETHEUS_MULTIPROC_DIR", None)
    process = subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=None, text=True, env=environment, start_new_session=True
    )
    try:
        first = process.stdout.readline() if process.stdout else ""
        if not first.startswith("ready "):
            raise AssertionError(f"the server did not become ready: {first!r}")
        yield Served(process, first.split()[1], folder)
    finally:
        stop(process)


def stop(process: subprocess.Popen[str]) -> None:
    """SIGTERM, and SIGKILL for the whole group when that is not enough."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.stdout:
        process.stdout.close()
