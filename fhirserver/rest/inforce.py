"""The search parameters in force on this worker: those of the packages that ship, and those that were added.

What is written is indexed by all of them; what is searched for may use those by which everything stored is indexed.
The registry in the database counts its changes (epoch): a worker looks at the count once a second, and before every
search as long as there are added parameters at all, so that none is used after it was changed.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.errors import FhirError
from fhirserver.search import Indexer
from fhirserver.spec.parameters import from_resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fhirserver.search import Index
    from fhirserver.spec import Definitions, SearchParameter
    from fhirserver.store import Added, Store

EVERY: Final = 1.0
"""Seconds between two looks at the epoch."""
STALE: Final = 8.0
"""Seconds after which nothing is indexed without a look: others hold this worker for dead soon."""
SAY: Final = 5.0
NOT_INDEXED: Final = "not yet indexed: what was stored before it is still being looked through"
_MEMBERS: Final = ("url", "code", "base", "type", "expression", "component", "target")
_log = logging.getLogger(__name__)


class State(NamedTuple):
    """What belongs together: `definitions` is what may be searched by, `indexer` what is indexed by."""

    epoch: int
    definitions: Definitions
    indexer: Indexer
    added: tuple[Added, ...] = ()


class InForce:
    """The parameters in force; `published` are the packages that ship. Safe between threads.

    It looks at the store that it is bound to; before, nothing is added.
    """

    def __init__(self, published: Definitions, *, base_url: str, timezone: str) -> None:
        self._published, self._base_url, self._timezone = published, base_url, timezone
        self._store: Store | None = None
        self._lock = threading.RLock()
        self._looked = time.monotonic()
        self._said, self._said_epoch = 0.0, -1
        self._name = uuid.uuid4().hex
        self._state = State(0, published, self._indexer(published))

    def bind(self, store: Store) -> None:
        """The store whose registry counts."""
        self._store = store
        self._looked = float("-inf")

    @property
    def current(self) -> State:
        """The state of now; looks at the epoch once a second, while others go on with what there is."""
        if time.monotonic() - self._looked >= EVERY and self._lock.acquire(blocking=False):
            try:
                self._try()
            finally:
                self._lock.release()
        return self._state

    @property
    def to_search(self) -> Definitions:
        """The definitions that a search uses: those of this moment where there are added parameters."""
        return self.refreshed().definitions if self._state.added else self.current.definitions

    def index(self, resource: dict[str, Any]) -> Index:
        """The search entries of a resource (`Indexer.index`). Raises Unavailable when nobody knows what is in force."""
        if time.monotonic() - self._looked >= STALE:
            self.refreshed()
        return self._state.indexer.index(resource)

    def refreshed(self) -> State:
        """The state after a look at the epoch. Raises Unavailable."""
        if self._store is None:
            return self._state
        looked = time.monotonic()
        if self._store.registry.epoch() != self._state.epoch:
            with self._lock:
                epoch = self._store.registry.epoch()
                if epoch != self._state.epoch:
                    self._state = self._made(epoch, self._store.registry.all())
                    self._store.writing.epoch = epoch
        self._looked = looked
        return self._state

    def say(self) -> None:
        """Tells the other workers by which epoch this one writes, when that is settled. Raises Unavailable."""
        if self._store is None:
            return
        epoch, now = self.refreshed().epoch, time.monotonic()
        if not self._store.writing.settled(epoch):
            epoch = self._said_epoch
        if epoch != self._said_epoch or now - self._said >= SAY:
            self._store.registry.say(self._name, max(epoch, 0))
            self._said, self._said_epoch = now, epoch

    def everywhere(self, epoch: int) -> bool:
        """Whether all that any worker writes from now on is indexed as of an epoch. Raises Unavailable."""
        if self._store is None:
            return True
        self.say()
        return self._store.writing.settled(epoch) and not self._store.registry.behind(epoch)

    def with_(self, rows: Iterable[Added]) -> Definitions:
        """The definitions that ship with other parameters added."""
        return self._published.with_parameters([each for row in rows for each in parameters(row.resource)])

    def _try(self) -> None:
        try:
            self.refreshed()
        except FhirError:  # the database is away, which the request will tell
            self._looked = time.monotonic() - EVERY / 2

    def _made(self, epoch: int, rows: list[Added]) -> State:
        if not rows:
            return State(epoch, self._published, self._indexer(self._published))
        usable = [each for row in rows if row.usable for each in parameters(row.resource)]
        pending = [each for row in rows if not row.usable for each in parameters(row.resource)]
        withheld = [(base, each.code, NOT_INDEXED) for base, each in pending]
        searched = self._published.with_parameters(usable, withheld)
        return State(epoch, searched, self._indexer(self.with_(rows)), tuple(rows))

    def _indexer(self, definitions: Definitions) -> Indexer:
        return Indexer(definitions, timezone=self._timezone, base_url=self._base_url)


def essence(resource: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """What of a SearchParameter counts, and its digest."""
    kept = {name: resource[name] for name in _MEMBERS if name in resource}
    return kept, hashlib.sha256(jsontext.dump(kept)).hexdigest()


def parameters(resource: Mapping[str, Any]) -> Iterator[tuple[str, SearchParameter]]:
    """The parameters that a SearchParameter defines, by base type."""
    return from_resource(resource)
