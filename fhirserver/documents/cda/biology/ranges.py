"""Reference ranges of results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.documents.cda import values
from fhirserver.spec.systems import INTERPRETATION

if TYPE_CHECKING:
    from fhirserver.documents.cda.node import Node

AGE: Final = frozenset({"a", "mo", "wk", "d", "h"})


def reference_ranges(node: Node) -> list[dict[str, Any]]:
    """`Observation.referenceRange` of an observation."""
    found = []
    for each in node.all("referenceRange"):
        each.get("typeCode") if each.attributes.get("typeCode") == "REFV" else None
        for inner in each.all("observationRange"):
            made = _range(inner)
            if made:
                found.append(made)
    return found


def interpretation(node: Node) -> dict[str, Any] | None:
    """An interpretationCode; its code system goes without saying."""
    found = values.concept(node)
    for coding in found.get("coding", ()) if found else ():
        coding.setdefault("system", INTERPRETATION)
    return found


def _range(node: Node) -> dict[str, Any]:
    node.templates  # noqa: B018 read
    if node.attributes.get("moodCode") == "EVN.CRT":
        node.get("moodCode")
    found = _limits(node)
    kind = next((each for each in map(interpretation, node.all("interpretationCode")) if each), None)
    if kind:
        found["type"] = kind
    _whom(node, found)
    text = values.said(node.one("text"))
    if text:
        found["text"] = f"{found['text']} ; {text}" if "text" in found else text
    if found and not found.keys() & {"low", "high", "text"}:
        found["text"] = "Limites non précisées"
    return found


def _limits(node: Node) -> dict[str, Any]:
    """`low` and `high`; of an end that is excluded, which R4 cannot say, the text says it."""
    value = node.one("value")
    if value is None:
        return {}
    found: dict[str, Any] = {}
    if (value.type or "").startswith("IVL_") or value.one("low") is not None or value.one("high") is not None:
        found.update(values.range_(value) or {})
        ends = values.open_ends(value)
        if ends:
            signs = [f"{sign} {_shown(found[name])}" for name, sign in ends.items() if name in found]
            for name in ends:
                bound = value.one(name)
                if bound is not None and signs:
                    bound.get("inclusive")
            if signs:
                found["text"] = " ; ".join(signs)
        return found
    told = values.value(value)
    if "valueQuantity" in told:
        return {"low": told["valueQuantity"], "high": told["valueQuantity"]}
    if "valueString" in told:
        return {"text": told["valueString"]}
    concept = told.get("valueCodeableConcept")
    return {"appliesTo": [concept]} if concept else {}


def _shown(amount: dict[str, Any]) -> str:
    return f"{amount['value']} {amount.get('unit', '')}".strip()


def _whom(node: Node, found: dict[str, Any]) -> None:
    """Preconditions (`precondition/criterion`): an age, or a population."""
    for each in (*node.all("precondition"), *node.all("lab:precondition")):
        each.get("typeCode") if each.attributes.get("typeCode") == "PRCN" else None
        criterion = each.one("criterion") or each.one("lab:criterion")
        if criterion is None:
            continue
        criterion.templates  # noqa: B018 read
        value = criterion.one("value")
        limits = values.bounds(value) if value is not None and not values.is_reversed(value) else {}
        if limits and "age" not in found and all(limit.get("code") in AGE for limit in limits.values()):
            found["age"] = limits
            continue
        told = values.value(value)
        concept = told.get("valueCodeableConcept") or ({"text": told["valueString"]} if "valueString" in told else None)
        if concept:
            found.setdefault("appliesTo", []).append(concept)
        elif value is None and (code := values.concept(criterion.one("code"))):
            found.setdefault("appliesTo", []).append(code)
