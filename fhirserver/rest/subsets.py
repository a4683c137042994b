"""Parts of resources: `_summary` and `_elements` (https://hl7.org/fhir/R4/search.html#summary, #elements).

Which elements belong to a summary, are mandatory or change the meaning of others is what R4's own definitions say. What
was cut bears the tag `SUBSETTED`, so that nobody stores it as if it were whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.errors import BadRequest
from fhirserver.search import results
from fhirserver.search.parameters import catalogue
from fhirserver.spec.systems import OBSERVATION_VALUE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fhirserver.rest.exchange import Exchange
    from fhirserver.spec import Definitions
    from fhirserver.spec.types import Property
    from fhirserver.store import Stored

PARAMETERS: Final = frozenset({"_summary", "_elements"})
TAG: Final = {"system": OBSERVATION_VALUE, "code": "SUBSETTED"}
_ALWAYS: Final = ("resourceType", "id", "meta")


class Subset(NamedTuple):
    """What of a resource is wanted: `summary` is `true`, `text` or `data`, None for the elements named."""

    summary: str | None
    elements: tuple[str, ...] = ()


def asked(exchange: Exchange, type: str) -> Subset | None:
    """The part of one resource that a read asks for, None for the whole. Raises BadRequest for other parameters."""
    for name, _ in exchange.params:
        if name not in PARAMETERS:
            raise BadRequest(f"The parameter {name!r} is not offered here.", code="not-supported")
    defs = exchange.services.definitions
    shape = results.read(defs, catalogue(defs).of(type), exchange.params)
    if shape.summary == "count":
        raise BadRequest("_summary=count is for searches.")
    return wanted(shape.summary, shape.elements)


def wanted(summary: str | None, elements: tuple[str, ...]) -> Subset | None:
    """The subset of two parameters, None for the whole. Raises BadRequest when they contradict each other."""
    if summary in ("true", "text", "data"):
        if elements:
            raise BadRequest(f"_summary={summary} and _elements cannot be asked for together.")
        return Subset(summary)
    return Subset(None, elements) if elements else None


def cut(definitions: Definitions, stored: Iterable[Stored], subset: Subset | None) -> list[Stored]:
    """The resources with their bodies cut, in their order."""
    if subset is None:
        return list(stored)
    return [each._replace(body=body(definitions, each.type, each.body, subset)) for each in stored]


def body(definitions: Definitions, type: str, content: bytes, subset: Subset) -> bytes:
    """The JSON of a resource, cut."""
    whole = jsontext.parse_object(content)
    properties = definitions.type(type).properties
    part: dict[str, Any] = {}
    for name, value in whole.items():
        found = properties.get(name.removeprefix("_"))
        if name in _ALWAYS:
            part[name] = value
        elif found is not None and _is_wanted(found, subset):
            part[name] = _summarised(definitions, found, value) if subset.summary == "true" else value
    meta = dict(part.get("meta") or {})
    part["meta"] = meta | {"tag": [*meta.get("tag", ()), TAG]}
    return jsontext.dump({name: part[name] for name in (*_ALWAYS, *part) if name in part})


def _is_wanted(found: Property, subset: Subset) -> bool:
    if subset.summary == "data":
        return found.name != "text"
    if subset.summary == "text":
        return found.name == "text" or found.min > 0
    if subset.summary == "true":
        return _in_summary(found)
    return found.element in subset.elements or found.min > 0 or found.modifier


def _in_summary(found: Property) -> bool:
    return found.summary or found.min > 0 or found.modifier


def _summarised(definitions: Definitions, found: Property, value: Any) -> Any:
    """The value with what lies below cut too; whole where nothing would be left of what must be there."""
    if isinstance(value, list):
        return [_summarised(definitions, found, each) for each in value]
    if not isinstance(value, dict) or "resourceType" in value:
        return value
    try:
        properties: Mapping[str, Property] = definitions.type(found.type).properties
    except KeyError:
        return value
    part = {
        name: _summarised(definitions, below, each)
        for name, each in value.items()
        if (below := properties.get(name.removeprefix("_"))) is not None and _in_summary(below)
    }
    return part or value
