"""SMART scopes, versions 1 and 2: they narrow what the rules allow, never widen it.

https://hl7.org/fhir/smart-app-launch/STU2/scopes-and-launch-context.html. A scope with a search part
(`user/Observation.rs?category=laboratory`) grants nothing: what cannot be compiled fails closed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver.errors import Forbidden

if TYPE_CHECKING:
    from fhirserver.access.requester import Requester

_FORM: Final = re.compile(r"(patient|user|system)/(\*|[A-Z][A-Za-z]+)\.(\*|read|write|c?r?u?d?s?)(\?.*)?")
_VERSION_1: Final = {"read": "rs", "write": "cud", "*": "cruds"}
_LEVELS: Final = {
    "operator": ("system", "user"),
    "system": ("system",),
    "practitioner": ("user", "patient"),
    "patient": ("patient", "user"),
    "representative": ("patient", "user"),
}


class Scope(NamedTuple):
    """`level/type.letters`, letters among `cruds`; `query` is a search part, which is not supported."""

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
    for text in requester.scopes:
        scope = parse(text)
        if scope and scope.query and scope.type in (resource_type, "*") and letter in scope.letters:
            raise Forbidden(f"The scope {text!r} has a search part, which is not supported here: it grants nothing.")
    raise Forbidden(f"The token's scopes do not cover {resource_type} ({letter}).")


@lru_cache(maxsize=16384)
def _levels(scopes: tuple[str, ...], kind: str, resource_type: str, letters: str) -> frozenset[str]:
    found = set()
    for text in scopes:
        scope = parse(text)
        if scope is None or scope.query or scope.level not in _LEVELS[kind]:
            continue
        if scope.type in ("*", resource_type) and any(letter in scope.letters for letter in letters):
            found.add(scope.level)
    return frozenset(found)
