"""An export, carried out: type by type, by id, into files of newline-delimited JSON.

All is read through the view of the requester at that moment. A file is part of the export when the job's position says
so; who resumes begins after the last such file, so that nothing comes twice and nothing is left out.

What is exported is each resource as it is when the walk comes to it; one created after the export was asked for is not
in it, but one that was only changed is, by its new version.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.access import Access
from fhirserver.access.keys import local
from fhirserver.access.rules import WHOLE
from fhirserver.clock import to_instant
from fhirserver.predicate import Cmp, Eq, Exists, In, Predicate, all_of, any_of
from fhirserver.rest import subsets
from fhirserver.rest.documents.retrieving import written
from fhirserver.rest.jobs.asking import requester_of
from fhirserver.rest.jobs.export import filter_query
from fhirserver.search import Query, SortKey
from fhirserver.search.query import Member

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fhirserver.rest.services import Services
    from fhirserver.store import Lease, Stored, View

WINDOW: Final = 20_000
"""Ids that a walk looks at to list those that are seen."""
PAGE: Final = 100
MOST_PAGE: Final = 500
PAGE_BYTES: Final = 4 << 20
"""What a page aims at: where bodies are large, it has fewer of them."""
MOST_RESOURCES: Final = 10_000
MOST_BYTES: Final = 64 << 20
"""A file is ended by the page that brings it beyond either."""
NDJSON: Final = "application/fhir+ndjson"


def carry_out(services: Services, lease: Lease) -> Mapping[str, Any]:
    """The result: `at`, the export's transaction time, and `files` (`id`, `type`, `count`) in order."""
    found = _Export(services, lease)
    found.run()
    return {"at": to_instant(lease.job.at), "files": found.files}


