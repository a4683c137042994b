#!/usr/bin/env python3
"""A PACS in one file: a DICOMweb server (QIDO-RS, WADO-RS rendered) with drawn images for the demo family's studies.

python examples/pacs.py --port 8042 &
FHIRSERVER_DICOMWEB_URL=http://127.0.0.1:8042/dicom-web fhirserver serve --embedded data --demo

What it shows are circles and bars, and no pictures of anybody. It holds what `fhirserver/cli/demo_imaging.py` names.
"""

from __future__ import annotations

import argparse
import json
import re
import struct
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from fhirserver.cli.demo_imaging import STUDIES

ROOT = "/dicom-web"
SIDE = 512
_STUDY = re.compile(r"/studies/([0-9.]+)/instances")
_RENDERED = re.compile(r"/studies/([0-9.]+)/series/([0-9.]+)/instances/([0-9.]+)/rendered")


class Instance(NamedTuple):
    """A picture: of which study, series and Patient ID, at which places."""

    study: str
    patient: str
    series: str
    series_number: int
    uid: str
    number: int


def demo() -> list[Instance]:
    """The images of the demo family."""
    return [
        Instance(study.uid, study.ins, series.uid, place, uid, number)
        for study in STUDIES
        for place, series in enumerate(study.series, 1)
        for number, uid in enumerate(series.instances, 1)
    ]


class Pacs(ThreadingHTTPServer):
    """`asked`: the targets that were asked for, with their headers."""

    def __init__(self, port: int, instances: list[Instance]) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.instances = instances
        self.asked: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{ROOT}"


class Handler(BaseHTTPRequestHandler):
    server: Pacs

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        parts = urlsplit(self.path)
        path, query = parts.path.removeprefix(ROOT), parse_qs(parts.query)
        if path == "/studies":
            self.listed(_studies(self.server.instances, query.get("StudyInstanceUID", [""])[0]))
        elif found := _STUDY.fullmatch(path):
            self.listed(_instances(self.server.instances, found[1]))
        elif (found := _RENDERED.fullmatch(path)) and (image := self._image(*found.groups())):
            self.sent(200, "image/png", drawn(image.number, 192 if "viewport" in query else SIDE))
        else:
            self.sent(404, "text/plain", b"not here")

    def listed(self, rows: list[dict[str, Any]]) -> None:
        self.sent(200, "application/dicom+json", json.dumps(rows).encode())

    def sent(self, status: int, media: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return

    def _image(self, study: str, series: str, uid: str) -> Instance | None:
        wanted = (study, series, uid)
        return next((each for each in self.server.instances if (each.study, each.series, each.uid) == wanted), None)


def _studies(instances: list[Instance], uid: str) -> list[dict[str, Any]]:
    patients = {each.patient for each in instances if each.study == uid}
    return [{**_text("0020000D", "UI", uid), **_text("00100020", "LO", each)} for each in sorted(patients)]


def _instances(instances: list[Instance], uid: str) -> list[dict[str, Any]]:
    return [
        {
            **_text("0020000E", "UI", each.series),
            **_text("00080018", "UI", each.uid),
            "00200011": {"vr": "IS", "Value": [each.series_number]},
            "00200013": {"vr": "IS", "Value": [each.number]},
        }
        for each in instances
        if each.study == uid
    ]


def _text(tag: str, vr: str, value: str) -> dict[str, Any]:
    return {tag: {"vr": vr, "Value": [value]}}


def drawn(number: int, side: int) -> bytes:
    """A PNG in grey: a disc, and as many bars as the number of the image says."""
    rows, middle = bytearray(), side / 2
    for y in range(side):
        rows.append(0)
        for x in range(side):
            far = ((x - middle) ** 2 + (y - middle) ** 2) ** 0.5 / middle
            bar = y > side * 0.9 and x % (side // 12) < side // 24 and x // (side // 12) < number
            rows.append(230 if bar else max(0, int(200 * (1 - far))))
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--port", type=int, default=8042)
    with Pacs(parser.parse_args().port, demo()) as server:
        print(f"ready {server.url}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
