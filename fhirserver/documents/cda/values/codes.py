"""Identifiers, codes, texts and truth: II, CD, CE, CV, CS, ST, ED, BL (HL7 v3 data types, R1) to FHIR."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from fhirserver.documents.cda.values import systems
from fhirserver.spec.systems import DATA_ABSENT

if TYPE_CHECKING:
    from fhirserver.documents.cda.node import Node

ABSENT: Final = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
NULL_FLAVOR: Final = "http://hl7.org/fhir/StructureDefinition/iso21090-nullFlavor"
NULL_FLAVORS: Final = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"

FLAVORS: Final = {
    "NI": "unknown",
    "INV": "error",
    "DER": "unknown",
    "OTH": "unsupported",
    "NINF": "negative-infinity",
    "PINF": "positive-infinity",
    "UNC": "as-text",
    "MSK": "masked",
    "NA": "not-applicable",
    "UNK": "unknown",
    "ASKU": "asked-unknown",
    "NAV": "temp-unknown",
    "NASK": "not-asked",
    "QS": "unknown",
    "TRC": "unknown",
    "NP": "not-permitted",
}
"""nullFlavor to data-absent-reason."""

LARGEST: Final = 8 * 1024 * 1024
"""Characters of an attachment within an entry."""

_base64 = re.compile(r"[A-Za-z0-9+/]*={0,2}").fullmatch
_media_type = re.compile(r"[A-Za-z0-9][\w!#$&^.+-]{0,126}/[A-Za-z0-9][\w!#$&^.+-]{0,126}").fullmatch
_code = re.compile(r"\S+(?: \S+)*").fullmatch

Concept = dict[str, Any]


def identifier(node: Node | None) -> dict[str, Any] | None:
    """An II as Identifier; the national registers of professionals and structures have systems of their own."""
    root = node.attributes.get("root") if node is not None else None
    if node is None or not root:
        return None
    extension = node.get("extension")
    node.get("root")
    node.get("displayable")
    found = _identifier(root, extension)
    assigner = node.get("assigningAuthorityName")
    return {**found, "assigner": {"display": assigner}} if assigner else dict(found)


@lru_cache(1024)
def _identifier(root: str, extension: str | None) -> dict[str, Any]:
    urn = systems.urn(root)
    if extension is None:
        return {"system": systems.URI, "value": urn} if urn else {"value": root}
    for register in systems.REGISTERS:
        if register.root == root and extension.startswith(register.prefix):
            number = extension[len(register.prefix) :]
            if re.fullmatch(register.pattern, number):
                return {**_typed(register.type), "system": register.system, "value": number}
    kind = systems.TYPES.get(root)
    use = {"use": "official"} if kind and kind.startswith("INS") else {}
    return {**use, **_typed(kind), **({"system": urn} if urn else {}), "value": extension}


def _typed(code: str | None) -> dict[str, Any]:
    return {"type": {"coding": [{"system": systems.IDENTIFIER_TYPES, "code": code}]}} if code else {}


def uri(node: Node | None) -> str | None:
    """An II as one uri: `urn:oid:root`, `urn:oid:root^extension`, `urn:uuid:…` (IHE MHD: the unique id)."""
    root = node.attributes.get("root") if node is not None else None
    if node is None or not root:
        return None
    node.get("root")
    node.get("displayable")
    node.get("assigningAuthorityName")
    extension = node.get("extension")
    urn = systems.urn(root) or root
    return f"{urn}^{extension}" if extension else urn


def code(node: Node | None) -> str | None:
    """The code of a CS, or of a CD whose code system the place fixes."""
    found = node.attributes.get("code") if node is not None else None
    if node is None or not found or not _code(found):
        return None
    node.get("code")
    node.get("codeSystem")
    node.get("displayName")
    return found


def coding(node: Node | None) -> dict[str, str] | None:
    """The code of a CV, CE or CD as Coding; None without `@code`."""
    if node is None:
        return None
    attributes = node.attributes
    found = attributes.get("code")
    if not found or not _code(found):
        return None
    node.get("code")
    result: dict[str, str] = {}
    if "codeSystem" in attributes and (oid := node.get("codeSystem")):
        result["system"] = systems.system(oid)
    if "codeSystemVersion" in attributes and (version := node.get("codeSystemVersion")):
        result["version"] = version
    result["code"] = found
    if "displayName" in attributes and (display := node.get("displayName")):
        result["display"] = display
    return result


def concept(node: Node | None) -> Concept | None:
    """A CD as CodeableConcept: the code, then its translations; the original text as text.

    A nullFlavor beside a translation or a text is kept as extension; alone it is left unread, and the answer None.
    """
    if node is None:
        return None
    codings: list[Any] = []
    main = coding(node)
    if main:
        codings.append(main)
    text = None
    for kid in node.kids:
        if kid.name == "translation":
            codings.extend(_translations(kid))
        elif kid.name == "originalText" and text is None:
            text = said(kid)
    if main is None and text is None and node.attributes.get("displayName"):
        text = node.get("displayName")
    found: Concept = {}
    if (codings or text) and "nullFlavor" in node.attributes and (flavor := node.null) in FLAVORS:
        found["extension"] = [{"url": NULL_FLAVOR, "valueCode": flavor}]
    if codings:
        found["coding"] = codings
    if text:
        found["text"] = text
    return found or None


def _translations(node: Node) -> list[dict[str, str]]:
    found = coding(node)
    inner = [each for kid in node.all("translation") for each in _translations(kid)]
    return [found, *inner] if found else inner


def required(node: Node | None) -> Concept:
    """As `concept`, where FHIR demands one: why there is none, when there is none."""
    return concept(node) or absent_element(node)


def absent(node: Node | None) -> str:
    """The data-absent-reason of an element: of its nullFlavor, else `unknown`."""
    flavor = node.attributes.get("nullFlavor") if node is not None else None
    if node is None or flavor not in FLAVORS:
        return "unknown"
    return FLAVORS[node.null or "NI"]


def absent_element(node: Node | None) -> dict[str, Any]:
    """An element without value but with the reason, as extension."""
    found: list[dict[str, str]] = [{"url": ABSENT, "valueCode": absent(node)}]
    flavor = node.attributes.get("nullFlavor") if node is not None else None
    if flavor in FLAVORS:
        found.append({"url": NULL_FLAVOR, "valueCode": str(flavor)})
    return {"extension": found}


def absence(node: Node | None) -> Concept | None:
    """`Observation.dataAbsentReason` of a value's nullFlavor, which is kept beside; None without one."""
    flavor = node.attributes.get("nullFlavor") if node is not None else None
    if flavor not in FLAVORS:
        return None
    reason = absent(node)
    return {"coding": [{"system": DATA_ABSENT, "code": reason}, {"system": NULL_FLAVORS, "code": flavor}]}


