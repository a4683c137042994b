"""Retrieve document (IHE ITI-68) and contents sent as they are: forms, ranges, tags, and what stays when one breaks."""

from __future__ import annotations

import base64
import io
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient

from fhirserver.rest.documents import uploading
from fhirserver.rest.jobs import background
from tests.records import document, patient

if TYPE_CHECKING:
    from tests.application import Answer, Application, Caller

HOSPITAL = "750000001"
LETTER = b"%PDF-1.4 a letter"
LARGE = bytes(range(256)) * 4096 * 2 + b"end"
PDF = "application/pdf"


@pytest.fixture(scope="module")
def hospital(application: Application) -> Caller:
    return application.system(HOSPITAL)


@pytest.fixture(scope="module")
def letter(application: Application, hospital: Caller) -> str:
    """The place of the Binary of a document."""
    attachment = {"contentType": PDF, "data": base64.b64encode(LETTER).decode()}
    sent = document(application.operator().create(patient()), content=[{"attachment": attachment}])
    url: str = hospital.post("DocumentReference", sent).json["content"][0]["attachment"]["url"]
    return url


@pytest.fixture(scope="module")
def large(hospital: Caller) -> str:
    return f"Binary/{sent(hospital, LARGE, 'application/dicom').id}"


def sent(caller: Caller, data: bytes, media: str, **headers: str) -> Answer:
    return caller.call("POST", "Binary", data, {"Content-Type": media, **headers})


@pytest.mark.parametrize("accept", ["", PDF, "*/*", "application/*", f"{PDF}, application/fhir+json;q=0.5"])
def test_bytes_come_as_they_are(hospital: Caller, letter: str, accept: str) -> None:
    answer = hospital.get(letter, Accept=accept)
    assert (answer.status, answer.content, answer.headers["content-type"]) == (200, LETTER, PDF)
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("accept", "begins"),
    [("application/fhir+json", b'{"resourceType":"Binary"'), ("application/fhir+xml", b"<"), ("text/xml", b"<")],
)
def test_the_resource_comes_to_who_names_fhir(hospital: Caller, letter: str, accept: str, begins: bytes) -> None:
    answer = hospital.get(letter, Accept=accept)
    assert answer.status == 200
    assert b"Binary" in answer.content[:80]
    assert answer.content.startswith(begins) or b"<Binary" in answer.content[:80]
    assert base64.b64encode(LETTER) in answer.content


@pytest.mark.parametrize("place", ["letter", "large"])
def test_another_type_than_the_one_held_is_not_acceptable(
    hospital: Caller, request: pytest.FixtureRequest, place: str
) -> None:
    answer = hospital.get(request.getfixturevalue(place), Accept="image/png")
    assert (answer.status, answer.issue["code"]) == (406, "not-supported")
    assert hospital.get("Binary/never", Accept="image/png").status == 404


