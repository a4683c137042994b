"""The server's messages, on standard error and by day in files: when, how grave, which request, what. Never data.

The text of an exception may repeat a value: of a fault only its kind and its place are told.
"""

from __future__ import annotations

import logging
import os
import traceback
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flask import g, has_request_context

if TYPE_CHECKING:
    from types import TracebackType

PREFIX, SUFFIX = "fhirserver-", ".log"
FORMAT: Final = "%(asctime)s [%(levelname)s] %(name)s %(request)s: %(message)s"


class Reticent(logging.Formatter):
    """Lines with the request's id; exceptions without their text, and without the lines of code."""

    def __init__(self) -> None:
        super().__init__(FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        record.request = g.get("request_id", "-") if has_request_context() else "-"
        record.exc_text = None
        return super().format(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the library's name
        found: BaseException | None = ei[1]
        told: list[str] = []
        while found is not None:
            told.append(f"  {type(found).__module__}.{type(found).__qualname__}")
            told += _places(found.__traceback__)
            found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)
        return "\n".join(told)


def _places(trace: TracebackType | None) -> list[str]:
    return [f"    {each.filename}:{each.lineno} {each.name}" for each in traceback.extract_tb(trace)]


class Daily(logging.Handler):
    """Appends to a file of the day in a folder, for its owner only; files older than `days` (0: never) are removed.

    Several processes may write: each line is one write at the end of the file.
    """

    def __init__(self, folder: str, days: int) -> None:
        super().__init__()
        self._folder, self._days = Path(folder), days
        self._day: date | None = None
        self._file: int | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            today = datetime.now(UTC).date()
            if self._file is None or today != self._day:
                self._turn(today)
            if self._file is not None:
                os.write(self._file, f"{self.format(record)}\n".encode())
        except OSError:
            self.handleError(record)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
        super().close()

    def _turn(self, today: date) -> None:
        """Begins the file of a day."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._file is not None:
            os.close(self._file)
        self._file = os.open(self._folder / f"{PREFIX}{today}{SUFFIX}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._day = today
        oldest = f"{PREFIX}{today - timedelta(days=self._days)}{SUFFIX}"
        for each in self._folder.glob(f"{PREFIX}*{SUFFIX}") if self._days else ():
            if each.name < oldest:
                each.unlink(missing_ok=True)


def configured(folder: str, days: int) -> dict[str, Any]:
    """The configuration of messages (logging.config): standard error, and a folder when there is one."""
    handlers: dict[str, Any] = {
        "console": {"class": "logging.StreamHandler", "formatter": "generic", "filters": ["threads"]},
        "reticent": {"class": "logging.StreamHandler", "formatter": "reticent"},
    }
    if folder:
        handlers["daily"] = {"()": f"{__name__}.Daily", "folder": folder, "days": days, "formatter": "reticent"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "generic": {"format": "[%(levelname)s] %(message)s"},
            "reticent": {"()": f"{__name__}.Reticent"},
        },
        "filters": {"threads": {"()": "fhirserver.serving.http.not_about_threads"}},
        "handlers": handlers,
        "root": {"handlers": [each for each in ("reticent", "daily") if each in handlers], "level": "INFO"},
        "loggers": {"_granian": {"handlers": ["console"], "propagate": False}, "pymongo": {"level": "WARNING"}},
    }
