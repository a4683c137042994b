"""Releases of large code systems that a user brings; none is shipped. Each becomes a package of the server's folder."""

from fhirserver.terminology.releases.adding import KINDS, add
from fhirserver.terminology.releases.release import BadRelease, Progress

__all__ = ["KINDS", "BadRelease", "Progress", "add"]
