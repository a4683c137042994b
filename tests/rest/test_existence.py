"""TD0.2: a record that may be fed is told of by INS and state, and by nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Access, Requester
from tests import records
from tests.application import application, applications, embedded_uri
from tests.leaks.world import NOW

if TYPE_CHECKING:
    from tests.application import Answer, Application, Caller

__all__ = ["application", "applications", "embedded_uri"]

INS, OTHER, GONE = "180017504012312", "280017504012342", "180017504012399"
ALICE, HOSPITAL = "10000000001", "750000001"
FEED = "RECORDMGT"


def identified(value: str, **more: Any) -> records.Resource:
    identifiers = [{"system": records.INS_NIR, "value": value}, {"system": "urn:local", "value": f"local-{value}"}]
    return records.patient(identifier=identifiers, name=[{"family": "Martin"}], birthDate="1980-02-03", **more)


@pytest.fixture(scope="module")
def server(application: Application) -> Application:
    operator = application.operator()
    operator.store(records.practitioner(ALICE, id="alice"))
    operator.store(identified(INS, id="p"))
    operator.store(identified(OTHER, id="q", active=False))
    operator.store(identified(GONE, id="r"))
    operator.store(records.consent("p", "deny", "Practitioner/alice") | {"id": "c"})
    operator.store(records.care_team("q", "Practitioner/alice", id="t"))
    return application


def feeder(server: Application, **more: Any) -> Caller:
    return server.practitioner(ALICE, organization=HOSPITAL, purpose=FEED, **more)


def asked(caller: Caller, value: str = INS, system: str = records.INS_NIR, **more: str) -> Answer:
    return caller.search("Patient", identifier=f"{system}|{value}", **more)


def only(answer: Answer) -> Any:
    assert answer.status == 200
    assert answer.json["total"] == len(answer.json["entry"]) == 1
    entry = answer.json["entry"][0]
    assert set(entry) == {"resource", "search"}
    return {name: value for name, value in entry["resource"].items() if name != "meta"}


def test_the_record_is_told_by_its_ins_and_state_even_to_whom_the_person_blocked(server: Application) -> None:
    told = {"resourceType": "Patient", "identifier": [{"system": records.INS_NIR, "value": INS}], "active": True}
    assert only(asked(feeder(server))) == told
    assert server.practitioner(ALICE).search("Patient", identifier=f"{records.INS_NIR}|{INS}").total == 0
    assert only(asked(feeder(server), OTHER))["active"] is False
    system = server.caller(Requester("system", "his", client="his", organization=HOSPITAL, purpose=FEED))
    assert only(asked(system)) == told


def test_by_post_and_in_a_batch_too(server: Application) -> None:
    caller = feeder(server)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    posted = caller.call("POST", "Patient/_search", f"identifier={records.INS_NIR}|{INS}".encode(), form)
    url = f"Patient?identifier={records.INS_NIR}|{INS}"
    entry = {"request": {"method": "GET", "url": url}}
    batch = caller.post("", {"resourceType": "Bundle", "type": "batch", "entry": [entry]})
    inner = batch.json["entry"][0]["resource"]
    assert only(posted)["identifier"] == inner["entry"][0]["resource"]["identifier"]
    assert inner["total"] == 1
    assert "birthDate" not in str(batch.json)


@pytest.mark.parametrize(
    "params",
    [
        {"identifier": f"urn:local|local-{INS}"},
        {"identifier": INS},
        {"identifier": f"{records.INS_NIR}|"},
        {"identifier": f"{records.INS_NIR}|{INS},{records.INS_NIR}|{OTHER}"},
        {"identifier": f"{records.INS_NIR}|{INS[:-1]}"},
        {"identifier:not": f"{records.INS_NIR}|{OTHER}"},
        {"identifier": f"{records.INS_NIR}|{INS}", "birthdate": "1980-02-03"},
        {"identifier": f"{records.INS_NIR}|{INS}", "_sort": "birthdate"},
        {"identifier": f"{records.INS_NIR}|{INS}", "_revinclude": "Consent:patient"},
        {"identifier": f"{records.INS_NIR}|{INS}", "_elements": "birthDate"},
        {"identifier": f"{records.INS_NIR}|{INS}", "_total": "none"},
        {"_has:CareTeam:patient:participant": "Practitioner/alice"},
        {"family": "Martin"},
        {},
    ],
)
def test_whatever_else_is_asked_finds_nothing(server: Application, params: dict[str, str]) -> None:
    answer = feeder(server).search("Patient", *params.items())
    assert (answer.status, answer.json["total"], answer.json.get("entry")) == (200, 0, None)


def test_feeding_is_no_reading(server: Application) -> None:
    """Of a record that the care team would open to her."""
    operator = server.operator()
    operator.store(records.patient(id="s"))
    operator.store(records.care_team("s", "Practitioner/alice", id="ts"))
    operator.store(records.consent("s", "permit", "Practitioner/alice") | {"id": "cs"})
    operator.store(records.observation("s", id="os"))
    assert server.practitioner(ALICE).get("Observation/os").status == 200
    assert feeder(server).get("Observation/os").status == 404
    assert feeder(server).get("Patient/s").status == 404
    made = feeder(server).create(records.observation("s"))
    assert feeder(server).get(f"Observation/{made}").status == 200


def test_scopes_narrow_the_test_as_any_search(server: Application) -> None:
    for scopes in (("user/Observation.cruds",), ("user/Patient.r",), ("patient/Patient.rs",), ("user/Patient.rs?x=y",)):
        assert asked(feeder(server, scopes=scopes)).total == 0
    assert asked(feeder(server, scopes=("user/Patient.s",))).total == 1
    person = server.caller(Requester("patient", "patient/x", patient="x", purpose=FEED))
    assert asked(person).total == 0


def test_no_record_is_told_of_before_it_is_open_or_after_it_is_to_be_erased(server: Application) -> None:
    at = server.at(NOW)
    store = server.services.store
    week = timedelta(weeks=6)
    for since, state in ((NOW, "announced"), (NOW + week, "open")):
        store.transact(Access.system("test", NOW), lambda tx, s=state, m=since: tx.space("r", s, m))  # type: ignore[misc]
    assert asked(feeder(at), GONE).total == 0
    assert only(asked(feeder(server.at(NOW + week)), GONE))["active"] is True
    store.transact(Access.system("test", NOW), lambda tx: tx.space("r", "suspended", NOW))
    assert only(asked(feeder(at), GONE))["active"] is False


def test_the_test_is_traced_with_whom_it_told_of(server: Application) -> None:
    asked(feeder(server))
    traces = list(server.services.store.traces(Access.system("test")))
    last = [each for each in traces if each["purpose"] == FEED and each.get("pats")][-1]
    assert last["what"] == "search-type"
    assert last["pats"] == ["p"]
    assert INS in last["query"]
    assert last["who"]["rpps"] == ALICE
