"""The trace: what is recorded of every access and refusal, the chain that shows a removal, and the notices."""

from fhirserver.audit.chain import Chains, Fault, Place, verify
from fhirserver.audit.notices import Notices
from fhirserver.audit.record import Entity, Event, Shown, shown

__all__ = ["Chains", "Entity", "Event", "Fault", "Notices", "Place", "Shown", "shown", "verify"]
