"""The machine: room on its disk, and what the server is to reach."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from fhirserver.doctor.finding import Finding, error, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.settings import Settings

LEAST_FREE: Final = 2_000_000_000
"""Bytes."""
SECONDS: Final = 5


def disk(settings: Settings) -> Iterator[Finding]:
    """Room in the folder that the server writes to."""
    folder = Path(settings.embedded or ".")
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    grave = warning if free < LEAST_FREE else ok
    yield grave("disk", f"{free / 1e9:.1f} GB free.")


def reached(settings: Settings) -> Iterator[Finding]:
    """Whether somebody listens where e-mails, questions about codes, and those for images go."""
    named = {"smtp_host": (settings.smtp_host, settings.smtp_port)}
    for name in ("terminology_server", "dicomweb_url"):
        parts = urlsplit(getattr(settings, name))
        named[name] = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    for name, (host, port) in named.items():
        if host:
            yield _reached(name, host, port)


def _reached(name: str, host: str, port: int) -> Finding:
    try:
        with socket.create_connection((host, port), SECONDS):
            return ok(name, f"{host}:{port} listens.")
    except OSError as fault:
        return error(name, f"{host}:{port} does not answer: {fault.strerror or fault}.")
