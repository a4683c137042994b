"""A compact archive of conformance resources: one sqlite file, a row of compressed JSON per resource.

Table `resource` holds the resources, table `fact` what was computed of them when the archive was built, such as the
element tree of a type. Each call opens the file anew (a tenth of a millisecond): threads and forks share nothing.
"""

from __future__ import annotations

import re
import sqlite3
import zlib
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from fhirserver import jsontext

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

SCHEMA: Final = """
create table resource (
    key integer primary key, resource_type text not null, url text, version text, id text, type text, kind text,
    derivation text, body blob not null
);
create index resource_url on resource (url);
create table fact (key text primary key, body blob not null) without rowid;
"""

INDEX: Final = "select key, resource_type, url, version, id, type, kind, derivation from resource"


_DECIMAL: Final = re.compile(rb"[:,\[]\s*-?\d+[.eE]")


class Entry(NamedTuple):
    """What an index knows of a resource; `key` finds its body in the archive, folder or file it lies in."""

    key: int | str
    resource_type: str
    url: str | None
    version: str | None
    id: str | None
    type: str | None
    kind: str | None
    derivation: str | None


def entry(key: int | str, resource: Mapping[str, Any]) -> Entry:
    """The index entry of a resource."""
    texts = (resource.get(name) for name in ("url", "version", "id", "type", "kind", "derivation"))
    return Entry(key, resource["resourceType"], *(text if isinstance(text, str) else None for text in texts))


class Archive:
    """The reader of an archive file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"

    def _rows(self, statement: str, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self._uri, uri=True)) as connection:
            return connection.execute(statement, parameters).fetchall()

    def entries(self, resource_type: str | None = None) -> list[Entry]:
        """All entries, or those of a resource type, in the order of the archive."""
        if resource_type is None:
            rows = self._rows(INDEX + " order by key")
        else:
            rows = self._rows(INDEX + " where resource_type = ? order by key", (resource_type,))
        return [Entry(*row) for row in rows]

    def by_url(self, url: str) -> list[Entry]:
        """The entries of a canonical URL without version."""
        return [Entry(*row) for row in self._rows(INDEX + " where url = ?", (url,))]

    def load(self, key: int | str) -> Any:
        """The resource of an entry."""
        return _unpack(self._rows("select body from resource where key = ?", (key,))[0][0])

    def fact(self, key: str) -> Any | None:
        """What was computed when the archive was built, such as `type/Patient`; None when it was not."""
        rows = self._rows("select body from fact where key = ?", (key,))
        return _unpack(rows[0][0]) if rows else None

    def facts(self) -> list[str]:
        """The keys of all facts."""
        return [row[0] for row in self._rows("select key from fact order by key")]


class Held:
    """An archive read once into memory, its resources still packed: it outlives the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            rows = connection.execute(INDEX.replace(" from ", ", body from ") + " order by key").fetchall()
            self._facts = dict(connection.execute("select key, body from fact").fetchall())
        self._entries = [Entry(*row[:-1]) for row in rows]
        self._bodies = {row[0]: row[-1] for row in rows}
        self._by_url: dict[str, list[Entry]] = {}
        for each in self._entries:
            if each.url:
                self._by_url.setdefault(each.url, []).append(each)

    def entries(self, resource_type: str | None = None) -> list[Entry]:
        return [each for each in self._entries if resource_type in (None, each.resource_type)]

    def by_url(self, url: str) -> list[Entry]:
        return self._by_url.get(url, [])

    def load(self, key: int | str) -> Any:
        return _unpack(self._bodies[key])

    def fact(self, key: str) -> Any | None:
        return _unpack(self._facts[key]) if key in self._facts else None


def write(path: Path, resources: Iterable[Mapping[str, Any]], facts: Mapping[str, Any]) -> None:
    """Write an archive to `path`, over what is there; the same input gives the same rows."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript("pragma page_size = 4096; pragma journal_mode = off;" + SCHEMA)
        fill(connection, resources, facts)


def fill(connection: sqlite3.Connection, resources: Iterable[Mapping[str, Any]], facts: Mapping[str, Any]) -> None:
    """Fills the tables of an archive."""
    rows = ((*entry(key, resource), _pack(resource)) for key, resource in enumerate(resources, 1))
    connection.executemany("insert into resource values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.executemany("insert into fact values (?, ?)", ((key, _pack(facts[key])) for key in sorted(facts)))


def _pack(value: Any) -> bytes:
    return zlib.compress(jsontext.dump(value), 9)


def _unpack(body: bytes) -> Any:
    return loads(zlib.decompress(body))


def loads(body: bytes) -> Any:
    """JSON with its decimals as written; by the fast parser where there are none, as in nearly every definition."""
    return jsontext.parse(body) if _DECIMAL.search(body) else orjson.loads(body)
