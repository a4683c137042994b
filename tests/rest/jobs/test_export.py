"""`$export`: exactly what its requester sees, once, in files of one type each."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Access
from fhirserver.rest.jobs import background, exporting
from fhirserver.store import Lost
from fhirserver.store.traces import is_trace
from tests.leaks.world import ALICE, HOSPITAL, NOW, World
from tests.records import document, observation, patient, reference
from tests.rest.jobs.bulk import ASYNC, exported, kicked_off, lines, places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Application, Caller


@pytest.fixture(scope="module")
def world(applications: Callable[..., Any]) -> Iterator[World]:
    with applications() as application:
        made = World(application)
        made.operator.store({
            "resourceType": "Group", "id": "two", "type": "person", "actual": True,
            "member": [{"entity": reference("Patient/patient-p")}, {"entity": reference("Patient/patient-q")},
                       {"entity": reference("Patient/patient-s"), "inactive": True}],
        })  # fmt: skip
        yield made


def _seen(caller: Caller, types: list[str]) -> list[str]:
    """What searching page by page finds, but for traces, which are not exported."""
    found = []
    for type in types:
        path: str | None = f"{type}?_count=50"
        while path:
            answer = caller.get(path)
            found += [f"{type}/{id}" for id in answer.ids if not is_trace(type, id)]
            path = answer.link("next")
    return sorted(found)


@pytest.mark.parametrize("who", ["operator", "alice", "bob", "hospital", "p", "q", "m"])
def test_an_export_holds_what_its_requester_sees_and_nothing_else(world: World, who: str) -> None:
    caller = world.patient(who) if len(who) == 1 else getattr(world, who)
    types = [str(each) for each in world.application.services.definitions.resource_types]
    found = lines(caller, exported(world.application, caller))
    assert places(found) == _seen(caller, types)
    if who == "alice":
        assert "Observation/seen-p1" in places(found)
        assert not [each for each in places(found) if "hidden" in each]


def test_an_export_of_all_records_holds_what_is_about_a_patient(world: World) -> None:
    found = places(lines(world.operator, exported(world.application, world.operator, "Patient/$export")))
    assert {"Patient/patient-p", "Observation/hidden-r1", "CareTeam/team-p", "Consent/consent-q"} <= set(found)
    assert not [each for each in found if each.startswith("Practitioner/")]


def test_an_export_of_a_group_holds_the_records_of_its_active_members(world: World) -> None:
    manifest = exported(world.application, world.operator, "Group/two/$export?_type=Patient,Observation")
    found = places(lines(world.operator, manifest))
    assert [each for each in found if each.startswith("Patient/")] == ["Patient/patient-p", "Patient/patient-q"]
    assert {"Observation/seen-p1", "Observation/hidden-q1", "Observation/hidden-pr"} <= set(found)
    assert not [each for each in found if "seen-s" in each or "hidden-r" in each]


def test_who_does_not_see_a_group_member_gets_nothing_of_him(world: World) -> None:
    body = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "patient", "valueReference": reference(f"Patient/{each}")} for each in ("patient-p", "patient-q")
        ],
    }
    found = places(lines(world.alice, exported(world.application, world.alice, "Patient/$export", body)))
    assert "Observation/seen-p1" in found
    assert not [each for each in found if "patient-q" in each or "hidden" in each]


def test_a_resource_of_several_patients_comes_once(world: World) -> None:
    body = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "_type", "valueString": "Observation"},
            *({"name": "patient", "valueReference": reference(f"Patient/patient-{each}")} for each in "pr"),
        ],
    }
    found = places(lines(world.operator, exported(world.application, world.operator, "Patient/$export", body)))
    assert found.count("Observation/hidden-pr") == 1
    assert {"Observation/seen-p1", "Observation/hidden-r1"} <= set(found)


def test_types_filters_and_elements_narrow_an_export(world: World) -> None:
    query = (
        "_type=Observation&_typeFilter=Observation?date=ge2024-05-04%26status=final,Observation?code=2160-0"
        "&_elements=Observation.code&_outputFormat=ndjson"
    )
    found = lines(world.operator, exported(world.application, world.operator, f"$export?{query}"))
    assert places(found) == [f"Observation/{each}" for each in ("hidden-r1", "seen-p4", "seen-p5")]
    assert all("subject" not in each and each["meta"]["tag"][-1]["code"] == "SUBSETTED" for each in found)
    chained = "_type=Observation&_typeFilter=Observation?subject:Patient.name=marchand"
    found = lines(world.operator, exported(world.application, world.operator, f"$export?{chained}"))
    assert places(found) == [f"Observation/seen-s{number}" for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("$export?_type=Observation,Nothing", "Nothing"),
        ("Patient/$export?_type=Practitioner", "Practitioner"),
        ("$export?_outputFormat=text/csv", "text/csv"),
        ("$export?_since=yesterday", "yesterday"),
        ("$export?_typeFilter=status=final", "_typeFilter"),
        ("$export?_type=Patient&_typeFilter=Observation?status=final", "_typeFilter"),
        ("$export?_typeFilter=Observation?colour=red", "colour"),
        ("$export?_typeFilter=Observation?_sort=date", "_sort"),
        ("$export?_typeFilter=Observation?subject.name=x&_typeFilter=Observation?status=final", "chain"),
        ("$export?_elements=!", "_elements"),
        ("$export?_elements=colour", "colour"),
        ("$export?_type=Observation&_elements=birthDate", "birthDate"),
        ("$export?_elements=id,Patient.colour", "Patient.colour"),
        ("$export?patient=x", "patient"),
        ("$export?includeAssociatedData=x", "includeAssociatedData"),
        ("Patient/$export?patient=x", "patient"),
    ],
)
def test_what_cannot_be_exported_is_refused_by_name(world: World, path: str, told: str) -> None:
    answer = world.operator.call("GET", path, headers=ASYNC)
    assert answer.status == 400
    assert told in answer.told


def test_an_export_must_be_asked_for_as_asynchronous(world: World) -> None:
    answer = world.operator.get("$export")
    assert answer.status == 400
    assert "respond-async" in answer.told


def test_a_group_that_is_not_seen_is_as_unknown_as_one_that_never_was(world: World) -> None:
    answers = [world.patient("p").call("GET", f"Group/{id}/$export", headers=ASYNC) for id in ("two", "one")]
    assert [each.status for each in answers] == [404, 404]


def test_only_its_requester_reaches_an_export(world: World) -> None:
    status = kicked_off(world.alice, "$export?_type=Observation")
    world.application.work()
    manifest = world.alice.get(status).json
    file = manifest["output"][0]["url"].partition("/fhir/")[2]
    narrower = world.application.practitioner(ALICE, organization="750000002", scopes=("user/Observation.rs",))
    elsewhere = world.application.practitioner(ALICE, organization=HOSPITAL)
    for caller in (world.bob, world.operator, world.patient("p"), narrower, elsewhere):
        for path in (status, file):
            hidden, absent = caller.get(path), caller.get(path.partition("=")[0] + "=" + "x" * 32)
            assert hidden.status == absent.status == 404
            assert hidden.content == absent.content
        assert caller.delete(status).status == 404
    assert world.application.nobody().get(status).status == 401
    assert world.alice.get(file).status == 200


def test_a_cancelled_export_is_gone(world: World) -> None:
    status = kicked_off(world.bob, "$export")
    assert world.bob.get(status).status == 202
    assert world.bob.delete(status).status == 202
    assert world.bob.get(status).status == 404
    assert world.application.work() == 0
    status = kicked_off(world.bob, "$export?_type=Practitioner")
    world.application.work()
    file = world.bob.get(status).json["output"][0]["url"].partition("/fhir/")[2]
    assert world.bob.delete(status).status == 202
    assert world.bob.get(file).status == 404
    world.application.purge()
    assert world.application.services.store.files.owned(status.partition("=")[2]) == []


def test_results_are_kept_for_as_long_as_the_setting_says(world: World) -> None:
    status = kicked_off(world.hospital, "$export?_type=Practitioner")
    world.application.work()
    answer = world.hospital.get(status)
    assert answer.headers["expires"] == "Mon, 02 Mar 2026 12:00:00 GMT"
    later = world.application.at(NOW + timedelta(hours=25))
    caller = later.system(HOSPITAL)
    assert caller.get(status).status == 404
    later.purge()
    assert world.hospital.get(status).status == 404


def test_no_requester_fills_the_queue(world: World) -> None:
    caller = world.patient("a")
    paths = [kicked_off(caller, "$export?_type=Observation") for _ in range(5)]
    answer = caller.call("GET", "$export", headers=ASYNC)
    assert answer.status == 429
    assert int(answer.headers["retry-after"]) > 0
    assert caller.delete(paths[0]).status == 202
    kicked_off(caller, "$export?_type=Observation")
    assert world.application.work() == 5


def test_an_export_that_waits_says_so(world: World) -> None:
    status = kicked_off(world.operator, "$export")
    answer = world.operator.get(status)
    assert (answer.status, answer.headers["x-progress"]) == (202, "waiting")
    assert int(answer.headers["retry-after"]) > 0
    world.application.work()


def test_a_manifest_says_when_and_what(world: World) -> None:
    manifest = exported(world.application, world.operator, "$export?_type=Patient")
    assert manifest["transactionTime"] == "2026-03-01T12:00:00.000Z"
    assert manifest["request"] == "http://127.0.0.1:8080/fhir/$export?_type=Patient"
    assert manifest["requiresAccessToken"] is True
    assert [(each["type"], each["count"]) for each in manifest["output"]] == [("Patient", 6)]
    assert manifest["error"] == []


def test_since_narrows_to_what_changed_after(applications: Callable[..., Any]) -> None:
    with applications() as application:
        first, later = application.at(NOW), application.at(NOW + timedelta(hours=1))
        for id in ("a", "b"):
            first.operator().store(patient(id=id))
        at = exported(first, first.operator())["transactionTime"]
        later.operator().store(patient(id="b", gender="male"))
        later.operator().store(patient(id="c"))
        found = lines(later.operator(), exported(later, later.operator(), f"$export?_since={at}"))
        assert places(found) == ["Patient/b", "Patient/c"]
        until = "2026-03-01T12:30:00Z"
        found = lines(later.operator(), exported(later, later.operator(), f"$export?_until={until}"))
        assert places(found) == ["Patient/a"]


def test_what_is_created_after_the_kick_off_is_not_in_it_what_is_changed_is(applications: Callable[..., Any]) -> None:
    with applications() as application:
        first, later = application.at(NOW), application.at(NOW + timedelta(seconds=1))
        first.operator().store(patient(id="a"))
        status = kicked_off(first.operator(), "$export")
        later.operator().store(patient(id="a", gender="male"))
        later.operator().store(patient(id="b"))
        later.work()
        found = lines(later.operator(), later.operator().get(status).json)
        assert [(each["id"], each.get("gender")) for each in found] == [("a", "male")]


@pytest.mark.parametrize("level", ["$export", "Patient/$export"])
def test_a_broken_off_export_is_resumed_without_gap_or_double(
    applications: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    monkeypatch.setattr(exporting, "PAGE", 7)
    monkeypatch.setattr(exporting, "MOST_PAGE", 7)
    monkeypatch.setattr(exporting, "MOST_RESOURCES", 10)
    with applications() as application:
        operator = application.operator()
        entries = [patient(id="p"), *(observation("p", id=f"o{n:03}") for n in range(60))]
        for each in entries:
            operator.store(each)
        status = kicked_off(operator, level)
        _break_off(application, monkeypatch, pages=4)
        application.work(minutes=5)
        manifest = operator.get(status).json
        assert places(lines(operator, manifest)) == places(entries)
        assert all(each["count"] <= 14 for each in manifest["output"])
        kept = {each["url"].rpartition("=")[2] for each in manifest["output"]}
        assert {each.id for each in application.services.store.files.owned(status.partition("=")[2])} == kept


def _break_off(application: Application, monkeypatch: pytest.MonkeyPatch, pages: int) -> None:
    """Runs the job until its worker is gone, after so many pages of Observations: in the middle of a file."""
    whole, read = exporting._Export._page, 0

    def page(self: Any, type: str, patient: str | None) -> Any:
        nonlocal read
        read += type == "Observation"
        if read > pages:
            raise Lost("killed")
        return whole(self, type, patient)

    lease = application.services.store.jobs.claim(datetime.now(UTC) + timedelta(minutes=1))
    assert lease is not None
    with monkeypatch.context() as patched:
        patched.setattr(exporting._Export, "_page", page)
        background.carry_out(application.services, lease)
    job = application.services.store.jobs.find(lease.job.id)
    assert job is not None
    assert (job.state, read) == ("open", pages + 1)
    assert len(job.position["files"]) > 1


def test_a_page_of_large_resources_has_fewer_of_them() -> None:
    assert exporting._fitting(100, exporting.PAGE_BYTES + 1) == 50
    assert exporting._fitting(1, exporting.PAGE_BYTES * 9) == 1
    assert exporting._fitting(400, 10) == exporting.MOST_PAGE
    assert exporting._fitting(100, exporting.PAGE_BYTES // 2) == 100


def test_kick_off_and_each_file_are_traced(world: World) -> None:
    manifest = exported(world.application, world.alice, "$export?_type=Observation")
    lines(world.alice, manifest)
    traces = list(world.application.services.store.traces(Access.system("test")))
    begun, fetched = [[each for each in traces if part in each.get("query", "")][-1] for part in ("$export?", "$job-f")]
    assert (begun["status"], begun["who"]["rpps"]) == (202, ALICE)
    assert (fetched["status"], fetched["pats"]) == (200, ["patient-p", "patient-s"])


def test_the_documents_of_a_record_come_with_their_bytes(applications: Callable[..., Any]) -> None:
    large = bytes(range(256)) * 1500
    with applications() as server:
        operator, lab = server.operator(), server.system("750000001")
        mine, other = operator.create(patient()), operator.create(patient())
        media = {"Content-Type": "application/dicom"}
        for whose, data in ((mine, large), (mine, b"small"), (other, large[1:])):
            binary = lab.call("POST", "Binary", data, media).id
            content = [{"attachment": {"contentType": "application/dicom", "url": f"Binary/{binary}"}}]
            lab.create(document(whose, content=content))
        body = [{"name": "patient", "valueReference": reference(f"Patient/{mine}")}]
        given = {"resourceType": "Parameters", "parameter": body}
        for caller, asked in ((operator, given), (server.patient(mine), None)):
            manifest = exported(server, caller, "Patient/$export?_type=Binary,DocumentReference", asked)
            found = [each for each in lines(caller, manifest) if each["resourceType"] == "Binary"]
            assert sorted(len(base64.b64decode(each["data"])) for each in found) == [5, len(large)]
            assert large in [base64.b64decode(each["data"]) for each in found]
