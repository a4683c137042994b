"""A DICOMweb server in this process: what tests ask it for, and how it may go wrong."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from examples.pacs import Handler, Instance, Pacs, demo

if TYPE_CHECKING:
    from collections.abc import Iterator

CLAIRE = "284027505600134"
STUDY = demo()[0].study


class Faulty(Pacs):
    """`fault`: what happens to renderings, or to all questions with `all`."""

    fault = ""
    everywhere = False

    def __init__(self, instances: list[Instance]) -> None:
        super().__init__(0, instances)
        self.RequestHandlerClass = FaultyHandler
        self.let_go = threading.Event()
        self.silent = False

    @property
    def targets(self) -> list[str]:
        return [path for path, _ in self.asked]

    @contextmanager
    def failing(self, fault: str, *, everywhere: bool = False) -> Iterator[None]:
        self.fault, self.everywhere = fault, everywhere
        self.let_go.clear()
        try:
            yield
        finally:
            self.let_go.set()
            self.fault, self.everywhere = "", False


class FaultyHandler(Handler):
    server: Faulty

    def do_GET(self) -> None:  # noqa: N802 - as http.server calls it
        fault = self.server.fault
        if not fault or not (self.server.everywhere or urlsplit(self.path).path.endswith("/rendered")):
            return super().do_GET()
        self.server.asked.append((self.path, dict(self.headers)))
        if fault == "slow":
            self.server.silent = True
            self.server.let_go.wait(60)
            self.server.silent = False
            return None
        if fault == "endless":
            return self._endless()
        status, media, body = ANSWERS[fault]
        if status in (301, 302):
            self.send_response(status)
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_address[1]}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        return self.sent(status, media, body)

    def _endless(self) -> None:
        """An image whose end does not come."""
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.end_headers()
        self.wfile.write(b"\x89PNG\r\n\x1a\n")
        try:
            while not self.server.let_go.is_set():
                self.wfile.write(bytes(1 << 16))
        except OSError:
            return


ANSWERS: dict[str, tuple[int, str, bytes]] = {
    "html": (200, "text/html", b"<script>alert(1)</script>"),
    "svg": (200, "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"),
    "disguised": (200, "image/png", b"<script>alert(1)</script>"),
    "dicom": (200, "application/dicom", bytes(132) + b"DICM"),
    "empty": (200, "image/png", b""),
    "error": (500, "text/plain", b"at /srv/pacs/secret: stack"),
    "refused": (401, "text/plain", b"who are you"),
    "redirect": (302, "text/plain", b""),
    "moved": (301, "text/plain", b""),
    "not json": (200, "application/dicom+json", b"{nothing"),
    "no list": (200, "application/dicom+json", b'{"a": 1}'),
    "odd list": (200, "application/dicom+json", b"[1, 2]"),
}


@contextmanager
def running(instances: list[Instance] | None = None) -> Iterator[Faulty]:
    with Faulty(demo() if instances is None else instances) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.let_go.set()
            server.shutdown()
            thread.join()


def study(patient: str, uid: str = STUDY, **more: Any) -> dict[str, Any]:
    """An ImagingStudy that names no instances."""
    return {
        "resourceType": "ImagingStudy",
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}],
        "status": "available",
        "subject": {"reference": f"Patient/{patient}"},
        **more,
    }
