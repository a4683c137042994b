"""An app asks, a person decides."""

from fhirserver.portal.consent.authorize import routes

__all__ = ["routes"]
