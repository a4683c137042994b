"""Follows what is stored, and has each version told to whom it concerns: one worker of all, the others stand by.

It judges nothing but the criteria: who may see it is asked when it is told (`rest.subscriptions.delivering`).
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.errors import FhirError
from fhirserver.store.changes import MARGIN, WAIT, Gone
from fhirserver.subscriptions.criteria import met
from fhirserver.subscriptions.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.search import Query
    from fhirserver.store import Store
    from fhirserver.store.changes import Change, Following
    from fhirserver.subscriptions.plan import Wanted

    Compile = Callable[[Wanted], Query]

SUBSCRIPTION: Final = "Subscription"
RELOAD: Final = 30.0
"""Seconds after which it is looked who is subscribed, whatever the stream tells of Subscriptions."""
_log = logging.getLogger(__name__)


class _Watched(NamedTuple):
    """A subscriber, and one of the searches that concern him."""

    subscriber: str
    since: datetime
    query: Query


class Tailer:
    """`compiler` gives what makes a query of criteria; `wake` is called when something is to be told."""

    def __init__(self, store: Store, compiler: Callable[[], Compile], wake: Callable[[], object]) -> None:
        self._store, self._compiler, self._wake = store, compiler, wake
        self._following: Following | None = None
        self._watched: dict[str, list[_Watched]] = {}
        self._since = datetime.now(UTC)
        self._next_save = self._next_load = 0.0
        self._busy = False

    def step(self) -> bool:
        """One look at the stream, which takes a second at most; False where this worker does not follow it.

        Raises Unavailable."""
        try:
            if self._following is None and not self._begin():
                return False
            self._look()
        except BaseException:
            self.end()
            raise
        return self._following is not None

    def end(self) -> None:
        """Lets go of the stream, where it was last saved."""
        following, self._following = self._following, None
        if following is not None:
            try:
                following.end()
            except FhirError:  # the lease ends by itself
                return

    def drain(self) -> int:
        """Takes what there is up to now; how often it looked. For tests, and whoever cannot wait."""
        looks, busy = 0, True
        while busy and self.step():
            looks, busy = looks + 1, self._busy
        return looks

    def _begin(self) -> bool:
        """Takes the stream up, if somebody is subscribed and no other worker has it."""
        if not self._store.subscribers.live():
            return False
        following = self._store.changes.claim()
        if following is None:
            return False
        self._following = following
        self._load()
        self._open(following)
        return True

    def _open(self, following: Following) -> None:
        """Opened first, so that nothing falls between; then what came before is looked for, if that is not known."""
        lost, fresh = False, following.fresh
        try:
            following.open({*self._watched, SUBSCRIPTION})
        except Gone:
            lost = True
            following.open({*self._watched, SUBSCRIPTION})
        if not (fresh or lost):
            return
        since = self._since if following.top is None else following.top - MARGIN
        level, why = (logging.WARNING, "ended") if lost else (logging.INFO, "begins")
        _log.log(level, "changes are caught up with from %s on: the stream of them %s", since, why)
        self._catch_up(following, since, set(self._watched))

    def _catch_up(self, following: Following, since: datetime, types: set[str]) -> None:
        for change in following.since(since, types):
            self._tell(change)
        self._save(following)

    def _look(self) -> None:
        following = self._following
        assert following is not None  # noqa: S101 - it was begun
        try:
            change = following.next()
        except Gone:
            self._open(following)
            return
        self._busy = change is not None
        if change is not None and change.type != SUBSCRIPTION:
            self._tell(change)
        now = time.monotonic()
        if (change is not None and change.type == SUBSCRIPTION) or now >= self._next_load:
            self._again(following)
        if self._following is not None and (now >= self._next_save):
            self._save(following)

    def _again(self, following: Following) -> None:
        """Reads anew who is subscribed; nobody: the stream is given back. Of a type that was not followed, what came
        meanwhile is looked for."""
        types = set(self._watched)
        if not self._load():
            following.end(forget=True)
            self._following = None
        elif set(self._watched) != types:
            self._open(following)
            if new := set(self._watched) - types:
                self._catch_up(following, min(each.since for name in new for each in self._watched[name]), new)

    def _load(self) -> bool:
        rows, compile_ = self._store.subscribers.live(), self._compiler()
        self._watched = {}
        self._since = min((row["since"] for row in rows), default=datetime.now(UTC))
        for row in rows:
            for wanted in Plan.written(row["plan"]).wanted:
                try:
                    watched = _Watched(row["_id"], row["since"], compile_(wanted))
                except FhirError:  # a parameter that was added and taken away again
                    _log.warning("the criteria of Subscription/%s are not understood any more", row["_id"])
                    continue
                self._watched.setdefault(wanted.type, []).append(watched)
        self._next_load = time.monotonic() + RELOAD
        return bool(rows)

    def _tell(self, change: Change) -> None:
        envelope: Any = change.envelope
        watched = self._watched.get(change.type, ())
        concerned = [each.subscriber for each in watched if envelope["lu"] >= each.since and met(each.query, envelope)]
        if concerned and self._store.subscribers.post(concerned, change, datetime.now(UTC)):
            self._wake()

    def _save(self, following: Following) -> None:
        self._next_save = time.monotonic() + WAIT
        if not following.save():
            self._following = None
            following.close()
