from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.rest.cda.case import HOSPITAL, LABORATORY, NUMBERS, Case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Application, Caller


@pytest.fixture(scope="module")
def server(applications: Callable[..., Any]) -> Iterator[Application]:
    with applications(profiles="french") as opened:
        yield opened


@pytest.fixture
def case() -> Case:
    return Case(next(NUMBERS))


@pytest.fixture
def record(server: Application, case: Case) -> str:
    return server.operator().create(case.person())


@pytest.fixture
def lab(server: Application) -> Caller:
    return server.system(LABORATORY, "lab")


@pytest.fixture
def hospital(server: Application) -> Caller:
    return server.system(HOSPITAL, "hospital")
