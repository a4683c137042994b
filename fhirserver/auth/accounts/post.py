"""One-time codes and notices to an address of the person: by e-mail, or by text message."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver.mail import Undelivered

if TYPE_CHECKING:
    from fhirserver.mail import Mailer, TextGateway

CHANNELS: Final = ("mail", "phone")
_log = logging.getLogger(__name__)


class Post(NamedTuple):
    """What the settings offer; None of what they do not name."""

    mailer: Mailer | None
    texts: TextGateway | None

    @property
    def channels(self) -> tuple[str, ...]:
        return tuple(name for name, way in zip(CHANNELS, self, strict=True) if way is not None)

    def send(self, channel: str, to: str, subject: str, text: str) -> None:
        """Returns when the message was taken. Raises Undelivered."""
        if channel == "mail" and self.mailer is not None:
            self.mailer.send(to, subject, text)
        elif channel == "phone" and self.texts is not None:
            self.texts.send(to, text)
        else:
            raise Undelivered("The server is not set to send such messages.")

    def send_aside(self, channel: str, to: str, subject: str, text: str) -> None:
        """Sends while the answer leaves, so that the time it takes tells nothing; a failure is logged. A worker
        that ends waits for it."""
        threading.Thread(target=self._try, args=(channel, to, subject, text), name="post").start()

    def _try(self, channel: str, to: str, subject: str, text: str) -> None:
        try:
            self.send(channel, to, subject, text)
        except Undelivered as error:
            _log.warning("a message to a person was not delivered: %s", error)


def masked(channel: str, address: str) -> str:
    """An address as it is shown to who may not be its owner."""
    if channel == "phone":
        return "•• •• •• •• " + address[-2:]
    name, _, host = address.partition("@")
    return f"{name[:1]}•••@{host[:1]}•••.{host.rpartition('.')[2]}"
