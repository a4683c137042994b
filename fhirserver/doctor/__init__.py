"""Examines an installation: settings, keys, database, machine. Says what is wrong, and what to do about it."""

from fhirserver.doctor.examination import examination
from fhirserver.doctor.finding import Finding

__all__ = ["Finding", "examination"]