@pytest.mark.parametrize(("place", "data"), [("letter", LETTER), ("large", LARGE)])
def test_a_range_is_a_part_of_the_bytes(
    hospital: Caller, request: pytest.FixtureRequest, place: str, data: bytes
) -> None:
    url, size = request.getfixturevalue(place), len(data)
    parts = [("0-3", 0, 4), ("5-", 5, size), ("-4", size - 4, size)]
    for asked, start, end in (*parts, (f"2-{size * 2}", 2, size), (f"-{size * 2}", 0, size)):
        answer = hospital.get(url, Range=f"bytes={asked}")
        assert (answer.status, answer.content) == (206, data[start:end])
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
    beyond = hospital.get(url, Range=f"bytes={size}-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    for headers in ({"Range": "bytes=0-1,3-4"}, {"Range": "bytes=0-1", "If_Range": 'W/"7"'}, {"Range": "lines=1-2"}):
        assert (hospital.get(url, **headers).status, hospital.get(url, **headers).content) == (200, data)


def test_who_has_the_version_is_not_sent_it_again(hospital: Caller, letter: str, large: str) -> None:
    for url in (letter, large):
        again = hospital.get(url, If_None_Match='W/"1"')
        assert (again.status, again.content) == (304, b"")


def test_head_tells_type_and_size(hospital: Caller, letter: str, large: str) -> None:
    for url, size, media in ((letter, len(LETTER), PDF), (large, len(LARGE), "application/dicom")):
        answer = hospital.call("HEAD", url)
        assert (answer.status, answer.content) == (200, b"")
        assert (answer.headers["content-length"], answer.headers["content-type"]) == (str(size), media)


def test_a_large_one_comes_as_a_resource_too(hospital: Caller, large: str) -> None:
    assert base64.b64decode(hospital.get(large, Accept="application/fhir+json").json["data"]) == LARGE
    xml = hospital.get(large, Accept="application/fhir+xml")
    assert base64.b64encode(LARGE) in xml.content
    assert len(xml.content) == int(xml.headers["content-length"])


def test_contents_are_sent_as_they_are(application: Application, hospital: Caller) -> None:
    small = sent(hospital, b"a page", "text/plain; charset=utf-8")
    assert (small.status, small.json["contentType"]) == (201, "text/plain; charset=utf-8")
    answer = hospital.get(f"Binary/{small.id}")
    assert (answer.content, answer.headers["content-type"]) == (b"a page", "text/plain; charset=utf-8")


def test_whose_a_content_is_stands_in_a_header(application: Application, hospital: Caller) -> None:
    me = application.operator().create(patient())
    id = hospital.create(document(me, content=[{"attachment": {"url": "urn:oid:1.2.3"}}]))
    made = sent(hospital, LARGE, PDF, **{"X-Security-Context": f"DocumentReference/{id}"})
    assert made.json["securityContext"]["reference"] == f"DocumentReference/{id}"
    assert application.patient(me).get(f"Binary/{made.id}").content == LARGE
    assert application.system("750000002", "other").get(f"Binary/{made.id}").status == 404
    assert sent(hospital, b"x", PDF, **{"X-Security-Context": "not a reference"}).status == 400


def test_a_large_one_is_measured_when_a_document_takes_it(application: Application, hospital: Caller) -> None:
    url = f"Binary/{sent(hospital, LARGE, PDF).id}"
    me = application.operator().create(patient())
    wrong = {"contentType": PDF, "url": url, "size": 3}
    assert hospital.post("DocumentReference", document(me, content=[{"attachment": wrong}])).status == 422
    made = hospital.post("DocumentReference", document(me, content=[{"attachment": {"contentType": PDF, "url": url}}]))
    assert made.json["content"][0]["attachment"]["size"] == len(LARGE)
    assert application.patient(me).get(url).content == LARGE


def test_what_breaks_off_or_is_refused_leaves_nothing(application: Application, hospital: Caller) -> None:
    def kept() -> list[int]:
        with MongoClient[dict[str, Any]](application.services.settings.mongo) as client:
            database = client[application.services.settings.database]
            return [database[name].count_documents({}) for name in ("fs.files", "fs.chunks", "fs.open", "Binary")]

    before = kept()
    half: dict[str, Any] = {"wsgi.input": io.BytesIO(LARGE), "CONTENT_LENGTH": str(len(LARGE) * 2)}
    broken = hospital.call("POST", "Binary", b"", {"Content-Type": PDF}, **half)
    assert broken.status == 400
    small = application.under(max_binary_bytes=len(LARGE) - 1).system(HOSPITAL)
    assert sent(small, LARGE, PDF).status == 413
    reader = application.practitioner("10000000001", scopes=("user/*.rs",))
    assert sent(reader, LARGE, PDF).status == 403
    narrow = application.practitioner("10000000001", scopes=("user/Binary.c?_id=never",))
    assert sent(narrow, LARGE, PDF).status == 403
    assert kept() == before


def test_what_is_shown_to_a_browser_runs_nothing(hospital: Caller) -> None:
    page = sent(hospital, b"<script>alert(1)</script>", "text/html")
    headers = hospital.get(f"Binary/{page.id}").headers
    assert headers["content-security-policy"].endswith("sandbox")


def test_in_a_bundle_a_binary_is_a_resource(hospital: Caller, letter: str) -> None:
    answer = hospital.transact({"request": {"method": "GET", "url": letter}})
    assert answer.json["entry"][0]["resource"]["data"] == base64.b64encode(LETTER).decode()


def test_a_third_very_large_content_waits_for_its_turn(application: Application) -> None:
    small = application.under(max_body_bytes=1000).system(HOSPITAL)
    places = [uploading._places.acquire(blocking=False) for _ in range(uploading.AT_ONCE)]
    try:
        answer = sent(small, LARGE, PDF)
        assert (all(places), answer.status, answer.headers["retry-after"]) == (True, 503, "5")
        assert sent(small, b"short", PDF).status == 201
    finally:
        for _ in places:
            uploading._places.release()
    assert sent(small, LARGE, PDF).status == 201


def test_what_comes_too_slowly_is_refused(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploading, "SECONDS", -100.0)
    before = application.counts()
    assert sent(application.system(HOSPITAL), LARGE, PDF).status == 408
    assert application.counts() == before


def test_a_file_without_its_binary_goes_and_no_other(
    application: Application, hospital: Caller, large: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a process leaves it that dies between the bytes and the resource, or between that and the note of it."""
    files = application.services.store.files
    lost = files.write([LARGE], owner="Binary/never-stored", until_owned=True)
    unnoted = files.write([LARGE], owner=large, until_owned=True)
    application.purge()
    assert files.find(lost.id) is not None
    monkeypatch.setattr(background, "ORPHANED", -timedelta(hours=1))
    application.purge()
    assert (files.find(lost.id), files.find(unnoted.id) is None) == (None, False)
    assert hospital.get(large).content == LARGE
