"""No query of the published catalogue scans a collection: one of a patient's record not even on the embedded database,
none at all by mongod's rules.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient

from bench import population
from bench.queries import CATALOGUE, Query
from fhirserver.store.connection import CODEC
from tests.application import applications, embedded_uri
from tests.store.listening import Pipelines, listening
from tests.store.mongod import served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Application, Caller

pytestmark = pytest.mark.no_cover

__all__ = ["applications", "embedded_uri"]
PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
PATIENTS = 3


class Watched:
    """A server whose reads of the database are noted."""

    def __init__(self, application: Application, pipelines: Pipelines) -> None:
        self.doctor: Caller = application.practitioner(population.RPPS)
        settings = application.services.settings
        client = MongoClient[dict[str, Any]](str(settings.mongo))
        self.database = client.get_database(settings.database, CODEC)
        self.pipelines = pipelines
        there = self.database.list_collection_names()
        self.indexes = {
            name: [
                tuple(field for field, _ in each["key"]) for each in self.database[name].index_information().values()
            ]
            for name in there
        }

    def reads(self, query: Query) -> list[dict[str, Any]]:
        """The commands of a search that finds something, of collections that are there."""
        self.pipelines.reads.clear()
        answer = self.doctor.get(query.of(1))
        assert answer.status == 200, answer
        found = list(self.pipelines.reads)
        return [each for each in found if next(iter(each.values())) in self.indexes]

    def plan(self, command: dict[str, Any]) -> str:
        return str(self.database.command("explain", command, verbosity="queryPlanner", codec_options=CODEC))


@pytest.fixture(scope="module")
def watched(applications: Callable[..., Any]) -> Iterator[Watched]:
    with listening() as pipelines, applications() as application:
        operator = application.operator()
        everything = [*population.common()]
        for number in range(PATIENTS):
            everything += islice(population.record(number), 15)
        everything += islice(population.teams(), PATIENTS)
        entry = [
            {"resource": each, "request": {"method": "PUT", "url": f"{each['resourceType']}/{each['id']}"}}
            for each in everything
        ]
        assert operator.transact(*entry).status == 200
        found = Watched(application, pipelines)
        yield found
        found.database.client.close()


@pytest.mark.parametrize("query", CATALOGUE, ids=lambda each: each.name)
def test_no_query_of_the_catalogue_scans_a_collection_by_the_rules_of_mongod(watched: Watched, query: Query) -> None:
    reads = watched.reads(query)
    assert reads
    for command in reads:
        collection = next(iter(command.values()))
        assert served(command, watched.indexes[collection]), command


@pytest.mark.parametrize("query", [each for each in CATALOGUE if each.scoped], ids=lambda each: each.name)
def test_no_query_of_a_record_scans_a_collection_of_the_embedded_database(watched: Watched, query: Query) -> None:
    for command in watched.reads(query):
        assert "COLLSCAN" not in watched.plan(command), command


def test_the_catalogue_is_the_published_one() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("```text catalogue\n")[2].partition("```")[0]
    assert text.splitlines() == [each.search for each in CATALOGUE]


INDEXES = [("pat", "t", "_id"), ("t", "_id"), ("lu", "_id"), ("d.birthdate.lo",)]


@pytest.mark.parametrize(
    ("stages", "verdict"),
    [
        ([{"$match": {"pat": "p"}}, {"$match": {"$or": [{"x": 1}]}}], True),
        ([{"$match": {"x": 1}}, {"$match": {"$and": [{"y": 1}, {"t": {"$in": ["a"]}}]}}], True),
        ([{"$match": {"$or": [{"t": "a"}, {"pat": "p", "x": 1}]}}], True),
        ([{"$match": {"$or": [{"t": "a"}, {"x": 1}]}}], False),
        ([{"$match": {"t": {"$regex": "^a"}}}], True),
        ([{"$match": {"t": {"$regex": "^a", "$options": "i"}}}], False),
        ([{"$match": {"t": {"$regex": "a"}}}], False),
        ([{"$match": {"t": {"$ne": "a"}}}], False),
        ([{"$match": {"$nor": [{"t": "a"}]}}], False),
        ([{"$match": {"d.birthdate": {"$elemMatch": {"lo": {"$gt": 1}}}}}], True),
        ([{"$match": {"d.date": {"$elemMatch": {"lo": {"$gt": 1}}}}}], False),
        ([{"$project": {"t": 1}}, {"$match": {"t": "a"}}], False),
        ([{"$sort": {"lu": -1, "_id": -1}}, {"$limit": 5}], True),
        ([{"$sort": {"lu": -1, "_id": 1}}, {"$limit": 5}], False),
        ([{"$sort": {"lu": -1}}], False),
        ([{"$match": {}}], False),
    ],
)
def test_the_rules_of_mongod(stages: list[dict[str, Any]], verdict: bool) -> None:
    assert served({"aggregate": "c", "pipeline": stages}, INDEXES) is verdict
