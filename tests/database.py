"""A real database for tests: one embedded process a test session, one database a test.

A room's conftest takes what it needs: `from tests.database import database_name, embedded_uri`.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from pymongo import MongoClient

from fhirserver.store import Embedded

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def embedded_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URI of an embedded database that lives as long as the test session (with pytest-xdist: one a worker)."""
    embedded = Embedded(tmp_path_factory.mktemp("embedded") / "data", sync=False)
    yield embedded.start()
    embedded.stop()


@pytest.fixture
def database_name(embedded_uri: str) -> Iterator[str]:
    """A database that is empty, and dropped after the test."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    yield name
    with MongoClient[dict[str, object]](embedded_uri) as client:
        client.drop_database(name)
