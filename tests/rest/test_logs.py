from __future__ import annotations

import io
import logging
import logging.config
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.rest import edge
from fhirserver.serving.logs import Daily, Reticent, configured

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
    told = configured("/var/log/x", 30)
    assert told["root"]["handlers"] == ["reticent", "daily"]
    made = [told["formatters"][told["handlers"][each]["formatter"]]["()"] for each in told["root"]["handlers"]]
    assert set(made) == {f"{Reticent.__module__}.{Reticent.__qualname__}"}
    assert configured("", 30)["root"]["handlers"] == ["reticent"]


def test_files_of_messages_are_by_day_for_their_owner_and_go_after_their_time(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    for days in (0, 29, 30, 31, 400):
        day = datetime.now(UTC).date() - timedelta(days=days)
        (folder / f"fhirserver-{day}.log").touch()
    (folder / "somebody-elses.log").touch()
    handler = Daily(str(folder), 30)
    handler.setFormatter(Reticent())
    handler.handle(logging.makeLogRecord({"msg": "one", "levelname": "INFO", "name": "x"}))
    handler.handle(logging.makeLogRecord({"msg": "two", "levelname": "INFO", "name": "x"}))
    handler.close()
    today = folder / f"fhirserver-{datetime.now(UTC).date()}.log"
    assert [line.rpartition(" ")[2] for line in today.read_text().splitlines()] == ["one", "two"]
    assert len(list(folder.iterdir())) == 4
    assert (folder / "somebody-elses.log").exists()
    fresh = Daily(str(tmp_path / "new"), 0)
    fresh.setFormatter(Reticent())
    fresh.handle(logging.makeLogRecord({"msg": "one", "levelname": "INFO", "name": "x"}))
    fresh.close()
    (made,) = (tmp_path / "new").iterdir()
    assert (made.stat().st_mode & 0o077, made.parent.stat().st_mode & 0o077) == (0, 0)
