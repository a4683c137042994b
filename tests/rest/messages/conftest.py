from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.rest.messages.people import House

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def house(applications: Callable[..., Any]) -> Iterator[House]:
    """A server with a record, its person, a mother, professionals; held to the French profiles."""
    with applications("french") as application:
        yield House(application)
