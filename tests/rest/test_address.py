from __future__ import annotations

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from fhirserver.rest.address import AddressError, address, from_trusted, networks

PROXIES = "10.0.0.0/8, 192.0.2.7"


def asked(peer: str | None, *forwarded: str) -> Request:
    environ = EnvironBuilder(headers=[("X-Forwarded-For", each) for each in forwarded]).get_environ()
    return Request({**environ, **({"REMOTE_ADDR": peer} if peer else {})})


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.5", (), "203.0.113.5"),
        ("203.0.113.5", ("198.51.100.1",), "203.0.113.5"),
        ("10.1.2.3", ("198.51.100.1",), "198.51.100.1"),
        ("10.1.2.3", ("6.6.6.6, 198.51.100.1",), "198.51.100.1"),
        ("10.1.2.3", ("6.6.6.6", "198.51.100.1"), "198.51.100.1"),
        ("10.1.2.3", ("198.51.100.1, 192.0.2.7",), "198.51.100.1"),
        ("10.1.2.3", ("nonsense",), "10.1.2.3"),
        ("10.1.2.3", ("198.51.100.1, <script>",), "10.1.2.3"),
        ("10.1.2.3", (), "10.1.2.3"),
        ("2001:db8:1:2:3:4:5:6", (), "2001:db8:1:2::/64"),
        (None, ("198.51.100.1",), "unknown"),
    ],
)
def test_only_what_a_trusted_proxy_says_counts(peer: str | None, forwarded: tuple[str, ...], expected: str) -> None:
    assert address(asked(peer, *forwarded), PROXIES) == expected


def test_without_trusted_proxies_the_peer_is_the_client() -> None:
    request = asked("10.1.2.3", "198.51.100.1")
    assert address(request, "") == "10.1.2.3"
    assert not from_trusted(request, "")
    assert from_trusted(request, PROXIES)


def test_networks_that_are_none_are_refused() -> None:
    with pytest.raises(AddressError, match="elsewhere"):
        networks("10.0.0.0/8, elsewhere")
