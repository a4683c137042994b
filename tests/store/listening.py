"""What a store sends to the database."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pymongo import monitoring

if TYPE_CHECKING:
    from collections.abc import Iterator


_READS = {
    "aggregate": ("aggregate", "pipeline", "cursor"),
    "find": ("find", "filter", "sort", "limit"),
    "count": ("count", "query"),
    "distinct": ("distinct", "key", "query"),
}
"""Commands that read, with the members that decide how."""


class Pipelines(monitoring.CommandListener):
    """The aggregations of the clients that are made while it is `heard`; `reads`: these and finds, as commands."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, list[dict[str, Any]]]] = []
        self.reads: list[dict[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in _READS:
            self.reads.append({key: value for key, value in event.command.items() if key in _READS[event.command_name]})
        if event.command_name == "aggregate":
            self.seen.append((event.command["aggregate"], event.command["pipeline"]))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...
    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


@contextmanager
def listening() -> Iterator[Pipelines]:
    """Clients made within report to the listener, as long as they live."""
    listener = Pipelines()
    monitoring.register(listener)
    try:
        yield listener
    finally:
        monitoring._LISTENERS.command_listeners.remove(listener)
