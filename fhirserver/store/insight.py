"""What the rules read of a resource rather than what it says: for those who may ask why it is seen, and by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from fhirserver.store.errors import translated
from fhirserver.store.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.access import Access, Policy
    from fhirserver.store.collections import Collections
    from fhirserver.store.transaction import Rules

Row = dict[str, Any]


class Record(NamedTuple):
    """An envelope without its body, and the policies of the patients it is about, at one moment."""

    envelope: Mapping[str, Any]
    policies: tuple[Policy, ...]


class Insight:
    """The envelopes that `access` sees. What they tell of others is for the caller to keep."""

    def __init__(self, collections: Collections, rules: Rules, access: Access) -> None:
        self._collections, self._rules, self._access = collections, rules, access

    def record(self, type_: str, id_: str) -> Record | None:
        """None when the resource is absent, hidden or deleted."""
        with translated(), self._collections.database.client.start_session(snapshot=True) as session:
            row = _Envelopes(self._collections, self._rules, self._access, session).envelope(type_, id_)
            if row is None or row.get("del"):
                return None
            patients = sorted({*([row["pat"]] if "pat" in row else ()), *row.get("patx", ())})
            return Record(row, tuple(self._rules.load(patients, session)) if patients else ())


class _Envelopes(View):
    """A view that reads index entries and access data in place of bodies."""

    _content: ClassVar[Row] = {"$project": {"r": 0}}

    def envelope(self, type_: str, id_: str) -> Row | None:
        return self._row(type_, id_)
