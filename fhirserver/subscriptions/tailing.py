"""Follows what is stored, and has each version told to whom it concerns: one worker of all, the others stand by.

It judges nothing but the criteria: who may see it is asked when it is told (`rest.subscriptions.delivering`).
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from fhirserver.access import Requester
from fhirserver.errors import FhirError
from fhirserver.store.changes import MARGIN, WAIT, Gone
from fhirserver.store.subscribers import Posted
from fhirserver.subscriptions import audience
from fhirserver.subscriptions.criteria import met
from fhirserver.subscriptions.plan import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fhirserver.search import Query
    from fhirserver.store import Store
    from fhirserver.store.changes import Change, Following

    Compile = Callable[[Wanted], Query]

SUBSCRIPTION: Final = "Subscription"
RELOAD: Final = 1800.0
"""Seconds after which it is looked whether somebody still hears of each type."""
_ANEW: Final = 30.0
"""Seconds after which criteria are read anew, as search parameters may have changed."""
AT_ONCE: Final = 200
"""Changes that are looked at together."""
_POSTED: Final = 1000
_CRITERIA: Final = 20_000
"""Different criteria of which the queries are kept."""
_log = logging.getLogger(__name__)


class Tailer:
    """`compiler` gives what makes a query of criteria; `wake` is called when something is to be told."""

    def __init__(self, store: Store, compiler: Callable[[], Compile], wake: Callable[[], object]) -> None:
        self._store, self._compiler, self._wake = store, compiler, wake
        self._following: Following | None = None
        self._types: frozenset[str] = frozenset()
        self._queries: dict[Wanted, Query | None] = {}
        self._next_save = self._next_load = self._next_criteria = 0.0
        self._seq = 0
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
        self._bring_up()
        if not self._store.subscribers.anybody():
            return False
        following = self._store.changes.claim()
        if following is None:
            return False
        self._following = following
        known = None if following.fresh else following.types
        self._load(following, self._store.subscribers.types() if known is None else known)
        self._open(following)
        return True

    def _bring_up(self) -> None:
        """Whom a former version kept is from now on found by who hears of what."""
        while rows := self._store.subscribers.behind():
            for row in rows:
                wanted = [Wanted(*each) for each in row["plan"]["wanted"]]
                queries = [query for query in map(self._query, wanted) if query is not None]
                self._store.subscribers.bring_up(
                    row,
                    types=sorted({query.type for query in queries}),
                    hears=audience.of_subscriber(queries, Requester.written(row["who"])),
                    host=urlsplit(row["plan"]["endpoint"]).netloc,
                )

    def _open(self, following: Following) -> None:
        """Opened first, so that nothing falls between; then what came before is looked for, if that is not known."""
        lost, fresh = False, following.fresh
        followed = {*self._types, SUBSCRIPTION}
        try:
            following.open(followed)
        except Gone:
            lost = True
            following.open(followed)
        if not (fresh or lost):
            return
        since = None if following.top is None else following.top - MARGIN
        level, why = (logging.WARNING, "ended") if lost else (logging.INFO, "begins")
        _log.log(level, "the stream of changes %s: they are caught up with from %s on", why, since or "the first")
        self._catch_up(following, since, self._types)

    def _catch_up(self, following: Following, since: datetime | None, types: frozenset[str]) -> None:
        """Tells what was stored of the types since then, or since somebody wants to hear of one of them."""
        since = since or self._store.subscribers.earliest(types)
        some: list[Change] = []
        for change in following.since(since, types) if since is not None else ():
            some.append(change)
            if len(some) == AT_ONCE:
                self._tell(some)
                some = []
        self._tell(some)
        self._save(following)

    def _look(self) -> None:
        following = self._following
        assert following is not None  # noqa: S101 - it was begun
        try:
            changes = following.next(AT_ONCE)
        except Gone:
            self._open(following)
            return
        self._busy = changes is not None
        subscriptions = [each.envelope["_id"] for each in changes or () if each.type == SUBSCRIPTION]
        if subscriptions:
            self._bring_up()
        self._tell([each for each in changes or () if each.type != SUBSCRIPTION])
        now = time.monotonic()
        if now >= self._next_load:
            self._again(following)
        elif subscriptions:
            self._follow_too(following, self._store.subscribers.newcomers(subscriptions) - self._types)
        if self._following is not None and now >= self._next_save:
            self._save(following)

    def _again(self, following: Following) -> None:
        """Looks anew of what somebody hears; nobody of anything: the stream is given back."""
        types = self._types
        if not self._store.subscribers.anybody():
            following.end(forget=True)
            self._following = None
            return
        self._load(following, self._store.subscribers.types())
        if self._types < types:
            self._open(following)
        else:
            self._follow_too(following, self._types - types)

    def _follow_too(self, following: Following, types: frozenset[str]) -> None:
        """Follows more types, of which what came meanwhile is looked for."""
        if types:
            following.types = self._types = self._types | types
            self._open(following)
            self._catch_up(following, None, types)

    def _load(self, following: Following, types: frozenset[str]) -> None:
        following.types = self._types = types
        self._next_load = time.monotonic() + RELOAD

    def _tell(self, changes: Sequence[Change]) -> None:
        """Has each told to those whom it concerns: found by the keys of all, then by their criteria."""
        if not changes:
            return
        subscribers = self._store.subscribers
        permitted = subscribers.permitted({one for each in changes for one in audience.about(each.envelope)})
        places: dict[str, list[int]] = {}
        for place, change in enumerate(changes):
            for key in audience.of_version(change.type, change.envelope, permitted):
                places.setdefault(key, []).append(place)
        if time.monotonic() >= self._next_criteria or len(self._queries) >= _CRITERIA:
            self._queries, self._next_criteria = {}, time.monotonic() + _ANEW
        first = self._seq = max(self._seq + 1, time.time_ns())
        self._seq += len(changes)
        known: dict[tuple[Wanted, int], bool] = {}
        told: list[Posted] = []
        for row in subscribers.hearing(places):
            heard = {place for key in row["hears"] for place in places.get(key, ())}
            told += [
                Posted(row["_id"], changes[each], first + each)
                for each in sorted(heard)
                if changes[each].envelope["lu"] >= row["since"] and self._meets(row, each, changes[each], known)
            ]
            if len(told) >= _POSTED:
                self._post(told)
                told = []
        self._post(told)

    def _post(self, told: Sequence[Posted]) -> None:
        if told and self._store.subscribers.post(told, datetime.now(UTC)):
            self._wake()

    def _meets(self, row: Mapping[str, Any], place: int, change: Change, known: dict[tuple[Wanted, int], bool]) -> bool:
        """Whether a change meets one of the criteria of a subscriber; `known`: what was found of the same."""
        for each in row["plan"]["wanted"]:
            key = Wanted(*each), place
            if each[0] != change.type:
                continue
            if key not in known:
                query = self._query(key[0])
                known[key] = query is not None and met(query, change.envelope)
            if known[key]:
                return True
        return False

    def _query(self, wanted: Wanted) -> Query | None:
        """The query of criteria, None where they are not understood any more: a parameter was taken away again."""
        if wanted not in self._queries:
            try:
                self._queries[wanted] = self._compiler()(wanted)
            except FhirError:
                _log.warning("criteria for %s of a Subscription are not understood any more", wanted.type)
                self._queries[wanted] = None
        return self._queries[wanted]

    def _save(self, following: Following) -> None:
        self._next_save = time.monotonic() + WAIT
        if not following.save():
            self._following = None
            following.close()
