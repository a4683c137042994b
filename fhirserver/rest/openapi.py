"""The OpenAPI document and its pages at `/docs` (flask-smorest), made from the route table; no third party is asked."""

from __future__ import annotations

import re
import threading
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Flask, Response, send_from_directory
from flask_smorest import Api

from fhirserver import __version__
from fhirserver.rest.jobs import deferring
from fhirserver.rest.negotiate import FHIR_JSON, FHIR_XML
from fhirserver.rest.patch import JSON_PATCH, XML_PATCH
from fhirserver.rest.routes import ID, ROUTES, Route
from fhirserver.rest.search_compartment import COMPARTMENTS

if TYPE_CHECKING:
    from fhirserver.rest.services import Services

ASSETS: Final = "/docs/assets"
_DOCUMENT: Final = "api-docs.openapi_json"
_PLACEHOLDER: Final = re.compile(r"<(\w+)>")
_REFUSALS: Final = {
    "400": "The request is wrong: the OperationOutcome names what to change",
    "401": "No valid bearer token",
    "403": "Not allowed to this requester",
    "404": "Absent, or not to be seen by this requester: the answers are the same",
    "406": "No offered media type in Accept",
    "409": "In conflict with what is stored",
    "410": "Deleted",
    "412": "Not at the version of If-Match, or criteria that do not say which resource is meant",
    "413": "The body is larger than this server takes",
    "415": "A media type that is not taken here",
    "422": "The resource is not valid: the OperationOutcome has all findings",
    "429": "The requester has as much under way as he may",
    "503": "Past capacity, or the database is away: try again after Retry-After",
}
_EVERYWHERE: Final = ("400", "401", "403", "404", "406", "503")
_OF_BODIES: Final = ("413", "415", "422")
_FURTHER: Final = {
    "capabilities": ("400",),
    "create": (*_OF_BODIES, "409", "412"),
    "update": (*_OF_BODIES, "409", "410", "412"),
    "patch": (*_OF_BODIES, "409", "410", "412"),
    "delete": ("409", "412"),
    "transaction": (*_OF_BODIES, "409", "410", "412"),
    "operation": (*_OF_BODIES, "409", "410", "412"),
    "search-type": ("413", "415"),
    "search-system": ("413", "415"),
    "read": ("410", "412"),
    "vread": ("410",),
}
"""What may be answered beside `_EVERYWHERE`."""
_DONE: Final = {
    "create": {"200": "What If-None-Exist found", "201": "Created"},
    "update": {"200": "Stored", "201": "Created"},
    "delete": {"200": "Deleted, with an OperationOutcome", "204": "Deleted, or nothing to delete"},
    "read": {"200": "The resource", "304": "Not modified"},
}
_LATER: Final = ("export", "reindex", "audit-verify", "job-status", "job-cancel")
"""Beginnings of the names of routes that answer 202 whatever the client prefers."""
_HEADERS: Final = {
    "create": ("If-None-Exist", "Prefer"),
    "update": ("If-Match", "Prefer"),
    "patch": ("If-Match", "Prefer"),
    "delete": ("If-Match",),
    "read": ("If-None-Match", "If-Modified-Since"),
    "search-type": ("Prefer",),
    "search-system": ("Prefer",),
    "transaction": ("Prefer",),
}
_BODIES: Final = {"create": "Resource", "update": "Resource", "transaction": "Bundle", "operation": "Parameters"}
_SEARCHES: Final = frozenset({"search", "compartment", "compartment-all", "search-system"})
_WITH_CRITERIA: Final = _SEARCHES | {"update-where", "delete-where", "patch-where"}
_OF_SEARCHES: Final = ("_id", "_lastUpdated", "_sort", "_include", "_revinclude", "_has", "_list", "_tag", "_profile")
_FORMAT: Final = {"type": "string", "enum": ["json", "xml", FHIR_JSON, FHIR_XML]}
_FREE: Final = {"type": "object", "additionalProperties": {"type": "string"}}
"""Parameters by name: those of a search differ by resource type, and `metadata` lists them."""


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
    answered, lock = app.view_functions[_DOCUMENT], threading.Lock()
    describe = cache(lambda: _describe(app, api, services.definitions.resource_types))

    def document() -> Response:
        with lock:
            describe()
        return app.make_response(app.ensure_sync(answered)())

    app.view_functions[_DOCUMENT] = document


