"""What comes with the matches of a page, by `_include` and `_revinclude`; each is seen as a search would see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.predicate import Eq, In, Predicate, negate
from fhirserver.search.query import Query
from fhirserver.search.terms import bearing
from fhirserver.store.envelope import UNREAD
from fhirserver.store.joins import Row, canonicals, keys, references

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fhirserver.search.query import Include
    from fhirserver.store.joins import Look

MOST: Final = 1000
"""Resources that one directive brings to a page."""
MOST_TOGETHER: Final = 3000
"""Resources that all directives together bring to a page."""

Found = tuple[str, Row]
_READ: Final[Row] = {"$project": UNREAD}


class Includes:
    """Gathers, for one page, what its directives lead to: nothing twice, and no match again."""

    def __init__(self, queries: Iterable[Query], look: Look) -> None:
        """Of searches of one type each, that make one page together."""
        queries = list(queries)
        self._directives = list({each.name: each for query in queries for each in query.includes}.values())
        self._look = look
        self._named = frozenset().union(*(query.named | (query.patients or frozenset()) for query in queries))
        self._known: set[tuple[str, str]] = set()
        self._left = dict.fromkeys(range(len(self._directives)), MOST)
        self._room = MOST_TOGETHER
        self.truncated: set[int] = set()

    def gather(self, matches: Sequence[Found]) -> list[Found]:
        """Type and row of each, round after round for those that iterate."""
        if not self._directives:
            return []
        frontier = list(matches)
        self._known.update((type_, row["_id"]) for type_, row in frontier)
        found: list[Found] = []
        first = True
        while frontier:
            new: list[Found] = []
            for place, include in enumerate(self._directives):
                if first or include.iterate:
                    new += self._followed(place, include, frontier)
            found += new
            frontier, first = new, False
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """The directives of which there was more."""
        return tuple(self._directives[place].name for place in sorted(self.truncated))

    def _followed(self, place: int, include: Include, frontier: Iterable[Found]) -> list[Found]:
        by_type: dict[str, list[Row]] = {}
        for type_, row in frontier:
            by_type.setdefault(type_, []).append(row)
        wanted = self._referring(include, by_type) if include.reverse else self._referred(include, by_type)
        found: list[Found] = []
        for type_, condition in wanted:
            found += self._read(place, type_, condition)
        return found

    def _referred(self, include: Include, by_type: dict[str, list[Row]]) -> list[tuple[str, Predicate]]:
        """What the rows refer to: by type, the ids."""
        ids: dict[str, set[str]] = {}
        borne: dict[str, set[str]] = {}
        for type_, rows in by_type.items():
            for path in include.paths.get(type_, ()):
                if path.canonical:
                    if named := canonicals(rows, [path.code]):
                        for target in path.targets:
                            borne.setdefault(target, set()).update(bearing(named))
                    continue
                for target in _present(rows, path.code) & path.targets:
                    ids.setdefault(target, set()).update(references(rows, [path.code], target))
        missing = {type_: sorted(each for each in ids[type_] if (type_, each) not in self._known) for type_ in ids}
        wanted = [(type_, _among("_id", missing[type_])) for type_ in sorted(missing) if missing[type_]]
        return wanted + [(type_, _among("t", sorted(borne[type_]))) for type_ in sorted(borne)]

    def _referring(self, include: Include, by_type: dict[str, list[Row]]) -> list[tuple[str, Predicate]]:
        """What refers to the rows: by type, the terms that it has one of."""
        wanted = []
        for source, paths in include.paths.items():
            terms = [
                f"{path.code}|{key}"
                for path in paths
                for type_, rows in by_type.items()
                if type_ in path.targets
                for key in keys(type_, rows, path.canonical)
            ]
            if terms:
                wanted.append((source, _among("t", terms)))
        return wanted

    def _read(self, place: int, type_: str, condition: Predicate) -> list[Found]:
        """What may be seen of the candidates, in the order of their ids, up to what is left."""
        if place in self.truncated:
            return []
        left = min(self._left[place], self._room)
        known = tuple(sorted(id_ for kind, id_ in self._known if kind == type_))
        query = Query(type_, (condition, negate(In("_id", known))) if known else (condition,))
        stages: list[Row] = [{"$sort": {"_id": 1}}, {"$limit": left + 1}, _READ]
        rows = self._look(query, self._named, stages, bounded=True)
        if len(rows) > left:
            self.truncated.add(place)
        new = [(type_, row) for row in rows[:left]]
        self._known.update((type_, row["_id"]) for _, row in new)
        self._left[place] -= len(new)
        self._room -= len(new)
        return new


def _present(rows: Iterable[Row], code: str) -> set[str]:
    """The types that the terms of a parameter name."""
    start = f"{code}|"
    return {term[len(start) :].partition("/")[0] for row in rows for term in row.get("t", ()) if term.startswith(start)}


def _among(field: str, values: list[Any]) -> Predicate:
    return Eq(field, values[0]) if len(values) == 1 else In(field, tuple(values))
