"""Orthanc with its DICOMweb plug-in, as a process of its own, and a DICOM file to give it."""

from __future__ import annotations

import base64
import io
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

USER, PASSWORD = "espace", "tiré:du chapeau"
_PLUGIN = "libOrthancDicomWeb.so"
_SIDE = 64


def plugin() -> Path | None:
    """The plug-in, where Debian's package puts it."""
    found = sorted(Path("/usr/lib/orthanc").glob(f"{_PLUGIN}*")) + sorted(
        Path("/usr/share/orthanc/plugins").glob(f"{_PLUGIN}*")
    )
    return found[0] if found else None


def dicom(study: str, patient: str, series: str, instance: str, number: int) -> bytes:
    """A secondary capture, in grey (PS3.3, A.8)."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = UID(instance)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    values = {
        "SOPClassUID": SecondaryCaptureImageStorage, "SOPInstanceUID": instance, "StudyInstanceUID": study,
        "SeriesInstanceUID": series, "PatientID": patient, "PatientName": "EXEMPLE^Claire", "Modality": "OT",
        "SeriesNumber": 1, "InstanceNumber": number, "Rows": _SIDE, "Columns": _SIDE, "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7,
        "PixelRepresentation": 0, "PixelData": bytes(x ^ y for x in range(_SIDE) for y in range(_SIDE)),
    }  # fmt: skip
    for name, value in values.items():
        setattr(made, name, value)
    out = io.BytesIO()
    made.save_as(out, enforce_file_format=True)
    return out.getvalue()


class Orthanc:
    def __init__(self, port: int) -> None:
        self.root = f"http://127.0.0.1:{port}"

    @property
    def url(self) -> str:
        return f"{self.root}/dicom-web"

    def store(self, file: bytes) -> None:
        with self._open("/instances", file) as answer:
            assert answer.status == 200

    def is_ready(self) -> bool:
        try:
            with self._open("/system"):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def _open(self, path: str, body: bytes | None = None) -> Any:
        known = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        request = urllib.request.Request(self.root + path, body, {"Authorization": f"Basic {known}"})
        return urllib.request.urlopen(request, timeout=60)


@contextmanager
def running(folder: Path) -> Iterator[Orthanc]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": port,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "Plugins": [str(plugin())],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    program = shutil.which("Orthanc")
    assert program is not None
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log)
    orthanc = Orthanc(port)
    try:
        until = time.monotonic() + 120
        while not orthanc.is_ready():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.05)
        yield orthanc
    finally:
        process.terminate()
        process.wait(60)
