"""Professionals: whose record an app is opened for, by a launch or by choosing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Requester
from fhirserver.auth import grants
from fhirserver.auth.server.launch import REGISTER
from fhirserver.auth.tokens import DEFAULT_SCOPES
from tests import records
from tests.application import BASE
from tests.auth import flow
from tests.portal.browser import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Answer, Application, Caller

RPPS = "10000000018"
DOCTOR = Requester("practitioner", f"practitioner/{RPPS}", rpps=RPPS, profession="G15_10",
                   scopes=DEFAULT_SCOPES["practitioner"], name="Dr SOIGNANT")  # fmt: skip
INS = "284027505600134"
SCOPE = "openid fhirUser launch launch/patient offline_access patient/*.rs user/*.rs"
EHR = "launch openid fhirUser patient/Observation.rs"


@pytest.fixture(scope="module")
def server(applications: Callable[..., Any]) -> Iterator[Application]:
    """A server with two records: `mine` of a patient whom the doctor cares for, `theirs` of another."""
    with applications() as application:
        operator = application.operator()
        operator.store(records.practitioner(RPPS, id="doctor"))
        for id, number in (("mine", INS), ("theirs", "181117505600221")):
            identifier = {"system": records.INS_NIR, "value": number}
            operator.store(records.patient(id=id, identifier=[identifier], name=[{"family": id.upper()}]))
            operator.store(records.observation(id, id=f"o-{id}"))
        operator.store(records.care_team("mine", "Practitioner/doctor", id="team"))
        operator.store({
            "resourceType": "Encounter",
            "id": "e",
            "status": "in-progress",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "subject": {"reference": "Patient/mine"},
        })  # fmt: skip
        flow.registered(application, scope=SCOPE)
        yield application


@pytest.fixture(scope="module")
def software(server: Application) -> Caller:
    """What the doctor works with, which opens the app."""
    return server.caller(replace(DOCTOR, scopes=("launch", "user/*.rs")))


@pytest.fixture
def doctor(server: Application) -> flow.Person:
    return flow.Person(server, DOCTOR)


def launched(server: Application, caller: Caller, **context: Any) -> Answer:
    response = server.app.test_client().post(
        "/oauth/launch", json=context, headers={"Authorization": f"Bearer {caller.token}"}
    )
    return flow.answer(response)


def tokens(server: Application, code: str) -> dict[str, Any]:
    found: dict[str, Any] = flow.token(server, flow.exchange(code)).json
    return found


def test_an_app_that_is_launched_gets_its_context(server: Application, software: Caller, doctor: flow.Person) -> None:
    made = launched(server, software, patient="mine", encounter="e", intent="review", need_patient_banner=False)
    assert (made.status, made.json["expires_in"]) == (201, 300)
    given = tokens(server, doctor.code(scope=EHR, launch=made.json["launch"]))
    context = {name: given[name] for name in ("patient", "encounter", "intent", "need_patient_banner")}
    assert context == {"patient": "mine", "encounter": "e", "intent": "review", "need_patient_banner": False}
    app = server.nobody(given["access_token"])
    assert app.get("Observation").ids == ["o-mine"]
    requester = server.services.verifier.requester(f"Bearer {given['access_token']}")
    assert (requester.kind, requester.rpps, requester.patient, requester.client) == (
        "practitioner",
        RPPS,
        "mine",
        "app",
    )


def test_a_launch_is_good_once_for_a_while_and_for_who_made_it(
    server: Application, software: Caller, doctor: flow.Person
) -> None:
    value = launched(server, software, patient="mine").json["launch"]
    other = flow.Person(server, replace(DOCTOR, id="practitioner/10000000026", rpps="10000000026"))
    assert flow.told(other.open(flow.asked(scope=EHR, launch=value)))["error"] == "invalid_request"
    assert flow.told(doctor.open(flow.asked(scope="user/*.rs", launch=value)))["error"] == "invalid_request"
    assert doctor.code(scope=EHR, launch=value)
    assert flow.told(doctor.open(flow.asked(scope=EHR, launch=value)))["error"] == "invalid_request"
    value = launched(server, software, patient="mine").json["launch"]
    rows = server.services.store.register(REGISTER)
    for row in rows.listed(datetime.now(UTC)):
        rows.change(row["_id"], {"until": datetime.now(UTC) - timedelta(seconds=1)})
    assert flow.told(doctor.open(flow.asked(scope=EHR, launch=value)))["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("context", "status"),
    [
        ({"patient": "theirs"}, 404),
        ({"patient": "absent"}, 404),
        ({"patient": "mine", "encounter": "absent"}, 404),
        ({"encounter": "e"}, 404),
        ({"patient": {"$ne": 1}}, 400),
        ({"patient": "../x"}, 400),
        ({"unknown": 1}, 400),
    ],
)
def test_a_launch_is_about_what_its_maker_sees(
    server: Application, software: Caller, context: dict[str, Any], status: int
) -> None:
    assert launched(server, software, **context).status == status


def test_a_launch_takes_a_token_with_its_scope(server: Application) -> None:
    assert launched(server, server.caller(DOCTOR), patient="mine").status == 403
    assert launched(server, server.nobody("made-up"), patient="mine").status == 401


def test_a_professional_says_whose_record_it_is(server: Application, doctor: flow.Person) -> None:
    params = flow.asked(scope="openid fhirUser launch/patient patient/Observation.rs")
    assert "Matricule INS" in doctor.open(params).content.decode()
    refused = doctor.decide(params, decision="tout")
    assert "code" not in flow.told(refused)
    for number in ("181117505600221", "999999999999999", "a|b", "", INS[:-1]):
        assert doctor.decide(params, decision="dossier", ins=number).status == 422
    screen = doctor.decide(params, decision="dossier", ins=f"{INS[:1]} {INS[1:]}")
    assert "dossier de <strong>MINE" in screen.content.decode()
    assert INS not in screen.content.decode()
    chosen = Page(screen.status, screen.headers, screen.content.decode(), "").form("/oauth/decision").fields["dossier"]
    code = flow.told(doctor.decide(params, decision="tout", dossier=chosen))["code"]
    given = tokens(server, code)
    assert given["patient"] == "mine"
    assert server.nobody(given["access_token"]).get("Observation").ids == ["o-mine"]
    claims = server.services.keys.verified(given["id_token"])
    assert claims is not None
    assert claims[0]["fhirUser"] == f"{BASE}/Practitioner/doctor"
    other = flow.Person(server, replace(DOCTOR, id="practitioner/10000000026", rpps="10000000026"))
    assert "code" not in flow.told(other.decide(params, decision="tout", dossier=chosen))
    assert "code" not in flow.told(doctor.decide(params, decision="tout", dossier="made-up"))


def test_at_the_level_of_the_professional_no_record_is_chosen(server: Application, doctor: flow.Person) -> None:
    given = tokens(server, doctor.code(scope="user/Observation.rs"))
    assert "patient" not in given
    assert server.nobody(given["access_token"]).get("Observation?patient=mine").ids == ["o-mine"]


def test_a_professional_keeps_no_access_beyond_a_working_day(server: Application, doctor: flow.Person) -> None:
    given = tokens(server, doctor.code(scope="offline_access user/Observation.rs"))
    claims = server.services.keys.verified(given["access_token"])
    assert claims is not None
    row = server.services.store.register(grants.REGISTER).find(claims[0]["grant"], datetime.now(UTC))
    assert row is not None
    assert timedelta(hours=7) < row["until"] - datetime.now(UTC) <= timedelta(hours=8)
