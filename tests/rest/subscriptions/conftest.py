from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from fhirserver.rest.subscriptions.working import Working
from fhirserver.store import changes
from fhirserver.store.subscribers import LINGERS
from tests.application import application, applications, embedded_uri
from tests.rest.subscriptions.endpoint import Endpoint, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.application import Application

__all__ = ["application", "applications", "embedded_uri"]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    yield from opened()


@pytest.fixture
def working(application: Application, monkeypatch: pytest.MonkeyPatch) -> Iterator[Working]:
    """What a worker does in the background, done when a test says so. Ends with no Subscription left."""
    monkeypatch.setattr(changes, "WAIT", 0.05)
    found = Working(application.services)
    yield found
    operator = application.operator()
    for id in operator.search("Subscription", _count="1000").ids:
        operator.delete(f"Subscription/{id}")
    found.tailer.end()
    application.services.store.subscribers.sweep(datetime.now(UTC) + LINGERS)
