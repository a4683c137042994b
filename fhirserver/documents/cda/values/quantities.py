"""Amounts: PQ, IVL_PQ, RTO, REAL, INT, MO (HL7 v3 data types, R1) to Quantity, Range, Ratio, Money.

Digits are kept. A unit that is not of UCUM is kept as text, without `system` and `code`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.documents.cda.values import systems
from fhirserver.spec.systems import UCUM
from fhirserver.terminology.ucum import is_unit

if TYPE_CHECKING:
    from decimal import Decimal

    from fhirserver.documents.cda.node import Node

CURRENCIES: Final = "urn:iso:std:iso:4217"
TRANSLATION: Final = "http://hl7.org/fhir/StructureDefinition/iso21090-PQ-translation"
"""Extension of a Quantity: the same amount in another unit."""
DIGITS: Final = 34
"""Significant digits beyond which a number is refused: what the store keeps exactly."""
_LONGEST: Final = 128
"""Characters of a number, zeros ahead of it included."""

_number = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([eE][+-]?[0-9]{1,3})?").fullmatch
_integer = re.compile(r"[+-]?[0-9]{1,10}").fullmatch

Amount = dict[str, Any]


def number(text: str | None) -> int | Decimal | None:
    """The value of a REAL literal, digit for digit; None when it is none (a decimal comma is none)."""
    return _read(text) if text and len(text) <= _LONGEST else None


@lru_cache(4096)
def _read(text: str) -> int | Decimal | None:
    found = _number(text)
    if found is None or not (found[2] or found[3]):
        return None
    sign, whole, fraction, exponent = found.groups()
    whole = whole.lstrip("0") or "0"
    if len(whole) + len(fraction or "") > DIGITS:
        return None
    plain = ("-" if sign == "-" else "") + whole + (f".{fraction}" if fraction else "") + (exponent or "")
    return jsontext.number(plain)


def integer(node: Node | None) -> int | None:
    """An INT that FHIR's integer holds."""
    text = node.attributes.get("value") if node is not None else None
    if node is None or not text or _integer(text) is None or not -(2**31) <= int(text) < 2**31:
        return None
    node.get("value")
    return int(text)


def quantity(node: Node | None) -> Amount | None:
    """A PQ (or REAL, INT: no unit; MO: a currency) as Quantity; its translations as extensions of it."""
    if node is None:
        return None
    value = number(node.attributes.get("value"))
    if value is None:
        return None
    node.get("value")
    found: Amount = {}
    listed = node.all("translation") if node.kids else []
    translations = [each for each in map(_translation, listed) if each]
    if translations:
        found["extension"] = [{"url": TRANSLATION, "valueQuantity": each} for each in translations]
    found["value"] = value
    if node.type == "MO":
        currency = node.get("currency")
        if currency:
            found.update(unit=currency, system=CURRENCIES, code=currency)
    elif node.type not in ("REAL", "INT"):
        found.update(unit_of(node.get("unit")))
    return found


def money(node: Node | None) -> dict[str, Any] | None:
    """A MO as Money."""
    value = number(node.attributes.get("value")) if node is not None else None
    if node is None or value is None:
        return None
    node.get("value")
    currency = node.get("currency")
    return {"value": value, **({"currency": currency} if currency else {})}


def unit_of(unit: str | None) -> dict[str, str]:
    """`unit`, `system` and `code` of a unit; without a unit it is 1, and of one beyond UCUM the text alone."""
    if unit is None or unit == "1":
        return {"system": UCUM, "code": "1"}
    return {"unit": unit, "system": UCUM, "code": unit} if is_unit(unit) else {"unit": unit}


def _translation(node: Node) -> Amount | None:
    """A PQR: the amount in a unit of any code system."""
    value = number(node.attributes.get("value"))
    if value is None:
        return None
    node.get("value")
    code, oid, display = node.get("code"), node.get("codeSystem"), node.get("displayName")
    unit = node.get("unit")
    if code is None:
        return {"value": value, **(unit_of(unit) if unit else {}), **({"unit": display} if display else {})}
    return {
        "value": value,
        "unit": display or code,
        **({"system": systems.system(oid)} if oid else {}),
        "code": code,
    }


def bounds(node: Node | None) -> dict[str, Amount]:
    """The ends of an IVL_PQ (IVL_REAL, IVL_INT) as Quantities: `low`, `high`, those that are given."""
    found: dict[str, Amount] = {}
    for name in ("low", "high") if node is not None else ():
        bound = node.one(name) if node is not None else None
        amount = quantity(bound) if bound is not None else None
        if bound is not None and amount is not None:
            bare = node is not None and (node.type or "").removeprefix("IVL_") in ("REAL", "INT")
            if bare and "unit" not in bound.attributes:
                amount = {"value": amount["value"]}
            found[name] = amount
            if bound.attributes.get("inclusive") == "true":
                bound.get("inclusive")
    return found


def is_reversed(node: Node) -> bool:
    """Whether an interval's low bound lies above its high one, in the same unit: no Range then (rng-2)."""
    low, high = node.one("low"), node.one("high")
    if low is None or high is None or low.attributes.get("unit") != high.attributes.get("unit"):
        return False
    least, most = number(low.attributes.get("value")), number(high.attributes.get("value"))
    return least is not None and most is not None and least > most


def open_ends(node: Node) -> dict[str, str]:
    """The ends that an interval excludes, with the comparator that says so: `{"low": ">"}`."""
    found = {}
    for name, comparator in (("low", ">"), ("high", "<")):
        bound = node.one(name)
        if bound is not None and bound.attributes.get("inclusive") == "false":
            found[name] = comparator
    return found


def interval(node: Node) -> dict[str, Any]:
    """An IVL_PQ as `valueRange`, or as `valueQuantity` with a comparator when it has one end only.

    A Range includes its ends: where the interval excludes one, `@inclusive` stays unread. One that runs backwards says
    nothing, and stays unread as a whole.
    """
    if is_reversed(node):
        return {}
    found = bounds(node)
    if not found:
        lone = quantity(node) or quantity(node.one("center"))
        return {"valueQuantity": lone} if lone else {}
    if len(found) == 2:
        return {"valueRange": found}
    name, amount = next(iter(found.items()))
    bound = node.one(name)
    closed = bound is None or bound.get("inclusive") != "false"
    sign = {"low": ">", "high": "<"}[name] + ("=" if closed else "")
    return {"valueQuantity": {**amount, "comparator": sign}}


def range_(node: Node | None) -> dict[str, Amount] | None:
    """An IVL_PQ as Range, a lone value as both its ends."""
    found = bounds(node)
    if not found and node is not None and (lone := quantity(node)):
        found = {"low": lone, "high": dict(lone)}
    return found or None


def ratio(node: Node | None) -> dict[str, Amount] | None:
    """A RTO as Ratio; both parts are required."""
    if node is None:
        return None
    parts = {name: node.one(name) for name in ("numerator", "denominator")}
    found = {name: amount for name, part in parts.items() if part is not None and (amount := _part(part, node))}
    return found if len(found) == 2 else None


def _part(node: Node, ratio: Node) -> Amount | None:
    amount = quantity(node)
    if amount is not None and node.type is None and "unit" not in node.attributes and ratio.type != "RTO_PQ_PQ":
        amount.pop("system", None)
        amount.pop("code", None)
    return amount
