"""Canonical URLs with versions (https://hl7.org/fhir/R4/references.html#canonical)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")

BASE: Final = "http://hl7.org/fhir/StructureDefinition/"
"""What the canonical of a type of the specification begins with."""


class Canonical(NamedTuple):
    """`url|version#fragment` taken apart; version and fragment are None when not given."""

    url: str
    version: str | None
    fragment: str | None


def split(canonical: str) -> Canonical:
    """`http://x/y|1.0#z` -> (`http://x/y`, `1.0`, `z`)."""
    url, _, version = canonical.partition("|")
    if version:
        version, _, fragment = version.partition("#")
    else:
        url, _, fragment = url.partition("#")
    return Canonical(url, version or None, fragment or None)


def latest(candidates: Iterable[T], version_of: Callable[[T], str | None]) -> T | None:
    """The candidate of the highest version; None when there is none."""
    return max(candidates, key=lambda candidate: rank(version_of(candidate)), default=None)


def matching(candidates: Iterable[T], version_of: Callable[[T], str | None], wanted: str) -> T | None:
    """The first candidate of a version, or else the latest that says it more exactly (`1.2` -> `1.2.7`)."""
    candidates = list(candidates)
    for candidate in candidates:
        if version_of(candidate) == wanted:
            return candidate
    return latest((item for item in candidates if (version_of(item) or "").startswith(wanted + ".")), version_of)


def rank(version: str | None) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts versions: numbers by value, `1.0.0-ballot` before `1.0.0`, no version before any."""
    if version is None:
        return ()
    parts = re.findall(r"\d+|[A-Za-z]+", version)
    return (*((1, int(part), "") if part.isdigit() else (-1, 0, part) for part in parts), (0, 0, ""))
