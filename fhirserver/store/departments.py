"""The departments of establishments: Organizations that are part of another (`partOf`), followed down.

Who may feed the directory could declare himself part of anybody. So a department counts for a permit only if the
operator or the establishment itself declared it; for a deny also if it declared itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.access import Departments
from fhirserver.access import keys as actor_keys
from fhirserver.store.envelope import unpacked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pymongo.client_session import ClientSession
    from pymongo.database import Database

Row = dict[str, Any]

DEPTH: Final = 6
MOST: Final = 500
"""Departments that are followed of one establishment."""
_KIND: Final = "Organization"


def departments(
    database: Database[Row], names: Iterable[str], keys: Iterable[str], session: ClientSession | None
) -> tuple[Departments, set[str]]:
    """Of the Organizations named (`Organization/x`), or that bear one of the establishment keys; and all that the
    answer depends on: references, and keys of establishments."""
    search = _Search(database, session)
    refs = {each for each in keys if actor_keys.kind(each) == "finess"}
    roots = {each: None for each in names if each.startswith(f"{_KIND}/")}
    roots |= dict.fromkeys(f"{_KIND}/{row['_id']}" for key in refs for row in search.bearing(key))
    found = Departments({}, {})
    for root in sorted(roots):
        own = search.keys(root)
        refs |= {root, *(key for key in own if actor_keys.kind(key) == "finess")}
        for name, borne, trusted in search.below(root):
            refs.add(name)
            for key in own or (root,):
                (found.declared if trusted else found.claimed).setdefault(key, []).extend(borne)
    return found, refs


def concerned(terms: Iterable[str]) -> Iterator[str]:
    """What a policy that depends on an Organization may know it by, from its search terms: parents and own keys."""
    for term in terms:
        parameter, _, rest = term.partition("|")
        if parameter == "partof" and rest.startswith(f"{_KIND}/"):
            yield rest
        elif parameter in ("identifier", "partof:identifier"):
            system, _, value = rest.rpartition("|")
            yield from actor_keys.of_identifier({"system": system, "value": value})


class _Search:
    def __init__(self, database: Database[Row], session: ClientSession | None) -> None:
        self._organizations, self._session = database[_KIND], session

    def keys(self, name: str) -> tuple[str, ...]:
        row = self._organizations.find_one({"_id": name.partition("/")[2]}, _WANTED, session=self._session)
        return _borne(row) if row is not None else ()

    def bearing(self, key: str) -> Iterator[Row]:
        for identifier in actor_keys.to_identifiers(key):
            yield from self._find(f"identifier|{identifier}")

    def below(self, root: str) -> Iterator[tuple[str, tuple[str, ...], bool]]:
        """Name and keys of each department, and whether all on the way were declared by whom they are part of."""
        seen = {root}
        level = [(root, self.keys(root), True)]
        for _ in range(DEPTH):
            below: list[tuple[str, tuple[str, ...], bool]] = []
            for parent, keys, trusted in level:
                for row in self._parts(parent, keys):
                    name, borne = f"{_KIND}/{row['_id']}", _borne(row)
                    by = set(row["acl"]["by"])
                    declared = not by or bool(by & set(keys))
                    if name not in seen and len(seen) <= MOST and (declared or by & set(borne)):
                        seen.add(name)
                        below.append((name, borne, trusted and declared))
            yield from below
            level = below

    def _parts(self, parent: str, keys: tuple[str, ...]) -> Iterator[Row]:
        yield from self._find(f"partof|{parent}")
        for key in keys:
            for identifier in actor_keys.to_identifiers(key):
                yield from self._find(f"partof:identifier|{identifier}")

    def _find(self, term: str) -> Iterator[Row]:
        yield from self._organizations.find({"t": term}, _WANTED, session=self._session).sort("_id").limit(MOST)


_WANTED: Final = {"r": 1, "z": 1, "acl": 1}


def _borne(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys of an Organization; one too large to lie in its envelope has none here."""
    if isinstance(row["r"], int):
        return ()
    return tuple(key for key in actor_keys.of_resource(jsontext.parse(unpacked(row))) if key.startswith("finess|"))
