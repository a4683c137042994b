"""`fhirserver audit verify`: tells whether a trace was changed or removed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fhirserver.cli import Problem
from fhirserver.cli.opening import database_arguments, named, opened

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from fhirserver.settings import Settings


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    verify = actions.add_parser("verify", help="check every chain of traces", allow_abbrev=False)
    database_arguments(verify)
    verify.add_argument("--anchors", metavar="FILE", help="anchors that the server wrote down (anchor_file)")


def run(options: argparse.Namespace) -> int:
    from fhirserver.access import Access
    from fhirserver.audit import lasting, verify
    from fhirserver.clock import parse_clock

    anchors, settings = _anchors(options.anchors), named(options)
    sealed = _sealed(settings)
    now = max(datetime.now(UTC), parse_clock(settings.clock)())
    with opened(settings) as store:
        access = Access.system("audit verify")
        faults = lasting(lambda: verify(store.traces(access), store.landmarks(access), anchors, sealed, now))
    for fault in faults:
        print(f"chain {fault.chain}, record {fault.n}: {fault.text}")
    print(f"{len(faults)} faults" if faults else "the chains of traces are whole")
    return 1 if faults else 0


def _sealed(settings: Settings) -> Callable[[dict[str, Any]], bool]:
    """Tells whether an erasure is this server's; without its key every one is taken for it."""
    from fhirserver.audit import erasures
    from fhirserver.auth.keys import KEY_FILE, KeyFileError
    from fhirserver.auth.ring import KeyRing

    file = Path(settings.key_file) if settings.key_file else Path(settings.embedded or "data") / KEY_FILE
    if not file.exists():
        return lambda _: True
    try:
        return erasures.sealed(KeyRing.beside(file).root.derive(erasures.PURPOSE))
    except KeyFileError as error:
        raise Problem(str(error)) from None


def _anchors(file: str | None) -> list[str]:
    """The anchors in a file: of each line its time, the id and the hash. Raises Problem."""
    if file is None:
        return []
    try:
        lines = Path(file).read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        raise Problem(f"{file} cannot be read as a file of anchors.") from None
    return [line for line in lines if line.strip()]
