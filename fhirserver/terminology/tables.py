"""A code system too large for memory: its concepts lie in tables of an archive and are read as they are asked for.

Table `concept` holds a packed body per code, `edge` who is directly above whom, `word` the words of displays and
designations. Memory stays flat: of 350,000 concepts only the last asked for are kept.
"""

from __future__ import annotations

import functools
import os
import re
import sqlite3
import threading
import weakref
import zlib
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import orjson

from fhirserver.terminology import filters as tests
from fhirserver.terminology.concepts import Concept, concept_of, standard_names
from fhirserver.terminology.errors import NotHere, TooCostly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from fhirserver.terminology.wording import Search

SCHEMA: Final = """
create table concept (number integer primary key, code text not null unique, body blob not null);
create table edge (child integer not null, parent integer not null, primary key (child, parent)) without rowid;
create virtual table word using fts5 (text, content = '', tokenize = 'unicode61 remove_diacritics 2');
"""
INDEXES: Final = """
create index concept_folded on concept (code collate nocase);
create index edge_parent on edge (parent, child);
"""
RELEASE: Final = "release"
"""The fact of an archive with such tables: `url` and `version` of its code system."""
KEPT: Final = 4096
"""Concepts, and sets of ancestors, remembered of each code system."""

_BELOW: Final = (
    "with recursive below (number) as (select child from edge where parent = :{0} "
    "union select child from edge join below on parent = below.number) select number from below"
)
_UP: Final = (
    "with recursive above (number) as (select parent from edge where child = :{0} "
    "union select parent from edge join above on child = above.number) select number from above"
)
_ABOVE: Final = f"select code from concept where number in ({_UP.format('named')})"  # noqa: S608 (constants)
_COMMON: Final = (
    b'{"code":"","display":"","designation":[{"language":"fr","value":"'
    b'},{"code":"STATUS","valueString":"ACTIVE"},{"code":"COMPONENT","valueString":"PROPERTY","TIME_ASPCT","SYSTEM",'
    b'"SCALE_TYP","METHOD_TYP","CLASS","CLASSTYPE","ORDER_OBS"},"definition":"'
    b'"designation":[{"language":"en","use":{"system":"http://snomed.info/sct","code":"900000000000013009",'
    b'"display":"Synonym"},"value":"},{"language":"en","use":{"system":"http://snomed.info/sct",'
    b'"code":"900000000000003001","display":"Fully specified name"},"value":"'
    b'"property":[{"code":"moduleId","valueCode":"900000000000207008"},{"code":"effectiveTime","valueDateTime":"20'
    b'},{"code":"sufficientlyDefined","valueBoolean":false},{"code":"inactive","valueBoolean":false}]}'
)
"""What bodies have in common, so that each is packed into little; it belongs to the format of the tables."""
_WORDS: Final = re.compile(r"\w+")


def pack(concept: Mapping[str, Any]) -> bytes:
    """The body of a concept, as in a CodeSystem."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15, 8, zlib.Z_DEFAULT_STRATEGY, _COMMON)
    return packer.compress(orjson.dumps(concept)) + packer.flush()


def unpack(body: bytes) -> Any:
    return orjson.loads(zlib.decompressobj(-15, _COMMON).decompress(body))


class Rows:
    """Reads a file; one connection a process, which outlives the removal of the file."""

    def __init__(self, path: Path) -> None:
        self._uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        self._lock = threading.Lock()
        self._process = 0
        self._open()

    def _open(self) -> None:
        self._connection = sqlite3.connect(self._uri, uri=True, check_same_thread=False)
        self._process = os.getpid()
        weakref.finalize(self, self._connection.close)

    def all(self, statement: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            if self._process != os.getpid():
                self._open()
            return self._connection.execute(statement, parameters).fetchall()

    def streamed(self, statement: str, parameters: Mapping[str, object]) -> Iterator[tuple[Any, ...]]:
        with closing(sqlite3.connect(self._uri, uri=True)) as connection:
            yield from connection.execute(statement, parameters)


class Above:
    """The hierarchy of a code system in tables; asked like `hierarchy.Hierarchy`."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.parents = _Neighbours(rows, "child", "parent")
        self.children = _Neighbours(rows, "parent", "child")
        self.ancestors: Callable[[str], frozenset[str]] = functools.lru_cache(KEPT)(self._ancestors)

    def is_below(self, code: str, ancestor: str) -> bool:
        """Whether a code is a descendant of another; a code is not below itself."""
        return code != ancestor and ancestor in self.ancestors(code)

    def _ancestors(self, code: str) -> frozenset[str]:
        number = _number(self._rows, code)
        return (
            frozenset()
            if number is None
            else frozenset(row[0] for row in self._rows.all(_ABOVE, {"named": number})) - {code}
        )


