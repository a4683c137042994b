"""Traces go to a real TLS listener, framed as RFC 5425 has it, each at least once."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, fromstring

import pytest

from fhirserver.access import Requester
from fhirserver.audit import Chains, Entity, Event, Origin
from fhirserver.audit.export import Export, Target
from fhirserver.audit.rendering import rendered
from fhirserver.audit.sight import Sight
from fhirserver.audit.syslog import message
from fhirserver.spec import Definitions
from fhirserver.store import Store
from tests.mail.server import certificate, listening

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
WHO = Requester("practitioner", "practitioner/1", rpps="10001112225", profession="G15_10", name="Zoé <Martin>")


class Listener:
    """A syslog server over TLS; `messages`: what it was sent, frame by frame."""

    def __init__(self, context: ssl.SSLContext, port: int = 0) -> None:
        self.messages: list[bytes] = []
        self._arrived = threading.Condition()
        self._listening = socket.create_server(("127.0.0.1", port))
        self.port = int(self._listening.getsockname()[1])
        self._context = context
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def wait(self, count: int) -> list[bytes]:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.messages) >= count, 60), self.messages
            return list(self.messages)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
                connection = self._context.wrap_socket(plain, server_side=True)
            except OSError:
                if self._listening.fileno() < 0:
                    return
                continue
            self._open.append(connection)
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            try:
                while length := _length(stream):
                    with self._arrived:
                        self.messages.append(stream.read(length))
                        self._arrived.notify_all()
            except OSError:
                return


def _length(stream: Any) -> int:
    digits = b""
    while (byte := stream.read(1)) not in (b" ", b""):
        digits += byte
    return int(digits or b"0")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return certificate(tmp_path)


@contextmanager
def listener(files: tuple[Path, Path], port: int = 0) -> Iterator[Listener]:
    opened = Listener(listening(files), port)
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def store(embedded_uri: str, database_name: str) -> Iterator[Store]:
    made = Store(embedded_uri, database_name, definitions=Definitions.core())
    yield made
    made.close()


def trace(store: Store, chains: Chains, count: int = 1, **facts: Any) -> None:
    for number in range(count):
        event = Event("read", 200, (Entity("Observation", f"o{number}", 1, "p1"),), **facts)
        with chains.place() as place:
            store.trace(place.link(event.record(WHO, NOW, Origin("10.1.2.3", f"request-{number:04}"))))


Sender = Callable[..., Export]


@pytest.fixture
def export(store: Store, files: tuple[Path, Path]) -> Iterator[Sender]:
    """Makes workers that send to a port."""
    made: list[Export] = []

    def make(port: int, authorities: Path = files[0], *, dicom: bool = True) -> Export:
        target = Target("127.0.0.1", port, str(authorities), dicom=dicom)
        made.append(Export(store, target, "https://dmp.example/fhir", lambda: NOW))
        return made[-1]

    yield make
    for each in made:
        each.close()


def parsed(message: bytes) -> tuple[list[str], Element]:
    """The head of a message, and the audit message in it."""
    head, _, content = message.partition(b"\xef\xbb\xbf")
    return head.decode("ascii").split(" "), fromstring(content)


def test_a_trace_arrives_as_an_audit_message(store: Store, export: Sender, files: tuple[Path, Path]) -> None:
    trace(store, Chains(), query="Observation?code=<é>")
    with listener(files) as server:
        assert export(server.port).round() == 1
        (sent,) = server.wait(1)
    head, audit = parsed(sent)
    assert head[:7] == ["<85>1", "2026-05-01T12:00:00.000Z", "dmp.example", "fhirserver", "-", "IHE+RFC-3881", "-"]
    event = audit.find("EventIdentification")
    assert event is not None
    assert event.attrib == {
        "EventActionCode": "R", "EventDateTime": "2026-05-01T12:00:00.000Z", "EventOutcomeIndicator": "0",
    }  # fmt: skip
    person = audit.find("ActiveParticipant")
    assert person is not None
    assert (person.get("UserID"), person.get("UserName"), person.get("UserIsRequestor")) == (
        "10001112225", "Zoé <Martin>", "true",
    )  # fmt: skip
    objects = [each.get("ParticipantObjectID") for each in audit.iter("ParticipantObjectIdentification")]
    assert objects == ["Patient/p1", "Observation/o0/_history/1", "query", "request-0000"]


def test_a_name_that_xml_cannot_hold_does_not_keep_a_trace_from_arriving() -> None:
    odd = Requester("patient", "patient/p", patient="p", name="Zoé\x00\x01\x0b\x1f\ufffe\uffff\U0010ffff \nMartin")
    record = Event("read", 200, (Entity("Observation", "o", 1, "p"),)).record(odd, NOW) | {"_id": "0"}
    _, audit = parsed(message(rendered(record, Sight(), "https://dmp.example/fhir"), "dmp.example", dicom=True))
    person = audit.find("ActiveParticipant")
    assert person is not None
    assert str(person.get("UserName")).startswith("Zoé??????")


def test_a_trace_arrives_as_an_audit_event(store: Store, export: Sender, files: tuple[Path, Path]) -> None:
    trace(store, Chains())
    with listener(files) as server:
        export(server.port, dicom=False).round()
        (sent,) = server.wait(1)
    assert json.loads(sent.split(b" - ", 2)[2])["resourceType"] == "AuditEvent"


def test_each_is_sent_once_while_all_goes_well(store: Store, export: Sender, files: tuple[Path, Path]) -> None:
    chains = Chains()
    with listener(files) as server:
        sender = export(server.port)
        for count in (3, 0, 2):
            trace(store, chains, count)
            assert sender.round() == count
        assert len(server.wait(5)) == 5


def test_another_worker_goes_on_where_one_ended(store: Store, export: Sender, files: tuple[Path, Path]) -> None:
    chains = Chains()
    with listener(files) as server:
        trace(store, chains, 2)
        assert export(server.port).round() == 2
        trace(store, chains, 1)
        other = export(server.port)
        assert other.round() == 0
        assert other.round(datetime.now(UTC) + timedelta(minutes=2)) == 1
        assert len(server.wait(3)) == 3


def test_what_a_server_that_went_away_may_have_lost_is_sent_again(
    store: Store, export: Sender, files: tuple[Path, Path]
) -> None:
    chains = Chains()
    with listener(files) as server:
        sender, port = export(server.port), server.port
        trace(store, chains, 2)
        assert sender.round() == 2
        server.wait(2)
    trace(store, chains, 1)
    with pytest.raises(OSError, match=r"."):
        sender.round()
    with listener(files, port) as server:
        assert sender.round() == 3
        assert len(server.wait(3)) == 3


def test_nothing_is_sent_to_a_server_that_nobody_vouches_for(
    store: Store, export: Sender, files: tuple[Path, Path], tmp_path: Path
) -> None:
    trace(store, Chains())
    other = tmp_path / "other"
    other.mkdir()
    with listener(files) as server, pytest.raises(ssl.SSLError):
        export(server.port, certificate(other)[0]).round()
    assert server.messages == []
