"""What is asked of a PACS, and what becomes of an answer that is not as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from examples.pacs import Instance, demo
from fhirserver.auth.fetching import Fetcher
from fhirserver.imaging import pacs as room
from fhirserver.imaging.pacs import Absent, Pacs, Unreachable, of_settings
from fhirserver.imaging.study import Image, images, is_uid, series_uids, study_uid
from fhirserver.settings import Settings, SettingsError, load
from tests.imaging.serving import ANSWERS, CLAIRE, STUDY, running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.imaging.serving import Faulty

FIRST = Image(demo()[0].series, demo()[0].uid)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def client(server: Faulty, seconds: float = 2.0, most: int = 1 << 20, authorization: str = "") -> Pacs:
    return Pacs(server.url, Fetcher(production=False, seconds=seconds, most=most), authorization)


def test_it_is_asked_whose_a_study_is_and_for_its_images_in_order(server: Faulty) -> None:
    pacs = client(server)
    assert pacs.patients(STUDY) == {CLAIRE}
    assert pacs.images(STUDY) == [Image(each.series, each.uid) for each in demo() if each.study == STUDY]
    picture = pacs.rendered(STUDY, FIRST, "full")
    assert picture.media == "image/png"
    assert picture.data.startswith(b"\x89PNG")
    assert len(pacs.rendered(STUDY, FIRST, "thumbnail").data) < len(picture.data)
    target, headers = server.asked[-2]
    assert target == f"/dicom-web/studies/{STUDY}/series/{FIRST.series}/instances/{FIRST.instance}/rendered"
    assert headers["Accept"] == "image/jpeg"


def test_images_come_by_the_numbers_of_series_and_images() -> None:
    one, two = "1.2.3.1", "1.2.3.2"
    held = [Instance("1.2.3", "p", each, number, f"{each}.{place}", place) for each, number, place in (
        (two, 2, 1), (one, 1, 10), (one, 1, 9))]  # fmt: skip
    with running(held) as server:
        assert client(server).images("1.2.3") == [
            Image(one, "1.2.3.1.9"),
            Image(one, "1.2.3.1.10"),
            Image(two, "1.2.3.2.1"),
        ]


def test_what_it_has_not_is_absent(server: Faulty) -> None:
    pacs = client(server)
    for ask in (pacs.patients, pacs.images):
        with pytest.raises(Absent):
            ask("1.2.3.4.5")
    with pytest.raises(Absent):
        pacs.rendered(STUDY, Image(FIRST.series, "1.2.3"), "full")


@pytest.mark.parametrize("fault", [*ANSWERS, "endless"])
def test_what_is_no_image_is_none(server: Faulty, fault: str) -> None:
    with server.failing(fault), pytest.raises(Unreachable) as told:
        client(server).rendered(STUDY, FIRST, "full")
    assert "127.0.0.1" not in str(told.value)
    assert "/elsewhere" not in server.targets, "no redirect is followed"


@pytest.mark.parametrize("fault", ["html", "error", "redirect", "not json", "no list", "odd list"])
def test_what_is_no_list_is_none(server: Faulty, fault: str) -> None:
    with server.failing(fault, everywhere=True), pytest.raises(Unreachable):
        client(server).patients(STUDY)


def test_a_slow_one_is_given_up_and_not_asked_again_for_a_moment(server: Faulty) -> None:
    clock = Clock()
    pacs = Pacs(server.url, Fetcher(production=False, seconds=0.3), "", clock)
    with server.failing("slow"):
        with pytest.raises(Unreachable):
            pacs.rendered(STUDY, FIRST, "full")
        assert server.silent, "it was waited for to the end"
    asked = len(server.asked)
    with pytest.raises(Unreachable):
        pacs.patients(STUDY)
    assert len(server.asked) == asked
    clock.now += 11
    assert pacs.patients(STUDY) == {CLAIRE}


def test_whose_a_study_is_is_known_for_a_minute(server: Faulty) -> None:
    clock = Clock()
    pacs = Pacs(server.url, Fetcher(production=False), "", clock)
    pacs.patients(STUDY)
    asked = len(server.asked)
    pacs.patients(STUDY)
    assert len(server.asked) == asked
    clock.now += 61
    pacs.patients(STUDY)
    assert len(server.asked) == asked + 1


def test_no_more_than_two_wait_for_it(server: Faulty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_WAIT", 0.01)
    pacs = client(server)
    with pacs._turn(), pacs._turn(), pytest.raises(Unreachable, match="slow"):
        pacs.patients(STUDY)
    assert pacs.patients(STUDY) == {CLAIRE}


def test_it_is_told_who_asks(server: Faulty, tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    for text, sent in (
        ("bearer abc.DEF", "Bearer abc.DEF"),
        ("basic orthanc:or:thanc", "Basic b3J0aGFuYzpvcjp0aGFuYw=="),
    ):
        file.write_text(f"{text}\n")
        pacs = of_settings(Settings(dicomweb_url=server.url, dicomweb_credentials_file=str(file)))
        assert pacs is not None
        assert pacs.patients(STUDY)
        assert server.asked[-1][1]["Authorization"] == sent


@pytest.mark.parametrize("text", ["", "secret", "bearer", "bearer a b", "basic nobody", "digest a:b", "bearer é"])
def test_credentials_that_are_none_are_refused_at_the_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "credentials").write_text(text)
    with pytest.raises(SettingsError, match="dicomweb_credentials_file"):
        of_settings(
            Settings(dicomweb_url="https://pacs.example", dicomweb_credentials_file=str(tmp_path / "credentials"))
        )


def test_files_that_are_not_there_are_told(tmp_path: Path) -> None:
    for name in ("dicomweb_credentials_file", "dicomweb_ca_file"):
        named: dict[str, Any] = {name: str(tmp_path / "none")}
        settings = Settings(dicomweb_url="https://pacs.example", **named)
        with pytest.raises(SettingsError, match=name):
            of_settings(settings)
    assert of_settings(Settings()) is None


@pytest.mark.parametrize(
    "url",
    ["pacs", "ftp://pacs.example", "http://pacs.example", "https://u:p@pacs.example/", "https://pacs.example/?a=b",
     "https://pacs.example/#x", "http://169.254.169.254/"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="dicomweb_url"):
        load(environ={}, dicomweb_url=url)


def test_a_study_names_uids_and_nothing_else() -> None:
    assert is_uid("2.25.1")
    for text in ("", "1", "1.02", "1.2/../..", "1.2\n", "1." + "2" * 64, "1.2?x", "1.2 3", "urn:oid:1.2", None, 1.2):
        assert not is_uid(text)


def test_images_are_those_that_a_study_names() -> None:
    def part(uid: str, *instances: str, number: int | None = None) -> dict[str, object]:
        told: dict[str, object] = {"uid": uid, "instance": [{"uid": each} for each in instances]}
        return told | ({} if number is None else {"number": number})

    study = {"series": [part("1.2.9", "1.2.9.1"), part("1.2.8", "1.2.8.1", "../x", number=2), part("x", "1.2.7.1"),
                        part("1.2.6", "1.2.6.1", number=1)]}  # fmt: skip
    assert images(study) == [Image("1.2.6", "1.2.6.1"), Image("1.2.8", "1.2.8.1"), Image("1.2.9", "1.2.9.1")]
    assert series_uids(study) == ["1.2.6", "1.2.8", "1.2.9"]
    system = "urn:dicom:uid"
    assert study_uid({"identifier": [{"system": system, "value": "urn:oid:1.2.3"}]}) == "1.2.3"
    assert (
        study_uid({"identifier": [{"system": system, "value": "1.2.3"}, {"system": "other", "value": "9.9"}]})
        == "1.2.3"
    )
    for values in ([], ["urn:oid:1.2.3", "urn:oid:1.2.4"], ["urn:oid:1.2/3"]):
        assert study_uid({"identifier": [{"system": system, "value": each} for each in values]}) is None
