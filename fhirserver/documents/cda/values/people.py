"""Names, addresses and telecommunications: EN, PN, ON, AD, TEL (HL7 v3 data types, R1) to FHIR."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from fhirserver.documents.cda.values.codes import said
from fhirserver.documents.cda.values.times import period

if TYPE_CHECKING:
    from fhirserver.documents.cda.node import Node

INSEE: Final = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code"
COMMUNES: Final = "https://mos.esante.gouv.fr/NOS/TRE_R13-Commune/FHIR/TRE-R13-Commune"
BIRTH_NAMES: Final = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient-birth-list-given-name"

NAME_USES: Final = {"L": "official", "C": "official", "ASGN": "usual", "P": "nickname", "A": "nickname"}
ADDRESS_USES: Final = {
    "H": "home",
    "HP": "home",
    "HV": "temp",
    "WP": "work",
    "DIR": "work",
    "PUB": "work",
    "TMP": "temp",
    "BAD": "old",
}
TELECOM_USES: Final = {**ADDRESS_USES, "MC": "mobile", "PG": "mobile", "EC": "home"}
SCHEMES: Final = {
    "tel": "phone",
    "x-text-tel": "phone",
    "fax": "fax",
    "x-text-fax": "fax",
    "mailto": "email",
    "http": "url",
    "https": "url",
    "ftp": "url",
    "sms": "sms",
    "mllp": "other",
    "file": "other",
}

_BIRTH: Final = "BR"
_USED: Final = frozenset(("SP", "CL"))
_PLAIN: Final = frozenset(("family", "given", "prefix", "suffix", "delimiter", "validTime"))
_STREET: Final = frozenset(
    ("houseNumber", "houseNumberNumeric", "streetNameType", "streetName", "streetNameBase", "direction")
)
"""Parts that stand on one line together."""
_LINES: Final = frozenset(
    {"streetAddressLine", "deliveryAddressLine", "additionalLocator", "unitType", "unitID", "buildingNumberSuffix",
     "careOf", "postBox", "deliveryInstallationType", "deliveryInstallationArea", "precinct", "censusTract",
     "deliveryInstallationQualifier", "deliveryMode", "deliveryModeIdentifier"}
)  # fmt: skip
_FIELDS: Final = {"city": "city", "postalCode": "postalCode", "state": "state", "country": "country"}
_insee = re.compile(r"[0-9][0-9AB][0-9]{3}").fullmatch
_scheme = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(.+)", re.DOTALL).fullmatch
_dial = re.compile(r"[+0-9().\s/\-]{4,}").fullmatch


def human_names(node: Node | None) -> list[dict[str, Any]]:
    """A PN as HumanNames: one, or two when birth name (BR) and used name (SP, CL) stand side by side."""
    if node is None:
        return []
    parts = [(kid, frozenset((kid.get("qualifier") or "").split())) for kid in node.kids if kid.name in _PLAIN]
    if not any(marks & (_USED | {_BIRTH}) for _, marks in parts):
        return _single(node)
    births = [(kid, marks) for kid, marks in parts if not marks & _USED]
    used = [(kid, marks) for kid, marks in parts if marks & _USED]
    common = [(kid, marks) for kid, marks in parts if kid.name in ("prefix", "suffix")]
    found = []
    if any(kid.name in ("family", "given") for kid, _ in births):
        found.append(_official(births))
    if used:
        called = list(used)
        for name in ("family", "given"):
            if not any(kid.name == name for kid, _ in used):
                called += [pair for pair in births if pair[0].name == name][:1]
        found.append({"use": "usual", **_parts([*called, *common])})
    return [name for name in found if name]


def _official(parts: list[tuple[Node, frozenset[str]]]) -> dict[str, Any]:
    """The name of birth: the first given name (BR), then the list of the birth certificate."""
    marked = [pair for pair in parts if pair[0].name == "given" and _BIRTH in pair[1]]
    others = [pair for pair in parts if pair[0].name == "given" and _BIRTH not in pair[1]]
    name = _parts([pair for pair in parts if pair[0].name != "given"])
    listed = " ".join(kid.text for kid, _ in others).strip()
    first = [kid.text for kid, _ in marked if kid.text]
    if first and listed:
        name = {"extension": [{"url": BIRTH_NAMES, "valueString": listed}], **name}
    given = first or [kid.text for kid, _ in others if kid.text]
    return {"use": "official", **name, **({"given": given} if given else {})}


def _single(node: Node) -> list[dict[str, Any]]:
    found: dict[str, Any] = {}
    use = NAME_USES.get(node.attributes.get("use", ""))
    if use:
        node.get("use")
        found["use"] = use
    if node.kids:
        found.update(_parts([(kid, frozenset()) for kid in node.kids]))
    loose = node.attributes.get("nullFlavor") is None and node.text
    if loose:
        found["text"] = " ".join("".join(node._pieces()).split())
    return [found] if found.keys() - {"use"} else []


def _parts(parts: list[tuple[Node, frozenset[str]]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kid, _ in parts:
        if kid.name == "validTime":
            found.update(_valid(kid))
        elif kid.name == "delimiter":
            kid.told()
        elif kid.name in _PLAIN and kid.text:
            text = " ".join(kid.text.split())
            if kid.name == "family":
                found["family"] = f"{found['family']} {text}" if "family" in found else text
            else:
                found.setdefault(kid.name, []).append(text)
    return found


def organization_name(node: Node | None) -> str | None:
    """An ON, its parts in one line."""
    if node is None or "nullFlavor" in node.attributes:
        return None
    return said(node)


def address(node: Node | None) -> dict[str, Any] | None:
    """An AD as Address; in `county` France states the INSEE code of the commune."""
    if node is None:
        return None
    found: dict[str, Any] = {}
    lines: list[str] = []
    street: list[str] = []
    for kid in node.kids:
        if kid.name == "useablePeriod":
            found.update(_valid(kid))
        elif kid.name == "delimiter":
            kid.told()
        elif kid.name in _STREET:
            street += _line(kid)
        elif kid.name in _LINES:
            lines += _line(kid)
        elif kid.name in _FIELDS:
            found.update((_FIELDS[kid.name], text) for text in _line(kid))
        elif kid.name == "county":
            found.update(_county(text) for text in _line(kid))
    if street:
        lines.append(" ".join(street))
    if lines:
        found["line"] = lines
    if "nullFlavor" not in node.attributes and (loose := node.text):
        found["text"] = " ".join(loose.split())
    return _used(found, node, ADDRESS_USES) if found else None


def _line(node: Node) -> list[str]:
    text = "" if "nullFlavor" in node.attributes else " ".join(node.text.split())
    return [text] if text else []


def _valid(node: Node) -> dict[str, Any]:
    found = period(node)
    return {"period": found} if found else {}


def _county(text: str) -> tuple[str, Any]:
    if _insee(text):
        return "extension", [{"url": INSEE, "valueCoding": {"system": COMMUNES, "code": text}}]
    return "district", text


def contact_point(node: Node | None) -> dict[str, Any] | None:
    """A TEL as ContactPoint; a value without scheme is judged by its look."""
    value = node.attributes.get("value") if node is not None else None
    if node is None or not value:
        return None
    node.get("value")
    found = _scheme(value)
    kind = SCHEMES.get(found[1].lower()) if found else None
    if found and kind in ("phone", "fax", "email", "sms"):
        value = found[2]
    elif kind is None:
        kind = "email" if "@" in value else "phone" if _dial(value) else "other"
    return _used({"system": kind, "value": value.strip()}, node, TELECOM_USES)


def _used(found: dict[str, Any], node: Node, table: dict[str, str]) -> dict[str, Any]:
    """Adds `use`, when one of the codes of `@use` is known."""
    known = [table[word] for word in (node.attributes.get("use") or "").split() if word in table]
    if known:
        node.get("use")
        found["use"] = "mobile" if "mobile" in known else known[0]
    return found
