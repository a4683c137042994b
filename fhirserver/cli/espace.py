"""`fhirserver espace`: opens spaces of many, has happen what is due, erases, and tells what was erased."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fhirserver.cli import Problem
from fhirserver.cli.opening import account_room, database_arguments, key_ring, named, opened

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from datetime import datetime

    from fhirserver.audit import Chains
    from fhirserver.espace.erasure import Certificate, Erasure
    from fhirserver.espace.space import Actor, Spaces
    from fhirserver.settings import Settings
    from fhirserver.store import Store


_TOLD: Final = 20
"""Rows that were refused, of which the command itself tells."""


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    open_ = actions.add_parser("open", help="announce their spaces to the persons of a file", allow_abbrev=False)
    open_.add_argument("--file", type=Path, required=True, metavar="CSV", help="columns: docs/espace.md")
    due = actions.add_parser(
        "due", help="have happen what time brings: run it daily, or let the server", allow_abbrev=False
    )
    erase = actions.add_parser("erase", help="erase a person, and print the certificate", allow_abbrev=False)
    erase.add_argument("--patient", required=True, metavar="ID")
    erased = actions.add_parser("erased", help="print what was erased, for `fhirserver restore`", allow_abbrev=False)
    again = actions.add_parser("again", help="erase again who is in such a list", allow_abbrev=False)
    again.add_argument("--erasures", type=Path, required=True, metavar="FILE")
    for action in (open_, due, erase, erased, again):
        database_arguments(action, key=True)


def run(options: argparse.Namespace) -> int:
    from fhirserver.errors import FhirError

    try:
        with rooms(named(options), at_end=options.action != "erased") as found:
            return _run(options, found)
    except (FhirError, OSError, ValueError) as error:
        raise Problem(str(error)) from None


class Rooms:
    """What the command works with."""

    def __init__(self, settings: Settings, store: Store, spaces: Spaces, erasure: Erasure, chains: Chains) -> None:
        from fhirserver.clock import parse_clock

        self.settings, self.store, self.spaces, self.erasure, self.chains = settings, store, spaces, erasure, chains
        self.now: datetime = parse_clock(settings.clock)()

    def actor(self, role: str) -> Actor:
        from fhirserver.access import Access
        from fhirserver.espace.space import Actor

        return Actor(role, Access.system("command line", self.now))


@contextmanager
def rooms(settings: Settings, *, at_end: bool = True) -> Iterator[Rooms]:
    """The rooms, connected; `at_end`: the traces that were stored are anchored. Raises Problem."""
    from fhirserver.audit import Chains, erasures
    from fhirserver.audit.anchors import Anchors
    from fhirserver.espace.erasure import Erasure
    from fhirserver.espace.space import Spaces

    keys = key_ring(settings)
    with opened(settings) as store:
        chains = Chains()
        erasure = Erasure(store, chains, keys.root.derive(erasures.PURPOSE), settings.erasure_file)
        room = account_room(settings, store, keys)
        found = Rooms(settings, store, Spaces(store, chains, room.take_over), erasure, chains)
        yield found
        if at_end:
            Anchors(store, chains, "command line", settings.anchor_file).anchor(found.now)


def told(file: Path) -> list[dict[str, object]]:
    """A list of erasures: a JSON object a line. Raises Problem."""
    try:
        return [json.loads(line) for line in file.read_text("ascii").splitlines() if line.strip()]
    except (OSError, ValueError):
        raise Problem(f"{file} cannot be read as a list of erasures.") from None


def certificate(done: Certificate) -> str:
    return (
        f"Certificate of erasure {done.number}, {done.at:%Y-%m-%d %H:%M} UTC\n"
        f"  {done.resources} resources and versions, with their files and index entries\n"
        f"  {done.accounts} accounts, codes and grants; {done.waiting} messages and documents that waited\n"
        f"  {done.traces} traces that name nobody any more\n"
        f"  {done.beside} resources of other records that are about this person too, and stay there"
    )


def _run(options: argparse.Namespace, found: Rooms) -> int:
    if options.action == "open":
        return _open(options.file, found)
    if options.action == "due":
        return _due(found)
    if options.action == "erase":
        print(certificate(found.erasure.erase(found.actor("operator"), options.patient)))
    elif options.action == "erased":
        for each in found.erasure.listed(found.now):
            print(json.dumps(each))
    else:
        count = sum(1 for _ in found.erasure.again(told(options.erasures), found.actor("operator")))
        print(f"{count} erased again")
    return 0


def _due(found: Rooms) -> int:
    from fhirserver.espace import erasure, space

    counts = space.due(found.spaces, found.store.definitions, found.now)
    erased = erasure.due(found.erasure, found.spaces.to_erase(found.now), found.actor("time"))
    print(", ".join(f"{event}: {count}" for event, count in {**counts, "erase": erased}.items()))
    return 0


def _open(file: Path, found: Rooms) -> int:
    from tqdm import tqdm

    from fhirserver.espace.opening import Opening

    opening = Opening(found.store, found.spaces, found.chains, found.actor("operator"))
    with tqdm(total=opening.total(file), unit="person", file=sys.stderr, disable=None) as bar:
        done = opening.run(file, bar.update)
    for fault in done.faults[:_TOLD]:
        print(fault, file=sys.stderr)
    if len(done.faults) > _TOLD:
        print(f"... and {len(done.faults) - _TOLD} more: {file}.refused", file=sys.stderr)
    print(f"{done.announced} announced, {done.known} known before, {len(done.faults)} refused")
    return 1 if done.faults else 0
