"""Writes a code system into the tables of an archive, concept by concept (see `terminology.tables`)."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, NamedTuple

from fhirserver.spec import archive
from fhirserver.terminology.tables import INDEXES, SCHEMA, pack
from fhirserver.terminology.wording import folded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


class Head(NamedTuple):
    """What is known of a code system beside its concepts. `release` is the version as the name of a file bears it.

    `properties`: code -> type, as in CodeSystem.property.
    """

    url: str
    version: str
    release: str
    title: str
    meaning: str
    properties: Mapping[str, str]
    sensitive: bool = True


class Writer:
    """Fills a new file. What is staged meanwhile lies in temporary tables on disk, so memory stays flat."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.unlink(missing_ok=True)
        self.stage = sqlite3.connect(path, isolation_level=None)
        """For what a reader has to sort and join: `create temp table`."""
        self.stage.executescript(
            "pragma page_size = 4096; pragma journal_mode = off; pragma synchronous = off; pragma temp_store = file;"
            "pragma cache_size = -32768;" + archive.SCHEMA + SCHEMA
        )
        self.stage.execute("create temp table link (child text not null, parent text not null)")
        self.stage.execute("begin")
        self.concepts = 0
        self._resources: list[Mapping[str, Any]] = []

    def add(self, concept: Mapping[str, Any], parents: Iterable[str] = ()) -> bool:
        """A concept as in a CodeSystem resource; False when its code was there already."""
        code = concept["code"]
        done = self.stage.execute("insert or ignore into concept (code, body) values (?, ?)", (code, pack(concept)))
        for parent in parents:
            self.link(code, parent)
        if not done.rowcount:
            return False
        self.concepts += 1
        texts = (concept.get("display", ""), *(each["value"] for each in concept.get("designation", ())))
        words = folded(" ".join((code, *texts)))
        self.stage.execute("insert into word (rowid, text) values (?, ?)", (done.lastrowid, words))
        return True

    def link(self, child: str, parent: str) -> None:
        """A concept is directly below another; either may come later, or never."""
        self.stage.execute("insert into link values (?, ?)", (child, parent))

    def resource(self, resource: Mapping[str, Any]) -> None:
        """A resource that goes with the code system, such as a ValueSet."""
        self._resources.append(resource)

    @property
    def resources(self) -> int:
        """The number of resources that go with the code system."""
        return len(self._resources)

    def finish(self, name: str, head: Head, facts: Mapping[str, Any]) -> None:
        """Writes what is known of the whole."""
        self.stage.execute(
            "insert or ignore into edge select below.number, above.number from link "
            "join concept as below on below.code = link.child join concept as above on above.code = link.parent "
            "where below.number <> above.number"
        )
        for statement in INDEXES.split(";"):
            self.stage.execute(statement)
        self.stage.execute("insert into word (word) values ('optimize')")
        archive.fill(self.stage, [_code_system(name, head, self.concepts), *self._resources], facts)
        self.stage.execute("commit")

    def close(self) -> None:
        self.stage.close()


def _code_system(name: str, head: Head, count: int) -> dict[str, Any]:
    return {
        "resourceType": "CodeSystem",
        "id": name,
        "url": head.url,
        "version": head.version,
        "name": name.upper(),
        "title": head.title,
        "status": "active",
        "content": "not-present",
        "caseSensitive": head.sensitive,
        "hierarchyMeaning": head.meaning,
        "count": count,
        "property": [{"code": code, "type": type} for code, type in head.properties.items()],
    }
