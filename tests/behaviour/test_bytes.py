"""What only a socket can say: bodies in chunks, in pieces, too short, too long, and requests that are none."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.serving import Served, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = b'{"resourceType":"Patient","active":true}'


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("bytes") / "data"
    with serve(
        folder, "--workers", "1", "--profiles", "core", environ={"FHIRSERVER_MAX_BODY_BYTES": "1000000"}
    ) as made:
        yield made


@pytest.fixture(scope="module")
def token(served: Served) -> str:
    return served.token("--operator")


def said(served: Served, *pieces: bytes, half: bool = False) -> tuple[int, bytes]:
    """Sends the pieces, each after the server has answered another client; status and body of the answer."""
    parts = urlsplit(served.base)
    with socket.create_connection((parts.hostname, parts.port), timeout=300) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
            served.call("GET", "Patient")
        if half:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while data := connection.recv(1 << 16):
            answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, body


def head(token: str, *lines: str, method: str = "POST", path: str = "/fhir/Patient") -> bytes:
    shared = ["Host: localhost", "Connection: close", f"Authorization: Bearer {token}", *lines]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *shared, "", ""]).encode()


JSON = "Content-Type: application/fhir+json"


def test_a_body_in_chunks_is_stored(served: Served, token: str) -> None:
    chunks = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (BODY[:7], BODY[7:20], BODY[20:])]
    status, _ = said(served, head(token, JSON, "Transfer-Encoding: chunked"), *chunks, b"0\r\n\r\n")
    assert status == 201


def test_a_body_that_comes_in_pieces_is_stored(served: Served, token: str) -> None:
    status, _ = said(served, head(token, JSON, f"Content-Length: {len(BODY)}"), BODY[:9], BODY[9:30], BODY[30:])
    assert status == 201


def test_chunks_beyond_the_limit_are_refused(served: Served, token: str) -> None:
    piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
    status, body = said(served, head(token, JSON, "Transfer-Encoding: chunked") + piece * 20 + b"0\r\n\r\n")
    assert status == 413
    assert json.loads(body)["resourceType"] == "OperationOutcome"


def test_a_body_that_ends_before_its_length_is_not_stored(served: Served, token: str) -> None:
    before = served.call("GET", "Patient?_summary=count", token).json["total"]
    said(served, head(token, JSON, "Content-Length: 500"), BODY, half=True)
    cut = BODY[:-1]
    said(served, head(token, JSON, "Transfer-Encoding: chunked"), b"%x\r\n%s\r\n" % (len(cut), cut), half=True)
    assert served.call("GET", "Patient?_summary=count", token).json["total"] == before


def test_a_search_by_post_in_chunks_is_as_narrow_as_it_says(served: Served, token: str) -> None:
    form = head(token, "Content-Type: application/x-www-form-urlencoded", "Transfer-Encoding: chunked",
                path="/fhir/Patient/_search")  # fmt: skip
    status, body = said(served, form, b"c\r\nactive=false\r\n", b"0\r\n\r\n")
    assert status == 200
    assert b'"total":0' in body


@pytest.mark.parametrize(
    "lines",
    [["Content-Length: 5", "Transfer-Encoding: chunked"], ["Content-Length: 5", "Content-Length: 6"],
     ["Content-Length: -1"], ["Content-Length: many"], ["Transfer-Encoding: gzip, chunked"]],
)  # fmt: skip
def test_lengths_that_contradict_each_other_store_nothing(served: Served, token: str, lines: list[str]) -> None:
    before = served.call("GET", "Patient?_summary=count", token).json["total"]
    status, _ = said(served, head(token, JSON, *lines) + BODY, half=True)
    assert status < 500
    assert served.call("GET", "Patient?_summary=count", token).json["total"] == before


@pytest.mark.parametrize("path", ["/fhir/../fhir/metadata", "/fhir//Patient", "/fhir/Patient/%00",
                                  "/fhir/Patient/%2e%2e/%2e%2e", "*", "/fhir/Patient/a%2fb"])  # fmt: skip
def test_odd_paths_are_answered_with_an_outcome_or_not_at_all(served: Served, token: str, path: str) -> None:
    status, body = said(served, head(token, method="GET", path=path))
    assert 400 <= status < 500
    assert not body or json.loads(body)["resourceType"] == "OperationOutcome"


def test_nonsense_ends_no_worker(served: Served, token: str) -> None:
    for nonsense in (
        b"\x00\x01\x02",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"A" * 10_000,
    ):
        said(served, nonsense, half=True)
    assert served.call("GET", "Patient?_summary=count", token).status == 200
