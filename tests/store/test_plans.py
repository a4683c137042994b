"""No read of one resource or one patient scans a collection, on whatever database the tests run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient

from fhirserver.predicate import And, Eq, Predicate
from fhirserver.search import Query, SortKey
from tests.store.listening import Pipelines, listening
from tests.store.standin import access, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.store import Store

SYSTEM = access()
DOCTOR = access("doctor", blind="secret")
PATIENT, TERM = Eq("pat", "p1"), Eq("t", "code||a")


@pytest.fixture
def pipelines() -> Iterator[Pipelines]:
    with listening() as listener:
        yield listener


@pytest.fixture
def watched(embedded_uri: str, database_name: str, pipelines: Pipelines) -> Iterator[Store]:
    """A store with a few resources, whose aggregations are noted."""
    store = open_store(embedded_uri, database_name)
    for number in range(5):
        resource = {
            "resourceType": "Observation",
            "id": f"o{number}",
            "subject": {"reference": f"Patient/p{number % 2}"},
            "codes": ["a", "b"],
        }
        store.transact(SYSTEM, lambda tx, new=resource: tx.create(new, new["id"]))  # type: ignore[misc]
        store.transact(SYSTEM, lambda tx, new=resource: tx.update(new))  # type: ignore[misc]
    store.transact(SYSTEM, lambda tx: tx.delete("Observation", "o4"))
    pipelines.seen.clear()
    yield store
    store.close()


def plan(uri: str, name: str, collection: str, stages: list[dict[str, Any]]) -> str:
    with MongoClient[dict[str, Any]](uri) as client:
        command = {"aggregate": collection, "pipeline": stages, "cursor": {}}
        return str(client[name].command("explain", command, verbosity="queryPlanner"))


def assert_indexed(uri: str, name: str, pipelines: Pipelines, least: int) -> None:
    assert len(pipelines.seen) >= least
    for collection, stages in pipelines.seen:
        explained = plan(uri, name, collection, stages)
        assert "IXSCAN" in explained, (collection, stages)
        assert "COLLSCAN" not in explained, (collection, stages)


@pytest.mark.parametrize("id_", ["o1", "o4", "never"])
def test_whatever_is_read_by_its_id_is_found_by_an_index(
    embedded_uri: str, database_name: str, watched: Store, pipelines: Pipelines, id_: str
) -> None:
    view = watched.view(DOCTOR)
    view.read("Observation", id_)
    view.vread("Observation", id_, 1)
    view.history("Observation", id_, 1)
    view.history("Observation", id_, 1, before=2)
    assert_indexed(embedded_uri, database_name, pipelines, 10)


@pytest.mark.parametrize("where", [(PATIENT, TERM), (And((PATIENT, TERM, Eq("t", "code||b"))),), (PATIENT,), (TERM,)])
@pytest.mark.parametrize("sort", [(), (SortKey("lu", True),)])
def test_a_search_by_patient_or_term_is_served_by_an_index(
    embedded_uri: str,
    database_name: str,
    watched: Store,
    pipelines: Pipelines,
    where: tuple[Predicate, ...],
    sort: tuple[SortKey, ...],
) -> None:
    page = watched.view(DOCTOR).search(Query("Observation", where, frozenset({"p1"}), sort, count=1, total="accurate"))
    assert page.total
    assert page.total > 1
    watched.view(DOCTOR).search(Query("Observation", where, None, sort, count=1, total="none"), page.after)
    assert_indexed(embedded_uri, database_name, pipelines, 2)
