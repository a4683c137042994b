"""Whether what was sent is what the URL says, and conforms: R4, the profiles, and what a server can carry out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.access import DOCUMENT, problems
from fhirserver.errors import BadRequest, Unprocessable
from fhirserver.rest import references

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fhirserver.outcome import Issue
    from fhirserver.rest.exchange import Exchange

TOLERATED: Final = frozenset({"txt-2", "full-url", "modifier-unknown", "urn-form"})
"""Rules whose breach does not keep a server of core profiles from storing a resource; it is told as a warning.

They change nothing of what the server does with it (what an access rule reads is judged apart); official R4 examples
break them. `$validate` and `fhirserver validate` call them errors.
"""


def received(resource: dict[str, Any], type: str, id: str | None = None) -> dict[str, Any]:
    """The resource when it is of the type and, for an update, of the id that the URL names. Raises BadRequest."""
    found = resource.get("resourceType")
    if found != type:
        raise BadRequest(f"resourceType is {found!r}, but the URL says {type}.", expression="resourceType")
    if id is not None and resource.get("id") != id:
        raise BadRequest(
            f"The resource's id is {resource.get('id')!r}, but the URL says {id}.", expression=f"{type}.id"
        )
    return resource


def refuse_conditional_references(exchange: Exchange, resource: dict[str, Any]) -> None:
    """`Patient?identifier=…` is a reference in a transaction only (http.html#trules); stored, it would lead nowhere.

    Raises Unprocessable. A stored Bundle may hold such a transaction.
    """
    if resource["resourceType"] == "Bundle":
        return
    for text in references.literal(exchange.services.definitions, resource):
        type, mark, _ = text.removeprefix(exchange.services.base + "/").partition("?")
        if mark and type in exchange.services.definitions.resource_types:
            said = f"The reference {text} is conditional: send the resource in a transaction, or refer to an id."
            raise Unprocessable(said, code="not-supported")


def findings(exchange: Exchange, resource: dict[str, Any], profiles: Sequence[str] = ()) -> list[Issue]:
    """All findings of the resource, as R4, the profiles and, for a Consent, the rules of access have it."""
    language = exchange.request.accept_languages.best_match(("en", "fr")) or "en"
    issues = exchange.services.validator.check(resource, profiles, language=language)
    if resource.get("resourceType") == "Consent" and not any(issue.is_error for issue in issues):
        issues += problems(resource)
    return issues


def validated(exchange: Exchange, resource: dict[str, Any], *, profiles_bind: bool = True) -> list[Issue]:
    """The findings that do not forbid to store it. Raises Unprocessable with all of them when one does.

    Without `profiles_bind`, only breaches of R4 itself forbid it.
    """
    issues = findings(exchange, resource)
    if not profiles_bind:
        issues = [issue._replace(severity="warning") if issue.profile and issue.is_error else issue for issue in issues]
    if exchange.services.settings.profiles == "core":
        issues = [issue._replace(severity="warning") if issue.rule in TOLERATED else issue for issue in issues]
    if any(issue.is_error for issue in issues):
        raise Unprocessable(
            "The resource does not conform.", issues=sorted(issues, key=lambda issue: not issue.is_error)
        )
    return issues


def validated_update(exchange: Exchange, resource: dict[str, Any], there: Callable[[], object]) -> list[Issue]:
    """As `validated`, of a resource that may be here already: a document was held to its profile when it came.

    `there` tells whether it is, as far as the requester sees it.
    """
    return validated(exchange, resource, profiles_bind=resource["resourceType"] != DOCUMENT or not there())
