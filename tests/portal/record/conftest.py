from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient

from fhirserver.cli.demo import bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Application


_stored: dict[tuple[str | None, str], dict[str, list[dict[str, Any]]]] = {}
"""By database server and profiles: rows by collection."""


@pytest.fixture(scope="module")
def demo(applications: Callable[..., Any]) -> Iterator[Application]:
    """A server with the demo family."""
    with applications() as opened:
        load(opened)
        yield opened


@pytest.fixture(scope="module")
def french(applications: Callable[..., Any]) -> Iterator[Application]:
    """A server with the demo family that holds what is written to the French profiles."""
    with applications("french") as opened:
        load(opened)
        yield opened


def load(application: Application) -> None:
    """The family is sent once a test session; then what was stored of it is copied."""
    settings = application.services.settings
    with MongoClient[dict[str, Any]](settings.mongo) as client:
        database, key = client[settings.database], (settings.mongo, settings.profiles)
        for name, rows in _stored.get(key, {}).items():
            database[name].delete_many({})
            database[name].insert_many(rows)
        if key not in _stored:
            answer = application.operator().post("", bundle())
            assert answer.status == 200, answer.json
            every = {name: list(database[name].find()) for name in database.list_collection_names()}
            _stored[key] = {name: rows for name, rows in every.items() if rows}
