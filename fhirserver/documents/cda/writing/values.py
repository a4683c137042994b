"""The data types of FHIR as those of HL7 v3: the other way of `fhirserver.documents.cda.values`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.documents.cda.values import codes, quantities, systems, times
from fhirserver.documents.cda.writing.xml import el

if TYPE_CHECKING:
    from lxml import etree

Value = dict[str, Any]

_FLAVORS: Final = {reason: flavor for flavor, reason in reversed(codes.FLAVORS.items())} | {"unknown": "UNK"}


def ts(name: str, text: str | None) -> etree._Element | None:
    """A dateTime as TS."""
    return el(name, value=times.write(text)) if text else None


def ivl(name: str, period: Value, xsi: str | None = None) -> etree._Element:
    """A Period as IVL_TS."""
    return el(name, ts("low", period.get("start")), ts("high", period.get("end")), xsi=xsi)


def when(name: str, resource: Value, choice: str = "effective") -> etree._Element | None:
    """`effective[x]` as TS or IVL_TS."""
    period = resource.get(f"{choice}Period")
    return ivl(name, period) if period else ts(name, resource.get(f"{choice}DateTime"))


def ids(resource: Value) -> list[etree._Element]:
    """The identifiers of a resource as II; a system that is no OID, UUID or register has no place."""
    found = [ii("id", each) for each in resource.get("identifier", ())]
    return [each for each in found if each is not None]


def ii(name: str, identifier: Value) -> etree._Element | None:
    """An Identifier as II."""
    system, value = identifier.get("system", ""), identifier.get("value")
    if not value:
        return None
    assigner = identifier.get("assigner", {}).get("display")
    kind = identifier.get("type", {}).get("coding", [{}])[0].get("code")
    for register in systems.REGISTERS:
        fits = re.fullmatch(register.pattern, value) and (kind is None or register.type in (None, kind))
        if register.system == system and fits:
            return el(name, root=register.root, extension=register.prefix + value, assigningAuthorityName=assigner)
    if system == systems.URI:
        root = value.removeprefix(systems.URN_OID).removeprefix(systems.URN_UUID)
        return el(name, root=root, assigningAuthorityName=assigner) if root != value else None
    root = system.removeprefix(systems.URN_OID).removeprefix(systems.URN_UUID)
    return el(name, root=root, extension=value, assigningAuthorityName=assigner) if root != system else None


def cd(name: str, concept: Value | None, *, xsi: str | None = None, anchor: str | None = None) -> etree._Element | None:
    """A CodeableConcept as CD: the first coding, the others as translations; the text, or the ID of its narrative."""
    if not concept:
        return None
    words = concept.get("text")
    text = None
    if words:
        text = el("originalText", el("reference", value=f"#{anchor}") if anchor else words)
    listed = [each for each in concept.get("coding", ()) if "code" in each]
    flavor = null_flavor(concept)
    if flavor is None and listed:
        main, listed = listed[0], listed[1:]
    else:
        main = {}
    attributes: dict[str, str | None] = _coding(main) if main else {}
    if not main and (flavor or not (words or listed)):
        attributes["nullFlavor"] = flavor or "NI"
    others = [el("translation", **_coding(each)) for each in listed]
    return el(name, text, others, xsi=xsi, **attributes)


def _coding(coding: Value) -> dict[str, str | None]:
    system = coding.get("system")
    return {
        "code": coding["code"],
        "codeSystem": systems.oid(system) if system else None,
        "codeSystemVersion": coding.get("version"),
        "displayName": coding.get("display"),
    }


def null_flavor(element: Value) -> str | None:
    """The nullFlavor that an element's extensions state, or stand for."""
    found = {each.get("url"): each.get("valueCode") for each in element.get("extension", ())}
    flavor = found.get(codes.NULL_FLAVOR)
    return flavor or _FLAVORS.get(found.get(codes.ABSENT) or "")


