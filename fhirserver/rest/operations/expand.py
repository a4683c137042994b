"""ValueSet/$expand (https://hl7.org/fhir/R4/valueset-operation-expand.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.errors import BadRequest, Unprocessable
from fhirserver.rest.operations import asked
from fhirserver.rest.operations.stored import terminology
from fhirserver.rest.parameters import received
from fhirserver.spec.canonical import split
from fhirserver.terminology import Wish

if TYPE_CHECKING:
    from fhirserver.rest.answer import Answer
    from fhirserver.rest.exchange import Exchange
    from fhirserver.rest.parameters import Inputs

REFUSED: Final = ("context", "contextDirection", "date")
"""Parameters that would change the answer and that this server does not understand."""


def expand(exchange: Exchange, type: str, id: str | None = None) -> Answer:
    """The value set with its codes: of the instance, of a `url`, or of a `valueSet` given."""
    inputs = received(exchange, "ValueSet-expand", REFUSED)
    subject = asked.subject(exchange, inputs, type, id, "valueSet", "valueSetVersion")
    checked = _versions(inputs, "check-system-version")
    expanded = terminology(exchange).expand(
        subject.given,
        _wish(exchange, inputs),
        now=exchange.access.now,
        versions=checked | _versions(inputs, "system-version"),
        forced=_versions(inputs, "force-system-version"),
    )
    _check(expanded, checked)
    return asked.answer(exchange, "$expand", subject, expanded)


def _wish(exchange: Exchange, inputs: Inputs) -> Wish:
    for name in ("offset", "count"):
        if (inputs.get(name) or 0) < 0:
            raise BadRequest(f"{name} is negative.")
    return Wish(
        filter=inputs.get("filter"),
        offset=inputs.get("offset") or 0,
        count=inputs.get("count"),
        active_only=inputs.get("activeOnly") is True,
        exclude_nested=inputs.get("excludeNested") is not False,
        exclude_abstract=inputs.get("excludeNotForUI") is True,
        include_designations=inputs.get("includeDesignations") is True,
        designations=tuple(inputs.all("designation")),
        include_definition=inputs.get("includeDefinition") is True,
        exclude_systems=tuple(inputs.all("exclude-system")),
        display_language=asked.language(exchange, inputs),
    )


def _versions(inputs: Inputs, name: str) -> dict[str, str]:
    """`system|version` parameters by system. Raises BadRequest for one without a version."""
    found = {}
    for text in inputs.all(name):
        canonical = split(text)
        if canonical.version is None:
            raise BadRequest(f"{name}={text}: write system|version.")
        found[canonical.url] = canonical.version
    return found


def _check(expanded: dict[str, Any], checked: dict[str, str]) -> None:
    used = {split(each["valueUri"]) for each in expanded["expansion"].get("parameter", ()) if each["name"] == "version"}
    for system, version, _ in used:
        if system in checked and version != checked[system]:
            raise Unprocessable(f"The expansion would use {system} in version {version}, not {checked[system]}.")
