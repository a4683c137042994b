"""All of a record in one archive, as the person sees it."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from fhirserver.rest.jobs.portability import zipped
from tests.records import document, observation, patient

if TYPE_CHECKING:
    from tests.application import Answer, Application, Caller

ASYNC = {"Prefer": "respond-async"}
ACTIVE = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"


def asked(caller: Caller, id: str) -> Answer:
    return caller.post(f"Patient/{id}/$portability", None, **ASYNC)


def archive(application: Application, caller: Caller, id: str) -> tuple[zipfile.ZipFile, str]:
    """The archive, and the path that it was fetched from."""
    answer = asked(caller, id)
    assert answer.status == 202, answer.content
    application.work()
    status = caller.get(answer.headers["content-location"].rpartition("/")[2])
    assert status.status == 200, status.content
    path = status.json["output"][0]["url"].rpartition("/")[2]
    file = caller.get(path)
    assert (file.status, file.headers["content-type"]) == (200, "application/zip")
    return zipfile.ZipFile(io.BytesIO(file.content)), path


def test_everything_that_the_person_sees_is_in_it(application: Application) -> None:
    operator = application.operator()
    id = operator.create(patient(birthDate="1980-05-01"))
    other = operator.create(patient(birthDate="1981-05-01"))
    kept = operator.create(observation(id))
    operator.create(observation(other))
    letter = operator.create(document(id, description="Lettre <b>"))
    hidden = operator.create(document(id, labels=("INVISIBLE_PATIENT",)))
    binary = operator.create(
        {"resourceType": "Binary", "contentType": "application/pdf", "data": base64.b64encode(b"%PDF-1.4").decode()}
    )
    content = [{"attachment": {"contentType": "application/pdf", "url": f"Binary/{binary}"}}]
    operator.create(document(id, content=content))
    found, _ = archive(application, application.patient(id), id)
    assert found.testzip() is None
    names = found.namelist()
    lines = [
        json.loads(line) for name in names if name.startswith("donnees/") for line in found.read(name).splitlines()
    ]
    assert {each["id"] for each in lines if each["resourceType"] == "Observation"} == {kept}
    assert hidden not in {each["id"] for each in lines}
    assert found.read(f"documents/{letter}-1.txt") == b"Bonjour"
    assert [found.read(name) for name in names if name.endswith(".pdf")] == [b"%PDF-1.4"]
    page = found.read("LISEZMOI.html").decode()
    assert "Lettre &lt;b&gt;" in page
    assert all(name in page for name in names if name != "LISEZMOI.html")
    assert other not in page


def test_what_the_person_entered_and_appointments_are_in_it(application: Application) -> None:
    id = application.operator().create(patient(birthDate="1980-05-01"))
    holder, person = application.patient(id), {"reference": f"Patient/{id}"}
    times = {"start": "2030-03-04T09:00:00Z", "end": "2030-03-04T09:30:00Z"}
    booked = {"resourceType": "Appointment", "status": "booked", "description": "Dentiste", **times}
    note = holder.create(booked | {"participant": [{"actor": person, "status": "accepted"}]})
    active = {"coding": [{"system": ACTIVE, "code": "active"}]}
    latex = {"resourceType": "AllergyIntolerance", "clinicalStatus": active, "code": {"text": "Latex"}}
    allergy = holder.create(latex | {"patient": person})
    names = archive(application, holder, id)[0]
    lines = [names.read(f"donnees/{each}.ndjson").decode() for each in ("Appointment", "AllergyIntolerance")]
    assert [note in lines[0], allergy in lines[1]] == [True, True]
    assert f"AllergyIntolerance/{allergy}" in names.read("donnees/Provenance.ndjson").decode()


def test_it_can_be_read_without_a_program(application: Application) -> None:
    """At Réunion, where it is four hours later than in UTC."""
    operator = application.operator()
    id = operator.create(patient(birthDate="1980-05-01", address=[{"postalCode": "97400", "city": "Saint-Denis"}]))
    pressure = observation(id) | {
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}], "text": "Tension <b>"},
        "component": [{"code": {"text": "Systolique"}, "valueQuantity": {"value": 132.5, "unit": "mmHg"}}],
    }
    pressure.pop("valueQuantity", None)
    for at in ("2024-02-28T21:30:00Z", "2025-03-01", "2024-12-31T23:00:00+01:00"):
        operator.create(pressure | {"effectiveDateTime": at})
    operator.create(document(id, date="2024-12-31T21:00:00Z"))
    person = {"actor": {"reference": f"Patient/{id}", "display": "Claire"}, "status": "accepted"}
    doctor = {"actor": {"display": "Dr Exemple"}, "status": "accepted"}
    times = {"start": "2030-03-04T09:00:00Z", "end": "2030-03-04T09:30:00Z"}
    operator.create({"resourceType": "Appointment", "status": "cancelled", "participant": [person, doctor], **times})
    found = archive(application, application.patient(id), id)[0]
    page = found.read("lire/Observation.html").decode()
    assert "<h1>Résultats et mesures</h1>" in page
    assert "<strong>Tension &lt;b&gt;</strong><br>01/03/2025<br>Systolique – 132,5 mmHg" in page
    days = ("01/03/2025", "01/01/2025 à 02:00", "29/02/2024 à 01:30")
    assert sorted(days, key=page.index) == list(days)
    appointments = found.read("lire/Appointment.html").decode()
    assert "<strong>Dr Exemple</strong><br>04/03/2030 à 13:00<br>annulé" in appointments
    index = found.read("LISEZMOI.html").decode()
    assert '<a href="lire/Observation.html">Résultats et mesures</a> : 3' in index
    assert "</a> 01/01/2025 à 01:00<" in index


def test_it_is_the_persons_alone_and_only_while_he_sees_the_record(application: Application) -> None:
    operator = application.operator()
    id = operator.create(patient(birthDate="1980-05-01"))
    for caller in (operator, application.patient("another"), application.practitioner("10001112225")):
        there, absent = asked(caller, id), asked(caller, "nobody")
        assert there.status == absent.status == 404
    holder = application.patient(id)
    _, path = archive(application, holder, id)
    assert application.patient("another").get(path).status == 404
    operator.post(f"Patient/{id}/$espace-suspend", None)
    assert holder.get(path).status == 404


def test_it_is_asynchronous(application: Application) -> None:
    id = application.operator().create(patient())
    answer = application.patient(id).post(f"Patient/{id}/$portability", None)
    assert answer.status == 400
    assert "respond-async" in answer.told


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_an_archive_holds_no_more_than_a_piece_of_itself(size: int) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    pieces = list(zipped([("a/b.bin", (content[at : at + 65536] for at in range(0, size, 65536)))]))
    assert max(map(len, pieces)) < 200_000
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as found:
        assert found.read("a/b.bin") == content
