"""`_include` and `_revinclude`: which references a page's resources are followed along
(https://hl7.org/fhir/R4/search.html#revinclude).

`Observation:subject`, `Observation:subject:Patient`, `Observation:*`, `*`; with `:iterate`, from what was included too.
A reference leads where a search by it would: relative, absolute with the server's own base, with a version, or by the
national identity by which a deposit was filed. A canonical leads to what bears it, with `|version` to that version.
"""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from fhirserver.errors import BadRequest, UnknownParameter
from fhirserver.search import joins
from fhirserver.search.parameters import catalogue
from fhirserver.search.query import Include, Path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.search.parameters import Parameter
    from fhirserver.spec import Definitions

NAMES: Final = frozenset({"_include", "_revinclude"})
Paths = dict[str, tuple[Path, ...]]


def is_include(name: str) -> bool:
    """Whether a parameter is an include, with whatever modifier."""
    return name.partition(":")[0] in NAMES


def read(defs: Definitions, resource_type: str, name: str, value: str) -> Include:
    """The include of a parameter. Raises UnknownParameter for what there is no reference parameter of, BadRequest."""
    code, colon, modifier = name.partition(":")
    if colon and modifier != "iterate":
        raise UnknownParameter(f"The modifier of {name} does not exist: {code} takes :iterate.")
    parts = value.split(":")
    if not all(parts) or len(parts) > 3:
        raise BadRequest(f"The value of {name} must be Type:parameter, Type:parameter:TargetType or *.")
    reverse, iterate = code == "_revinclude", bool(colon)
    if value == "*":
        paths = _all(defs) if reverse or iterate else {resource_type: followed(defs, resource_type)}
    elif len(parts) == 1:
        raise BadRequest(f"The value of {name} must be Type:parameter, Type:parameter:TargetType or *.")
    else:
        paths = {parts[0]: _named(defs, name, parts)}
    if len(parts) == 3:
        paths = {source: _limited(defs, name, found, parts[2]) for source, found in paths.items()}
    if not iterate:
        _check(name, value, resource_type, paths, reverse)
    return Include(f"{name}={value}", MappingProxyType(paths), reverse, iterate)


def fits(defs: Definitions, resource_type: str, name: str, value: str) -> bool:
    """Whether an include may find something for a type."""
    try:
        read(defs, resource_type, name, value)
    except BadRequest:
        return False
    return True


def listed(defs: Definitions, resource_type: str) -> list[str]:
    """What `_include` takes for a type: `Type:parameter`, for the CapabilityStatement."""
    offered = catalogue(defs).of(resource_type).offered
    return ["*", *(f"{resource_type}:{code}" for code, found in offered.items() if path_of(defs, found))]


@lru_cache(maxsize=1024)
def leading_to(defs: Definitions, resource_type: str) -> tuple[str, ...]:
    """What `_revinclude` takes for a type."""
    return ("*", *(name for name, targets in _leading(defs) if resource_type in targets))


@lru_cache(maxsize=8)
def _leading(defs: Definitions) -> tuple[tuple[str, frozenset[str]], ...]:
    """Every `Type:parameter`, with the types it may lead to."""
    return tuple(
        (f"{source}:{code}", frozenset().union(*(path.targets for path in paths)))
        for source in defs.resource_types
        for code, parameter in catalogue(defs).of(source).offered.items()
        if (paths := path_of(defs, parameter))
    )


@lru_cache(maxsize=1024)
def followed(defs: Definitions, resource_type: str) -> tuple[Path, ...]:
    """All references from resources of a type."""
    offered = catalogue(defs).of(resource_type).offered.values()
    merged: dict[tuple[str, bool], frozenset[str]] = {}
    for parameter in offered:
        for path in path_of(defs, parameter):
            key = (path.code, path.canonical)
            merged[key] = merged.get(key, frozenset()) | path.targets
    return tuple(Path(code, targets, canonical) for (code, canonical), targets in merged.items())


def path_of(defs: Definitions, parameter: Parameter) -> tuple[Path, ...]:
    """Where the references of a parameter stand; nowhere for what is none."""
    if parameter.type != "reference":
        return ()
    every = frozenset(joins.possible(defs, parameter))
    return tuple(
        Path(source.code, every if source.target is None else every & {source.target}, parameter.canonical_only)
        for source in parameter.sources
    )


@lru_cache(maxsize=8)
def _every(defs: Definitions) -> Mapping[str, tuple[Path, ...]]:
    return {source: followed(defs, source) for source in defs.resource_types}


def _all(defs: Definitions) -> Paths:
    return dict(_every(defs))


def _named(defs: Definitions, name: str, parts: list[str]) -> tuple[Path, ...]:
    source, code = parts[0], parts[1]
    if source not in defs.resource_types:
        raise BadRequest(f"The value of {name} names {source!r}, which is no resource type.")
    if code == "*":
        return followed(defs, source)
    parameter = catalogue(defs).of(source).offered.get(code)
    found = path_of(defs, parameter) if parameter else ()
    if not found:
        known = ", ".join(each.partition(":")[2] for each in listed(defs, source)[1:]) or "none"
        raise UnknownParameter(f"{source} has no reference parameter {code!r} that {name} can follow. It has {known}.")
    return found


def _limited(defs: Definitions, name: str, paths: tuple[Path, ...], target: str) -> tuple[Path, ...]:
    if target not in defs.resource_types:
        raise BadRequest(f"The value of {name} names {target!r}, which is no resource type.")
    limited = tuple(path._replace(targets=path.targets & {target}) for path in paths if target in path.targets)
    if not limited:
        raise BadRequest(f"The value of {name} names {target}, to which this parameter never leads.")
    return limited


def _check(name: str, value: str, resource_type: str, paths: Paths, reverse: bool) -> None:
    """Raises BadRequest for an include that can find nothing, whatever is stored."""
    if not reverse and resource_type not in paths:
        raise BadRequest(f"The value {value} of {name} starts from no {resource_type}: use _include:iterate for that.")
    if reverse and not any(resource_type in path.targets for found in paths.values() for path in found):
        raise BadRequest(f"The value {value} of {name} never leads to {resource_type}: use _revinclude:iterate.")
