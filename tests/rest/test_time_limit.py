"""The time limit of a query (`query_seconds`)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fhirserver.store import Store
from tests.application import Application
from tests.records import patient, post

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_query_beyond_its_time_limit_is_503_with_retry_after(applications: Callable[..., Any]) -> None:
    with applications() as application:
        operator = application.operator()
        entries = [post(patient(name=[{"family": f"Fauré {number}"}])) for number in range(100)]
        for _ in range(3):
            assert operator.transact(*entries).status == 200
        kept = application.services.store
        hasty = Store(kept.uri, kept.name, definitions=kept.definitions, index=kept.index, operation=0.001)
        limited = Application(replace(application.services, store=hasty)).operator()
        answer = limited.search("Patient", ("family:contains", "aure"), _sort="family")
        hasty.close()
        assert answer.status == 503
        assert answer.issue["code"] == "timeout"
        assert int(answer.headers["retry-after"]) > 0
        assert operator.get("Patient/never-was").status == 404
