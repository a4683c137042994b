"""What of the scopes that a client asks for it may be granted: registered ∩ asked, limited by who grants.

A scope that is unknown or not registered is left out, not refused (SMART App Launch 2.2, "Scopes": the server may grant
fewer); the answer says what was granted. Version 1 scopes are granted as version 2 spells them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fhirserver.access.scopes import Scope, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LETTERS: Final = "cruds"
CONTEXT: Final = ("launch", "launch/patient", "launch/encounter")
IDENTITY: Final = ("openid", "fhirUser", "profile")
LASTING: Final = ("offline_access", "online_access")
SPECIAL: Final = (*IDENTITY, *CONTEXT, *LASTING)

LEVELS: Final = {
    "patient": ("patient", "user"),
    "representative": ("patient", "user"),
    "practitioner": ("user", "patient"),
    "system": ("system",),
    "operator": (),
}
"""Of which level somebody of a kind may grant scopes to an app; a `system` grants itself. An operator grants none."""


def text(scope: Scope) -> str:
    """The scope as version 2 spells it."""
    query = "" if scope.query is None else f"?{scope.query}"
    return f"{scope.level}/{scope.type}.{scope.letters}{query}"


def allowed(asked: Sequence[str], registered: Sequence[str]) -> tuple[str, ...]:
    """What a client is registered for, of what it asks, in the order it asks."""
    found: list[str] = []
    for each in asked:
        found += [each] if each in SPECIAL and each in registered else _common(each, registered)
    return tuple(dict.fromkeys(found))


def for_kind(granted: Iterable[str], kind: str) -> tuple[str, ...]:
    """Those that somebody of a kind may grant; who may grant no level, grants nothing."""
    levels = LEVELS[kind]
    if not levels:
        return ()
    return tuple(each for each in granted if (scope := parse(each)) is None or scope.level in levels)


def of_resources(granted: Iterable[str]) -> tuple[Scope, ...]:
    return tuple(scope for each in granted if (scope := parse(each)) is not None)


def covers(whole: Iterable[str], part: str) -> bool:
    """Whether all that a scope grants is granted by one of the others already."""
    if part in SPECIAL:
        return part in whole
    scope = parse(part)
    return scope is not None and any(_met(other, scope) == scope for other in of_resources(whole))


def narrowed(granted: Sequence[str], asked: Sequence[str]) -> tuple[str, ...] | None:
    """What a refresh asks for, spelt as version 2; None when any of it was not granted (RFC 6749, 6)."""
    if not asked:
        return tuple(granted)
    if not all(covers(granted, each) for each in asked):
        return None
    return tuple(dict.fromkeys(text(scope) if (scope := parse(each)) else each for each in asked))


def _common(asked: str, registered: Iterable[str]) -> list[str]:
    scope = parse(asked)
    if scope is None:
        return []
    common = (_met(other, scope) for other in of_resources(registered))
    return [text(each) for each in common if each is not None]


def _met(one: Scope, other: Scope) -> Scope | None:
    """What both grant, None when that is nothing or cannot be said as a scope."""
    if one.level != other.level or (one.type != other.type and "*" not in (one.type, other.type)):
        return None
    if None not in (one.query, other.query) and one.query != other.query:
        return None
    letters = "".join(letter for letter in LETTERS if letter in one.letters and letter in other.letters)
    type_ = other.type if one.type == "*" else one.type
    return Scope(one.level, type_, letters, one.query if other.query is None else other.query) if letters else None
