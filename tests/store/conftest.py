from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.database import database_name, embedded_uri
from tests.store.standin import Rules, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.store import Store

__all__ = ["database_name", "embedded_uri"]


@pytest.fixture
def rules() -> Rules:
    return Rules()


@pytest.fixture
def store(embedded_uri: str, database_name: str, rules: Rules) -> Iterator[Store]:
    opened = open_store(embedded_uri, database_name, rules)
    yield opened
    opened.close()