def absence(concept: Value) -> str:
    """The nullFlavor of `dataAbsentReason`."""
    for coding in concept.get("coding", ()):
        if coding.get("system") == codes.NULL_FLAVORS:
            return str(coding["code"])
    return next((_FLAVORS[each["code"]] for each in concept.get("coding", ()) if each.get("code") in _FLAVORS), "NI")


def pq(name: str, quantity: Value, *, xsi: str | None = "PQ", **attributes: str | None) -> etree._Element:
    """A Quantity as PQ, or as REAL or MO when it has no unit or a currency."""
    value = digits(quantity["value"])
    if quantity.get("system") == quantities.CURRENCIES:
        return el(name, xsi=xsi and "MO", value=value, currency=quantity.get("code"), **attributes)
    unit = quantity.get("code") or quantity.get("unit")
    if unit is None:
        return el(name, xsi=xsi and "REAL", value=value, **attributes)
    others = [
        each["valueQuantity"]
        for each in quantity.get("extension", ())
        if each.get("url") == quantities.TRANSLATION and "value" in each.get("valueQuantity", {})
    ]
    return el(
        name,
        [_translation(each) for each in others],
        xsi=xsi,
        value=value,
        unit=None if unit == "1" else unit,
        **attributes,
    )


def _translation(quantity: Value) -> etree._Element:
    code, unit, system = quantity.get("code"), quantity.get("unit"), quantity.get("system")
    oid = systems.oid(system) if system else None
    return el(
        "translation",
        value=digits(quantity["value"]),
        code=code,
        codeSystem=oid,
        displayName=unit if unit != code else None,
    )


def digits(value: Any) -> str:
    """A number as it was written."""
    return jsontext.dump(value).decode()


def limits(name: str, limits: Value) -> etree._Element:
    """`low` and `high` as IVL_PQ (IVL_REAL when they have no unit)."""
    ends = [pq(end, limits[end], xsi=None) for end in ("low", "high") if "value" in limits.get(end, {})]
    bare = all("unit" not in limits[end] and "code" not in limits[end] for end in ("low", "high") if end in limits)
    return el(name, ends, xsi="IVL_REAL" if bare else "IVL_PQ")


def value(resource: Value, name: str = "value", anchor: str | None = None) -> etree._Element | None:
    """The `value[x]` of an Observation; its dataAbsentReason as nullFlavor."""
    key = next((key for key in resource if key.startswith("value")), None)
    if key is None:
        reason = resource.get("dataAbsentReason")
        return el(name, xsi="ST", nullFlavor=absence(reason)) if reason else None
    held = resource[key]
    if key == "valueQuantity":
        return _comparable(name, held)
    if key in _WRITERS:
        made: etree._Element | None = _WRITERS[key](name, held)
        return made
    return None


def _comparable(name: str, quantity: Value) -> etree._Element | None:
    comparator = quantity.get("comparator")
    if "value" not in quantity:
        return None
    if comparator is None:
        return pq(name, quantity)
    end = "low" if comparator.startswith(">") else "high"
    inclusive = str(comparator.endswith("=")).lower()
    bare = "unit" not in quantity and "code" not in quantity
    return el(name, pq(end, quantity, xsi=None, inclusive=inclusive), xsi="IVL_REAL" if bare else "IVL_PQ")


def _ratio(name: str, ratio: Value) -> etree._Element | None:
    if not all("value" in ratio.get(part, {}) for part in ("numerator", "denominator")):
        return None
    return el(name, [pq(part, ratio[part]) for part in ("numerator", "denominator")], xsi="RTO")


_WRITERS: Final[dict[str, Any]] = {
    "valueCodeableConcept": lambda name, held: cd(name, held, xsi="CD"),
    "valueString": lambda name, held: el(name, held, xsi="ST"),
    "valueBoolean": lambda name, held: el(name, xsi="BL", value=str(held).lower()),
    "valueInteger": lambda name, held: el(name, xsi="INT", value=str(held)),
    "valueRange": limits,
    "valueRatio": _ratio,
    "valueDateTime": lambda name, held: el(name, xsi="TS", value=times.write(held)),
    "valuePeriod": lambda name, held: ivl(name, held, xsi="IVL_TS"),
}
