"""The profiles that a resource is held to when it claims none, by profile set (`defaults.toml`)."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.spec import Definitions

SETS: Final = ("french", "core")


class Default(NamedTuple):
    """A row of the table; with `lenient`, no breach weighs more than a warning."""

    canonical: str
    when: str | None
    lenient: bool


@cache
def table(profile_set: str) -> Mapping[str, tuple[Default, ...]]:
    """Resource type to its rows. Raises ValueError for a set that the table does not have."""
    text = resources.files("fhirserver.validation").joinpath("defaults.toml").read_text("utf-8")
    sets = tomllib.loads(text)
    if profile_set not in sets:
        raise ValueError(f"no profile set {profile_set!r}; there are {', '.join(sets)}")
    return {
        kind: tuple(Default(row["canonical"], row.get("when"), row.get("breaches") == "warning") for row in rows)
        for kind, rows in sets[profile_set].items()
    }


def of(profile_set: str, resource: dict[str, Any], definitions: Definitions) -> Default | None:
    """The row for a resource: the first of its type whose condition holds."""
    for row in table(profile_set).get(resource["resourceType"], ()):
        if row.when is None or _holds(row.when, resource, definitions):
            return row
    return None


def _holds(condition: str, resource: dict[str, Any], definitions: Definitions) -> bool:
    from fhirserver.fhirpath import FhirPathError, compile  # noqa: A004 the room's own word

    try:
        return compile(condition, resource["resourceType"], definitions).test(resource) is True
    except FhirPathError:
        return False
