from __future__ import annotations

import io
import logging
import logging.config
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.rest import edge
from fhirserver.serving.http import LOGGING
from fhirserver.serving.logs import Reticent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.application import Application

INS = "279035121518989"


@pytest.fixture
def told() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Reticent())
    root = logging.getLogger()
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)


def test_a_fault_is_told_by_its_kind_place_and_request_and_not_by_what_it_says(
    application: Application, told: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        try:
            int(INS + "x")
        except ValueError as error:
            raise LookupError(f"Patient {INS}") from error

    monkeypatch.setattr(edge, "Exchange", broken)
    answer = application.operator().get("Patient/x", X_Request_Id="request-4711")
    assert answer.status == 500
    assert INS not in answer.content.decode()
    line = told.getvalue()
    assert "request-4711" in line
    assert "builtins.ValueError" in line
    assert "builtins.LookupError" in line
    assert "test_logs.py" in line
    assert INS not in line


def test_what_the_workers_log_goes_through_it() -> None:
    root: Any = LOGGING["root"]
    handlers: Any = LOGGING["handlers"]
    formatters: Any = LOGGING["formatters"]
    assert [formatters[handlers[each]["formatter"]]["()"] for each in root["handlers"]] == [
        f"{Reticent.__module__}.{Reticent.__qualname__}"
    ]
