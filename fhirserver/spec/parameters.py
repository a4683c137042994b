"""Search parameters, each narrowed to one resource type (https://hl7.org/fhir/R4/searchparameter.html)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ANCESTORS: Final = ("Resource", "DomainResource")

_WORD: Final = re.compile(r"'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`|[A-Za-z_]\w*|\S")
_LOOSER: Final = frozenset({"and", "or", "xor", "implies", "=", "~", "<", ">", "!"})
"""Operators that bind looser than a union (https://hl7.org/fhirpath/N1/#operator-precedence)."""


class SearchParameter(NamedTuple):
    """A parameter of one resource type.

    `type` is number, date, string, token, reference, composite, quantity, uri or special; `expression` the part of the
    FHIRPath union that concerns the type, None where R4 gives none (`_content`); `targets` the resource types that a
    reference may lead to, none for any; `components` of a composite: (canonical of the parameter, expression) each.
    """

    code: str
    type: str
    expression: str | None
    url: str
    targets: tuple[str, ...]
    components: tuple[tuple[str, str], ...]


def union(expression: str) -> list[str]:
    """The operands of a FHIRPath union: `A.b | (C.d as E)` -> [`A.b`, `(C.d as E)`]."""
    depth, cuts = 0, [0]
    for match in _WORD.finditer(expression):
        word = match.group()
        if word in "([{":
            depth += 1
        elif word in ")]}":
            depth -= 1
        elif depth == 0 and word in _LOOSER:
            return [expression.strip()]
        elif depth == 0 and word == "|":
            cuts += [match.start(), match.end()]
    cuts.append(len(expression))
    return [expression[start:end].strip() for start, end in zip(cuts[::2], cuts[1::2], strict=True)]


def root(expression: str) -> str:
    """The first name of an expression: `(Observation.value as Quantity)` -> `Observation`."""
    match = re.match(r"[\s(]*([A-Za-z_]\w*)", expression)
    return match.group(1) if match else ""


def narrow(expression: str, resource_type: str) -> str | None:
    """What of a union concerns a resource type; parts that name no type (`name.given`) concern every one."""
    roots = {resource_type, *ANCESTORS}
    kept = [part for part in union(expression) if root(part) in roots or not root(part)[:1].isupper()]
    return " | ".join(kept) or None


def from_resource(resource: Mapping[str, Any]) -> Iterator[tuple[str, SearchParameter]]:
    """A SearchParameter resource as (base, parameter), once a base."""
    components = tuple((item["definition"], item["expression"]) for item in resource.get("component", ()))
    targets = tuple(sorted(resource.get("target", ())))
    expression = resource.get("expression")
    for base in resource.get("base", ()):
        yield (
            base,
            SearchParameter(
                code=resource["code"],
                type=resource["type"],
                expression=expression and narrow(expression, base),
                url=resource["url"],
                targets=targets,
                components=components,
            ),
        )


def as_rows(parameters: Iterable[SearchParameter]) -> list[Any]:
    """Parameters as JSON, for the archive."""
    return [list(parameter) for parameter in parameters]


def from_rows(rows: Iterable[Any]) -> Iterator[SearchParameter]:
    """Parameters from what `as_rows` made."""
    for *head, targets, components in rows:
        yield SearchParameter._make((*head, tuple(targets), tuple((url, text) for url, text in components)))
