"""Messages as letters of secure e-mail: out to a real SMTP server, in by a real one."""

from __future__ import annotations

import smtplib
import ssl
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.mail.listening import SmtpIncoming
from fhirserver.rest.messages.receiving import Receiving
from fhirserver.rest.tracing.keeping import Keeping
from tests.mail.server import Box, certificate, smtp_server
from tests.mail.server import listening as server_tls
from tests.records import consent
from tests.rest.messages.people import ALICE, BOB, CAROL, HIS, KIND, PDF, House, attachment, mailbox, professional, rpps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


OWN = "284027505600134@patient.mssante.fr"
OF_ALICE, OF_BOB, OF_DESK = "dr.soignant@aura.mssante.fr", "bob@mssante.fr", "accueil@hopital.mssante.fr"


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    with smtp_server(Box()) as found:
        yield found


@pytest.fixture(scope="module")
def mailed(applications: Callable[..., Any], box: Box) -> Iterator[House]:
    relay = {"mssante_host": "127.0.0.1", "mssante_port": box.port, "mssante_security": "none"}
    with applications("core", **relay) as application:
        house = House(application)
        house.operator.create(professional(ALICE, OF_ALICE))
        house.bob.create(professional(BOB, OF_BOB))
        organization = {"identifier": {"system": "https://finess.esante.gouv.fr", "value": HIS}}
        desk = {"resourceType": "PractitionerRole", "organization": organization, "telecom": [mailbox(OF_DESK)]}
        house.operator.create(desk)
        yield house


@pytest.fixture(scope="module")
def gate(mailed: House) -> Iterator[int]:
    """The port on which letters are taken."""
    listening = SmtpIncoming("127.0.0.1", 0, [ip_network("127.0.0.0/8")])
    application = mailed.application
    listening.start(Receiving(application.app, application.services).take)
    yield listening.port
    listening.stop()


def letter(id: str, sender: str = OF_ALICE, to: str = OWN, text: str = "Bonjour.", **headers: str) -> EmailMessage:
    made = EmailMessage()
    named = {"From": sender, "To": to, "Subject": "Vos résultats", "Message-ID": f"<{id}>", **headers}
    for name, value in named.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    return made


def hand(port: int, made: EmailMessage | bytes, sender: str = OF_ALICE, to: str = OWN) -> tuple[int, str]:
    """The answer of the gateway."""
    with smtplib.SMTP("127.0.0.1", port, timeout=120) as server:
        try:
            server.sendmail(sender, [to], made if isinstance(made, bytes) else made.as_bytes())
        except smtplib.SMTPResponseException as error:
            said = error.smtp_error
            return error.smtp_code, said.decode() if isinstance(said, bytes) else said
    return 250, ""


def inbox(house: House, **params: str) -> list[dict[str, Any]]:
    found = house.claire.search("Communication", ("category", "urn:fhirserver:message|message"), **params).json
    return [each["resource"] for each in found.get("entry", [])]


def identified(house: House, id: str) -> list[dict[str, Any]]:
    return inbox(house, identifier=f"urn:fhirserver:message-id|{id}")


def test_what_a_person_writes_goes_out_once_from_the_persons_address(mailed: House, box: Box) -> None:
    thread = mailed.opened()
    box.messages.clear()
    answer = mailed.answered(thread, mailed.claire, {"contentString": "Merci é."}, attachment(title="Relevé/x"))
    keeping = Keeping(mailed.application.services)
    keeping.deliver()
    keeping.deliver()
    (sent,) = [each for each in box.messages if each["To"] == OF_ALICE]
    assert sent["From"] == OWN
    assert sent["Message-ID"] == f"<{answer.id}@patient.mssante.fr>"
    assert sent["In-Reply-To"] == f"<{thread}@patient.mssante.fr>"
    assert sent["Subject"] == "Vos résultats"
    body, held = sent.iter_parts()
    assert body.get_content().strip() == "Merci é."
    assert (held.get_filename(), held.get_content()) == ("Relevé_x.pdf", PDF)


def test_a_relay_that_is_away_is_asked_again(mailed: House, box: Box) -> None:
    thread = mailed.opened()
    box.messages.clear()
    box.refusals.append("451 later")
    answer = mailed.answered(thread, mailed.claire).id
    keeping = Keeping(mailed.application.services)
    keeping.deliver()
    assert box.messages == []
    keeping.deliver(datetime.now(UTC) + timedelta(minutes=5))
    assert [each["Message-ID"] for each in box.messages] == [f"<{answer}@patient.mssante.fr>"]


def test_no_letter_goes_to_an_address_that_another_entered(mailed: House, box: Box) -> None:
    mailed.desk.create(professional(CAROL, "thief@example.org"))
    thread = mailed.opened(mailed.carol)
    box.messages.clear()
    mailed.answered(thread, mailed.claire)
    Keeping(mailed.application.services).deliver()
    assert box.messages == []


