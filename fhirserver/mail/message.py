"""One e-mail: plain text to one address (RFC 5322)."""

from __future__ import annotations

import re
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)


def is_address(text: str) -> bool:
    """Whether it is an address such as `nom@exemple.fr` (RFC 5321: ASCII, 254 characters at most)."""
    return len(text) <= 254 and len(text.partition("@")[0]) <= 64 and _ADDRESS.fullmatch(text) is not None


class Message(NamedTuple):
    """A text to one address. `id` makes the Message-ID, so that one sent twice is known as the same."""

    to: str
    subject: str
    text: str
    id: str

    def composed(self, sender: str, sent: datetime) -> EmailMessage:
        """The message as it goes out (RFC 5322; RFC 3834: nobody's answer machine replies to it).

        Raises ValueError for what is no address, and for a subject of several lines.
        """
        if not is_address(self.to) or not is_address(sender):
            raise ValueError("this is no e-mail address")
        made = EmailMessage()
        made["From"], made["To"], made["Subject"] = sender, self.to, self.subject
        made["Date"] = format_datetime(sent)
        made["Message-ID"] = f"<{self.id}@{sender.partition('@')[2]}>"
        made["Auto-Submitted"] = "auto-generated"
        made.set_content(self.text)
        return made
