from __future__ import annotations

import contextlib
import json
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.auth.clients.keysets import AGAIN_AFTER, KeySets, chosen, problem
from fhirserver.auth.fetching import Fetcher, Unfetchable, public, refusal
from tests.auth.registrations import ec_key, rsa_key
from tests.auth.registrations import public as jwks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KID = "ec-1"
DROPS = 600
"""Of half a minute."""


class Site:
    """A web server that counts who comes; `answer` is what it does."""

    def __init__(self, url: str) -> None:
        self.url, self.asked = url, 0
        self.keys = jwks(ec_key())
        self.cache = "max-age=60"
        self.answer: Callable[[BaseHTTPRequestHandler], None] = self.plain

    def plain(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.dumps(self.keys).encode()
        handler.send_response(200)
        handler.send_header("Cache-Control", self.cache)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@contextmanager
def serving() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked += 1
            made.answer(self)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Site(f"http://127.0.0.1:{server.server_port}/jwks")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        yield found


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_fetched_keys_are_kept_as_long_as_their_sender_says(site: Site) -> None:
    clock = Clock()
    sets, metadata = KeySets(Fetcher(production=False), clock), {"jwks_uri": site.url}
    assert sets.find(metadata, KID, "ES384")
    assert sets.find(metadata, KID, "ES384")
    assert site.asked == 1
    clock.now += 61
    assert sets.find(metadata, KID, "ES384")
    assert site.asked == 2


def test_an_unknown_key_is_looked_for_once_and_not_again_at_once(site: Site) -> None:
    clock = Clock()
    sets, metadata = KeySets(Fetcher(production=False), clock), {"jwks_uri": site.url}
    assert sets.find(metadata, KID, "ES384")
    site.keys = jwks(ec_key(), rsa_key())
    clock.now += AGAIN_AFTER
    assert sets.find(metadata, "rsa-1", "RS384")
    assert site.asked == 2
    assert [sets.find(metadata, "nobody's", "RS384") for _ in range(5)] == [None] * 5
    assert site.asked == 2


def test_keys_that_were_taken_away_are_no_longer_believed(site: Site) -> None:
    clock = Clock()
    sets, metadata = KeySets(Fetcher(production=False), clock), {"jwks_uri": site.url}
    assert sets.find(metadata, KID, "ES384")
    site.keys = jwks(rsa_key())
    clock.now += 61
    assert sets.find(metadata, KID, "ES384") is None


def test_a_site_that_fails_is_left_alone_for_a_moment(site: Site) -> None:
    site.answer = lambda handler: handler.send_error(500)
    clock = Clock()
    sets = KeySets(Fetcher(production=False), clock)
    for _ in range(3):
        with pytest.raises(Unfetchable):
            sets.find({"jwks_uri": site.url}, KID, "ES384")
    assert site.asked == 1
    site.answer = site.plain
    clock.now += AGAIN_AFTER
    assert sets.find({"jwks_uri": site.url}, KID, "ES384")


def test_many_at_once_fetch_once(site: Site) -> None:
    sets = KeySets(Fetcher(production=False))
    threads = [threading.Thread(target=sets.find, args=({"jwks_uri": site.url}, KID, "ES384")) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert site.asked == 1


@pytest.mark.parametrize("keys", [[], {"keys": 3}, {"keys": [{}] * 21}, "keys", None])
def test_what_is_no_set_of_keys_is_refused(site: Site, keys: Any) -> None:
    site.keys = keys
    with pytest.raises(Unfetchable):
        KeySets(Fetcher(production=False)).find({"jwks_uri": site.url}, KID, "ES384")


@pytest.mark.parametrize("uses", [None, 5, True, "verify", {}, [], ["sign"]])
def test_a_key_that_says_oddly_what_it_is_for_is_no_key(uses: Any) -> None:
    odd = {**jwks(ec_key())["keys"][0], "key_ops": uses}
    assert problem(odd)
    assert chosen([odd], KID, "ES384") is None


def test_a_redirect_is_not_followed(site: Site) -> None:
    def redirect(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", site.url)
        handler.end_headers()

    site.answer = redirect
    with pytest.raises(Unfetchable, match="status 302"):
        Fetcher(production=False).json(site.url)
    assert site.asked == 1


def test_an_answer_beyond_measure_is_cut_off(site: Site) -> None:
    site.keys = {"keys": ["x" * 70_000]}
    with pytest.raises(Unfetchable, match="longer"):
        Fetcher(production=False).json(site.url)


def test_who_answers_drop_by_drop_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        done, drops = threading.Event(), 0

        def drip() -> None:
            nonlocal drops
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                while drops < DROPS and not done.wait(0.05):
                    connection.send(b"H")
                    drops += 1

        thread = threading.Thread(target=drip)
        thread.start()
        with pytest.raises(Unfetchable):
            Fetcher(production=False, seconds=0.4).json(f"http://127.0.0.1:{server.getsockname()[1]}/jwks")
        done.set()
        thread.join()
    assert drops < DROPS, "it was waited for to the end"


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *(
            "::1",
            "fe80::1%eth0",
            "fc00::1",
            "::ffff:10.0.0.1",
            "ff02::1",
            "2002:0a00:0001::1",
            "fec0::1",
            "::",
            "no address",
        ),
    ],
)
def test_in_production_no_address_of_an_inner_network_is_reached(address: str) -> None:
    assert not public(address)
    fetcher = Fetcher(production=True, resolve=lambda *_: ["93.184.216.34", address])
    with pytest.raises(Unfetchable, match="public"):
        fetcher.json("https://keys.example/jwks")


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert public(address)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://keys.example/",
            "ftp://keys.example/",
            "file:///etc/passwd",
            "https://",
            "keys.example",
            "https://:1/",
        ),
        *("https://me@keys.example/", "https://keys.example/#x", "https://keys.example/ x", "https://k.example:99999/"),
        *("https://k.example/\r\nHost: x", "https://k.example\\@x/", "https://clé.example/", "http://127.0.0.1/"),
    ],
)
def test_in_production_only_https_urls_are_fetched(url: str) -> None:
    assert refusal(url, production=True)
