"""Of one trace, what a requester is shown: of a person's own record, nothing of others', nothing kept from him."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from fhirserver.access.moments import month_before
from fhirserver.audit.record import ENTITIES
from fhirserver.store.traces import Known

if TYPE_CHECKING:
    from datetime import datetime

    from fhirserver.access import Access

_SECRET, _UNANNOUNCED, _BOTH = f"{ENTITIES}_s", f"{ENTITIES}_u", f"{ENTITIES}_su"
_NOTHING = Known()
ALL = (ENTITIES, _SECRET, _UNANNOUNCED, _BOTH)


class Sight(NamedTuple):
    """`patient`: whose record alone is shown, None for who is shown whole traces, his own acts or all.

    `representative`: not what a minor keeps secret, nor what was asked. `announced`: what happened until then is no
    longer kept from the person for want of an announcement. `absorbed`: records that were merged into his.
    `hidden`: resources (`Type/id`) that are not named, for they may not be seen now.
    """

    patient: str | None = None
    representative: bool = False
    announced: datetime | None = None
    absorbed: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()

    @classmethod
    def of(cls, access: Access, known: Known = _NOTHING) -> Sight:
        who = access.requester
        if not who.is_person:
            return cls(hidden=known.hidden)
        return cls(who.patient or "|", who.kind == "representative", month_before(access.now), known.absorbed)

    @property
    def own(self) -> tuple[str, ...]:
        """The ids of the record that is shown, of one that absorbed others also theirs; none where all are."""
        return () if self.patient is None else (self.patient, *sorted(self.absorbed))

    @property
    def lists(self) -> tuple[tuple[str, bool], ...]:
        """The lists of entities that are shown, and whether only those of traces until `announced`."""
        if self.patient is None:
            return tuple((each, False) for each in ALL)
        if self.representative:
            return (ENTITIES, False), (_UNANNOUNCED, True)
        return (ENTITIES, False), (_SECRET, False), (_UNANNOUNCED, True), (_BOTH, True)

    def patients(self, record: dict[str, Any]) -> list[str]:
        """The patients named."""
        known: list[str] = record.get("pats", [])
        return known if self.patient is None else [each for each in known if each in self.own]

    def entities(self, record: dict[str, Any]) -> list[dict[str, Any]]:
        """The resources named."""
        lists = [name for name, late in self.lists if not late or self.announced is None or self._is_past(record)]
        found = [each for name in lists for each in record.get(name, ())]
        found = [each for each in found if each["r"] not in self.hidden]
        return found if self.patient is None else [each for each in found if each.get("p") in self.own]

    def query(self, record: dict[str, Any]) -> str | None:
        """What was asked; of several persons' records nothing, for it may name the others."""
        text: str | None = record.get("query")
        if text is None or self.patient is None:
            return text
        if "several" in record or not self.patients(record):
            return None
        return text.partition("?")[0].partition(" ")[0] if self.representative else text

    def _is_past(self, record: dict[str, Any]) -> bool:
        return self.announced is not None and record["at"] <= self.announced
