"""A FHIR R4 server for the French health record."""

__version__ = "0.1.0"