class _Export:
    """One export at its position: `_at` counts types (with patients: each type with each of them), `_after` is the id
    up to which the present one is walked."""

    def __init__(self, services: Services, lease: Lease) -> None:
        self._services, self._lease = services, lease
        self._asked, position = lease.job.asked, lease.job.position
        self._requester = requester_of(lease.job)
        self._at: int = position.get("at", 0)
        self._after: str = position.get("after", "")
        self.files: list[dict[str, Any]] = list(position.get("files", ()))
        self._patients: list[str] | None = position.get("patients")
        self._size = PAGE
        self._ids: list[str] = []
        self._end: str | None = None
        self._shared: set[str] = set(position.get("shared", ()))
        """Resources of several patients, exported for one of them who is not their foremost."""

    def run(self) -> None:
        if self._patients is None and self._asked["level"]:
            self._patients = self._members()
        steps = [
            (type, patient)
            for type in self._asked["types"]
            for patient in (self._patients if self._patients is not None else [None])
        ]
        while self._at < len(steps):
            type, pages = steps[self._at][0], self._pages(steps)
            first = next(pages, None)
            if first is None:
                self._save(type)
            else:
                self._write(type, chain([first], pages))

    def _save(self, type: str) -> None:
        position = {
            "at": self._at,
            "after": self._after,
            "files": self.files,
            "patients": self._patients,
            "shared": sorted(self._shared),
        }
        count = sum(each["count"] for each in self.files)
        self._lease.save(position, f"{count} resources in {len(self.files)} files, at {type}")

    def _write(self, type: str, pages: Iterator[list[Stored]]) -> None:
        """One file, and with it the position after it. `lines` of its facts: id, length and patient of each."""
        facts: dict[str, Any] = {"type": type, "count": 0, "lines": []}
        files = self._services.store.files
        file = files.write(self._lines(type, pages, facts), NDJSON, self._lease.job.id, facts)
        self.files.append({"id": file.id, "type": type, "count": facts["count"]})
        try:
            self._save(type)
        except BaseException:
            files.delete(file.id)
            raise

    def _lines(self, type: str, pages: Iterator[list[Stored]], facts: dict[str, Any]) -> Iterator[bytes]:
        size = 0
        elements = tuple(name for of, name in self._asked["elements"] if of in ("", type))
        subset = subsets.wanted(None, elements)
        for page in pages:
            for stored in subsets.cut(self._services.definitions, page, subset):
                length, parts = (len(stored.body), (stored.body,)) if subset else written(self._services, stored)
                yield from parts
                yield b"\n"
                size += length
                facts["lines"].append([stored.id, length + 1, stored.pat])
            facts["count"] += len(page)
            if facts["count"] >= MOST_RESOURCES or size >= MOST_BYTES:
                return

    def _pages(self, steps: list[tuple[str, str | None]]) -> Iterator[list[Stored]]:
        """What is seen of a type from the position on, which goes ahead with each page."""
        type = steps[self._at][0]
        while self._at < len(steps) and steps[self._at][0] == type:
            self._lease.check()
            page, last = self._page(*steps[self._at])
            if last is None:
                self._at, self._after = self._at + 1, ""
            else:
                self._after = last
            self._size = _fitting(self._size, sum(len(each.body) for each in page))
            if page:
                yield page

    def _page(self, type: str, patient: str | None) -> tuple[list[Stored], str | None]:
        """The next page, and where it ends; None: nothing comes after it."""
        query = self._query(type)
        if patient is None and not query.joins and query.patients is None:
            return self._walked(query)
        if patient is None:
            return self._searched(query)
        if type == "Patient":
            where = (Eq("_id", patient), *query.where)
            query = replace(query, where=where, patients=frozenset({patient}))
        elif type in WHOLE:
            query = replace(query, where=(Eq("pat", patient), *query.where), patients=frozenset({patient}))
        else:
            query = replace(query, joins=(Member(patient), *query.joins))
        page, last = self._searched(query)
        return [each for each in page if self._is_first(each, patient)], last

    def _walked(self, query: Query) -> tuple[list[Stored], str | None]:
        """A page of the ids that are listed, many at once; each is judged again when it is read."""
        if not self._ids:
            self._ids, self._end = self._view().walk(query, self._after, WINDOW)
        some, self._ids = self._ids[: self._size], self._ids[self._size :]
        found: list[Stored] = []
        if some:
            chosen = replace(query, where=(In("_id", tuple(some)), *query.where), count=len(some))
            found = self._view().search(chosen).matches
        return found, some[-1] if self._ids else self._end

    def _searched(self, query: Query) -> tuple[list[Stored], str | None]:
        page = self._view().search(query, (self._after,) if self._after else None)
        return page.matches, str(page.after[0]) if page.after else None

    def _is_first(self, stored: Stored, patient: str) -> bool:
        """Whether a resource of several patients is not exported for another of them."""
        if stored.pat == patient:
            return True
        key = f"{stored.type}/{stored.id}"
        if stored.pat in (self._patients or ()) or key in self._shared:
            return False
        self._shared.add(key)
        return True

    def _query(self, type: str) -> Query:
        asked, at = self._asked, self._lease.job.at
        where: list[Predicate] = [any_of((Cmp("lu", "$lte", at), Cmp("v", "$gt", 1)))]
        if asked["since"] is not None:
            where.append(Cmp("lu", "$gt", asked["since"]))
        if asked["until"] is not None:
            where.append(Cmp("lu", "$lte", asked["until"]))
        if asked["level"] and type != "Patient":
            where.append(Exists("pat"))
        filters = [filter_query(self._services, type, each) for each in asked["filters"].get(type, ())]
        if len(filters) == 1:
            where += filters[0].where
        elif filters:
            where.append(any_of([all_of(each.where) for each in filters]))
        alone = filters[0] if len(filters) == 1 else Query(type)
        by_id = (SortKey("_id", False),)
        return Query(type, tuple(where), alone.patients, by_id, self._size, "none", joins=alone.joins)

    def _view(self) -> View:
        return self._services.store.view(Access.of(self._requester, self._services.clock()))

    def _members(self) -> list[str] | None:
        """The patients of the Group, or of the parameter `patient`, of both those in both; None: of all.

        A person has but the own record, which need not be looked for among all.
        """
        group, given = self._asked["group"], self._asked["patients"]
        if group is None and given is None and self._requester.kind == "patient":
            return [str(self._requester.patient)]
        if group is None:
            return None if given is None else list(given)
        stored = self._view().read("Group", group)
        members = jsontext.parse_object(stored.body).get("member", ()) if stored and not stored.deleted else ()
        found = set()
        for each in members:
            place = local(each.get("entity", {}).get("reference"))
            if place is not None and place[0] == "Patient" and not each.get("inactive"):
                found.add(place[1])
        return sorted(found if given is None else found & set(given))


def _fitting(size: int, length: int) -> int:
    """The size of the next page after one of `length` bytes."""
    if length > PAGE_BYTES:
        return max(1, size // 2)
    return min(2 * size, MOST_PAGE) if length < PAGE_BYTES // 4 else size