def test_a_letter_becomes_a_message_of_its_sender_once(mailed: House, gate: int) -> None:
    made = letter("a1@aura")
    made.add_attachment(PDF, maintype="application", subtype="octet-stream", filename="bilan.pdf")
    assert hand(gate, made) == (250, "")
    assert hand(gate, made) == (250, "")
    (stored,) = identified(mailed, "a1@aura")
    assert stored["sender"]["identifier"]["value"] == ALICE
    assert stored["topic"]["text"] == "Vos résultats"
    assert stored["payload"][0]["contentString"] == "Bonjour."
    held = stored["payload"][1]["contentAttachment"]
    assert (held["title"], held["contentType"]) == ("bilan.pdf", "application/pdf")
    assert mailed.claire.get(held["url"]).content == PDF
    assert mailed.alice.get(f"Communication/{stored['id']}").status == 200
    assert mailed.bob.get(f"Communication/{stored['id']}").status == 404


def test_a_letter_to_two_persons_is_a_message_to_each(mailed: House, gate: int) -> None:
    number = {"system": "urn:oid:1.2.250.1.213.1.4.11", "value": "284027505600235", "type": KIND}
    other = mailed.operator.create({"resourceType": "Patient", "active": True, "identifier": [number]})
    theirs = f"{number['value']}@patient.mssante.fr"
    for to in (OWN, theirs, theirs):
        assert hand(gate, letter("both@aura", to=to), to=to) == (250, "")
    holder = mailed.application.patient(other)
    (stored,) = holder.search("Communication", identifier="urn:fhirserver:message-id|both@aura").json["entry"]
    assert len(identified(mailed, "both@aura")) == 1
    assert hand(gate, letter("both2@aura", to=theirs, In_Reply_To="<both@aura>"), to=theirs) == (250, "")
    (answer,) = holder.search("Communication", identifier="urn:fhirserver:message-id|both2@aura").json["entry"]
    assert answer["resource"]["partOf"] == [{"reference": f"Communication/{stored['resource']['id']}"}]


def test_a_letter_that_answers_goes_into_the_thread(mailed: House, gate: int, box: Box) -> None:
    assert hand(gate, letter("b1@aura"))[0] == 250
    (first,) = identified(mailed, "b1@aura")
    box.messages.clear()
    answer = mailed.answered(first["id"], mailed.claire).id
    Keeping(mailed.application.services).deliver()
    (out,) = box.messages
    assert out["In-Reply-To"] == "<b1@aura>"
    assert hand(gate, letter("b2@aura", In_Reply_To=str(out["Message-ID"])))[0] == 250
    (reply,) = identified(mailed, "b2@aura")
    assert reply["partOf"] == [{"reference": f"Communication/{first['id']}"}]
    assert str(out["Message-ID"]).startswith(f"<{answer}@")
    assert mailed.claire.post(f"Communication/{first['id']}/$close", None).status == 200
    assert hand(gate, letter("b3@aura", References="<b1@aura>"))[0] == 550


def test_nobody_takes_an_address_that_the_operator_entered_for_another(mailed: House, gate: int) -> None:
    taken = mailed.carol.create(professional(CAROL, OF_ALICE))
    assert hand(gate, letter("kept@aura")) == (250, "")
    (stored,) = identified(mailed, "kept@aura")
    assert stored["sender"]["identifier"]["value"] == ALICE
    assert mailed.carol.delete(f"Practitioner/{taken}").status == 204


def test_an_organisation_writes_by_its_own_address(mailed: House, gate: int) -> None:
    assert hand(gate, letter("c1@h", OF_DESK), OF_DESK)[0] == 250
    (stored,) = identified(mailed, "c1@h")
    assert stored["sender"]["identifier"]["value"] == HIS
    assert mailed.bob.get(f"Communication/{stored['id']}").status == 200


def test_of_html_the_words_are_left(mailed: House, gate: int) -> None:
    made = letter("d1@aura")
    page = "<html><head><title>t</title></head><body><p>Bonjour &lt;b&gt;</p><script>alert(1)</script></body></html>"
    made.set_content(page, subtype="html")
    assert hand(gate, made)[0] == 250
    (stored,) = identified(mailed, "d1@aura")
    said = stored["payload"][0]["contentString"]
    assert said.startswith("Bonjour <b>")
    assert "alert" not in said


UNTAKEN: list[tuple[str, dict[str, Any]]] = [
    ("to nobody", {"to": "184027505600199@patient.mssante.fr"}),
    ("to another domain", {"to": "284027505600134@example.org"}),
    ("to no number", {"to": "claire@patient.mssante.fr"}),
    ("from nobody", {"sender": "nobody@mssante.fr"}),
    ("from an address that another entered", {"sender": "thief@example.org"}),
    ("with another envelope", {"sender": OF_ALICE, "envelope": OF_BOB}),
    ("an answer machine to nobody", {"to": "184027505600199@patient.mssante.fr", "Auto_Submitted": "auto-replied"}),
    ("an answer machine", {"Auto_Submitted": "auto-replied"}),
]