def _describe(app: Flask, api: Api, types: tuple[str, ...]) -> None:
    """Every route, put into the document when it is first asked for: it takes as long as all else of a start."""
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"})
    for name, allowed in (("Resource", types), ("Bundle", ("Bundle",)), ("Parameters", ("Parameters",))):
        api.spec.components.schema(name, _resource_schema(allowed))
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
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.interaction or "smart"],
        "parameters": [*_query(route), *(_header(name) for name in _HEADERS.get(route.interaction, ()))],
        "responses": _answers(route),
        "security": [] if route.open else [{"bearer": []}],
    }
    body = _body(route)
    return operation | ({"requestBody": body} if body else {})


def _answers(route: Route) -> dict[str, Any]:
    if not route.interaction:
        return {"200": {"description": "Done", "content": {"application/json": {"schema": {"type": "object"}}}}}
    refusals = {"400", "406"} if route.open else {*_EVERYWHERE, *_FURTHER.get(route.interaction, ())}
    found = {code: _answer(_REFUSALS[code]) for code in refusals}
    for code, text in _DONE.get(route.interaction, {"200": "Done"}).items():
        found[code] = {"description": text} if code in ("204", "304") else _answer(text)
    if not route.open and (deferring.may_wait(route.name, route.method, route.path) or route.name.startswith(_LATER)):
        found["202"] = {"description": "Begun, or not done yet; Content-Location says where to ask"}
        found["429"] = _answer(_REFUSALS["429"])
    if route.name == "job-file":
        lines = {"application/fhir+ndjson": {"schema": {"type": "string"}}}
        found["200"] = {"description": "The file", "content": lines}
    return dict(sorted(found.items()))


def _body(route: Route) -> dict[str, Any] | None:
    if route.path.endswith("/_search"):
        return {"content": {"application/x-www-form-urlencoded": {"schema": _FREE}}}
    if route.interaction == "patch":
        return {"required": True, "content": _content("Parameters") | _patches()}
    if route.interaction not in _BODIES or route.method == "GET":
        return None
    named = "Resource" if route.name.startswith("validate-") and not route.type else _BODIES[route.interaction]
    return {"required": route.interaction != "operation", "content": _content(named)}


def _query(route: Route) -> list[dict[str, Any]]:
    """Query parameters; `criteria` stands for all of a search or an operation, each under its own name."""
    found = []
    if route.interaction:
        found += [
            _in("query", "_format", _FORMAT),
            _in("query", "_pretty", {"type": "boolean"}),
        ]
    if route.name in _WITH_CRITERIA or (route.interaction == "operation" and route.method == "GET" and not route.open):
        found.append(_in("query", "criteria", _FREE) | {"style": "form", "explode": True})
    if route.name in _SEARCHES:
        found += [_in("query", name, {"type": "string"}) for name in _OF_SEARCHES]
        found.append(_in("query", "_total", {"type": "string", "enum": ["none", "estimate", "accurate"]}))
    if route.interaction == "search-system" and route.method == "GET":
        found.append(_in("query", "_type", {"type": "string"}))
    if route.name in _SEARCHES or route.interaction.startswith("history"):
        found.append(_in("query", "_count", {"type": "integer", "minimum": 0}))
    if route.interaction.startswith("history"):
        found += [_in("query", name, {"type": "string"}) for name in ("_since", "_at")]
    if route.interaction in ("read", "search-type", "search-system") and route.method == "GET":
        summary = {"type": "string", "enum": ["true", "text", "data", "count", "false"]}
        found += [_in("query", "_summary", summary), _in("query", "_elements", {"type": "string"})]
    return found


def _header(name: str) -> dict[str, Any]:
    return _in("header", name, {"type": "string"})


def _in(place: str, name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": place, "schema": schema}


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


def _content(schema: str = "Resource") -> dict[str, Any]:
    """A resource in both media types; OpenAPI has no words for FHIR XML."""
    return {
        FHIR_JSON: {"schema": {"$ref": f"#/components/schemas/{schema}"}},
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
