"""Bytes to the tree of a CDA document, trusting nobody: no DTD, no entity, nothing fetched, no stylesheet run.

An auto-presentable document is a stylesheet that carries the ClinicalDocument (CI-SIS, "document auto-présentable"):
the document is found within it by its namespace, the rest is inert.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from lxml import etree

from fhirserver.documents.cda.node import V3, Tree
from fhirserver.errors import InvalidXml
from fhirserver.xmltext import Source

DOCUMENT: Final = f"{{{V3}}}ClinicalDocument"
STYLESHEET: Final = "{http://www.w3.org/1999/XSL/Transform}stylesheet"

_declaration: Final = re.compile(
    rb"""(<\?xml\s+version\s*=\s*["'][0-9.]+["']\s+encoding\s*=\s*["'])([A-Za-z][\w.\-]*)(["'])"""
)
_LATIN: Final = {
    b"iso-8859-1": "iso-8859-1",
    b"latin1": "iso-8859-1",
    b"iso-8859-15": "iso-8859-15",
    b"windows-1252": "cp1252",
    b"cp1252": "cp1252",
}
"""Encodings of one byte a character that French software declares."""
_root: Final = re.compile(rb"<(?:[A-Za-z_][\w.\-]*:)?([A-Za-z_][\w.\-]*)[\s/>]")
MARKUP: Final = 400_000
"""Tags of a document: each element takes 350 bytes of memory, and a report of 60 results has 3,000 tags."""
_PROLOG: Final = 65_536
"""Bytes within which the root begins, after comments and instructions."""


class Read(NamedTuple):
    """A document as it was read."""

    tree: Tree
    auto_presentable: bool


def read(data: bytes) -> Read:
    """The document in `data`. Raises InvalidXml for what is not well-formed, unsafe, or holds no ClinicalDocument."""
    if data.count(b"<") > MARKUP:
        raise InvalidXml(f"The document has more than {MARKUP} tags: send it in parts.")
    root = Source(_utf8(data)).root
    if root.tag == DOCUMENT:
        return Read(Tree(root), auto_presentable=False)
    if root.tag == STYLESHEET:
        found = list(root.iter(DOCUMENT))
        if len(found) == 1:
            return Read(Tree(found[0]), auto_presentable=True)
        raise InvalidXml(f"The stylesheet carries {len(found)} ClinicalDocument elements: one was expected.")
    raise InvalidXml(f"Not a CDA document: the root is {_named(root)}, expected ClinicalDocument in {V3!r}.")


def is_cda(data: bytes) -> bool:
    """Whether XML, in whatever encoding, has the root of a CDA document, or of a stylesheet that may carry one."""
    found = _root.search(data[:_PROLOG].replace(b"\0", b""))
    return found is not None and found[1] in (b"ClinicalDocument", b"stylesheet")


def _utf8(data: bytes) -> bytes:
    """The document in UTF-8 when it declares an encoding of one byte a character; other bytes as they are."""
    declared = _declaration.match(data)
    if declared is None or (name := _LATIN.get(declared[2].lower())) is None:
        return data
    try:
        text = data[declared.end() :].decode(name).encode()
    except UnicodeDecodeError as error:
        place = error.start + declared.end()
        raise InvalidXml(f"Byte {place} is no character of the encoding that the document declares.") from None
    return declared[1] + b"UTF-8" + declared[3] + text


def _named(element: etree._Element) -> str:
    name = etree.QName(element)
    return f"{name.localname!r} in {name.namespace!r}" if name.namespace else f"{name.localname!r} in no namespace"