@pytest.mark.parametrize("how", [row[1] for row in UNTAKEN], ids=[row[0] for row in UNTAKEN])
def test_what_is_not_taken_is_answered_alike(mailed: House, gate: int, how: dict[str, Any]) -> None:
    before = mailed.application.counts()
    sender, to = how.get("sender", OF_ALICE), how.get("to", OWN)
    more = {name: value for name, value in how.items() if name[0].isupper()}
    answer = hand(gate, letter("e1@aura", sender, to, **more), how.get("envelope", sender), to)
    assert answer == (550, "5.1.1 This address takes no letters from this sender.")
    assert mailed.application.counts() == before


def test_whom_the_person_blocked_is_answered_as_for_nobody(mailed: House, gate: int) -> None:
    denied = consent(mailed.patient, "deny", "Practitioner/none")
    denied["provision"]["actor"][0]["reference"] = rpps(ALICE)
    made = mailed.claire.create(denied)
    answer = hand(gate, letter("f1@aura"))
    assert answer == (550, "5.1.1 This address takes no letters from this sender.")
    assert mailed.claire.delete(f"Consent/{made}").status == 204


def deep(depth: int) -> bytes:
    head = b"From: dr.soignant@aura.mssante.fr\r\nMessage-ID: <deep@x>\r\nMIME-Version: 1.0\r\n"
    for each in range(depth):
        head += b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (each, each)
    return head + b"Content-Type: text/plain\r\n\r\nx\r\n"


def broken(**changes: str | None) -> bytes:
    kept = {"From": OF_ALICE, "Message-ID": "<g@x>", "Subject": "s"} | changes
    return "".join(f"{name}: {value}\r\n" for name, value in kept.items() if value is not None).encode() + b"\r\ntext"


def executable() -> EmailMessage:
    made = letter("g1@aura")
    made.add_attachment(b"MZ\x90\x00", maintype="application", subtype="pdf", filename="x.pdf")
    return made


def bomb() -> bytes:
    head = (
        b"From: dr.soignant@aura.mssante.fr\r\nMessage-ID: <g2@x>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    )
    return head + b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" * 60 + b"--b--\r\n"


UNREADABLE: list[tuple[str, EmailMessage | bytes]] = [
    ("too deep", deep(20)),
    ("too many parts", bomb()),
    ("a program", executable()),
    ("no Message-ID", broken(**{"Message-ID": None})),
    ("no sender", broken(From=None)),
    ("a header of two senders", broken(From="a@b.fr, c@d.fr\r\nFrom: e@f.fr")),
    ("empty", letter("g3@aura", text="")),
    ("an answer machine", letter("g4@aura", Auto_Submitted="auto-replied")),
]


@pytest.mark.parametrize("made", [row[1] for row in UNREADABLE], ids=[row[0] for row in UNREADABLE])
def test_what_cannot_be_read_is_refused(mailed: House, gate: int, made: EmailMessage | bytes) -> None:
    before = mailed.application.counts()
    code, said = hand(gate, made)
    assert (code, said[:2]) == (550, "5."), said
    assert mailed.application.counts() == before


def test_a_host_that_is_no_relay_hands_over_nothing(mailed: House) -> None:
    listening = SmtpIncoming("127.0.0.1", 0, [ip_network("192.0.2.0/24")])
    listening.start(Receiving(mailed.application.app, mailed.application.services).take)
    with smtplib.SMTP("127.0.0.1", listening.port, timeout=120) as server, pytest.raises(smtplib.SMTPSenderRefused):
        server.sendmail(OF_ALICE, [OWN], letter("h@x").as_bytes())
    listening.stop()


def test_of_two_recipients_the_second_is_put_off(mailed: House, gate: int) -> None:
    with smtplib.SMTP("127.0.0.1", gate, timeout=120) as server:
        refused = server.sendmail(OF_ALICE, [OWN, "x@y.fr"], letter("i@x").as_bytes())
    assert {name: code for name, (code, _) in refused.items()} == {"x@y.fr": 452}


def test_with_a_certificate_letters_come_over_tls_alone(mailed: House, tmp_path: Path) -> None:
    files = certificate(tmp_path)
    listening = SmtpIncoming("127.0.0.1", 0, [ip_network("127.0.0.0/8")], server_tls(files))
    listening.start(Receiving(mailed.application.app, mailed.application.services).take)
    made = letter("j@x").as_bytes()
    with smtplib.SMTP("127.0.0.1", listening.port, timeout=120) as server, pytest.raises(smtplib.SMTPSenderRefused):
        server.sendmail(OF_ALICE, [OWN], made)
    with smtplib.SMTP("127.0.0.1", listening.port, timeout=120) as server:
        server.starttls(context=ssl.create_default_context(cafile=str(files[0])))
        assert server.sendmail(OF_ALICE, [OWN], made) == {}
    listening.stop()
