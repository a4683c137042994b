"""`Prefer: return=…` (https://hl7.org/fhir/R4/http.html#ops)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.records import patient

if TYPE_CHECKING:
    from tests.application import Application, Caller


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    return application.operator()


@pytest.mark.parametrize("prefer", ["", "return=representation", "return=everything", "respond-async", ";;=", "return"])
def test_writes_answer_the_resource_unless_asked_otherwise(operator: Caller, prefer: str) -> None:
    made = operator.post("Patient", patient(gender="other"), Prefer=prefer)
    assert (made.status, made.json["gender"]) == (201, "other")
    updated = operator.put(f"Patient/{made.id}", patient(id=made.id, gender="male"), Prefer=prefer)
    assert (updated.status, updated.json["gender"]) == (200, "male")


@pytest.mark.parametrize(
    "prefer", ["return=minimal", 'return="minimal"', "handling=strict; return=minimal", "RETURN=minimal"]
)
def test_a_minimal_answer_has_headers_only(operator: Caller, prefer: str) -> None:
    made = operator.post("Patient", patient(), Prefer=prefer)
    assert (made.status, made.content) == (201, b"")
    assert made.headers["etag"] == 'W/"1"'
    assert "location" in made.headers
    assert "content-type" not in made.headers


def test_findings_are_answered_when_preferred(operator: Caller) -> None:
    made = operator.post("Patient", patient(), Prefer="return=OperationOutcome")
    assert made.status == 201
    assert "location" in made.headers
    assert made.json["resourceType"] == "OperationOutcome"
    assert all(each["severity"] in ("warning", "information") for each in made.json["issue"])
