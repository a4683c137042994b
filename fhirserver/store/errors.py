"""What the database may answer, as the house's own errors.

A fault of set-up (`StoreError`) ends the start of the server with a text for its operator. Everything that goes wrong
while requests are served becomes a `FhirError`; the network, time and capacity are `Unavailable` with `Retry-After`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pymongo.errors import (
    ConnectionFailure,
    DocumentTooLarge,
    DuplicateKeyError,
    ExecutionTimeout,
    InvalidOperation,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)

from fhirserver.errors import Conflict, FhirError, TooLarge, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

RETRY_AFTER: Final = "2"
"""Seconds that a client is asked to wait: an embedded database that died is back in one."""

WRITE_CONFLICT: Final = 112
_NO_SUCH_TRANSACTION: Final = 251
_AWAY: Final = frozenset({91, 189, 11600, 11602, 10107, 13435, 13436, 262, 134, 246})
"""Shutting down, stepping down, not primary, time over, read concern or snapshot not yet there."""

_TOO_LARGE: Final = frozenset({10334, 17419})


class StoreError(Exception):
    """The database cannot be used as it is set up; the text tells the operator what to change."""


def is_transient(error: PyMongoError) -> bool:
    """Whether the whole transaction may be run again, and at once: nothing of it was stored."""
    if isinstance(error, ServerSelectionTimeoutError):  # a wait for the database is over already
        return False
    return error.has_error_label("TransientTransactionError") or (
        isinstance(error, OperationFailure) and error.code in (WRITE_CONFLICT, _NO_SUCH_TRANSACTION)
    )


def as_fhir(error: PyMongoError) -> FhirError | None:
    """The error as a client sees it; None for a fault of this program, which stays what it is."""
    if isinstance(error, ConnectionFailure | WaitQueueTimeoutError):
        return _away("The database is not reachable at the moment.")
    if isinstance(error, ExecutionTimeout):
        return _away("The database did not answer in time: try again, or ask for less at once.", code="timeout")
    if is_transient(error):
        return _away("Too many writes at once on the same records.")
    if isinstance(error, OperationFailure) and error.code in _AWAY:
        return _away("The database is not ready at the moment.")
    if isinstance(error, DuplicateKeyError):
        return Conflict("A resource with this id was stored meanwhile.")
    if isinstance(error, OperationFailure) and error.code in _TOO_LARGE:
        return _too_large()
    if isinstance(error, InvalidOperation) and "closed" in str(error):
        return _away("The server is shutting down.")
    return None


def unclear() -> Unavailable:
    """The commit was sent, and nothing tells whether it arrived."""
    return _away("The database went away while it stored this. It may have been stored: look before you repeat it.")


def busy() -> Unavailable:
    """Others are at it for so long that the client is asked to come again."""
    return _away("Too many large writes at once.")


@contextmanager
def translated() -> Iterator[None]:
    """Within it, errors of the driver are raised as errors of the house."""
    try:
        yield
    except DocumentTooLarge:
        raise _too_large() from None
    except PyMongoError as error:
        known = as_fhir(error)
        if known is None:
            raise
        raise known from error


def _away(text: str, code: str | None = None) -> Unavailable:
    return Unavailable(text, code=code, headers={"Retry-After": RETRY_AFTER})


def _too_large() -> TooLarge:
    return TooLarge("The resource has more to be found by than one document can hold.")
