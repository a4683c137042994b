"""Sends the traces to a syslog server over TLS (RFC 5425), each at least once, whichever workers come and go.

One worker at a time does it. How far it got in each chain is kept in the database; what was sent, but not noted before
the worker ended or the connection broke, is sent again: the record's id is the AuditEvent's.
"""

from __future__ import annotations

import socket
import ssl
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.access import Access
from fhirserver.audit.rendering import rendered
from fhirserver.audit.sight import Sight
from fhirserver.audit.syslog import framed, message

if TYPE_CHECKING:
    from fhirserver.clock import Clock
    from fhirserver.store import Store

REGISTER: Final = "syslog"
_POSITION: Final = "position"
_LEASE: Final = "lease"
_LASTS: Final = timedelta(minutes=1)
_AT_ONCE: Final = 500
_SECONDS: Final = 10.0
_LATELY: Final = timedelta(minutes=15)
_HOUR: Final = 3600.0
_REASON: Final = "syslog"


class Target(NamedTuple):
    """A syslog server. `authorities`: file of those that vouch for it; `certificate`, `key`: files by which it knows
    this server; `dicom`: whether it wants audit messages of DICOM, not FHIR."""

    host: str
    port: int
    authorities: str = ""
    certificate: str = ""
    key: str = ""
    dicom: bool = True


class Export:
    """Sends to one server what the database at hand traces; `base`: the server's own FHIR base, `clock`: its time."""

    def __init__(self, store: Store, target: Target, base: str, clock: Clock) -> None:
        self._store, self._target, self._base, self._clock = store, target, base, clock
        self._rows = store.register(REGISTER)
        self._holder = uuid.uuid4().hex
        self._connection: ssl.SSLSocket | None = None
        self._whole = 0.0

    def round(self, now: datetime | None = None) -> int:
        """Sends what is new, if no other worker is at it; how many records. Raises OSError or Unavailable.

        A server does not say what it has taken: when it is found to have gone away, what was sent in the last round
        before that is sent again.
        """
        now = now or datetime.now(UTC)
        if not self._hold(now):
            return 0
        position = self._rows.find(_POSITION, now) or {"chains": {}, "before": {}}
        known: dict[str, int] = dict(position["chains"])
        if self._is_lost():
            known = dict(position["before"])
            self._whole = 0.0
        before, sent = dict(known), 0
        try:
            for record in self._new(known):
                if "who" in record:
                    self._send(record)
                    sent += 1
                known[record["chain"]] = record["n"]
        except OSError:
            self.close()
            known = before
            raise
        finally:
            if known != position["chains"]:
                self._rows.put(_POSITION, {"chains": known, "before": before})
        return sent

    def _new(self, known: dict[str, int]) -> list[dict[str, Any]]:
        """What is beyond the position: sought among the chains of late, and now and then among all."""
        whole = time.monotonic() >= self._whole
        since = None if whole else self._clock() - _LATELY
        found = self._store.new_traces(Access.system(_REASON), known, since, _AT_ONCE)
        if whole and len(found) < _AT_ONCE:
            self._whole = time.monotonic() + _HOUR
        return found

    def _is_lost(self) -> bool:
        """Whether the server has closed the connection that there was."""
        if self._connection is None:
            return False
        self._connection.settimeout(0)
        try:
            if self._connection.recv(1):
                return False
        except (ssl.SSLWantReadError, BlockingIOError):
            return False
        except OSError:
            pass
        finally:
            self._connection.settimeout(_SECONDS)
        self.close()
        return True

    def _hold(self, now: datetime) -> bool:
        """Whether this worker holds the lease, from now on for a minute."""
        mine = {"holder": self._holder, "end": now + _LASTS}
        row = self._rows.find(_LEASE, now)
        if row is None:
            return self._rows.add(_LEASE, mine)
        if row["holder"] != self._holder and row["end"] > now:
            return False
        return self._rows.change(_LEASE, mine, holder=row["holder"], end=row["end"]) is not None

    def _send(self, record: dict[str, Any]) -> None:
        event = rendered(record, Sight(), self._base)
        host = self._base.partition("://")[2].partition("/")[0]
        connection = self._connection = self._connection or self._connected()
        connection.sendall(framed(message(event, host, dicom=self._target.dicom)))

    def _connected(self) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=self._target.authorities or None)
        if self._target.certificate:
            context.load_cert_chain(self._target.certificate, self._target.key or None)
        plain = socket.create_connection((self._target.host, self._target.port), _SECONDS)
        try:
            return context.wrap_socket(plain, server_hostname=self._target.host)
        except BaseException:
            plain.close()
            raise

    def close(self) -> None:
        """Ends the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
