"""$images and $image: who is shown what of which study, and what the PACS is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from examples.pacs import Instance, demo
from tests.imaging.serving import STUDY, running, study
from tests.records import care_team, patient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.application import Answer, Application, Caller
    from tests.imaging.serving import Faulty

RPPS, STRANGER = "10000000018", "10000000026"
LOCAL = "ipp-1"
MODALITY = {"code": "CT"}
INSTANCE = {"uid": "1.2.3.1.1", "sopClass": {"code": "x"}}
UIDS = {"series": [{"uid": "1.2.3.1", "modality": MODALITY, "instance": [INSTANCE]}]}
HELD = [Instance("1.2.3", LOCAL, "1.2.3.1", 1, f"1.2.3.1.{each}", each) for each in (1, 2, 3)]
HELD += [
    Instance("1.2.3", LOCAL, "1.2.3.2", 2, "1.2.3.2.1", 1),
    Instance("1.2.4", "other", "1.2.4.1", 1, "1.2.4.1.1", 1),
]


@pytest.fixture(scope="module")
def pacs() -> Iterator[Faulty]:
    with running([*demo(), *HELD]) as found:
        yield found


@pytest.fixture(scope="module")
def house(application: Application, pacs: Faulty) -> Application:
    return application.under(dicomweb_url=pacs.url)


@pytest.fixture(scope="module")
def person(house: Application) -> str:
    made = patient(identifier=[{"system": "urn:oid:1.2.3", "value": LOCAL}], birthDate="1980-01-01")
    id_ = house.operator().create(made)
    team = care_team(id_)
    team["participant"] = [{"member": {"identifier": {"system": "https://rpps.esante.gouv.fr", "value": RPPS}}}]
    house.operator().create(team)
    return id_


@pytest.fixture(scope="module")
def known(house: Application, person: str) -> str:
    return house.system("750000001").create(study(person, "1.2.3"))


def numbers(answer: Answer) -> list[str]:
    assert answer.status == 200, answer
    found = [each for each in answer.json["parameter"] if each["name"] == "image"]
    assert answer.json["parameter"][0] == {"name": "count", "valueInteger": len(found)}
    return [next(part["valueId"] for part in each["part"] if part["name"] == "instance") for each in found]


def test_the_holder_and_the_care_team_look_at_the_images(house: Application, person: str, known: str) -> None:
    for caller in (house.patient(person), house.practitioner(RPPS), house.operator()):
        assert numbers(caller.get(f"ImagingStudy/{known}/$images")) == [
            "1.2.3.1.1",
            "1.2.3.1.2",
            "1.2.3.1.3",
            "1.2.3.2.1",
        ]
        answer = caller.get(f"ImagingStudy/{known}/$image?number=2")
        assert answer.status == 200
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        small = caller.get(f"ImagingStudy/{known}/$image?number=2&size=thumbnail")
        assert len(small.content) < len(answer.content)


def test_only_what_the_study_names_is_asked_for(house: Application, person: str, pacs: Faulty) -> None:
    named = house.system("750000001").create(study(person, "1.2.3", **UIDS))
    holder = house.patient(person)
    assert numbers(holder.get(f"ImagingStudy/{named}/$images")) == ["1.2.3.1.1"]
    assert holder.get(f"ImagingStudy/{named}/$image?number=2").status == 404
    series = house.system("750000001").create(study(person, "1.2.3", series=[{"uid": "1.2.3.2", "modality": MODALITY}]))
    assert numbers(holder.get(f"ImagingStudy/{series}/$images")) == ["1.2.3.2.1"]
    assert not [each for each in pacs.targets if "1.2.4" in each]


def test_an_endpoint_of_the_study_is_not_spoken_to(house: Application, person: str, pacs: Faulty) -> None:
    with running([]) as elsewhere:
        endpoint = {
            "resourceType": "Endpoint",
            "status": "active",
            "connectionType": {"code": "dicom-wado-rs"},
            "payloadType": [{"text": "DICOM"}],
            "address": elsewhere.url,
        }
        there = {"reference": f"Endpoint/{house.operator().create(endpoint)}"}
        id_ = house.system("750000001").create(study(person, "1.2.3", endpoint=[there]))
        assert house.patient(person).get(f"ImagingStudy/{id_}/$image?number=1").status == 200
        assert not elsewhere.asked


@pytest.mark.parametrize("size", ["huge", "", "full;x", "../.."])
def test_a_size_that_is_none_is_refused(house: Application, person: str, known: str, size: str) -> None:
    answer = house.patient(person).call("GET", f"ImagingStudy/{known}/$image", query=[("number", "1"), ("size", size)])
    assert (answer.status == 200) == (size == "")
    assert answer.status in (200, 400)


@pytest.mark.parametrize(
    "query", ["", "number=x", "number=-1", "number=1&number=2", "number=1&quality=1", "number=1.5"]
)
def test_a_number_that_is_none_is_refused(house: Application, person: str, known: str, query: str) -> None:
    assert house.patient(person).get(f"ImagingStudy/{known}/$image?{query}").status == 400


@pytest.mark.parametrize("number", ["0", "5", "999999999"])
def test_an_image_that_is_not_there_is_absent(house: Application, person: str, known: str, number: str) -> None:
    assert house.patient(person).get(f"ImagingStudy/{known}/$image?number={number}").status == 404


def test_a_study_that_is_hidden_is_absent_and_the_pacs_is_not_asked(
    house: Application, person: str, known: str, pacs: Faulty
) -> None:
    other = house.operator().create(patient())
    asked = len(pacs.asked)
    for caller in (house.practitioner(STRANGER), house.patient(other)):
        for operation in ("$images", "$image?number=1"):
            hidden, absent = (caller.get(f"ImagingStudy/{each}/{operation}") for each in (known, "none"))
            assert hidden.status == absent.status == 404
            assert hidden.content == absent.content.replace(b"none", known.encode())
    assert len(pacs.asked) == asked


def test_whoever_writes_the_uids_of_a_study_is_shown_no_images_by_it(
    house: Application, person: str, known: str, pacs: Faulty
) -> None:
    def refused(caller: Caller, id_: str) -> bool:
        return caller.get(f"ImagingStudy/{id_}/$image?number=1").status == 404

    asked = len(pacs.asked)
    holder, stranger = house.patient(person), house.practitioner(STRANGER, organization="750000026")
    for caller in (holder, stranger):
        own = caller.create(study(person, "1.2.3"))
        assert caller.get(f"ImagingStudy/{own}").status == 200
        assert refused(caller, own)
    assert len(pacs.asked) == asked
    system = house.system("750000001")
    assert system.get(f"ImagingStudy/{known}").status == 200
    assert system.get(f"ImagingStudy/{known}/$image?number=1").status == 403
    assert system.get("ImagingStudy/none/$images").status == 403
    assert len(pacs.asked) == asked


def test_a_study_that_the_pacs_knows_as_somebody_elses_is_not_shown(
    house: Application, person: str, pacs: Faulty
) -> None:
    wrong = house.system("750000001").create(study(person, "1.2.4"))
    assert house.patient(person).get(f"ImagingStudy/{wrong}/$images").status == 404
    assert house.patient(person).get(f"ImagingStudy/{wrong}/$image?number=1").status == 404
    assert not [each for each in pacs.targets if "1.2.4.1.1" in each]
    demo_ = house.system("750000001").create(study(person, STUDY))
    assert house.patient(person).get(f"ImagingStudy/{demo_}/$images").status == 404


@pytest.mark.parametrize("uid", ["1.2.3/../1.2.4", "1.2.3?x=1", ""])
def test_a_study_without_a_uid_shows_nothing(house: Application, person: str, uid: str, pacs: Faulty) -> None:
    asked = len(pacs.asked)
    made = study(person, uid)
    if not uid:
        del made["identifier"]
    id_ = house.system("750000001").create(made)
    assert house.patient(person).get(f"ImagingStudy/{id_}/$images").status == 404
    assert len(pacs.asked) == asked


@pytest.mark.parametrize("fault", ["error", "html", "redirect"])
def test_a_pacs_that_fails_is_told_without_its_address(
    application: Application, house: Application, person: str, known: str, pacs: Faulty, fault: str
) -> None:
    fresh = application.under(dicomweb_url=pacs.url)
    with pacs.failing(fault):
        answer = fresh.patient(person).get(f"ImagingStudy/{known}/$image?number=1")
    assert answer.status == 503
    assert answer.headers["retry-after"]
    assert "127.0.0.1" not in answer.told
    assert "/srv" not in answer.told
    with pacs.failing(fault, everywhere=True):
        assert (
            application.under(dicomweb_url=pacs.url).patient(person).get(f"ImagingStudy/{known}/$images").status == 503
        )


def test_without_a_pacs_there_are_no_images(application: Application, person: str, known: str) -> None:
    answer = application.patient(person).get(f"ImagingStudy/{known}/$images")
    assert (answer.status, answer.issue["code"]) == (404, "not-supported")


def test_looking_is_traced_as_a_read_of_the_study_and_the_person_is_told(
    house: Application, person: str, known: str
) -> None:
    doctor = house.practitioner("10000000034", organization="750000034")
    team = care_team(person)
    team["participant"] = [
        {"member": {"identifier": {"system": "https://rpps.esante.gouv.fr", "value": "10000000034"}}}
    ]
    house.operator().create(team)
    assert doctor.get(f"ImagingStudy/{known}/$image?number=1").status == 200
    holder = house.patient(person)
    found = holder.get(f"AuditEvent?entity=ImagingStudy/{known}&subtype=read&agent:identifier=10000000034")
    assert found.total == 1
    told = holder.get("Communication?category=notification").json["entry"]
    assert "10000000034" in str(told) or "professionnel" in str(told)


def test_a_narrow_app_gets_no_images(house: Application, person: str, known: str) -> None:
    from fhirserver.access import Requester

    app = Requester(
        "patient", f"patient/{person}", patient=person, purpose="PATRQT", scopes=("patient/Observation.rs",)
    )
    assert house.caller(app).get(f"ImagingStudy/{known}/$image?number=1").status in (403, 404)
    app = Requester(
        "patient", f"patient/{person}", patient=person, purpose="PATRQT", scopes=("patient/ImagingStudy.r",)
    )
    assert house.caller(app).get(f"ImagingStudy/{known}/$image?number=1").status == 200
