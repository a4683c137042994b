"""capabilities (https://hl7.org/fhir/R4/http.html#capabilities): derived from the tables that do the work."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from fhirserver import __version__
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.interactions import NOT_OFFERED, RESOURCE_INTERACTIONS, SYSTEM_INTERACTIONS
from fhirserver.rest.operations.table import OPERATIONS
from fhirserver.rest.parameters import DEFINITIONS
from fhirserver.rest.patch import FORMATS
from fhirserver.rest.search_compartment import COMPARTMENTS
from fhirserver.rest.smart import security
from fhirserver.search import includes
from fhirserver.search.parameters import catalogue
from fhirserver.search.parse import WITHOUT_TERMS
from fhirserver.subscriptions.plan import ADVERTISED, PROFILE
from fhirserver.subscriptions.topics import TOPICS

if TYPE_CHECKING:
    from fhirserver.rest.services import Services
    from fhirserver.spec import Definitions

PUBLISHED: Final = "2026-11-22"
_SUBSCRIPTIONS: Final[dict[str, dict[str, Any]]] = {
    "Subscription": {
        "extension": [{"url": ADVERTISED, "valueCanonical": url} for url in TOPICS],
        "supportedProfile": [PROFILE],
    }
}
"""What is said of the topics: R4 has no SubscriptionTopic."""


def metadata(services: Services) -> Answer:
    """The CapabilityStatement; it needs no token and names nothing that does not work."""
    return of_value(200, _statement(services))


def _statement(services: Services) -> dict[str, Any]:
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": PUBLISHED,
        "kind": "instance",
        "software": {"name": "fhirserver", "version": __version__},
        "implementation": {"description": "FHIR server for the French health record", "url": services.base},
        "fhirVersion": "4.0.1",
        "format": ["json", "xml"],
        "patchFormat": list(FORMATS),
        "rest": [
            {
                "mode": "server",
                "security": security(services),
                "resource": _resources(services.definitions, services.settings.conditional_delete),
                "interaction": [{"code": code} for code in SYSTEM_INTERACTIONS],
                "operation": [
                    {"name": "versions", "definition": f"{DEFINITIONS}CapabilityStatement-versions"},
                    *({"name": each.name, "definition": each.definition} for each in OPERATIONS if each.system),
                ],
                "compartment": [f"http://hl7.org/fhir/CompartmentDefinition/{name.lower()}" for name in COMPARTMENTS],
            }
        ],
    }


@lru_cache(maxsize=4)
def _resources(definitions: Definitions, conditional_delete: str) -> list[dict[str, Any]]:
    return [
        {
            "type": type,
            "interaction": [{"code": code} for code in RESOURCE_INTERACTIONS if (type, code) not in NOT_OFFERED],
            "versioning": "versioned-update",
            "readHistory": True,
            "updateCreate": False,
            "conditionalCreate": True,
            "conditionalRead": "full-support",
            "conditionalUpdate": True,
            "conditionalDelete": "not-supported" if (type, "delete") in NOT_OFFERED else conditional_delete,
            "referencePolicy": ["literal", "logical", "local"],
            "searchInclude": includes.listed(definitions, type),
            "searchRevInclude": list(includes.leading_to(definitions, type)),
            "searchParam": _parameters(definitions, type),
            **_SUBSCRIPTIONS.get(type, {}),
            "operation": [
                {"name": each.name, "definition": each.definition}
                for each in OPERATIONS
                if each.type in ("", type) and (each.methods or each.instance)
            ],
        }
        for type in definitions.resource_types
    ]


def _parameters(definitions: Definitions, type: str) -> list[dict[str, Any]]:
    defined = definitions.search_parameters(type)
    return [
        {"name": code, "definition": defined[code].url, "type": defined[code].type}
        for code in sorted({*catalogue(definitions).of(type).offered, *WITHOUT_TERMS} & defined.keys())
    ]
