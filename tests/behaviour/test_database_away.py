"""The database goes away while requests are served: 503 until it is back, and nothing that was acknowledged is lost."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from fhirserver.store import Embedded
from tests.application import Answer, opened
from tests.records import observation, patient, post

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.application import Application, Caller

WRITERS = 3
WRITES = 15
"""Acknowledged writes before the database is killed."""
MOST = 500
"""Attempts of a writer."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    embedded = Embedded(folder(tmp_path_factory), sync=True)
    embedded.start()
    yield embedded
    embedded.stop()


def folder(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("away") / "data"


@pytest.fixture(scope="module")
def application(database: Embedded) -> Iterator[Application]:
    with opened(database.uri, "fhir", store={"selection": 0.2, "operation": 2.0, "patience": 0.3}) as made:
        yield made


def interactions(who: Caller, id: str) -> dict[str, Callable[[], Answer]]:
    return {
        "read": lambda: who.get(f"Patient/{id}"),
        "vread": lambda: who.get(f"Patient/{id}/_history/1"),
        "history": lambda: who.get(f"Patient/{id}/_history"),
        "search": lambda: who.search("Patient"),
        "create": lambda: who.post("Patient", patient()),
        "update": lambda: who.put(f"Patient/{id}", patient(id=id, gender="other")),
        "delete": lambda: who.delete(f"Patient/{id}"),
        "transaction": lambda: who.transact(post(patient()), post(observation())),
        "not found": lambda: who.get("Patient/never-was"),
        "refused": lambda: who.post("Patient", patient(gender="m")),
    }


def health(application: Application) -> Answer:
    answer = application.app.test_client().get("/health")
    return Answer(answer.status_code, {}, answer.data)


def once_it_is_back(ask: Callable[[], Answer]) -> Answer:
    """The first answer that is no 503: this server waits for its database but a moment, which may be too short."""
    until = time.monotonic() + 120
    while (answer := ask()).status == 503:
        assert time.monotonic() < until, answer
    return answer


def test_without_the_database_every_interaction_is_unavailable_for_now(
    database: Embedded, application: Application
) -> None:
    operator = application.operator()
    id = once_it_is_back(lambda: operator.post("Patient", patient())).id
    before = application.counts()
    database.stop()
    for name, interaction in interactions(operator, id).items():
        answer = interaction()
        assert answer.status == 503, (name, answer)
        assert int(answer.headers["retry-after"]) > 0
        assert answer.issue["code"] in ("transient", "timeout")
        assert answer.issue["severity"] == "error"
        for inside in ("Traceback", "pymongo", "127.0.0.1:", "mongodb"):
            assert inside not in answer.content.decode().replace("http://127.0.0.1:8080", "")
    assert application.nobody().get("metadata").status == 200
    assert application.nobody().get("Patient").status == 401
    assert health(application).status == 503
    database.start()
    assert once_it_is_back(lambda: operator.get(f"Patient/{id}")).status == 200
    assert once_it_is_back(lambda: health(application)).status == 200
    assert application.counts() == before
    assert {name: once_it_is_back(ask).status for name, ask in interactions(operator, id).items()} == {
        "read": 200, "vread": 200, "history": 200, "search": 200, "create": 201, "update": 200, "delete": 204,
        "transaction": 200, "not found": 404, "refused": 422,
    }  # fmt: skip


def test_what_was_acknowledged_before_a_kill_is_there_after_it(database: Embedded, application: Application) -> None:
    """Writers write while the database is killed and comes back; the server is never restarted."""
    acknowledged: dict[str, Any] = {}
    other: list[Answer] = []
    before = without_observation(application.operator())
    enough, stop = threading.Event(), threading.Event()

    def write() -> None:
        operator = application.operator()
        for _ in range(MOST):
            if stop.is_set():
                return
            answer = operator.transact(post(patient(gender="male")), post(observation()))
            if answer.status != 200:
                other.append(answer)
                assert answer.status == 503, answer
                continue
            places = [each["response"]["location"] for each in answer.json["entry"]]
            id = places[0].split("/")[1]
            acknowledged[id] = [places[1], "male"]
            updated = operator.put(f"Patient/{id}", patient(id=id, gender="female"), If_Match='W/"1"')
            if updated.status == 200:
                acknowledged[id][1] = "female"
            else:
                other.append(updated)
            if len(acknowledged) >= WRITES:
                enough.set()

    writers = [threading.Thread(target=write) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    assert enough.wait(120), other[:1]
    assert database.pid is not None
    process = psutil.Process(database.pid)
    process.kill()
    process.wait(60)
    first = len(acknowledged)
    database.ensure()
    operator = application.operator()
    assert once_it_is_back(lambda: operator.get("Patient/never-was")).status == 404
    stop.set()
    for writer in writers:
        writer.join(120)
    assert len(acknowledged) >= first >= WRITES
    assert {answer.status for answer in other} <= {503}
    for id, (second, gender) in acknowledged.items():
        history = once_it_is_back(lambda id=id: operator.get(f"Patient/{id}/_history"))  # type: ignore[misc]
        genders = [each["resource"]["gender"] for each in history.json["entry"]]
        assert genders[-1] == "male"
        assert gender in genders[: 1 if gender == "female" else None]
        place = second.partition("/_history/")[0]
        assert once_it_is_back(lambda place=place: operator.get(place)).status == 200  # type: ignore[misc]
    women = once_it_is_back(lambda: operator.search("Patient", gender="female", _summary="count"))
    assert women.total >= sum(gender == "female" for _, gender in acknowledged.values())
    assert without_observation(operator) == before


def without_observation(operator: Caller) -> int:
    """How many more patients there are than observations: a transaction of both changes nothing of it."""
    counted = [lambda type=type: operator.search(type, _summary="count") for type in ("Patient", "Observation")]
    patients, observations = (once_it_is_back(each).total for each in counted)
    return patients - observations
