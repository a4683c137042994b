"""A letter taken apart: who wrote it, what it says, what is enclosed. Nothing of it is trusted.

Text is preferred to HTML, of which only the words are left. Raises NotTaken for what is no letter that can be read.
"""

from __future__ import annotations

import html
import re
from email import message_from_bytes
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import default
from email.utils import parseaddr
from typing import TYPE_CHECKING, Final, NamedTuple

import nh3

from fhirserver.mail.gateway import NotTaken
from fhirserver.mail.message import is_address

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES: Final = 16 * 1024 * 1024
MOST_PARTS: Final = 50
MOST_DEPTH: Final = 8
MOST_ANSWERS: Final = 50
_IDS: Final = re.compile(r"<([^<>\s]{1,250})>")
_BLOCKS: Final = re.compile(r"<\s*(?:br|/p|/div|/li|/tr|/h[1-6])\b[^>]*>", re.IGNORECASE)
_UNREADABLE: Final = "5.6.0 The letter cannot be read."


class File(NamedTuple):
    name: str
    data: bytes


class Parsed(NamedTuple):
    """`id`: its Message-ID, without `<>`; `answers`: those it refers to, the one it answers first; `automatic`: no
    person wrote it (RFC 3834)."""

    id: str
    sender: str
    subject: str
    text: str
    files: tuple[File, ...]
    answers: tuple[str, ...]
    automatic: bool


def parsed(data: bytes) -> Parsed:
    """What a letter says. Raises NotTaken."""
    if len(data) > MOST_BYTES:
        raise NotTaken(f"5.3.4 A letter has {MOST_BYTES} bytes at most.")
    try:
        found = message_from_bytes(data, policy=default)
        return _parsed(found)
    except NotTaken:
        raise
    except (MessageError, ValueError, LookupError, AttributeError, TypeError, IndexError, RecursionError):
        raise NotTaken(_UNREADABLE) from None


def _parsed(letter: EmailMessage) -> Parsed:
    parts = list(_leaves(letter))
    ids = _IDS.findall(str(letter["Message-ID"] or ""))
    senders = letter.get_all("From") or []
    sender = parseaddr(str(senders[0]))[1] if len(senders) == 1 else ""
    if len(ids) != 1 or not is_address(sender):
        raise NotTaken("5.6.0 A letter has one Message-ID and one From.")
    answers = [
        *_IDS.findall(str(letter["In-Reply-To"] or "")),
        *reversed(_IDS.findall(str(letter["References"] or ""))),
    ]
    automatic = str(letter["Auto-Submitted"] or "no").strip().lower() != "no" or "List-Id" in letter
    body = _body(letter, parts)
    files = tuple(_file(each) for each in parts if each is not body and not _is_twin(each, body))
    text = _text(body) if body is not None else ""
    subject = _line(str(letter["Subject"] or ""))
    return Parsed(ids[0], sender, subject, text, files, tuple(dict.fromkeys(answers))[:MOST_ANSWERS], automatic)


def _leaves(letter: EmailMessage) -> Iterator[EmailMessage]:
    """The parts that hold something. Raises NotTaken where there are too many, or too deep ones."""
    todo, count = [(letter, 0)], 0
    while todo:
        part, depth = todo.pop(0)
        count += 1
        if count > MOST_PARTS or depth > MOST_DEPTH:
            raise NotTaken("5.6.0 The letter has too many parts.")
        if part.get_content_type() == "message/rfc822":
            raise NotTaken("5.6.0 A letter within a letter is not taken: enclose a PDF.")
        if part.is_multipart():
            todo = [(each, depth + 1) for each in part.iter_parts() if isinstance(each, EmailMessage)] + todo
        else:
            yield part


def _body(letter: EmailMessage, parts: list[EmailMessage]) -> EmailMessage | None:
    shown = [each for each in parts if each.get_content_disposition() != "attachment" and not each.get_filename()]
    for media in ("text/plain", "text/html"):
        for each in shown:
            if each.get_content_type() == media:
                return each
    return None


def _is_twin(part: EmailMessage, body: EmailMessage | None) -> bool:
    """The HTML of what is there as text."""
    plain = body is not None and body.get_content_type() == "text/plain"
    return plain and part.get_content_type() == "text/html" and part.get_content_disposition() != "attachment"


def _text(part: EmailMessage) -> str:
    content = part.get_content()
    text = content if isinstance(content, str) else bytes(content).decode("utf-8", "replace")
    if part.get_content_type() == "text/html":
        broken = _BLOCKS.sub("\n", text)
        text = html.unescape(nh3.clean(broken, tags=set(), clean_content_tags={"script", "style", "head", "title"}))
    kept = "".join(each for each in text.replace("\r\n", "\n") if each.isprintable() or each in "\n\t")
    return re.sub(r"\n{3,}", "\n\n", kept).strip()


def _file(part: EmailMessage) -> File:
    content = part.get_payload(decode=True)
    return File(_line(str(part.get_filename() or "")), content if isinstance(content, bytes) else b"")


def _line(text: str) -> str:
    """A line to show: without what no line holds."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:200]
