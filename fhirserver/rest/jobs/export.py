"""`$export`: a copy in bulk of all that the requester may see (HL7 Bulk Data Access 2.0,
https://hl7.org/fhir/uv/bulkdata/STU2/export.html): its parameters, read strictly before anything begins."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from fhirserver.access.keys import local
from fhirserver.access.rules import WHOLE
from fhirserver.audit import Event
from fhirserver.errors import BadRequest
from fhirserver.rest.jobs import asking
from fhirserver.rest.operations.stored import instance
from fhirserver.rest.parameters import received_as
from fhirserver.search import dates, includes, parse, results

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from fhirserver.rest.answer import Answer
    from fhirserver.rest.exchange import Exchange
    from fhirserver.rest.parameters import Inputs
    from fhirserver.rest.services import Services
    from fhirserver.search import Query

KIND: Final = "export"
SETTLE: Final = 2.0
"""Seconds that an export waits before it reads: writes under way when it was asked for are then to be seen."""
FORMATS: Final = frozenset({"application/fhir+ndjson", "application/ndjson", "ndjson"})
_TEXTS: Final = ("_outputFormat", "_since", "_until", "_type", "_typeFilter", "_elements")
_ONCE: Final = frozenset({"_outputFormat", "_since", "_until"})
_NEXT: Final = re.compile(r",(?=[A-Z][A-Za-z]*\?)")
_ELEMENT: Final = re.compile(r"(?:([A-Z][A-Za-z]*)\.)?([a-z][A-Za-z]*)")


def export(exchange: Exchange, type: str = "", id: str | None = None) -> Answer:
    """`GET|POST $export`, `Patient/$export`, `Group/[id]/$export`: 202, and where to ask about it."""
    if not exchange.prefer.asynchronous:
        raise BadRequest("An export is asynchronous: send the header Prefer: respond-async.", code="required")
    inputs = received_as(exchange, _declared(type))
    if inputs.get("_outputFormat") not in (None, *FORMATS):
        raise BadRequest(f"_outputFormat must be application/fhir+ndjson, not {inputs.get('_outputFormat')}.")
    if id is not None:
        instance(exchange, type, id)
    types = _types(exchange, type, _listed(inputs, "_type"))
    asked = {
        "level": type,
        "group": id,
        "types": types,
        "since": _moment(exchange, inputs, "_since"),
        "until": _moment(exchange, inputs, "_until"),
        "filters": _filters(exchange, inputs, types),
        "elements": _elements(exchange, inputs, types),
        "patients": _patients(inputs),
        "request": exchange.request.url.replace(exchange.request.host_url + "fhir", exchange.services.base, 1),
    }
    path = "/".join(filter(None, (type, id, "$export")))
    event = Event("operation", 202, query=f"{path}?{exchange.request.query_string.decode('ascii', 'replace')}")
    return asking.begin(exchange, KIND, asked, event, wait=SETTLE)[1]


def filter_query(services: Services, type: str, text: str) -> Query:
    """The criteria of one `_typeFilter`, without what shapes a page. Raises BadRequest."""
    params = parse_qsl(text, keep_blank_values=True)
    for name, _ in params:
        if name in results.NAMES or includes.is_include(name):
            raise BadRequest(f"_typeFilter: {name} is not for an export.", code="not-supported")
    settings = services.settings
    return parse(services.definitions, type, params, timezone=settings.timezone, base_url=services.base)


def _declared(type: str) -> list[dict[str, Any]]:
    found = [{"name": name, "type": "string", "max": "1" if name in _ONCE else "*"} for name in _TEXTS]
    return [*found, {"name": "patient", "type": "Reference", "max": "*"}] if type else found


def _listed(inputs: Inputs, name: str) -> list[str]:
    return [each.strip() for text in inputs.all(name) for each in text.split(",")]


def _types(exchange: Exchange, level: str, named: list[str]) -> list[str]:
    """The types to export, sorted."""
    definitions = exchange.services.definitions
    offered = set(definitions.resource_types)
    if level:
        offered = set(definitions.compartment("Patient")) | {"Patient", *WHOLE}
    for each in named:
        if each not in definitions.resource_types:
            raise BadRequest(f"_type={each} is no resource type of FHIR R4.")
        if each not in offered:
            raise BadRequest(f"_type={each}: it is in no patient's record; export it from the system, /$export.")
    return sorted(set(named) or offered)


def _moment(exchange: Exchange, inputs: Inputs, name: str) -> datetime | None:
    if name not in inputs:
        return None
    found = dates.interval(inputs.get(name), ZoneInfo(exchange.services.settings.timezone))
    if found is None:
        raise BadRequest(f"{name}={inputs.get(name)!r} is no instant such as 2026-01-31T12:00:00Z.")
    return dates.instant(found.lo)


def _filters(exchange: Exchange, inputs: Inputs, types: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in (each for given in inputs.all("_typeFilter") for each in _NEXT.split(given)):
        type, mark, query = text.partition("?")
        if not mark or type not in types:
            raise BadRequest(f"_typeFilter={text}: write it as Observation?status=final, of a type that is exported.")
        if filter_query(exchange.services, type, query).joins and type in found:
            raise BadRequest(f"_typeFilter={text}: a chain cannot stand beside another filter.", code="not-supported")
        found.setdefault(type, []).append(query)
    for type, queries in found.items():
        if len(queries) > 1 and any(filter_query(exchange.services, type, each).joins for each in queries):
            raise BadRequest(f"_typeFilter={type}?…: a chain cannot stand beside another filter.", code="not-supported")
    return found


def _elements(exchange: Exchange, inputs: Inputs, types: Iterable[str]) -> list[list[str]]:
    """`[type, element]`, the type empty for all."""
    found, definitions = [], exchange.services.definitions
    for text in _listed(inputs, "_elements"):
        match = _ELEMENT.fullmatch(text)
        if match is None or (match[1] and match[1] not in definitions.resource_types):
            raise BadRequest(f"_elements={text} is not an element such as Patient.name or id.")
        owners = [match[1]] if match[1] else types
        if not any(each.element == match[2] for type in owners for each in definitions.type(type).properties.values()):
            raise BadRequest(f"_elements={text}: there is no such element.")
        found.append([match[1] or "", match[2]])
    return found


def _patients(inputs: Inputs) -> list[str] | None:
    """The ids of the parameter `patient`; one who may not be seen has nothing to export, as one who is not here."""
    if "patient" not in inputs:
        return None
    found = []
    for each in inputs.all("patient"):
        place = local(each.get("reference"))
        if place is None or place[0] != "Patient":
            raise BadRequest("Each parameter patient is a reference such as Patient/123.")
        found.append(place[1])
    return sorted(set(found))
