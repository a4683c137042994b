"""The trace: what is recorded of every access and refusal, the chain that shows a removal, and the notices."""

from fhirserver.audit.chain import Chains, Place
from fhirserver.audit.events import AuditEvents
from fhirserver.audit.notices import Notices
from fhirserver.audit.record import Entity, Event, Origin, Shown, shown
from fhirserver.audit.verifying import Fault, lasting, verify

__all__ = [
    "AuditEvents",
    "Chains",
    "Entity",
    "Event",
    "Fault",
    "Notices",
    "Origin",
    "Place",
    "Shown",
    "lasting",
    "shown",
    "verify",
]
