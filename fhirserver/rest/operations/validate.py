"""[type]/$validate (https://hl7.org/fhir/R4/resource-operation-validate.html): what a write would find."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.audit import Entity, Event
from fhirserver.errors import BadRequest
from fhirserver.outcome import Issue, outcome
from fhirserver.rest import conforming
from fhirserver.rest.answer import of_value
from fhirserver.rest.operations.stored import instance
from fhirserver.rest.parameters import received

if TYPE_CHECKING:
    from fhirserver.rest.answer import Answer
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored

MODES: Final = ("create", "update", "delete", "profile")


def validate(exchange: Exchange, type: str, id: str | None = None) -> Answer:
    """All issues of the resource given, or of the one that is stored, in one OperationOutcome; the status is 200.

    `profile`: what it is held to besides the profiles that it claims. `mode`: `create` and `update` also look at the
    id, `delete` looks only whether there is something to delete.
    """
    inputs = received(exchange, "Resource-validate")
    mode, profile = inputs.get("mode"), inputs.get("profile")
    if mode is not None and mode not in MODES:
        raise BadRequest(f"mode={mode} is none of {', '.join(MODES)}.", code="code-invalid")
    if mode in ("update", "delete") and id is None:
        raise BadRequest(f"mode={mode} is for a call on an instance: {type}/[id]/$validate.")
    if mode == "create" and id is not None:
        raise BadRequest(f"mode=create is for a call on the type: {type}/$validate.")
    stored = instance(exchange, type, id) if id is not None else None
    given = inputs.get("resource") if stored is None else inputs.get("resource") or jsontext.parse_object(stored.body)
    if given is None:
        raise BadRequest("There is no resource to validate in the body.", code="required")
    issues = [] if mode == "delete" else [*_named(given, type, id), *_findings(exchange, given, profile)]
    entities = () if stored is None else (_entity(stored),)
    return of_value(200, outcome(issues), Event("operation", 200, entities, query=f"{type}/$validate"))


def _named(resource: dict[str, Any], type: str, id: str | None) -> list[Issue]:
    """Whether the resource is the one that the URL names."""
    try:
        conforming.received(resource, type, id)
    except BadRequest as error:
        return list(error.issues)
    return []


def _findings(exchange: Exchange, resource: dict[str, Any], profile: str | None) -> list[Issue]:
    if profile is None:
        return conforming.findings(exchange, resource)
    if exchange.services.guides.current.definitions.structure(profile) is None:
        unknown = Issue("error", "not-found", f"The profile {profile} is not known here.")
        return [unknown, *conforming.findings(exchange, resource)]
    return conforming.findings(exchange, resource, (profile,))


def _entity(stored: Stored) -> Entity:
    return Entity.of(stored)
