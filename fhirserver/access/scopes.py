"""SMART scopes, versions 1 and 2: they narrow what the rules allow, never widen it.

https://hl7.org/fhir/smart-app-launch/STU2/scopes-and-launch-context.html. The search part of a granular scope
(`user/Observation.rs?category=laboratory`) is compiled by who knows searches (`Search`); where nobody does, or where it
is not understood, the scope grants nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver.errors import Forbidden
from fhirserver.predicate import FALSE, TRUE

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.access.requester import Requester
    from fhirserver.predicate import Predicate

    Search = Callable[[str, str], Predicate]
    """What the search part of a scope (`category=laboratory`) finds of a type; FALSE where it is not understood."""

_FORM: Final = re.compile(r"(patient|user|system)/(\*|[A-Z][A-Za-z]+)\.(\*|read|write|c?r?u?d?s?)(?:\?(.*))?")
_VERSION_1: Final = {"read": "rs", "write": "cud", "*": "cruds"}
_LEVELS: Final = {
    "operator": ("system", "user"),
    "system": ("system",),
    "practitioner": ("user", "patient"),
    "patient": ("patient", "user"),
    "representative": ("patient", "user"),
}


class Scope(NamedTuple):
    """`level/type.letters`, letters among `cruds`; `query` is the search part, without its question mark."""

    level: str
    type: str
    letters: str
    query: str | None


@lru_cache(maxsize=4096)
def parse(text: str) -> Scope | None:
    """The scope, or None for one that is not about resources (`openid`, `launch/patient`) or is malformed."""
    match = _FORM.fullmatch(text)
    if match is None or not match[3]:
        return None
    return Scope(match[1], match[2], _VERSION_1.get(match[3], match[3]), match[4])


def levels(requester: Requester, resource_type: str, letters: str) -> frozenset[str]:
    """The levels (`user`, `patient`, `system`) at which the scopes grant one of `letters` on the type."""
    return _levels(requester.scopes, requester.kind, resource_type, letters)


def permits(requester: Requester, resource_type: str, letter: str) -> bool:
    """Whether the scopes let the requester do `letter` (c, r, u, d or s) with the type at all."""
    return bool(levels(requester, resource_type, letter))


def require(requester: Requester, resource_type: str, letter: str) -> None:
    """Raises Forbidden when the scopes do not let the requester do `letter` with the type."""
    if permits(requester, resource_type, letter):
        return
    raise Forbidden(f"The token's scopes do not cover {resource_type} ({letter}).")


def unsearched(_type: str, _query: str) -> Predicate:
    """The Search of who knows none."""
    return FALSE


def granted(requester: Requester, resource_type: str, letters: str, search: Search) -> dict[str, list[Predicate]]:
    """By level, what its scopes grant one of `letters` on; TRUE for all of the type."""
    found: dict[str, list[Predicate]] = {}
    for scope in _scopes(requester.scopes, requester.kind, resource_type, letters):
        condition = TRUE if scope.query is None else search(resource_type, scope.query)
        found.setdefault(scope.level, []).append(condition)
    return found


@lru_cache(maxsize=16384)
def _levels(scopes: tuple[str, ...], kind: str, resource_type: str, letters: str) -> frozenset[str]:
    return frozenset(scope.level for scope in _scopes(scopes, kind, resource_type, letters))


@lru_cache(maxsize=16384)
def _scopes(scopes: tuple[str, ...], kind: str, resource_type: str, letters: str) -> tuple[Scope, ...]:
    """Those of this kind of requester that grant one of the letters on the type."""
    parsed = (parse(text) for text in scopes)
    return tuple(
        scope
        for scope in parsed
        if scope is not None
        and scope.level in _LEVELS[kind]
        and scope.type in ("*", resource_type)
        and any(letter in scope.letters for letter in letters)
    )
