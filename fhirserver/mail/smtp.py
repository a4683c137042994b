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
    password = ""
    if settings.smtp_password_file:
        try:
            password = Path(settings.smtp_password_file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingsError(f"smtp_password_file: cannot be read: {error.strerror}.") from None
    return Mailer(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_from,
        settings.smtp_security,
        settings.smtp_user,
        password,
        settings.smtp_ca_file,
    )
