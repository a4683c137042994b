"""Hands e-mails to an SMTP server (RFC 5321), over TLS unless the settings say otherwise."""

from __future__ import annotations

import smtplib
import ssl
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver.mail.message import Message
from fhirserver.settings import SettingsError

if TYPE_CHECKING:
    from email.message import EmailMessage

    from fhirserver.settings import Settings

SECONDS: Final = 10.0
"""Time that the server has for each step."""


class Undelivered(Exception):
    """An e-mail that the SMTP server did not take; the text names no address.

    `lasting`: it will not take it another time either, for its address is refused.
    """

    def __init__(self, text: str, *, lasting: bool = False) -> None:
        super().__init__(text)
        self.lasting = lasting


class Mailer(NamedTuple):
    """An SMTP server. `security`: `starttls`, `tls` or `none`; `authorities`: file of those that vouch for it."""

    host: str
    port: int
    sender: str
    security: str = "starttls"
    user: str = ""
    password: str = ""
    authorities: str = ""
    seconds: float = SECONDS

    def send(self, to: str, subject: str, text: str) -> None:
        """Sends a text at once; returns when the SMTP server has taken it. Raises Undelivered."""
        self.deliver(Message(to, subject, text, uuid.uuid4().hex))

    def deliver(self, message: Message) -> None:
        """Sends a message at once; returns when the SMTP server has taken it. Raises Undelivered."""
        try:
            composed = message.composed(self.sender, datetime.now(UTC))
        except ValueError:
            raise Undelivered("The e-mail has no address that it can be sent to.", lasting=True) from None
        self.hand(composed)

    def hand(self, composed: EmailMessage) -> None:
        """Hands over a message as it is; returns when the SMTP server has taken it. Raises Undelivered."""
        try:
            self._deliver(composed)
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
            raise Undelivered(f"The SMTP server refuses the recipient ({code}).", lasting=code >= 500) from None
        except smtplib.SMTPResponseException as error:
            raise Undelivered(f"The SMTP server refuses ({error.smtp_code}).") from None
        except (smtplib.SMTPException, OSError) as error:
            raise Undelivered(f"The SMTP server cannot be reached ({type(error).__name__}).") from None

    def _deliver(self, composed: EmailMessage) -> None:
        if self.security == "tls":
            with smtplib.SMTP_SSL(self.host, self.port, timeout=self.seconds, context=self._trust()) as server:
                self._hand_over(server, composed)
            return
        with smtplib.SMTP(self.host, self.port, timeout=self.seconds) as server:
            if self.security == "starttls":
                server.starttls(context=self._trust())
            self._hand_over(server, composed)

    def _hand_over(self, server: smtplib.SMTP, composed: EmailMessage) -> None:
        if self.user:
            server.login(self.user, self.password)
        server.send_message(composed)

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.authorities or None)


def mailer_of(settings: Settings) -> Mailer | None:
    """The SMTP server that the settings name, None when they name none. Raises SettingsError."""
    if not settings.smtp_host:
        return None
    return _mailer(settings, "smtp", settings.smtp_from)


def relay_of(settings: Settings) -> Mailer | None:
    """The relay that messages to professionals are handed to, None when the settings name none. Raises SettingsError.

    Its letters come from the addresses of persons.
    """
    return _mailer(settings, "mssante", "") if settings.mssante_host else None


def _mailer(settings: Settings, name: str, sender: str) -> Mailer:
    """The server of the settings whose names begin so."""
    told = {each: getattr(settings, f"{name}_{each}") for each in ("host", "port", "security", "user", "ca_file")}
    password = ""
    if file := getattr(settings, f"{name}_password_file"):
        try:
            password = Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingsError(f"{name}_password_file: cannot be read: {error.strerror}.") from None
    return Mailer(told["host"], told["port"], sender, told["security"], told["user"], password, told["ca_file"])
