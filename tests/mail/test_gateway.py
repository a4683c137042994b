"""Letters: composed, and taken apart."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import SMTP
from typing import Any

import pytest

from fhirserver.mail import Undelivered
from fhirserver.mail.gateway import Enclosure, Letter, NotTaken, SmtpOutgoing
from fhirserver.mail.incoming import parsed
from fhirserver.mail.smtp import Mailer

LETTER = Letter(
    "m2@patient.mssante.fr", "284027505600134@patient.mssante.fr", "Claire É", "dr@mssante.fr", "Vos résultats",
    "Bonjour é", datetime(2026, 1, 2, 3, 4, tzinfo=UTC), ("m0@x", "m1@x"),
    (Enclosure("note.pdf", "application/pdf", b"%PDF-"),),
)  # fmt: skip


def test_a_letter_is_read_as_it_was_written() -> None:
    found = parsed(LETTER.composed().as_bytes(policy=SMTP))
    assert (found.id, found.sender, found.subject) == (LETTER.id, LETTER.sender, LETTER.subject)
    assert found.text == "Bonjour é"
    assert [tuple(each) for each in found.files] == [("note.pdf", b"%PDF-")]
    assert found.answers == ("m1@x", "m0@x")
    assert not found.automatic


@pytest.mark.parametrize(
    "changes",
    [{"subject": "a\r\nBcc: x@y.fr"}, {"to": "a@b.fr\nBcc: x@y.fr"}, {"name": "x\r\nBcc: y"}, {"sender": "no address"}],
    ids=str,
)
def test_a_letter_with_lines_in_its_head_goes_nowhere(changes: dict[str, Any]) -> None:
    gateway = SmtpOutgoing(Mailer("127.0.0.1", 1, "", "none"))
    with pytest.raises(Undelivered) as refused:
        gateway.send(LETTER._replace(**changes))
    assert refused.value.lasting


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xfe", b"From: a@b.fr\r\n\r\nx", b"Message-ID: <a@b>\r\n\r\nx", b"x" * (17 << 20),
     b"From: a@b.fr\r\nMessage-ID: <a@b>\r\nContent-Type: text/plain; charset=klingon\r\n\r\nx",
     b"From: a@b.fr\r\nMessage-ID: <a@b>\r\nContent-Type: message/rfc822\r\n\r\nFrom: x@y.fr\r\n\r\nx"],
    ids=["nothing", "bytes", "no id", "no sender", "too large", "a charset of elsewhere", "a letter within"],
)  # fmt: skip
def test_what_is_no_letter_is_refused(data: bytes) -> None:
    with pytest.raises(NotTaken):
        parsed(data)


def test_what_the_head_hides_is_a_line() -> None:
    data = b"From: a@b.fr\r\nMessage-ID: <a@b>\r\nSubject: =?utf-8?q?a=0D=0ABcc=3A_x=40y=2Efr=00?=\r\n\r\nx"
    found = parsed(data)
    assert "\n" not in found.subject
    assert "\x00" not in found.subject
    assert message_from_bytes(data)["Bcc"] is None
