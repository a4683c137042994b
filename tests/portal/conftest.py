from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.application import application, applications, embedded_uri
from tests.mail.server import Box, smtp_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Application

__all__ = ["application", "applications", "embedded_uri"]

QUICK = {"password_memory": 64, "password_passes": 1}


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Box]:
    with smtp_server(Box()) as box:
        yield box


@pytest.fixture(scope="module")
def house(applications: Callable[..., Any], mailbox: Box) -> Iterator[Application]:
    """A server that sends e-mail, and hashes passwords quickly."""
    sending = {"smtp_host": "127.0.0.1", "smtp_port": mailbox.port, "smtp_security": "none"}
    with applications(**QUICK, **sending, smtp_from="espace@sante.example") as opened:
        yield opened
