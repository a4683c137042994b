from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.cli.demo import bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Application


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
    answer = application.operator().post("", bundle())
    assert answer.status == 200, answer.json
