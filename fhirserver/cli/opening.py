"""The store for commands that work on the database itself, beside or without a running server."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fhirserver import settings as settings_
from fhirserver.cli import Problem

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from fhirserver.auth.accounts.room import AccountRoom
    from fhirserver.auth.ring import KeyRing
    from fhirserver.settings import Settings
    from fhirserver.store import Store


STOPPED: Final = "folder of an embedded database whose server is stopped"


def database_arguments(parser: argparse.ArgumentParser, folder: str = STOPPED, *, key: bool = False) -> None:
    """Which database a command is about, and, with `key`, the file of its server's key; `named` reads them."""
    parser.add_argument("--mongo", metavar="URI", help="the database; default: FHIRSERVER_MONGO")
    parser.add_argument("--data", "--embedded", dest="embedded", metavar="DIR", help=folder)
    if key:
        parser.add_argument("--key-file", metavar="FILE", help="the server's own key, with --mongo")


def named(options: argparse.Namespace) -> Settings:
    """The settings, of the database that `database_arguments` name: a folder outweighs a URI that is set elsewhere.

    Raises Problem.
    """
    try:
        return settings_.load(
            getattr(options, "config", None),
            mongo="" if options.embedded else options.mongo,
            embedded=options.embedded,
            key_file=getattr(options, "key_file", None),
        )
    except settings_.SettingsError as error:
        raise Problem(str(error)) from None


@contextmanager
def reached(settings: Settings) -> Iterator[str]:
    """The URI of the database; an embedded one is started for it, so its server must be stopped. Raises Problem."""
    from fhirserver.store import Embedded, StoreError

    embedded = None if settings.mongo else Embedded(Path(settings.embedded or "data"))
    try:
        yield embedded.start() if embedded else settings.mongo
    except StoreError as error:
        raise Problem(str(error)) from None
    finally:
        if embedded is not None:
            embedded.stop()


@contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    """The store that the settings name (see `reached`)."""
    from fhirserver.spec import Definitions
    from fhirserver.store import Store

    with reached(settings) as uri:
        tags = settings.consent_labels == "tags"
        store = Store(uri, settings.database, definitions=Definitions.core(), plain_labels=tags)
        try:
            yield store
        finally:
            store.close()


def trace_of(what: str, settings: Settings) -> dict[str, Any]:
    """The record of what a command does with the whole database, in a chain of its own."""
    from fhirserver.access import Access
    from fhirserver.audit import Chains, Event
    from fhirserver.clock import parse_clock

    access = Access.system("command line", parse_clock(settings.clock)())
    with Chains().place() as place:
        return place.link(Event(what, 200).record(access.requester, access.now))


def key_ring(settings: Settings) -> KeyRing:
    """The server's own keys; those of an embedded database's folder are made where a server never ran. Raises
    Problem."""
    from fhirserver.auth.keys import KeyFileError, SigningKey
    from fhirserver.auth.ring import FOLDER, KeyRing

    folder = Path(settings.embedded or "data")
    try:
        if settings.key_file:
            return KeyRing.beside(Path(settings.key_file))
        if not settings.mongo:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return KeyRing(SigningKey.in_folder(folder, create=not settings.mongo), folder / FOLDER)
    except KeyFileError as error:
        raise Problem(str(error)) from None


def account_room(settings: Settings, store: Store, keys: KeyRing) -> AccountRoom:
    """What belongs to accounts, for a command."""
    from fhirserver.auth.accounts.room import AccountRoom
    from fhirserver.clock import parse_clock
    from fhirserver.espace.delays import code_over
    from fhirserver.serving.supervisor import base_of
    from fhirserver.spec import Definitions

    root = base_of(settings).removesuffix("/fhir")
    clock = parse_clock(settings.clock)
    return AccountRoom(store, Definitions.core(), settings, keys.root.derive, clock, root, code_over)
