"""Where to go on after the login: a path of ours, sealed, so that no link leads from our login to anywhere else."""

from __future__ import annotations

from typing import NamedTuple

import orjson
from cryptography.fernet import Fernet, InvalidToken

from fhirserver.rest.edge import services

_SECONDS = 3600


class Onward(NamedTuple):
    """A path with its query; `origins`: where it may redirect on to, an app's address."""

    path: str = "/dossier"
    origins: tuple[str, ...] = ()


def seal(path: str, *origins: str) -> str:
    """The path as a parameter. Raises ValueError for what is no path of ours."""
    if not is_path(path):
        raise ValueError("this is no path of ours")
    return _fernet().encrypt(orjson.dumps([path, origins])).decode().rstrip("=")


def opened(text: str | None) -> Onward:
    """The path that was sealed within the last hour; to the record, of anything else."""
    if not text:
        return Onward()
    try:
        padded = text + "=" * (-len(text) % 4)
        path, origins = orjson.loads(_fernet().decrypt(padded.encode("ascii", "replace"), ttl=_SECONDS))
    except (InvalidToken, ValueError):
        return Onward()
    return Onward(path, tuple(origins))


def is_path(path: str) -> bool:
    """Whether a browser takes it for a path of this site: `//host`, `/\\host` and control characters are not."""
    return path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path


def _fernet() -> Fernet:
    return Fernet(services().derive("onward"))
