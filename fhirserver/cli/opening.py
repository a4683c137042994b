"""The store for commands that work on the database itself, beside or without a running server."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fhirserver.cli import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.settings import Settings
    from fhirserver.store import Store


@contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    """The store that the settings name; an embedded database is started for it, so its server must be stopped."""
    from fhirserver.spec import Definitions
    from fhirserver.store import Embedded, Store, StoreError

    embedded = None if settings.mongo else Embedded(Path(settings.embedded or "data"))
    try:
        store = Store(
            embedded.start() if embedded else settings.mongo, settings.database, definitions=Definitions.core()
        )
        try:
            yield store
        finally:
            store.close()
    except StoreError as error:
        raise Problem(str(error)) from None
    finally:
        if embedded is not None:
            embedded.stop()
