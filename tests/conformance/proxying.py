"""A proxy in front of a server, which passes each exchange through a function that may spoil it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from fhirserver.conformance.wire import Wire
from tests.conformance.answering import Asked, Told, answering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Forward = Callable[[Asked], Told]
    """Asks the server behind, which does as it should."""
    Spoil = Callable[[Asked, Forward], Told]

_HOP = frozenset({"connection", "content-length", "date", "host", "keep-alive", "server", "transfer-encoding"})


def honest(asked: Asked, forward: Forward) -> Told:
    """Spoils nothing."""
    return forward(asked)


@contextmanager
def proxying(behind: str, spoil: Spoil) -> Iterator[str]:
    """The base of the proxy; addresses of the server `behind` become its own, and the other way round."""
    wire, root = Wire(), behind.removesuffix("/fhir")
    own = ""

    def forward(asked: Asked) -> Told:
        headers = {name: value for name, value in asked.headers.items() if name not in _HOP}
        body = asked.body.replace(own.encode(), root.encode()) or None
        answer = wire.send(asked.method, f"{root}{asked.path}", headers, body).answer
        wire.close()
        kept = {name: value.replace(root, own) for name, value in answer.headers.items() if name not in _HOP}
        return Told(answer.status, answer.content.replace(root.encode(), own.encode()), kept)

    with answering(lambda asked: spoil(asked, forward)) as (base, _):
        own = base.removesuffix("/fhir")
        yield base
