"""The OpenAPI document against the server: whatever it says may be sent is answered as it says, never by a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.records import observation, patient

if TYPE_CHECKING:
    from tests.application import Application

EXAMPLES = 6
"""Requests to each of the some sixty operations."""
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.mark.no_cover
def test_no_request_that_the_openapi_document_allows_meets_a_fault(application: Application) -> None:
    operator = application.operator()
    id = operator.create(patient(name=[{"family": "Satie"}]))
    operator.create(observation(id))
    schema = schemathesis.openapi.from_wsgi("/docs/openapi.json", application.app)
    sent = 0

    def ask(case: Any) -> None:
        nonlocal sent
        sent += 1
        if sent % 2 and case.method != "DELETE":
            _aim(case, id)
        answer = case.call(headers={"Authorization": f"Bearer {operator.token}"})
        case.validate_response(answer, checks=CHECKS)

    limits = settings(
        max_examples=EXAMPLES, database=None, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        limits(hypothesis.given(case=found.ok().as_strategy())(ask))()
    assert sent >= 300


def _aim(case: Any, id: str) -> None:
    """At a patient that is there, with a body of the type that the path says."""
    known = {"type": "Patient", "owner": "Patient", "id": id, "owner_id": id, "version": "1"}
    case.path_parameters |= {name: known[name] for name in case.path_parameters if name in known}
    if isinstance(case.body, dict) and case.body.get("resourceType") not in (None, "Parameters", "Bundle"):
        case.body["resourceType"] = "Patient"
