"""Large contents go up and down in little memory: the worker's own peak, as its system counts it."""

from __future__ import annotations

import hashlib
import http.client
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil
import pytest

from tests.serving import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.serving import Served

PIECE = bytes(range(256)) * 4096
MORE = 150
"""Megabytes that a server may take for a content of whatever size."""


def pieces(megabytes: int) -> Iterator[bytes]:
    for number in range(megabytes):
        yield number.to_bytes(4, "big") + PIECE[4:]


def peak(served: Served) -> int:
    """Megabytes that the processes of Python took at most, the database's left aside."""
    most = 0
    for each in psutil.Process(served.process.pid).children(recursive=True):
        if not any("secantusd" in word for word in each.cmdline()):
            status = Path(f"/proc/{each.pid}/status").read_text(encoding="ascii")
            most += next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) // 1024
    return most


@pytest.mark.parametrize("megabytes", [60, pytest.param(200, marks=pytest.mark.long)])
def test_a_large_content_goes_up_and_down_in_little_memory(tmp_path: Path, megabytes: int) -> None:
    with serve(tmp_path / "data", "--workers", "1", "--profiles", "core") as served:
        token = served.token("--system", "his", "--organization", "750000001")
        small = served.call("POST", "Binary", token, PIECE, Content_Type="application/dicom")
        assert small.status == 201
        before = peak(served)
        assert before > 0
        parts = urlsplit(served.base)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=240)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/dicom"}
        sent = hashlib.sha256(b"".join(pieces(megabytes)))
        length = {"Content-Length": str(megabytes * len(PIECE))}
        connection.request("POST", f"{parts.path}/Binary", pieces(megabytes), headers | length)
        answer = connection.getresponse()
        assert (answer.status, answer.read()[:1]) == (201, b"{")
        place = urlsplit(answer.headers["Location"]).path.partition("/_history")[0]
        got = hashlib.sha256()
        connection.request("GET", place, headers={"Authorization": f"Bearer {token}"})
        down = connection.getresponse()
        while part := down.read(1 << 20):
            got.update(part)
        connection.close()
        assert got.digest() == sent.digest()
        assert peak(served) - before < MORE
