from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.application import application, applications, embedded_uri
from tests.rest.agenda.world import Agenda, opened

if TYPE_CHECKING:
    from tests.application import Application

__all__ = ["application", "applications", "embedded_uri"]


@pytest.fixture
def agenda(application: Application) -> Agenda:
    return opened(application)
