"""Messages as letters of secure e-mail (MSSanté): what goes out, what comes in, and the gateway that carries them.

A gateway is two things, either of which may be another than the SMTP one here: `Outgoing` hands a letter over,
`Incoming` runs until it is stopped and has each letter that arrives taken (`take`), or refused.
"""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from typing import TYPE_CHECKING, NamedTuple, Protocol

from fhirserver.mail.message import is_address
from fhirserver.mail.smtp import Mailer, Undelivered

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


class Enclosure(NamedTuple):
    """A file of a letter."""

    name: str
    media: str
    data: bytes


class Letter(NamedTuple):
    """A letter to one address. `id`: its Message-ID, without `<>`, always the same for a message; `answers`: those of
    the letters before in its thread, the oldest first; `name`: the sender's, as it is shown."""

    id: str
    sender: str
    name: str
    to: str
    subject: str
    text: str
    sent: datetime
    answers: tuple[str, ...] = ()
    enclosures: tuple[Enclosure, ...] = ()

    def composed(self) -> EmailMessage:
        """The letter as it goes out (RFC 5322, RFC 2045). Raises ValueError for what is no address, and for a subject
        or name of several lines."""
        if not is_address(self.sender) or not is_address(self.to):
            raise ValueError("this is no e-mail address")
        made = EmailMessage()
        made["From"], made["To"] = formataddr((self.name, self.sender)), self.to
        made["Subject"], made["Date"] = self.subject, format_datetime(self.sent)
        made["Message-ID"] = f"<{self.id}>"
        if self.answers:
            made["In-Reply-To"] = f"<{self.answers[-1]}>"
            made["References"] = " ".join(f"<{each}>" for each in self.answers)
        made.set_content(self.text)
        for each in self.enclosures:
            main, _, sub = each.media.partition(";")[0].partition("/")
            made.add_attachment(each.data, maintype=main, subtype=sub, filename=each.name)
        return made


class Handed(NamedTuple):
    """A letter as it arrives: the envelope's sender and one recipient, and the bytes."""

    sender: str
    recipient: str
    data: bytes


class NotTaken(Exception):
    """A letter that is not taken; the text is for who sends it. `lasting`: nor will it be another time."""

    def __init__(self, text: str, *, lasting: bool = True) -> None:
        super().__init__(text)
        self.lasting = lasting


class Outgoing(Protocol):
    """What letters are handed to."""

    def send(self, letter: Letter) -> None:
        """Returns when the letter was taken over. Raises Undelivered."""
        ...


class Incoming(Protocol):
    """Where letters come from."""

    def start(self, take: Callable[[Handed], None]) -> None:
        """Has each letter taken; `take` raises NotTaken. Returns at once."""
        ...

    def stop(self) -> None: ...


class SmtpOutgoing(NamedTuple):
    """Hands letters to an SMTP relay."""

    relay: Mailer

    def send(self, letter: Letter) -> None:
        try:
            composed = letter.composed()
        except ValueError:
            raise Undelivered("The letter has no address that it can be sent to.", lasting=True) from None
        self.relay.hand(composed)
