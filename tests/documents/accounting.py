"""An account of a conversion that does not trust its own: what the XML says is looked for in the resources."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.documents.cda.clinical import imaging, links, problems
from fhirserver.documents.cda.clinical.procedures import PRIORITIES
from fhirserver.documents.cda.node import FIXED, SYNTAX
from fhirserver.documents.cda.reading import read
from fhirserver.documents.cda.values import number
from fhirserver.documents.cda.values.codes import FLAVORS
from fhirserver.documents.cda.values.times import read as read_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.documents.cda.conversion import Conversion
    from fhirserver.documents.cda.node import Node

MEANT: Final = frozenset(
    {"codeSystem", "root", "nullFlavor", "typeCode", "classCode", "moodCode", "inclusive", "inversionInd",
     "representation", "qualifier", "use", "ID"}
)  # fmt: skip
"""Attributes that change the shape of what comes of an element, not its words."""
TOLD: Final = frozenset({"SPRECEIVE", "48767-8", "69764-9", "33999-4"})
"""Codes of statements whose place in a resource says the same."""
SAID: Final = ("statusCode", "templateId", "reference")
MAPPED: Final = frozenset(
    {
        code
        for table in (problems.KINDS, problems.SEVERITIES, problems.STATUSES, problems.CRITICALITIES)
        for code in table
    }
    | {imaging.STUDY, imaging.SERIES, imaging.MODALITY, *problems.SORTS, *links.FORMAL}
)
"""Codes in whose place R4 has a word of its own, or an element."""
SHAPES: Final = frozenset({"displayable", "institutionSpecified", "negationInd", "independentInd"})


def lost(data: bytes, conversion: Conversion) -> list[str]:
    """XPaths of attributes and texts of entries that are in no resource and that the account does not name."""
    words = set(_words([entry.resource for entry in conversion.entries]))
    blob = "\n".join(words)
    left = {each.xpath for each in conversion.left}
    found = []
    body = read(data).tree.root.at("component/structuredBody")
    for node, part, text in _statements(body, left, within=False) if body is not None else ():
        if not _said(text, words, blob):
            found.append(f"{node.xpath}/{part} = {text}")
    return found


def unaccounted(data: bytes, conversion: Conversion) -> list[str]:
    """As `lost`, of the whole document with its header; words of narratives, which are told as a whole, apart."""
    told = [entry.resource for entry in conversion.entries if entry.resource.get("contentType") != "text/xml"]
    words = set(_words([told, conversion.document.patient.resource or {}]))
    blob = "\n".join(words)
    left = {each.xpath for each in conversion.left}
    return [
        f"{node.xpath}/{part} = {text}"
        for node, part, text in _statements(read(data).tree.root, left, within=True)
        if not (_said(text, words, blob) or text.partition(":")[2] in words or _elsewhere(node, part, blob))
    ]


def _elsewhere(node: Node, part: str, blob: str) -> bool:
    """Whether a resource says it in a way of its own."""
    code = node.attributes.get("code", "")
    if part == "@displayName" and (code in blob or node.name == "administrativeGenderCode"):
        return True
    return (
        "/text/" in node.xpath
        or node.name in ("typeId", "independentInd")
        or part[1:] in SHAPES
        or (code in MAPPED and part in ("@code", "@displayName"))
        or (node.name == "priorityCode" and code in PRIORITIES)
    )


def _statements(node: Node, left: set[str], *, within: bool) -> Iterator[tuple[Node, str, str]]:
    if node.xpath in left or node.name in (SAID if within else ("text", "templateId")):
        return
    if within:
        for name, text in node.attributes.items():
            silent = name in SYNTAX or name in MEANT or text in FIXED.get(name, ()) or f"{node.xpath}/@{name}" in left
            told = text in TOLD if name == "code" else _label(node, name)
            if text and not silent and not told:
                yield node, f"@{name}", text
        text = node._own()
        if text and f"{node.xpath}/text()" not in left:
            yield node, "text()", text
    for kid in node.kids:
        yield from _statements(kid, left, within=within or node.name == "entry")


def _label(node: Node, name: str) -> bool:
    """The name of a code that the place of a resource tells."""
    return name == "displayName" and node.attributes.get("code") in TOLD


def _said(text: str, words: set[str], blob: str) -> bool:
    if text in words or " ".join(text.split()) in blob or "".join(text.split()) in words:
        return True
    time = read_time(text)
    if time is not None and (time in words or time[:10] in blob):
        return True
    value = number(text)
    if value is not None and jsontext.dump(value).decode() in words:
        return True
    return text[1:] in words or text in FLAVORS or b64encode(text.encode()).decode() in words


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _words(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _words(inner)
    else:
        yield value if isinstance(value, str) else jsontext.dump(value).decode()
