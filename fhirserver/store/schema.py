"""The format of envelopes: each carries its number `f`, and neighbouring versions of the server work side by side.

A new format only adds: what writes format N leaves all that N - 1 reads, and reads what N - 1 wrote. So while workers
of both are up nothing is converted; `fhirserver migrate` then brings the older envelopes up, online, a stretch at a
time. What is two formats ahead is refused, at the start and when it is read: nobody guesses what it means. The row
`schema` of the register tells the oldest format that there may be, and the newest that was written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.store.definitions import Registry
from fhirserver.store.envelope import FORMAT
from fhirserver.store.errors import StoreError, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pymongo.collection import Collection
    from pymongo.database import Database

Row = dict[str, Any]

COLLECTION: Final = "schema"
KEY: Final = "envelopes"
HISTORY: Final = ".history"
BATCH: Final = 500
_FOLLOWING: Final = ("pat", "patx", "was", "doc", "made")
"""What changes of an envelope that stays at its version."""


class SchemaError(StoreError):
    """A database whose format this version may not touch, with what to do."""


class Migration(NamedTuple):
    """How an envelope of format `to - 1`, of a resource type, becomes one of format `to`. `convert` changes a copy."""

    to: int
    convert: Callable[[str, Row], Row]


class Reach(NamedTuple):
    """What a database may hold: its oldest and its newest format."""

    oldest: int
    newest: int


def reach(database: Database[Row]) -> Reach:
    """What is recorded; of a new database, what this version writes."""
    with translated():
        row = database[COLLECTION].find_one({"_id": KEY})
        if row is None and database.list_collection_names(filter={"name": {"$regex": "^[A-Z]"}}):
            return Reach(1, 1)
    return Reach(FORMAT, FORMAT) if row is None else Reach(row.get("oldest", 1), row.get("newest", 1))


def meet(database: Database[Row], written: int = FORMAT) -> None:
    """To be called before a worker begins: says what it writes. Raises SchemaError where it may not begin."""
    found = reach(database)
    if found.newest > written + 1:
        raise SchemaError(
            f"The database has format {found.newest}; this version writes {written}, and works beside {written + 1} at "
            "most. Install the newer version."
        )
    if found.oldest < written - 1:
        raise SchemaError(
            f"The database still has format {found.oldest}; this version reads {written - 1} and later. Run "
            "`fhirserver migrate` of the versions in between, one after the other."
        )
    with translated():
        database[COLLECTION].update_one(
            {"_id": KEY}, {"$setOnInsert": {"oldest": found.oldest}, "$max": {"newest": written}}, upsert=True
        )


def migrate(
    database: Database[Row],
    types: Iterable[str],
    migrations: Sequence[Migration],
    written: int = FORMAT,
    besides: Callable[[], Iterable[int]] = tuple,
) -> Iterator[int]:
    """Brings every envelope to the format `written`; yields how many were looked at, a stretch at a time.

    `migrations`: one for each format after the first; `besides`: brings up what is no envelope, and yields likewise.
    It may be ended and begun again: it goes on where it was. Workers go on meanwhile: an envelope that they replaced is
    left to them. Raises SchemaError when the database is newer, or while workers of an older format are up.
    """
    found = reach(database)
    if found.newest > written:
        raise SchemaError(f"The database has format {found.newest}, this version writes {written}: nothing was done.")
    _require_ended(database, written)
    by = {each.to: each for each in migrations}
    for collection in _collections(database, types):

        def converted(some: list[Row], rows: Collection[Row] = database[collection]) -> None:
            for each in some:
                _converted(rows, each, by, written)

        yield from walked(database, collection, written, converted)
    yield from besides()
    _require_ended(database, written)
    with translated():
        database[COLLECTION].update_one(
            {"_id": KEY}, {"$set": {"oldest": written, "newest": written}, "$unset": {"at": ""}}, upsert=True
        )


def _require_ended(database: Database[Row], written: int) -> None:
    """What older workers write, they write behind the place that was reached too: it begins anew after them."""
    if older := Registry(database).older(written):
        with translated():
            database[COLLECTION].update_one({"_id": KEY}, {"$unset": {"at": ""}})
        raise SchemaError(f"{older} workers of an older version are up: end them, and run this again.")


def _collections(database: Database[Row], types: Iterable[str]) -> list[str]:
    there = set(database.list_collection_names())
    return sorted(each for name in types for each in (name, name + HISTORY) if each in there)


def walked(
    database: Database[Row], name: str, written: int, work: Callable[[list[Row]], object], what: str = ""
) -> Iterator[int]:
    """Does the work for a collection by `_id`, a stretch at a time, from the place that was reached before; yields how
    many each was. `what` is done, where that is not to bring up its envelopes."""
    places, rows = database[COLLECTION], database[name]
    with translated():
        row = places.find_one({"_id": KEY}) or {}
    key = f"{written} {name} {what}".strip().replace(".", "|")
    place = row.get("at", {}).get(key)
    while True:
        with translated():
            asked = {"_id": {"$gt": place}} if place is not None else {}
            batch = rows.find(asked).sort("_id").limit(BATCH).to_list()
            if not batch:
                return
            work(batch)
            place = batch[-1]["_id"]
            places.update_one({"_id": KEY}, {"$set": {f"at.{key}": place}}, upsert=True)
        yield len(batch)


def _converted(rows: Collection[Row], found: Row | None, by: dict[int, Migration], written: int) -> None:
    """Replaces an envelope that is still what was read; of one that was changed meanwhile, what it is now."""
    type_ = rows.name.removesuffix(HISTORY)
    while found is not None and (before := found.get("f", 1)) < written:
        envelope = found
        for number in range(before + 1, written + 1):
            envelope = {**by[number].convert(type_, dict(envelope)), "f": number}
        if rows.replace_one(_unchanged(found), envelope).matched_count:
            return
        found = rows.find_one({"_id": found["_id"]})


def _unchanged(row: Row) -> Row:
    """The envelope as it was read: merges and documents change some at their version."""
    known = {name: row.get(name) for name in ("_id", "v", "lu", *_FOLLOWING)}
    return known | {"f": row.get("f", {"$in": [None, 1]})}
