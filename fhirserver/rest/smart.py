"""`.well-known/smart-configuration` (SMART App Launch 2.2, "Conformance")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.auth.server import metadata
from fhirserver.rest.answer import Answer, of_value

if TYPE_CHECKING:
    from fhirserver.rest.services import Services


def smart_configuration(services: Services) -> Answer:
    """Where an app asks for what, and what it may expect."""
    base = services.base.removesuffix("/fhir")
    return of_value(200, metadata.smart_configuration(services.authorization_server, base))
