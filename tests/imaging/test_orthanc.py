"""A real PACS (Orthanc, its DICOMweb plug-in) is asked as the server asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver.imaging.pacs import Absent, of_settings
from fhirserver.imaging.study import Image
from fhirserver.settings import Settings
from tests.imaging import orthanc

if TYPE_CHECKING:
    from pathlib import Path

STUDY, SERIES = "2.25.7001", "2.25.7001.1"


@pytest.mark.program("Orthanc")
def test_images_come_from_a_real_pacs(tmp_path: Path) -> None:
    if orthanc.plugin() is None:
        pytest.skip("the DICOMweb plug-in of Orthanc is not installed (2026-11-22)")
    (tmp_path / "credentials").write_text(f"basic {orthanc.USER}:{orthanc.PASSWORD}\n")
    with orthanc.running(tmp_path) as server:
        for number in (2, 1):
            server.store(orthanc.dicom(STUDY, "ipp-1", SERIES, f"{SERIES}.{number}", number))
        credentials = str(tmp_path / "credentials")
        pacs = of_settings(Settings(dicomweb_url=server.url, dicomweb_credentials_file=credentials))
        assert pacs is not None
        assert pacs.patients(STUDY) == {"ipp-1"}
        assert pacs.images(STUDY) == [Image(SERIES, f"{SERIES}.1"), Image(SERIES, f"{SERIES}.2")]
        whole = pacs.rendered(STUDY, Image(SERIES, f"{SERIES}.1"), "full")
        assert whole.media == "image/jpeg"
        assert pacs.rendered(STUDY, Image(SERIES, f"{SERIES}.1"), "thumbnail").media == "image/jpeg"
        for absent in (lambda: pacs.patients("2.25.1"), lambda: pacs.rendered(STUDY, Image(SERIES, "2.25.1"), "full")):
            with pytest.raises(Absent):
                absent()
