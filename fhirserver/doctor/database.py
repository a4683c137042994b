"""The database: reachable, fit for transactions, spoken to safely, and what it says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fhirserver import production
from fhirserver.doctor.finding import Finding, error, ok, warning
from fhirserver.store import StoreError
from fhirserver.store.condition import Condition, examine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.settings import Settings

OLDEST: Final = (7, 0)
MOST_SKEW: Final = 1.0
"""Seconds: tokens allow five, histories and traces are ordered by milliseconds."""
_DISK: Final = (
    "the database does not say that it encrypts what it keeps: encrypt its disks (LUKS, or the host's), its backups too"
)


def database(settings: Settings) -> Iterator[Finding]:
    """What the URI promises and what answers there. Production turns some warnings into errors."""
    if not settings.mongo:
        grave = error if settings.environment == "production" else warning
        yield grave("mongo", "the embedded database is one process on one disk: production takes a replica set.")
        return
    yield from _uri(settings)
    try:
        found = examine(settings.mongo, settings.database)
    except StoreError as fault:
        yield error("mongo", str(fault))
        return
    yield from _found(settings, found)


def _uri(settings: Settings) -> Iterator[Finding]:
    grave = error if settings.environment == "production" else warning
    if not production.has_tls(settings.mongo):
        yield grave("mongo", "the connection is not encrypted: add tls=true to the connection string.")
    elif not production.checks_certificates(settings.mongo):
        yield grave("mongo", "certificates are not checked: take tlsInsecure and tlsAllowInvalid… away.")
    else:
        yield ok("mongo", "the connection is encrypted, certificates are checked.")


def _found(settings: Settings, found: Condition) -> Iterator[Finding]:
    grave = error if settings.environment == "production" else warning
    version = ".".join(str(each) for each in found.version)
    if found.version < OLDEST and not found.embedded:
        yield error("mongo", f"MongoDB {version} is too old: 7.0 or later.")
    else:
        yield ok("mongo", f"MongoDB {version} answers, with transactions.")
    if not found.authenticated:
        yield grave("mongo", "whoever reaches the database reads it: turn authorization on.")
    if found.members in (1, 2):
        yield grave("mongo", f"{found.members} member(s): a replica set of three survives the loss of one.")
    if found.encrypted is None:
        yield warning("mongo", _DISK + ".")
    if abs(found.skew) > MOST_SKEW:
        yield error("clock", f"the database's clock is {found.skew:+.1f} s off this machine's: synchronise both (NTP).")
