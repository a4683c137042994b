"""`.well-known/smart-configuration` (SMART App Launch 2.2, "Conformance")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.rest.answer import Answer, of_value

if TYPE_CHECKING:
    from fhirserver.rest.services import Services


def smart_configuration(services: Services) -> Answer:
    """What is true today: tokens are signed JWTs of one issuer; there is no authorisation endpoint here yet."""
    configuration: dict[str, Any] = {
        "issuer": services.verifier.issuer,
        "grant_types_supported": [],
        "scopes_supported": ["patient/*.cruds", "user/*.cruds", "system/*.cruds"],
        "capabilities": ["permission-patient", "permission-user", "permission-v2"],
    }
    return of_value(200, configuration)
