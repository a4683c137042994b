"""Composite parameters: the values of one node side by side, a row for each combination of its ranges and texts.

A row of `code-value-quantity` is `{"f0": [forms of code], "lo1": …, "hi1": …, "u1": […], …}`: what belongs to the
component of number n ends with n (https://hl7.org/fhir/R4/search.html#composite).
"""

from __future__ import annotations

from itertools import islice, product
from typing import TYPE_CHECKING, Any, Final

from fhirserver.search import extract, paths, terms, text
from fhirserver.search.extract import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fhirserver.search.extract import Context
    from fhirserver.search.parameters import Component, Parameter

MOST: Final = 500
"""Rows of one parameter of a resource."""


def rows(
    parameter: Parameter, nodes: Iterable[Any], resource: dict[str, Any], context: Context
) -> list[dict[str, Any]]:
    """The rows of a composite's nodes; a node that lacks a component has none."""
    found: list[dict[str, Any]] = []
    for node in nodes:
        columns: list[list[dict[str, Any]]] = []
        for at, component in reversed(tuple(enumerate(parameter.components))):  # mostly the last is what is missing
            columns.insert(0, _column(component, node, resource, context, at))
            if not columns[0]:
                break
        for combination in islice(product(*columns), MOST - len(found)):
            row: dict[str, Any] = {}
            for cell in combination:
                row |= cell
            found.append(row)
    return found


def _column(
    component: Component, node: Any, resource: dict[str, Any], context: Context, at: int
) -> list[dict[str, Any]]:
    """What one component says of a node, each a part of a row."""
    values = [
        Value(slot.type, slot.mode, value)
        for root, parts in ((node, component.below), (resource, component.above))
        for part in parts
        for slot in part.slots
        for value in paths.walk(root, slot.path)
    ]
    match component.type:
        case "token" | "reference" | "uri":
            forms = [form for value in values for form in _forms(component, value, context)]
            return [{f"f{at}": forms}] if forms else []
        case "string":
            return [{f"s{at}": text.normal(item)} for value in values for item in extract.strings(value)]
        case "date":
            moments = (extract.interval(value, context.zone) for value in values)
            return [{f"lo{at}": each.lo, f"hi{at}": each.hi} for each in moments if each]
        case "number":
            spans = (extract.span(value) for value in values)
            return [{f"lo{at}": each.lo, f"hi{at}": each.hi} for each in spans if each]
    measured = (extract.quantity(value) for value in values)
    return [{f"{name}{at}": item for name, item in each.items()} for each in measured if each]


def _forms(component: Component, value: Value, context: Context) -> list[str]:
    if component.type == "token":
        forms = extract.tokens(value, component.bare, context)
        return forms + [terms.system_of(form) for form in forms if terms.has_system(form)]
    if component.type == "uri":
        return [terms.uri("", form) for form in terms.canonical(value.value)] if isinstance(value.value, str) else []
    found = extract.literal(value, context)
    if found is not None:
        return list(terms.references("", found))
    return [terms.uri("", form) for form in terms.canonical(value.value)] if isinstance(value.value, str) else []
