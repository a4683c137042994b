"""Settings and keys."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from fhirserver import production
from fhirserver.auth.keys import KEY_FILE, KeyFileError, SigningKey
from fhirserver.doctor.finding import Finding, error, ok, warning
from fhirserver.rest.address import AddressError, networks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.settings import Settings

DEFAULT_FOLDER = "data"


def settings(given: Settings) -> Iterator[Finding]:
    """What the server would refuse to start with, and what it would start with but should not."""
    wrong = list(production.refusals(given))
    yield from (error("settings", each) for each in wrong)
    if given.environment != "production":
        yield warning("settings", "environment is development: tokens of `fhirserver token` are taken.")
    elif not wrong:
        yield ok("settings", "fit for production.")
    try:
        trusted = networks(given.trusted_proxies)
    except AddressError as fault:
        yield error("trusted_proxies", str(fault))
    else:
        if any(each.prefixlen == 0 for each in trusted):
            yield error("trusted_proxies", "everybody would be trusted: name the networks of the proxies.")
    if given.environment == "production" and not given.client_rate:
        yield warning("client_rate", "no bound of requests a client: one may use all capacity.")


def keys(given: Settings) -> Iterator[Finding]:
    """The signing key: there, strong, and readable by its owner only."""
    path = Path(given.key_file) if given.key_file else Path(given.embedded or DEFAULT_FOLDER) / KEY_FILE
    if not given.key_file and not path.exists():
        yield warning("key_file", "none yet: the first start makes one for development.")
        return
    try:
        SigningKey.open(path)
    except KeyFileError as fault:
        yield error("key_file", str(fault))
        return
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield error("key_file", f"{path} can be read by others: chmod 600 {path}")
    else:
        yield ok("key_file", "an RSA key of 2048 bits or more, for its owner only.")


def folders(given: Settings) -> Iterator[Finding]:
    """The folder of the embedded database: for its owner only."""
    if given.mongo:
        return
    folder = Path(given.embedded or DEFAULT_FOLDER)
    if folder.is_dir() and stat.S_IMODE(folder.stat().st_mode) & 0o077:
        yield error("embedded", f"{folder} can be read by others: chmod 700 {folder}")
