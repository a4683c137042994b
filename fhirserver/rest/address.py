"""Where a request comes from: the peer, or what a proxy that is trusted says of whom it speaks for."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from flask import Request

Network = IPv4Network | IPv6Network

UNKNOWN: Final = "unknown"


class AddressError(ValueError):
    """A setting that names no networks."""


@lru_cache
def networks(text: str) -> tuple[Network, ...]:
    """The networks of a setting such as `10.0.0.0/8, 192.0.2.7`. Raises AddressError."""
    try:
        return tuple(ip_network(each.strip(), strict=False) for each in text.split(",") if each.strip())
    except ValueError as error:
        raise AddressError(f"{error}") from None


def from_trusted(request: Request, trusted: str) -> bool:
    """Whether the peer is one of the proxies that the setting `trusted_proxies` names."""
    return _within(request.remote_addr, networks(trusted))


def address(request: Request, trusted: str) -> str:
    """The client's address: the last one of `X-Forwarded-For` that no trusted proxy is at.

    The header counts only when the peer is trusted: anybody may send one. IPv6 addresses are cut to their /64, which
    one subscriber has for himself.
    """
    known = networks(trusted)
    found = request.remote_addr
    told = [each.strip() for each in ",".join(request.headers.getlist("X-Forwarded-For")).split(",")]
    for each in reversed(told):
        if not each or not _within(found, known) or not _is_address(each):
            break
        found = each
    return _cut(found)


def _within(text: str | None, known: tuple[Network, ...]) -> bool:
    if not text or not known or not _is_address(text):
        return False
    place = ip_address(text)
    return any(place in each for each in known if each.version == place.version)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _cut(text: str | None) -> str:
    if not text or not _is_address(text):
        return UNKNOWN
    place = ip_address(text)
    return str(ip_network(f"{place}/64", strict=False)) if place.version == 6 else str(place)
