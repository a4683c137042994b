"""The OpenAPI document and its pages at `/docs` (flask-smorest), made from the route table; no third party is asked."""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Flask, Response, send_from_directory
from flask_smorest import Api

from fhirserver import __version__
from fhirserver.rest.negotiate import FHIR_JSON, FHIR_XML
from fhirserver.rest.patch import JSON_PATCH, XML_PATCH
from fhirserver.rest.routes import ID, ROUTES, Route
from fhirserver.rest.search_compartment import COMPARTMENTS

if TYPE_CHECKING:
    from fhirserver.rest.services import Services

ASSETS: Final = "/docs/assets"
_PLACEHOLDER: Final = re.compile(r"<(\w+)>")
_WITH_BODY: Final = frozenset({"create", "update", "transaction"})
_OUTCOMES: Final = {
    "400": "The request is wrong: the OperationOutcome names what to change",
    "401": "No valid bearer token",
    "404": "Absent, or not to be seen by this requester: the answers are the same",
    "406": "No offered media type in Accept",
}


def register(app: Flask, services: Services) -> None:
    """Serves `/docs` and `/docs/openapi.json`."""
    app.config.update(
        API_TITLE="FHIR R4 server for the French health record",
        API_VERSION=__version__,
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX="/docs",
        OPENAPI_JSON_PATH="openapi.json",
        OPENAPI_SWAGGER_UI_PATH="/",
        OPENAPI_SWAGGER_UI_URL=f"{ASSETS}/",
    )
    app.register_blueprint(_assets())
    api = Api(app)
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"})
    api.spec.components.schema("Resource", _resource_schema(services.definitions.resource_types))
    types = services.definitions.resource_types
    for route in ROUTES:
        (rule,) = app.url_map.iter_rules(f"fhir.{route.name}")
        parameters = [_parameter(name, types) for name in _PLACEHOLDER.findall(route.path)]
        api.spec.path(rule=rule, operations={route.method.lower(): _operation(route)}, parameters=parameters)


def _assets() -> Blueprint:
    folder = resources.files("swagger_ui_bundle") / "vendor" / "swagger-ui-4.15.5"
    pages = Blueprint("docs-assets", __name__)

    def asset(name: str) -> Response:
        return send_from_directory(str(folder), name, max_age=86400)

    pages.add_url_rule(f"{ASSETS}/<path:name>", "asset", asset)
    return pages


def _operation(route: Route) -> dict[str, Any]:
    ok = {"create": "201", "delete": "204"}.get(route.interaction, "200")
    answers: dict[str, Any] = {code: _answer(text) for code, text in _OUTCOMES.items()}
    answers[ok] = {"description": "Done"} if ok == "204" else _answer("Done")
    if not route.interaction:
        answers[ok]["content"] = {"application/json": {"schema": {"type": "object"}}}
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.interaction or "smart"],
        "responses": dict(sorted(answers.items())),
        "security": [] if route.open else [{"bearer": []}],
    }
    if route.interaction == "patch":
        operation["requestBody"] = {"required": True, "content": _content() | _patches()}
    if route.interaction in _WITH_BODY:
        operation["requestBody"] = {"required": True, "content": _content()}
    if route.definition and route.method == "POST":
        operation["requestBody"] = {"content": _content()}
    if route.name in ("search-post", "compartment-post"):
        form = {"type": "object", "additionalProperties": {"type": "string"}}
        operation["requestBody"] = {"content": {"application/x-www-form-urlencoded": {"schema": form}}}
    return operation


def _parameter(name: str, types: tuple[str, ...]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if name == "type":
        schema["enum"] = list(types)
    elif name == "owner":
        schema["enum"] = list(COMPARTMENTS)
    elif name in ("id", "owner_id"):
        schema["pattern"] = f"^{ID.pattern}$"
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _answer(text: str) -> dict[str, Any]:
    return {"description": text, "content": _content()}


def _content() -> dict[str, Any]:
    """A resource in both media types; OpenAPI has no words for FHIR XML."""
    return {
        FHIR_JSON: {"schema": {"$ref": "#/components/schemas/Resource"}},
        FHIR_XML: {"schema": {"type": "string"}},
    }


def _patches() -> dict[str, Any]:
    return {
        JSON_PATCH: {"schema": {"type": "array", "items": {"type": "object"}}},
        XML_PATCH: {"schema": {"type": "string"}},
    }


def _resource_schema(types: tuple[str, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["resourceType"],
        "properties": {"resourceType": {"type": "string", "enum": list(types)}},
    }
