"""The gateway's listener: of the workers of a server one listens, and another where that one has ended."""

from __future__ import annotations

import logging
import ssl
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from fhirserver.mail.gateway import NotTaken
from fhirserver.rest.messages.incoming import LATER, taken
from fhirserver.settings import SettingsError

if TYPE_CHECKING:
    from threading import Event

    from flask import Flask

    from fhirserver.mail.gateway import Handed, Incoming
    from fhirserver.rest.services import Services
    from fhirserver.rest.threads import Threads

EVERY: Final = 5.0
"""Seconds between two tries to listen."""
_log = logging.getLogger(__name__)


class Receiving:
    """Takes letters in for one worker, where the settings say so."""

    def __init__(self, app: Flask, services: Services, gateway: Incoming | None = None) -> None:
        self._app, self._services = app, services
        self._gateway = gateway

    def start(self, threads: Threads) -> None:
        if self._gateway is None and self._services.settings.mssante_listen:
            self._gateway = listener(self._services)
        if self._gateway is not None:
            threads.begin("receiving", self._run)

    def take(self, handed: Handed) -> None:
        """One letter. Raises NotTaken."""
        try:
            with self._app.app_context():
                taken(self._services, handed)
        except NotTaken:
            raise
        except Exception:
            _log.exception("unexpected fault in taking a letter")
            raise NotTaken(LATER, lasting=False) from None

    def _run(self, ended: Event) -> None:
        while not ended.is_set():
            if self._listens():
                ended.wait()
                self._stop()
            ended.wait(EVERY)

    def _listens(self) -> bool:
        """False where another worker does."""
        try:
            if self._gateway is not None:
                self._gateway.start(self.take)
        except OSError:
            return False
        return True

    def _stop(self) -> None:
        if self._gateway is not None:
            self._gateway.stop()


def listener(services: Services) -> Incoming:
    """The SMTP listener that the settings name. Raises SettingsError, OSError for a certificate that cannot be read."""
    try:
        from fhirserver.mail.listening import SmtpIncoming
    except ImportError:
        raise SettingsError("mssante_listen: install fhirserver[mssante], which brings aiosmtpd.") from None
    settings = services.settings
    host, _, port = settings.mssante_listen.rpartition(":")
    relays = [ip_network(each) for each in settings.mssante_relays.replace(",", " ").split()]
    tls = None
    if settings.mssante_certificate_file:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(settings.mssante_certificate_file)
    return SmtpIncoming(host, int(port), relays, tls)
