"""The trace: what is recorded of every access and refusal, and the chain that shows a removal."""

from fhirserver.audit.chain import Chains, Fault, Place, verify
from fhirserver.audit.record import Entity, Event

__all__ = ["Chains", "Entity", "Event", "Fault", "Place", "verify"]
