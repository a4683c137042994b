"""The thread of a worker that looks after traces and notices."""

from __future__ import annotations

import logging
import os
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from fhirserver.access import NOTICE, Access
from fhirserver.audit.anchors import Anchors, purge
from fhirserver.audit.deliveries import Deliveries
from fhirserver.audit.export import Export, Target
from fhirserver.errors import FhirError
from fhirserver.espace.erasure import due as erase_due
from fhirserver.espace.reminders.telling import Telling
from fhirserver.espace.space import Actor, due
from fhirserver.mail import mailer_of
from fhirserver.rest.messages.outgoing import carrier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from threading import Event

    from fhirserver.rest.services import Services
    from fhirserver.rest.threads import Threads

EVERY: Final = 1.0
"""Seconds between two rounds."""
HOUR: Final = 3600.0
SENDING: Final = 5.0
REMINDING: Final = 30.0
AT_ONCE: Final = 500
"""Notices removed by one command."""
_TOLD: Final = f"_tag|{NOTICE['system']}|{NOTICE['code']}"
_log = logging.getLogger(__name__)


class Keeping:
    """What one worker does now and then. What it was at when it ended, another worker takes up."""

    def __init__(self, services: Services) -> None:
        settings = services.settings
        self._services = services
        mailer = mailer_of(settings)
        self._deliveries = Deliveries(
            services.store, services.notices, mailer, self._addresses, services.issuer, carrier(services)
        )
        worker = f"{services.instance}-{os.getpid()}"
        self._anchors = Anchors(services.store, services.chains, worker, settings.anchor_file)
        self._duties: list[tuple[float, Callable[[], object]]] = [(0.0, self.deliver), (HOUR, self.purge)]
        self._duties += [(HOUR, self.spaces), (REMINDING, self.reminders)]
        if settings.anchor_seconds:
            self._duties.append((settings.anchor_seconds, self.anchor))
        self._export = self._exporting()
        if self._export is not None:
            self._duties.append((SENDING, self._export.round))
        self._next = dict.fromkeys(range(len(self._duties)), 0.0)

    def start(self, threads: Threads) -> None:
        threads.begin("keeping", self._run)

    def deliver(self, now: datetime | None = None) -> int:
        """Tells the news that are due; how many they were. Raises Unavailable."""
        return self._deliveries.round(now)

    def anchor(self) -> str | None:
        """Anchors the chains of this process, unless nothing happened. Raises Unavailable."""
        return self._anchors.anchor(self._services.clock())

    def purge(self) -> int:
        """Throws away traces past their time; of how many chains. Raises Unavailable."""
        self.forget_notices()
        days, now = self._services.settings.trace_days, self._services.clock()
        return purge(self._services.store, self._services.chains, now - timedelta(days=days), now) if days else 0

    def forget_notices(self) -> int:
        """Removes what the person was told, past its time; how many. Raises Unavailable."""
        days, now, removed = self._services.settings.notice_days, self._services.clock(), 0
        access = Access.system("notices past their time", now)
        while days:
            found = self._services.store.forget(access, "Communication", _TOLD, now - timedelta(days=days), AT_ONCE)
            removed += found
            if found < AT_ONCE:
                break
        return removed

    def spaces(self) -> dict[str, int]:
        """Has happen what time brings to spaces; how often what did. Raises Unavailable."""
        found, now = self._services, self._services.clock()
        counts = due(found.spaces, found.definitions, now)
        actor = Actor("time", Access.system("erasure", now))
        erased = erase_due(found.erasure, found.spaces.to_erase(now), actor)
        return counts | ({"erase": erased} if erased else {})

    def reminders(self) -> int:
        """Tells what prevention proposes, to whom something is due; how many persons. Raises Unavailable."""
        found = self._services
        return Telling(found.store, found.chains, found.definitions).round(found.clock())

    def _exporting(self) -> Export | None:
        settings = self._services.settings
        if not settings.syslog_tls_host:
            return None
        target = Target(
            settings.syslog_tls_host,
            settings.syslog_tls_port,
            settings.syslog_tls_ca,
            settings.syslog_tls_cert,
            settings.syslog_tls_key,
            settings.syslog_format == "dicom",
        )
        return Export(self._services.store, target, self._services.base, self._services.clock)

    def _addresses(self, patient: str, secret: bool) -> Iterable[str]:
        """The proven addresses of the person's account, and of the representatives' unless it is secret."""
        room = self._services.accounts
        for account in room.accounts.of_patient(patient):
            held = [each for each in account.records if each.patient == patient]
            own = any(each.related is None for each in held)
            if account.mail and (own or (not secret and any(map(room.people.stands_for, held)))):
                yield account.mail

    def _run(self, ended: Event) -> None:
        while not ended.wait(EVERY):
            for place, (seconds, duty) in enumerate(self._duties):
                if time.monotonic() < self._next[place]:
                    continue
                self._next[place] = time.monotonic() + seconds
                try:
                    duty()
                except FhirError:  # the database is away
                    continue
                except OSError as error:
                    _log.warning("a server that traces or anchors go to cannot be reached: %s", type(error).__name__)
                except Exception:
                    _log.exception("unexpected fault in keeping traces and notices")
