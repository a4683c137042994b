"""What came of a job, judged anew when it is fetched: a Consent written meanwhile is in force here too."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.errors import Gone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import File

_AT_ONCE: Final = 1000
"""Ids that one look judges."""
_WITHDRAWN: Final = "Some of what this told may not be seen any more: ask for it anew."


class Part(NamedTuple):
    """What is given of a file: its length, the places to read in order, and whose resources it tells of."""

    length: int
    spans: list[tuple[int, int]]
    patients: tuple[str, ...]


def of_file(exchange: Exchange, file: File) -> Part:
    """The lines of a file of an export whose resources may still be seen; those deleted since are left out too."""
    lines = file.facts["lines"]
    still = _still(exchange, file.facts["type"], (id for id, _, _ in lines))
    spans: list[tuple[int, int]] = []
    patients: set[str] = set()
    at = 0
    for id, length, patient in lines:
        if id in still:
            begin = spans.pop()[0] if spans and spans[-1][1] == at else at
            spans.append((begin, at + length))
            patients.update({patient} if patient else ())
        at += length
    return Part(sum(end - begin for begin, end in spans), spans, tuple(sorted(patients)))


def require_seen(exchange: Exchange, content: bytes) -> None:
    """Raises Gone when an answer holds a resource of which nothing may be seen any more."""
    told: dict[str, set[str]] = {}
    for resource in _resources(jsontext.parse(content)):
        told.setdefault(resource["resourceType"], set()).add(resource["id"])
    for type, ids in told.items():
        for id in sorted(ids - _still(exchange, type, ids)):
            if exchange.view.read(type, id) is None:  # else it was deleted, and might be told of
                raise Gone(_WITHDRAWN)


def _still(exchange: Exchange, type: str, ids: Iterable[str]) -> set[str]:
    left, found = iter(ids), set[str]()
    while some := list(islice(left, _AT_ONCE)):
        found |= exchange.view.still(type, some)
    return found


def _resources(value: Any) -> Iterator[dict[str, Any]]:
    """The stored resources in a Bundle or Parameters, and those within."""
    todo = [value]
    while todo:
        each = todo.pop()
        if not isinstance(each, dict):
            continue
        if each.get("resourceType") in ("Bundle", "Parameters"):
            inner = each.get("entry") or each.get("parameter") or ()
            todo += [found for entry in inner for found in (entry.get("resource"), *entry.get("part", ()))]
        elif "resourceType" in each and isinstance(each.get("id"), str):
            yield each
        elif "resource" in each:
            todo.append(each["resource"])
