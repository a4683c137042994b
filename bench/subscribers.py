"""`python -m bench.subscribers`: what it costs to find a few of many who are subscribed, on the embedded database.

Rows as a Subscription leaves them are inserted by bulk; then the follower of the stream is handed changes, of people
whom one each hears of, and of people whom nobody does; and who is due is taken and given back.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fhirserver.access import Requester
from fhirserver.spec import Definitions
from fhirserver.store import Embedded, Store
from fhirserver.store.changes import Change
from fhirserver.store.heard import Heard
from fhirserver.subscriptions.criteria import compiled
from fhirserver.subscriptions.plan import Plan, Wanted
from fhirserver.subscriptions.tailing import AT_ONCE, Tailer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NOW: Final = datetime.now(UTC)
_TYPES: Final = ("Observation", "DocumentReference", "Appointment", "Communication", "Consent")
_BATCH: Final = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--stored", type=int, default=20_000, help="Subscriptions that there are")
    stored: int = parser.parse_args().stored
    with tempfile.TemporaryDirectory() as folder:
        embedded = Embedded(Path(folder), sync=False)
        store = Store(embedded.start(), "bench", definitions=Definitions.core())
        try:
            _insert(store, stored)
            _measure(store, stored)
        finally:
            store.close()
            embedded.stop()


def _insert(store: Store, count: int) -> None:
    store.subscribers.anybody()
    rows = store._bound().database["subscribers"]
    for start in range(0, count, _BATCH):
        rows.insert_many([_row(place) for place in range(start, min(count, start + _BATCH))])
    for place, type_ in enumerate(_TYPES):
        Heard(store._bound().database, "subscribers").add([type_], f"s{place}", _NOW)


def _row(place: int) -> dict[str, Any]:
    type_ = _TYPES[place % len(_TYPES)]
    wanted = (Wanted(type_, ""),)
    plan = Plan("", wanted, "https://h.example/", (), "application/fhir+json", "full-resource", 0, 10, 1, None)
    return {
        "_id": f"s{place}", "live": True, "plan": plan.described(), "owner": f"o{place}", "grant": None, "since": _NOW,
        "who": Requester("patient", f"patient/p{place}", patient=f"p{place}").described(), "types": [type_],
        "hears": [f"{type_}?p{place}"], "host": f"h{place % 1000}.example", "due": _NOW + timedelta(hours=1),
        "tries": 0, "failed": None, "number": 0, "posted": 0, "shook": True, "status": "active", "version": 1,
    }  # fmt: skip


def _measure(store: Store, stored: int) -> None:
    tailer = Tailer(store, lambda: lambda wanted: compiled(store.definitions, wanted), lambda: None)
    subscribers = store.subscribers
    for version in (1, 2):
        heard = list(_changes(range(0, AT_ONCE * len(_TYPES), len(_TYPES)), version))
        none = list(_changes(range(stored, stored + AT_ONCE), version))
        print(f"{stored} stored, {'first' if version == 1 else 'second'} round")
        _timed(f"{AT_ONCE} changes of whom nobody hears", partial(tailer._tell, none))
        _timed(f"{AT_ONCE} changes of whom one each hears", partial(tailer._tell, heard))
        _timed(f"{AT_ONCE} taken and given back", lambda: _take(store))
        _timed("nobody is due", lambda: subscribers.take(_NOW))
        _timed("of which types somebody hears", subscribers.types)
        _timed("whether there is anybody", subscribers.anybody)
        _timed("whom a former version kept", subscribers.behind)


def _changes(places: range, version: int) -> Iterator[Change]:
    for place in places:
        yield Change("Observation", {"_id": f"r{place}", "v": version, "lu": _NOW, "pat": f"p{place}"})


def _take(store: Store) -> None:
    now, count = datetime.now(UTC), 0
    while (row := store.subscribers.take(now)) is not None:
        store.subscribers.settle(row, now + timedelta(hours=1), tries=0)
        count += 1
    print(f"{count:>8} were due")


def _timed(what: str, work: Callable[[], object]) -> None:
    began = time.perf_counter()
    work()
    print(f"{(time.perf_counter() - began) * 1000:>8.1f} ms  {what}", flush=True)


if __name__ == "__main__":
    main()
