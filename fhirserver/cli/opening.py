"""The store for commands that work on the database itself, beside or without a running server."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fhirserver import settings as settings_
from fhirserver.cli import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.settings import Settings
    from fhirserver.store import Store


@contextmanager
def located(*, mongo: str | None = None, embedded: str | None = None) -> Iterator[tuple[str, str]]:
    """URI and name of the database that is named, or else of the settings. Raises Problem."""
    try:
        settings = settings_.load(mongo="" if embedded else mongo, embedded=embedded)
    except settings_.SettingsError as error:
        raise Problem(str(error)) from None
    with reached(settings) as uri:
        yield uri, settings.database


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
        store = Store(uri, settings.database, definitions=Definitions.core())
        try:
            yield store
        finally:
            store.close()
