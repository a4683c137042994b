"""Traces served as AuditEvents: what the store's view asks when it searches and shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.access.acl import HIDDEN_FROM_PATIENT, HIDDEN_FROM_REPRESENTATIVES
from fhirserver.audit.conditions import TRACED, Conditions
from fhirserver.audit.rendering import rendered
from fhirserver.audit.sight import Sight
from fhirserver.predicate import all_of

if TYPE_CHECKING:
    from fhirserver.access import Access
    from fhirserver.predicate import Predicate
    from fhirserver.spec import Definitions

Row = dict[str, Any]


class AuditEvents:
    """The traces of the server at `base`."""

    def __init__(self, base: str, definitions: Definitions) -> None:
        self._base, self._definitions = base, definitions

    def condition(self, access: Access, predicate: Predicate) -> Predicate:
        """The traces whose AuditEvents, as `access` is shown them, meet a predicate over envelopes."""
        return all_of((TRACED, Conditions(Sight.of(access), self._base, self._definitions).of(predicate)))

    def resource(self, access: Access, record: Row) -> Row:
        """The AuditEvent as `access` is shown it."""
        return rendered(record, Sight.of(access), self._base)

    def patient(self, access: Access) -> str | None:
        """The only patient of whose traces `access` may see any; None when there is no such one."""
        return Sight.of(access).patient

    def owner(self, access: Access, record: Row) -> str | None:
        """Of whom the AuditEvent tells: nobody, for who is shown his own acts."""
        if access.requester.kind in ("practitioner", "system"):
            return None
        found = Sight.of(access).patients(record)
        return found[0] if len(found) == 1 else None

    def labels(self, record: Row, patient: str | None) -> list[str]:
        """The labels that the AuditEvent is held under."""
        kept = {"secret": HIDDEN_FROM_REPRESENTATIVES, "unannounced": HIDDEN_FROM_PATIENT}
        return [label for name, label in kept.items() if patient in record.get(name, ())]
