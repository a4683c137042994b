"""The thread of a worker that looks after traces and notices."""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from fhirserver.audit.anchors import Anchors, purge
from fhirserver.audit.deliveries import Deliveries
from fhirserver.errors import FhirError
from fhirserver.mail import mailer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from fhirserver.rest.services import Services

EVERY: Final = 1.0
"""Seconds between two rounds."""
HOUR: Final = 3600.0
_log = logging.getLogger(__name__)


class Keeping:
    """What one worker does now and then. It ends with the process; what it was at, another worker takes up."""

    def __init__(self, services: Services) -> None:
        settings = services.settings
        self._services = services
        mailer = mailer_of(settings)
        self._deliveries = Deliveries(services.store, services.notices, mailer, self._addresses, services.issuer)
        self._anchors = Anchors(services.store, services.chains, services.instance, settings.anchor_file)
        self._duties: list[tuple[float, Callable[[], object]]] = [(0.0, self.deliver), (HOUR, self.purge)]
        if settings.anchor_seconds:
            self._duties.append((settings.anchor_seconds, self.anchor))
        self._next = dict.fromkeys(range(len(self._duties)), 0.0)

    def start(self) -> None:
        threading.Thread(target=self._run, name="keeping", daemon=True).start()

    def deliver(self, now: datetime | None = None) -> int:
        """Tells the news that are due; how many they were. Raises Unavailable."""
        return self._deliveries.round(now)

    def anchor(self) -> str | None:
        """Anchors the chains of this process, unless nothing happened. Raises Unavailable."""
        return self._anchors.anchor(self._services.clock())

    def purge(self) -> int:
        """Throws away traces past their time; of how many chains. Raises Unavailable."""
        days, now = self._services.settings.trace_days, self._services.clock()
        return purge(self._services.store, self._services.chains, now - timedelta(days=days), now) if days else 0

    def _addresses(self, patient: str, secret: bool) -> Iterable[str]:
        """The proven addresses of the person's account, and of the representatives' unless it is secret."""
        found = self._services.accounts.accounts.of_patient(patient)
        for account in found:
            own = any(each.patient == patient and each.related is None for each in account.records)
            if account.mail and (own or not secret):
                yield account.mail

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(EVERY):
            for place, (seconds, duty) in enumerate(self._duties):
                if time.monotonic() < self._next[place]:
                    continue
                self._next[place] = time.monotonic() + seconds
                try:
                    duty()
                except FhirError:  # the database is away
                    continue
                except Exception:
                    _log.exception("unexpected fault in keeping traces and notices")
