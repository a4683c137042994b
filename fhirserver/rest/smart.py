"""`.well-known/smart-configuration` (SMART App Launch 2.2, "Conformance"), and the same for older clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.auth.server import metadata
from fhirserver.rest.answer import Answer, of_value

if TYPE_CHECKING:
    from fhirserver.rest.services import Services

_URIS: Final = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_SERVICE: Final = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_NAMED: Final = {
    "authorize": "authorization_endpoint",
    "token": "token_endpoint",
    "register": "registration_endpoint",
    "introspect": "introspection_endpoint",
    "revoke": "revocation_endpoint",
    "manage": "management_endpoint",
}


def smart_configuration(services: Services) -> Answer:
    """Where an app asks for what, and what it may expect."""
    base = services.base.removesuffix("/fhir")
    return of_value(200, metadata.smart_configuration(services.authorization_server, base))


def security(services: Services) -> dict[str, Any]:
    """`CapabilityStatement.rest.security`, with the endpoints where SMART 1.0 clients look for them."""
    base = services.base.removesuffix("/fhir")
    uris = [{"url": name, "valueUri": base + metadata.ENDPOINTS[key]} for name, key in _NAMED.items()]
    return {
        "extension": [{"url": _URIS, "extension": uris}],
        "service": [{"coding": [{"system": _SERVICE, "code": "SMART-on-FHIR"}]}],
        "description": "Bearer token; every answer holds only what the law and the patient allow.",
    }
