"""What is stored is told: at least once, in order, to whoever may see it now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fhirserver.rest.subscriptions.working import Working
    from tests.application import Application, Caller
    from tests.rest.subscriptions.endpoint import Endpoint

LOINC = "http://loinc.org"


def subscription(endpoint: Endpoint, criteria: str = "Observation?code=718-7", **channel: Any) -> dict[str, Any]:
    made = {"type": "rest-hook", "endpoint": endpoint.url, "payload": "application/fhir+json", **channel}
    found = {name: value for name, value in made.items() if value is not None}
    return {"resourceType": "Subscription", "status": "requested", "reason": "x", "criteria": criteria, "channel": found}


def observation(patient: str, code: str = "718-7", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation", "status": "final", "subject": {"reference": f"Patient/{patient}"},
        "code": {"coding": [{"system": LOINC, "code": code}]}, **more,
    }  # fmt: skip


@pytest.fixture
def operator(application: Application) -> Caller:
    return application.operator()


@pytest.fixture
def patient(operator: Caller) -> str:
    return operator.create({"resourceType": "Patient", "active": True, "birthDate": "1980-01-01"})


def test_what_meets_the_criteria_is_put_to_the_endpoint(
    application: Application, patient: str, endpoint: Endpoint, working: Working
) -> None:
    person = application.patient(patient)
    made = person.post("Subscription", subscription(endpoint, header=["Authorization: Bearer secret"]))
    assert (made.status, made.json["status"]) == (201, "active")
    other, id = person.create(observation(patient, "1-1")), person.create(observation(patient, valueInteger=1))
    working.work()
    (got,) = endpoint.take()
    assert (got.method, got.path) == ("PUT", f"/hook/Observation/{id}")
    assert (got.headers["authorization"], got.headers["content-type"]) == ("Bearer secret", "application/fhir+json")
    assert (got.json["id"], got.json["valueInteger"]) == (id, 1)
    assert other not in got.body.decode()
    working.work()
    assert endpoint.take() == []
