"""What of a FHIR report is not in the document that was written of it: the document is read again and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from fhirserver import jsontext

Resource = dict[str, Any]
Resolve = Callable[[Resource], Resource | None]

IGNORED: Final = frozenset({"id", "meta", "text", "resourceType", "subject", "fullUrl", "encounter", "securityContext"})
"""What each server gives anew, the patient, whom the header names, and the document that a file belongs to."""


def missing(source: Resource, resolve: Resolve, copy: Resource | None, resolve_copy: Resolve) -> list[str]:
    """FHIRPath locations, without indexes, of what `source` says (references followed) and `copy` does not."""
    there = {} if copy is None else _counted(copy, resolve_copy)
    found: dict[str, None] = {}
    for leaf, count in _counted(source, resolve).items():
        if there.get(leaf, 0) < count:
            found[leaf[0]] = None
    return list(found)


def _counted(resource: Resource, resolve: Resolve) -> dict[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    for leaf in _leaves(resource, resource["resourceType"], resolve, ()):
        counts[leaf] = counts.get(leaf, 0) + 1
    return counts


def _leaves(value: Any, path: str, resolve: Resolve, trail: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for each in value:
            yield from _leaves(each, path, resolve, trail)
    elif not isinstance(value, dict):
        yield path, jsontext.dump(_instant(value)).decode()
    else:
        url = value.get("reference") or _embedded(value, resolve)
        if isinstance(url, str):
            target = None if url in trail else resolve({"reference": url})
            if target is not None:
                yield from _leaves(target, f"{path}.resolve()", resolve, (*trail, url))
            elif url not in trail and "reference" in value:
                yield f"{path}.reference", url
        for name, inner in value.items():
            if not (name in IGNORED and "resourceType" in value) and not (url is not None and name in _LINKS):
                yield from _leaves(inner, f"{path}.{name}", resolve, trail)


def _instant(value: Any) -> Any:
    """A time in UTC, which has two ways to be written."""
    return f"{value[:-1]}+00:00" if isinstance(value, str) and value.endswith("Z") and value[10:11] == "T" else value


_LINKS: Final = ("reference", "type", "display", "url")


def _embedded(value: Resource, resolve: Resolve) -> str | None:
    """The url of an Attachment whose Binary is at hand."""
    url = value.get("url")
    return url if isinstance(url, str) and "contentType" in value and resolve({"reference": url}) else None
