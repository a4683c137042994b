from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.portal.record.visiting import holder, logged_in, professional
from tests.rest.agenda.world import DOCTOR, HOSPITAL, Agenda, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Application
    from tests.portal.browser import Browser


class Visit(NamedTuple):
    """An agenda with who looks at it in a browser."""

    agenda: Agenda
    mine: Browser
    theirs: Browser

    @property
    def path(self) -> str:
        return f"/dossier/{self.agenda.patient}/agenda"


@pytest.fixture(scope="module")
def place(applications: Callable[..., Any]) -> Iterator[Application]:
    with applications() as opened_:
        yield opened_


@pytest.fixture
def visit(place: Application) -> Visit:
    agenda = opened(place)
    return Visit(agenda, logged_in(agenda.server, holder(agenda.patient)), doctor(agenda.server))


def doctor(server: Application) -> Browser:
    return logged_in(server, professional(DOCTOR, HOSPITAL))
