"""The main process: starts the database and the HTTP workers, says `ready`, passes signals on, leaves nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fhirserver import settings as settings_
from fhirserver.auth.keys import KEY_FILE, KeyFileError, SigningKey
from fhirserver.production import refusals
from fhirserver.settings import PACKAGES
from fhirserver.store.connection import check, connect
from fhirserver.store.embedded import Embedded
from fhirserver.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from fhirserver.settings import Settings

DEFAULT_FOLDER: Final = "data"
INSTANCE: Final = "FHIRSERVER_INSTANCE"
_READY_SECONDS: Final = 240
_STOP_SECONDS: Final = 10
_PROBE_SECONDS: Final = 0.1


class ServingError(RuntimeError):
    """Why the server does not start, in a sentence for its user."""


class Supervisor:
    """Runs one server until it is told to stop. `announce` is called once with the FHIR base when it answers."""

    def __init__(self, settings: Settings, announce: Callable[[str], None]) -> None:
        self._settings = settings
        self._announce = announce
        self._instance = uuid.uuid4().hex
        self._stopping = threading.Event()
        self._database: Embedded | None = None
        self._http: subprocess.Popen[bytes] | None = None
        self._metrics = tempfile.TemporaryDirectory(prefix="fhirserver-metrics-")

    def run(self) -> int:
        """Serves until SIGTERM or SIGINT; the exit status. Raises ServingError when it cannot start."""
        if wrong := list(refusals(self._settings)):
            raise ServingError("refused in production: " + " ".join(wrong))
        _refuse_occupied(self._settings.host, self._settings.port)
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, self._stop)
        try:
            settings = self._with_database()
            self._http = subprocess.Popen(
                [sys.executable, "-m", "fhirserver.serving.http"], env=self._environment(settings)
            )
            return self._watch(base_of(settings))
        except (StoreError, KeyFileError) as error:
            raise ServingError(str(error)) from None
        finally:
            self._end()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping.set()

    def _with_database(self) -> Settings:
        """The settings with the database's URI and the signing key, both made in the folder if it is new.

        Added packages lie in the same folder unless the settings say where.
        """
        settings, folder = self._settings, Path(self._settings.embedded or DEFAULT_FOLDER)
        uri = settings.mongo
        if uri:
            check(connect(uri), settings.database)
        else:
            self._database = Embedded(folder, sync=settings.sync_on_commit)
            uri = self._database.start()
        if not settings.key_file:
            SigningKey.in_folder(folder, create=True)
        return replace(
            settings,
            mongo=uri,
            key_file=settings.key_file or str(folder / KEY_FILE),
            packages=settings.packages or str(folder / PACKAGES),
        )

    def _environment(self, settings: Settings) -> dict[str, str]:
        return {
            **os.environ,
            **settings_.environment(settings),
            INSTANCE: self._instance,
            "PROMETHEUS_MULTIPROC_DIR": self._metrics.name,
        }

    def _watch(self, base: str) -> int:
        """Waits for readiness, then for the end; starts the database again when it died."""
        ready, deadline = False, time.monotonic() + _READY_SECONDS
        health = f"http://{_reachable(self._settings.host)}:{self._settings.port}/health"
        while not self._stopping.wait(_PROBE_SECONDS):
            if self._http is None or self._http.poll() is not None:
                raise ServingError("The HTTP server ended; its messages are above.")
            if self._database is not None:
                self._database.ensure()
            if ready:
                continue
            ready = _answers(health, self._instance)
            if ready:
                self._announce(base)
            elif time.monotonic() > deadline:
                raise ServingError(f"The server did not answer within {_READY_SECONDS} s.")
        if not ready and self._http is not None:
            self._http.kill()
        return 0

    def _end(self) -> None:
        if self._http is not None and self._http.poll() is None:
            self._http.terminate()
            try:
                self._http.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._http.kill()
                self._http.wait()
        if self._database is not None:
            self._database.stop()
        self._metrics.cleanup()


def base_of(settings: Settings) -> str:
    """The FHIR base that clients see."""
    return settings.base_url.rstrip("/") or f"http://{_reachable(settings.host)}:{settings.port}/fhir"


def _reachable(host: str) -> str:
    """An address at which this machine reaches the listener; IPv6 in brackets."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - a name, not a bind
    return f"[{host}]" if ":" in host else host


def placed(settings: Settings) -> Settings:
    """The settings with a port that is free now, where they leave it open (0)."""
    if settings.port:
        return settings
    family, kind, proto, _, address = socket.getaddrinfo(settings.host, 0, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, proto) as free:
        free.bind(address)
        return replace(settings, port=free.getsockname()[1])


def _refuse_occupied(host: str, port: int) -> None:
    """The HTTP server would share an occupied port in silence (SO_REUSEPORT), so a plain bind tries it first."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ServingError(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port.") from None


def _answers(url: str, instance: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - always http to ourselves
            return instance.encode() in answer.read()
    except (urllib.error.URLError, OSError, ValueError):
        return False
