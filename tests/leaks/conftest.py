from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.application import applications as served
from tests.application import embedded_uri
from tests.leaks.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

HERE = Path(__file__).parent
__all__ = ["embedded_uri", "served"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The same requests over and over, of code that the tests of its own rooms cover: not measured, a third faster."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("no_cover")


@pytest.fixture(scope="session")
def applications(served: Callable[..., Any]) -> Callable[..., Any]:
    """Servers whose traces are not shown as AuditEvents: what each requester did is another thing than what he may see
    (`tests/rest/tracing`), and bears ids that no two servers have in common."""

    def make(*profiles: str, **settings: Any) -> Any:
        return served(*profiles, store={"traced": None, **settings.pop("store", {})}, **settings)

    return make


@pytest.fixture(scope="module")
def world(applications: Callable[..., Any]) -> Iterator[World]:
    with applications() as application:
        yield World(application)