def said(node: Node | None) -> str | None:
    """The text of a ST, ED or `originalText`: its own, or that of the narrative it refers to."""
    if node is None:
        return None
    reference = node.one("reference") if node.kids else None
    if reference is not None:
        target = node.resolve(reference.attributes.get("value"))
        words = node.tree.quoted(target) if target is not None else None
        if words is None:
            return node.text or None
        reference.get("value")
        return words or None
    if node.attributes.get("representation") == "B64":
        return None
    for each in node.walk() if node.kids else ():
        each.text  # noqa: B018 read
    return " ".join("".join(node._pieces()).split()) or None if node.kids else node.text or None


def attachment(node: Node | None) -> dict[str, Any] | None:
    """An ED as Attachment: its base64, its text, or where it is."""
    if node is None:
        return None
    found: dict[str, Any] = {}
    if node.attributes.get("representation") == "B64":
        data = "".join(node._own().split())
        if not is_base64(data):
            return None
        node.get("representation")
        found["data"] = data
        _ = node.text
    elif (reference := node.one("reference")) is not None and reference.attributes.get("value"):
        target = node.resolve(reference.attributes["value"])
        if target is not None:
            return None
        found["url"] = reference.get("value")
    elif node._own():
        found["data"] = binascii.b2a_base64(node.text.encode(), newline=False).decode()
    if not found:
        return None
    stated, language = node.attributes.get("mediaType"), node.get("language")
    kind = node.get("mediaType") if stated and _media_type(stated) else None
    found["contentType"] = kind or ("application/octet-stream" if stated else "text/plain")
    if language:
        found["language"] = language
    return found


def is_base64(text: str) -> bool:
    """Whether a text without blanks is base64 of something, as R4 takes it."""
    if not text or len(text) % 4 or _base64(text) is None:
        return False
    try:
        b64decode(text, validate=True)
    except binascii.Error:
        return False
    return True


def boolean(node: Node | None) -> bool | None:
    """A BL."""
    text = node.attributes.get("value") if node is not None else None
    if node is None or text not in ("true", "false"):
        return None
    node.get("value")
    return text == "true"
