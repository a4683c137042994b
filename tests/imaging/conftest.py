from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.application import application, applications, embedded_uri
from tests.imaging.serving import Faulty, running

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["application", "applications", "embedded_uri"]


@pytest.fixture(scope="module")
def server() -> Iterator[Faulty]:
    with running() as found:
        yield found
