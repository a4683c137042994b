"""Agents of the health insurance and operators: what each finds of a space, and may have happen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Requester
from tests.records import patient

if TYPE_CHECKING:
    from tests.application import Application, Caller

INS = "urn:oid:1.2.250.1.213.1.4.11"
WRONG = ("", "x" * 30, "28402750000010é", "1|2", "<script>", "1,2", "*")


def agent(application: Application) -> Caller:
    return application.caller(Requester("operator", "agent/a", scopes=("espace",)))


def person(application: Application, number: str) -> str:
    return application.operator().create(patient(identifier=[{"system": INS, "value": number}], birthDate="1984-02-29"))


def asked(number: Any, name: str = "matricule") -> dict[str, Any]:
    return {"resourceType": "Parameters", "parameter": [{"name": name, "valueString": number}]}


def told(body: dict[str, Any], name: str) -> list[Any]:
    found = [each for each in body.get("parameter", ()) if each["name"] == name]
    return [next((value for key, value in each.items() if key.startswith("value")), None) for each in found]


def test_a_space_is_found_by_matricule_and_told_without_a_name(application: Application) -> None:
    id_ = person(application, "284027500000101")
    for caller in (agent(application), application.operator()):
        answer = caller.post("Patient/$espace-find", asked("2 84 02 75 000 001 01"))
        assert told(answer.json, "patient") == [id_]
        space = caller.get(f"Patient/{id_}/$espace")
        assert told(space.json, "state") == ["none"]
        assert b"1984" not in answer.content + space.content
        assert caller.post("Patient/$espace-find", asked("284027500000999")).json == {"resourceType": "Parameters"}


def test_what_is_possible_is_what_the_role_may(application: Application) -> None:
    id_ = person(application, "284027500000102")
    as_agent, as_operator = agent(application), application.operator()
    assert told(as_agent.get(f"Patient/{id_}/$espace").json, "possible") == [
        "activate",
        "announce",
        "close",
        "request-erasure",
    ]
    assert "suspend" in told(as_operator.get(f"Patient/{id_}/$espace").json, "possible")
    done = as_agent.post(f"Patient/{id_}/$espace-open", None)
    assert told(done.json, "possible") == ["activate", "oppose"]
    for event in told(done.json, "possible"):
        assert as_agent.post(f"Patient/{id_}/$espace-{event}", None).status == 200
        break
    assert as_agent.post(f"Patient/{id_}/$espace-suspend", None).status == 403
    holder = application.patient(id_)
    assert told(holder.get(f"Patient/{id_}/$espace").json, "possible") == ["close", "request-erasure"]


def test_an_agent_reads_nothing_and_does_nothing_else(application: Application) -> None:
    id_, caller = person(application, "284027500000103"), agent(application)
    for path in (
        f"Patient/{id_}",
        "Patient",
        f"Patient/{id_}/$everything",
        "AuditEvent",
        "$service-overview",
        "$audit-verify",
    ):
        answer = caller.get(path)
        assert answer.status in (403, 404) or answer.total == 0, path
        assert b"284027500000103" not in answer.content
    assert caller.post(f"Patient/{id_}/$espace-erase", None).status == 403
    assert caller.post("$audit-verify", None).status == 403
    assert caller.post("Patient", patient()).status == 403
    assert caller.get("$quarantine").status == 403


@pytest.mark.parametrize(
    "body", [{"resourceType": "Parameters"}, *map(asked, WRONG), asked("1", "name")], ids=lambda body: str(body)[-40:]
)
def test_a_matricule_that_is_none_is_refused(application: Application, body: dict[str, Any]) -> None:
    for caller in (agent(application), application.operator()):
        assert caller.post("Patient/$espace-find", body).status == 400


def test_nobody_else_looks_for_spaces(application: Application) -> None:
    id_ = person(application, "284027500000104")
    for caller in (
        application.patient(id_),
        application.representative(id_),
        application.practitioner("10000000018"),
        application.system("750000001"),
    ):
        assert caller.post("Patient/$espace-find", asked("284027500000104")).status == 403
    assert application.nobody().post("Patient/$espace-find", asked("284027500000104")).status == 401


def test_looking_for_a_space_is_traced_in_its_record(application: Application) -> None:
    id_ = person(application, "284027500000105")
    agent(application).post("Patient/$espace-find", asked("284027500000105"))
    found = application.operator().get(f"AuditEvent?patient={id_}&altid=agent/a")
    assert found.total == 1
    assert "284027500000105" not in str(found.json)