class _Neighbours:
    """Code -> codes one step away."""

    def __init__(self, rows: Rows, here: str, there: str) -> None:
        self._rows = rows
        self._statement = (
            f"select other.code from concept join edge on edge.{here} = concept.number "  # noqa: S608 (constants)
            f"join concept as other on other.number = edge.{there} where concept.code = ? order by other.number"
        )

    def get(self, code: str, default: object = ()) -> tuple[str, ...]:
        return tuple(row[0] for row in self._rows.all(self._statement, (code,)))


class Tabled:
    """The concepts of a code system in the tables of an archive; asked like `concepts.Concepts`."""

    complete: Final = True

    def __init__(self, resource: Mapping[str, Any], path: Path) -> None:
        self.resource = resource
        self.url: str = resource["url"]
        self.version: str | None = resource.get("version")
        self.name: str = resource.get("title") or resource.get("name") or self.url
        self.sensitive: bool = resource.get("caseSensitive", True)
        self.filters: dict[tuple[str, str, str], Callable[[Concept], bool]] = {}
        self._names = standard_names(resource.get("property", ()))
        self.defined = frozenset(self._names)
        self._rows = Rows(path)
        self.hierarchy = Above(self._rows)
        self.find: Callable[[str], Concept | None] = functools.lru_cache(KEPT)(self._find)

    def _find(self, code: str) -> Concept | None:
        rows = self._rows.all("select body from concept where code = ?", (code,))
        if not rows and not self.sensitive:
            rows = self._rows.all("select body from concept where code = ? collate nocase order by number", (code,))
        return self._concept(rows[0][0]) if rows else None

    def _concept(self, body: bytes) -> Concept:
        return concept_of(unpack(body), self._names)[0]

    def has_property(self, name: str) -> bool:
        """Whether a concept may have a property."""
        return name in self.defined

    def listing(
        self, filters: Sequence[Mapping[str, Any]], search: Search | None = None, most: int | None = None
    ) -> Iterator[Concept]:
        """The concepts that pass all filters, and that a text filter may find, in order, one at a time.

        Raises TooCostly before the first when there are more than `most`, as far as the tables can count them.
        """
        where: list[str] = []
        given: dict[str, object] = {}
        rest = []
        for index, each in enumerate(filters):
            test = tests.test(each, self)
            statement = self._statement(each, f"p{index}", given)
            where.append(statement) if statement else rest.append(test)
        words = _matching(search)
        if words:
            where.append("number in (select rowid from word where word match :words)")
            given["words"] = words
        condition = f" where {' and '.join(where)}" if where else ""
        try:
            if most is not None and not rest:
                self._count(condition, given, most)
            for (body,) in self._rows.streamed(f"select body from concept{condition} order by number", given):  # noqa: S608
                concept = self._concept(body)
                if all(test(concept) for test in rest):
                    yield concept
        except sqlite3.OperationalError:
            raise NotHere(self.url, f"The code system {self.url} was just removed.") from None

    def _count(self, condition: str, given: Mapping[str, object], most: int) -> None:
        statement = f"select count(*) from (select 1 from concept{condition} limit {most + 1})"  # noqa: S608
        for (count,) in self._rows.streamed(statement, given):
            if count > most:
                raise TooCostly(f"More than {most} codes of {self.url} are in question: filter them by a text.")

    def _statement(self, condition: Mapping[str, Any], name: str, given: dict[str, object]) -> str | None:
        """A filter by code or hierarchy in the words of the database; None for others."""
        operator, value = condition["op"], condition["value"]
        if condition["property"] not in tests.CODE:
            return None
        if operator == "=":
            given[name] = value
            return f"code = :{name}"
        if operator not in ("is-a", "descendent-of", "is-not-a", "generalizes"):
            return None
        named = self.find(value)
        given[name] = _number(self._rows, named.code) if named else None
        related = (_UP if operator == "generalizes" else _BELOW).format(name)
        if operator == "descendent-of":
            return f"number in ({related}) and number <> :{name}"
        inside = f"(number = :{name} or number in ({related}))"
        return f"not {inside}" if operator == "is-not-a" else inside


def _number(rows: Rows, code: str) -> int | None:
    found = rows.all("select number from concept where code = ?", (code,))
    return found[0][0] if found else None


def _matching(search: Search | None) -> str | None:
    """What the index of words is asked: no less than what `search` finds."""
    phrases = [" ".join(_WORDS.findall(word.replace("_", " "))) for word in search.words] if search else []
    return " ".join(f'"{each}" *' for each in phrases if each) or None
