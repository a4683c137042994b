"""Traces served as AuditEvents: what the store's view asks when it searches and shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.access.acl import HIDDEN_FROM_PATIENT, HIDDEN_FROM_REPRESENTATIVES
from fhirserver.audit.conditions import TRACED, Conditions
from fhirserver.audit.rendering import rendered
from fhirserver.audit.sight import Sight
from fhirserver.predicate import all_of
from fhirserver.store.traces import Known

if TYPE_CHECKING:
    from collections.abc import Collection

    from fhirserver.access import Access
    from fhirserver.predicate import Predicate
    from fhirserver.spec import Definitions

Row = dict[str, Any]

_NOTHING: Final = Known()


class AuditEvents:
    """The traces of the server at `base`."""

    def __init__(self, base: str, definitions: Definitions) -> None:
        self._base, self._definitions = base, definitions

    def condition(self, access: Access, predicate: Predicate, known: Known = _NOTHING) -> Predicate:
        """The traces whose AuditEvents, as `access` is shown them, meet a predicate over envelopes."""
        sight = Sight.of(access, known)
        return all_of((TRACED, Conditions(sight, self._base, self._definitions).of(predicate)))

    def resource(self, access: Access, record: Row, known: Known = _NOTHING) -> Row:
        """The AuditEvent as `access` is shown it."""
        return rendered(record, Sight.of(access, known), self._base)

    def patients(self, access: Access, known: Known) -> tuple[str, ...]:
        """The only patients of whose traces `access` may see any; none when there are no such ones."""
        return Sight.of(access, known).own

    def owner(self, access: Access, record: Row, known: Known) -> str | None:
        """Of whom the AuditEvent tells: nobody, for who is shown his own acts."""
        if access.requester.kind in ("practitioner", "system"):
            return None
        sight = Sight.of(access, known)
        found = sight.patients(record)
        return (sight.patient or found[0]) if len(found) == 1 else None

    def labels(self, record: Row, patients: Collection[str]) -> list[str]:
        """The labels that the AuditEvent is held under, for whom it tells of."""
        kept = {"secret": HIDDEN_FROM_REPRESENTATIVES, "unannounced": HIDDEN_FROM_PATIENT}
        return [label for name, label in kept.items() if set(patients) & set(record.get(name, ()))]
