"""The server's messages, on standard error: when, how grave, which request, what. Never what a resource says.

The text of an exception may repeat a value: of a fault only its kind and its place are told.
"""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any, Final

from flask import g, has_request_context

if TYPE_CHECKING:
    from types import TracebackType

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
