from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.application import applications, embedded_uri
from tests.leaks.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

__all__ = ["applications", "embedded_uri"]


@pytest.fixture(scope="module")
def world(applications: Callable[..., Any]) -> Iterator[World]:
    with applications() as application:
        yield World(application)
