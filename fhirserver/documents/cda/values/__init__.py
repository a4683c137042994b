"""The data types of CDA R2 as those of FHIR.

Each function takes a `Node` (or None, answered with None) and marks as read what it could tell in FHIR. What it cannot
tell stays unread, so that the account of the document names it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.documents.cda.values.codes import (
    absence,
    absent,
    absent_element,
    attachment,
    boolean,
    code,
    coding,
    concept,
    identifier,
    is_base64,
    required,
    said,
    uri,
)
from fhirserver.documents.cda.values.people import address, contact_point, human_names, organization_name
from fhirserver.documents.cda.values.quantities import (
    bounds,
    integer,
    interval,
    is_reversed,
    money,
    number,
    open_ends,
    quantity,
    range_,
    ratio,
    unit_of,
)
from fhirserver.documents.cda.values.systems import oid, system
from fhirserver.documents.cda.values.times import (
    as_instant,
    date,
    date_time,
    duration,
    earliest,
    instant,
    latest,
    period,
    timing,
    when,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.documents.cda.node import Node

__all__ = [
    "absence",
    "absent",
    "absent_element",
    "address",
    "as_instant",
    "attachment",
    "boolean",
    "bounds",
    "code",
    "coding",
    "concept",
    "contact_point",
    "date",
    "date_time",
    "duration",
    "earliest",
    "human_names",
    "identifier",
    "instant",
    "integer",
    "interval",
    "is_base64",
    "is_reversed",
    "latest",
    "money",
    "number",
    "oid",
    "open_ends",
    "organization_name",
    "period",
    "quantity",
    "range_",
    "ratio",
    "required",
    "said",
    "system",
    "timing",
    "unit_of",
    "uri",
    "value",
    "when",
]


def value(node: Node | None) -> dict[str, Any]:
    """A value of any type as the `value[x]` of an Observation; nothing when it says nothing that FHIR can tell."""
    if node is None:
        return {}
    kind = node.type or _guessed(node)
    read = _READERS.get(kind)
    if read is None and kind.startswith("IVL_"):
        read = interval
    return read(node) if read else {}


def _guessed(node: Node) -> str:
    """The type of a value that does not say it."""
    attributes = node.attributes
    if "code" in attributes:
        return "CD"
    if "unit" in attributes:
        return "PQ"
    if "value" in attributes:
        return "REAL"
    if node.one("low") is not None or node.one("high") is not None:
        return "IVL_PQ"
    return "RTO" if node.one("numerator") is not None else "ST"


def _as(name: str, read: Callable[[Node], Any]) -> Callable[[Node], dict[str, Any]]:
    def run(node: Node) -> dict[str, Any]:
        found = read(node)
        return {} if found is None else {f"value{name}": found}

    return run


def _text(node: Node) -> dict[str, Any]:
    text = None if node.attributes.get("nullFlavor") else said(node)
    return {"valueString": text} if text else {}


def _integer(node: Node) -> dict[str, Any]:
    found = integer(node)
    return {"valueInteger": found} if found is not None else _as("Quantity", quantity)(node)


_READERS: dict[str, Callable[[Node], dict[str, Any]]] = {
    **dict.fromkeys(("PQ", "REAL", "MO", "PPD_PQ", "PQR"), _as("Quantity", quantity)),
    **dict.fromkeys(("CD", "CE", "CV", "CS", "CO"), _as("CodeableConcept", concept)),
    **dict.fromkeys(("ST", "ED", "SC"), _text),
    **dict.fromkeys(("RTO", "RTO_PQ_PQ", "RTO_QTY_QTY", "RTO_MO_PQ"), _as("Ratio", ratio)),
    **dict.fromkeys(("BL", "BN"), _as("Boolean", boolean)),
    "INT": _integer,
    "TS": _as("DateTime", date_time),
    "IVL_TS": _as("Period", period),
}
