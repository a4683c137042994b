from __future__ import annotations

import pytest

from fhirserver.search import Indexer
from fhirserver.spec import Definitions
from tests.database import database_name, embedded_uri
from tests.search.naive import BASE

__all__ = ["database_name", "embedded_uri"]


@pytest.fixture(scope="session")
def defs() -> Definitions:
    return Definitions.core()


@pytest.fixture(scope="session")
def indexer(defs: Definitions) -> Indexer:
    return Indexer(defs, base_url=BASE, timezone="Europe/Paris")
