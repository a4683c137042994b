"""Whatever is asked of whatever route leaves a trace, done or refused: the table of routes is gone through."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Access
from fhirserver.rest.routes import ROUTES, Route
from tests.records import observation, patient

if TYPE_CHECKING:
    from tests.application import Application

ASKED = [route for route in ROUTES if not route.open]


def traces(application: Application) -> list[dict[str, Any]]:
    return list(application.services.store.traces(Access.system("test")))


@pytest.fixture(scope="module")
def ids(application: Application) -> dict[str, str]:
    operator = application.operator()
    own = operator.create(patient())
    return {"Patient": own, "Observation": operator.create(observation(own))}


def path_of(route: Route, ids: dict[str, str]) -> str:
    """A path of the route that leads to what is there, where the route names a resource."""
    type = route.type or "Observation"
    known = {"type": type, "owner": "Patient", "owner_id": ids["Patient"], "id": ids.get(type, "x"), "version": "1"}
    return re.sub(r"<(\w+)>", lambda found: known[found[1]], route.path).strip("/")


@pytest.mark.parametrize("route", ASKED, ids=[each.name for each in ASKED])
def test_every_request_leaves_a_trace(application: Application, ids: dict[str, str], route: Route) -> None:
    body = None if route.method in ("GET", "DELETE") else {"resourceType": "Basic"}
    for caller in (application.operator(), application.practitioner("10000000018")):
        before = len(traces(application))
        answer = caller.call(route.method, path_of(route, ids), body)
        assert answer.status < 500, answer
        assert len(traces(application)) > before, (route.name, answer)


def test_what_happened_is_told_with_who_and_when(application: Application, ids: dict[str, str]) -> None:
    for each in traces(application):
        assert {"at", "what", "status", "who", "hash", "prev"} <= each.keys()
