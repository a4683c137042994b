"""The newest traces of a record are looked for since as many were found the last time; what is found is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.store.view import View
from tests.application import application, applications, embedded_uri

if TYPE_CHECKING:
    import pytest

    from tests.application import Application

__all__ = ["application", "applications", "embedded_uri"]


def test_the_newest_are_found_in_few_of_many(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []
    run = View._run

    def watched(view: View, collection: Any, stages: Any) -> list[dict[str, Any]]:
        seen.extend([dict(stages[0]["$match"])] if collection.name == "trace" else [])
        return run(view, collection, stages)

    operator = application.operator()
    patient = operator.create({"resourceType": "Patient"})
    for _ in range(12):
        operator.get(f"Patient/{patient}")
    holder = application.patient(patient)

    def newest(count: int) -> list[str]:
        return holder.search("AuditEvent", patient=f"Patient/{patient}", _count=str(count), _total="none").ids

    monkeypatch.setattr(View, "_run", watched)
    for _ in range(3):
        whole = newest(100)
        seen.clear()
        found = newest(5)
        assert found[1:] == whole[:4]  # the first is the search before
        operator.get(f"Patient/{patient}")
    assert "$gte" in seen[0]["at"]
    assert len(seen) == 1
    few = newest(14)
    assert len(few) == 14
