"""Conditions of writes: search criteria that say which resource is meant (https://hl7.org/fhir/R4/http.html#ccreate).

What matches is what the requester sees: what is hidden is as unmatched, is never changed, and no answer tells of it.
Writes that look for the same come one after another (`locks`): of 32 creates at once with one `If-None-Exist`, one
stores.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from fhirserver.access import require
from fhirserver.errors import BadRequest, Conflict, PreconditionFailed
from fhirserver.rest import writing
from fhirserver.rest.codes import Codes
from fhirserver.search import Query, parse
from fhirserver.search.results import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction

MOST_DELETED: Final = 1000
"""Resources that one conditional delete takes away, where it may take several."""


class Condition(NamedTuple):
    """Criteria of a type; `keys` are what a transaction locks that writes by them."""

    query: Query
    keys: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"{self.query.type}?{urlencode(list(self.query.params), safe='/:|,$', quote_via=quote)}"


def of_params(exchange: Exchange, type: str, params: Iterable[tuple[str, str]]) -> Condition:
    """The condition in the query of a URL.

    Raises PreconditionFailed without criteria, BadRequest for what is no criterion, UnknownParameter, and Forbidden
    when the token's scopes do not let the requester search.
    """
    given = list(params)
    if not given:
        raise PreconditionFailed("Without criteria it is not said which resource is meant.", code="required")
    for name, _ in given:
        if name in NAMES:
            raise BadRequest(f"The parameter {name} is no criterion.", code="not-supported")
    require(exchange.access.requester, type, "s")
    settings = exchange.services.settings
    query = parse(
        exchange.services.in_force.to_search,
        type,
        given,
        timezone=settings.timezone,
        base_url=exchange.services.base,
        codes=Codes(exchange),
    )
    whole = "&".join(f"{name}={value}" for name, value in sorted(query.params))
    named = (value for name, value in query.params if name == "identifier" for value in value.split(","))
    keys = {f"{type}?{whole}", *(_identified(type, value.rpartition("|")[2]) for value in named)}
    return Condition(replace(query, count=2, total="none"), tuple(sorted(keys)))


def of_text(exchange: Exchange, type: str, text: str, name: str = "If-None-Exist") -> Condition:
    """The condition in a header or member: `identifier=…`, percent-encoded as in a URL. Raises as `of_params`."""
    text = text.removeprefix(type).removeprefix("?") if text.startswith((f"{type}?", "?")) else text
    try:
        params = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict") if text else []
    except ValueError:
        params = []
    if not params:
        raise BadRequest(f"{name} must hold search criteria, such as identifier=urn:oid:1.2|3.")
    return of_params(exchange, type, params)


def lock(tx: Transaction, condition: Condition, resource: dict[str, Any] | None = None) -> None:
    """Holds off other conditional writes by the same criteria, or about one of the same identifiers."""
    lock_all(tx, [(condition, resource)])


def lock_all(tx: Transaction, conditions: Iterable[tuple[Condition, dict[str, Any] | None]]) -> None:
    """Holds off other conditional writes by any of these criteria, or about one of these resources' identifiers."""
    tx.lock(key for condition, resource in conditions for key in (*condition.keys, *_identifiers(resource or {})))


def _identifiers(resource: dict[str, Any]) -> Iterator[str]:
    """Keys of the identifiers that a resource bears."""
    found = resource.get("identifier")
    for each in found if isinstance(found, list) else [found]:
        if isinstance(each, dict) and isinstance(each.get("value"), str):
            yield _identified(resource["resourceType"], each["value"])


def only(tx: Transaction, condition: Condition, *, living: bool = False) -> Stored | None:
    """The one resource that matches, None for none. Raises PreconditionFailed for several.

    `living`: of several Patients, those that were merged into another one do not count.
    """
    found = tx.view.search(condition.query).matches
    if living and len(found) > 1 and condition.query.type == "Patient":
        found = [each for each in found if (policy := tx.policy(each.id)) is None or policy.into is None] or found
    if len(found) > 1:
        raise PreconditionFailed(
            f"Several resources match {condition.text}: the criteria do not say which one is meant.",
            code="multiple-matches",
        )
    return found[0] if found else None


def update(
    exchange: Exchange, tx: Transaction, resource: dict[str, Any], found: Stored | None, id: str, expected: int | None
) -> Stored:
    """Updates what the criteria found; when they found nothing, creates it, under `id` unless the resource has one.

    Raises BadRequest when the resource bears another id than what was found; Conflict when nothing was found and there
    is a resource of its id, which does not match; else as `writing.update`.
    """
    type, given = resource["resourceType"], resource.get("id")
    if found is not None:
        if given not in (None, found.id):
            raise BadRequest(f"The criteria lead to another resource than {type}/{given}.", expression=f"{type}.id")
        return writing.update(exchange, tx, {**resource, "id": found.id}, found.id, expected)
    if expected:
        raise PreconditionFailed(f"Nothing matches, so nothing is at version {expected}.")
    if given is None:
        return writing.create(exchange, tx, resource, id)
    there = tx.view.read(type, given)
    if there is not None and not there.deleted:
        raise Conflict(f"{type}/{given} does not match the criteria.")
    return writing.update(exchange, tx, resource, given, None)


def deleted(exchange: Exchange, tx: Transaction, condition: Condition) -> list[Stored]:
    """What a delete by the criteria takes away: one, or all where the settings say so. Raises PreconditionFailed."""
    if exchange.services.settings.conditional_delete == "single":
        found = only(tx, condition)
        return [] if found is None else [found]
    matches = tx.view.search(replace(condition.query, count=MOST_DELETED)).matches
    if len(matches) == MOST_DELETED and tx.view.count(condition.query) > MOST_DELETED:
        raise PreconditionFailed(f"More than {MOST_DELETED} resources match: narrow the criteria.", code="too-costly")
    return matches


def _identified(type: str, value: str) -> str:
    return f"{type}#{value}"
