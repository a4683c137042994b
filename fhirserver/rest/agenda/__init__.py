"""The agenda behind every write: appointments by their rules, with the slots that they take; slots and schedules."""

from fhirserver.rest.agenda.settling import carried, settled

__all__ = ["carried", "settled"]
