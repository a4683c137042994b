"""The one table of what is offered where: routes, metadata and the OpenAPI document are all made from it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.rest.bundle import process
from fhirserver.rest.create import create
from fhirserver.rest.delete import delete, delete_where
from fhirserver.rest.history import history_instance, history_system, history_type
from fhirserver.rest.jobs.status import job_cancel, job_file, job_status
from fhirserver.rest.metadata import metadata
from fhirserver.rest.operations.table import OPERATIONS
from fhirserver.rest.operations.versions import versions
from fhirserver.rest.patch import patch, patch_where
from fhirserver.rest.read import read, vread
from fhirserver.rest.search_compartment import (
    compartment_all_get,
    compartment_all_post,
    compartment_get,
    compartment_post,
)
from fhirserver.rest.search_system import system_get, system_post
from fhirserver.rest.search_type import search_get, search_post
from fhirserver.rest.smart import smart_configuration
from fhirserver.rest.update import update, update_where

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.rest.answer import Answer

ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")


class Route(NamedTuple):
    """A method and path below the base. `interaction` is the CapabilityStatement's code; `open`: no token needed.

    Of an operation: `type` is the resource type in its path, `definition` the canonical of its OperationDefinition.
    """

    name: str
    method: str
    path: str
    handler: Callable[..., Answer]
    interaction: str
    summary: str
    open: bool = False
    type: str = ""
    definition: str = ""


def _route(name: str, method: str, path: str, handler: Callable[..., Any], interaction: str, summary: str) -> Route:
    return Route(name, method, path, handler, interaction, summary)


ROUTES: Final = (
    Route("metadata", "GET", "/metadata", metadata, "capabilities", "What this server offers", open=True),
    Route("versions", "GET", "/$versions", versions, "operation", "The versions of FHIR spoken here", open=True),
    Route(
        "smart", "GET", "/.well-known/smart-configuration", smart_configuration, "", "SMART configuration", open=True
    ),
    _route("bundle", "POST", "/", process, "transaction", "A batch, or several writes and reads as one or none"),
    _route("search", "GET", "/<type>", search_get, "search-type", "Search resources of a type"),
    _route("search-post", "POST", "/<type>/_search", search_post, "search-type", "Search, parameters in the body"),
    _route("compartment", "GET", "/<owner>/<owner_id>/<type>", compartment_get, "search-type", "Search a compartment"),
    _route(
        "compartment-post",
        "POST",
        "/<owner>/<owner_id>/<type>/_search",
        compartment_post,
        "search-type",
        "Search a compartment, parameters in the body",
    ),
    _route(
        "compartment-all", "GET", "/<owner>/<owner_id>/*", compartment_all_get, "search-system", "Search a compartment"
    ),
    _route(
        "compartment-all-post",
        "POST",
        "/<owner>/<owner_id>/*/_search",
        compartment_all_post,
        "search-system",
        "Search a compartment, parameters in the body",
    ),
    _route("search-system", "GET", "/", system_get, "search-system", "Search several types"),
    _route(
        "search-system-post",
        "POST",
        "/_search",
        system_post,
        "search-system",
        "Search several types, parameters in the body",
    ),
    _route("create", "POST", "/<type>", create, "create", "Create a resource; the server gives the id"),
    _route("update-where", "PUT", "/<type>", update_where, "update", "Store what criteria match, or create it"),
    _route("delete-where", "DELETE", "/<type>", delete_where, "delete", "Delete what criteria match"),
    _route("read", "GET", "/<type>/<id>", read, "read", "Read the current version"),
    _route("update", "PUT", "/<type>/<id>", update, "update", "Store the next version"),
    _route("delete", "DELETE", "/<type>/<id>", delete, "delete", "Delete a resource"),
    _route("patch", "PATCH", "/<type>/<id>", patch, "patch", "Change parts of a resource"),
    _route("patch-where", "PATCH", "/<type>", patch_where, "patch", "Change parts of what criteria match"),
    _route("history-system", "GET", "/_history", history_system, "history-system", "What happened to all resources"),
    _route("history-type", "GET", "/<type>/_history", history_type, "history-type", "What happened to a type"),
    _route("history", "GET", "/<type>/<id>/_history", history_instance, "history-instance", "All versions"),
    _route("vread", "GET", "/<type>/<id>/_history/<version>", vread, "vread", "Read one version"),
    _route("job-status", "GET", "/$job-status", job_status, "operation", "How asynchronous work stands, or its result"),
    _route("job-cancel", "DELETE", "/$job-status", job_cancel, "operation", "End asynchronous work, delete its result"),
    _route("job-file", "GET", "/$job-file", job_file, "operation", "A file of an export"),
    *(
        Route(name, method, path, each.handler, "operation", each.summary, type=each.type, definition=each.definition)
        for each in OPERATIONS
        for name, method, path in each.paths()
    ),
)
