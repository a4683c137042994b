from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Application

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def house(applications: Callable[..., Any]) -> Iterator[Application]:
    """A server on 22 November 2026."""
    with applications() as opened:
        yield opened.at(NOW)
