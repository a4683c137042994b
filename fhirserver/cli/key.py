"""`fhirserver key list|rotate`: the keys that sign tokens, in the folder beside the server's own key."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fhirserver import settings as settings_
from fhirserver.cli import Problem

if TYPE_CHECKING:
    import argparse

    from fhirserver.auth.ring import KeyRing, Ringed


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, meaning in (("list", "the keys, and when each signs"), ("rotate", "make a new key")):
        action = actions.add_parser(name, help=meaning, description=meaning.capitalize() + ".", allow_abbrev=False)
        place = action.add_mutually_exclusive_group()
        place.add_argument("--data", "--embedded", dest="data", metavar="DIR", help="folder of the embedded server")
        place.add_argument("--key-file", metavar="FILE", help="the server's own key (FHIRSERVER_KEY_FILE)")
        if name == "rotate":
            action.add_argument(
                "--now",
                action="store_true",
                help="the new key signs at once and alone: for a key that is no longer secret; all tokens end",
            )


def run(options: argparse.Namespace) -> int:
    from fhirserver.auth.keys import KeyFileError

    try:
        ring = _ring(options)
        if options.action == "rotate":
            made = ring.rotate(announced=0, kept=0) if options.now else ring.rotate()
            print(f"new key {made.kid}")
        for each in ring.keys:
            print(_line(each, ring.current.kid))
    except (settings_.SettingsError, KeyFileError) as error:
        raise Problem(str(error)) from None
    return 0


def _ring(options: argparse.Namespace) -> KeyRing:
    from fhirserver.auth.keys import KEY_FILE
    from fhirserver.auth.ring import KeyRing

    if options.key_file:
        return KeyRing.beside(Path(options.key_file))
    settings = settings_.load()
    if options.data:
        return KeyRing.beside(Path(options.data) / KEY_FILE)
    if settings.key_file:
        return KeyRing.beside(Path(settings.key_file))
    raise Problem("say which key: --data DIR or --key-file FILE.")


def _line(each: Ringed, current: str) -> str:
    state = "signs" if each.key.kid == current else f"signs from {_told(each.since)}"
    if each.until is not None:
        state = ("signs" if each.key.kid == current else "verifies") + f" until {_told(each.until)}"
    return f"{each.key.kid}  {state}"


def _told(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
