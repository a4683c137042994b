"""Bytes to a tree of elements, trusting nobody: no DTD, no entity, no XInclude, nothing fetched, bounded in depth.

A DTD is refused before a parser sees it. FHIR has no use for one (https://hl7.org/fhir/R4/security.html#narrative).
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final, cast

from lxml import etree

from fhirserver.errors import InvalidXml

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH: Final = 100
"""Levels of elements, those of the narrative among them."""
MAX_ATTRIBUTES: Final = 64
"""Attributes of one element: lxml hands them out in a time that grows with the square of their number."""
MAX_BYTES: Final = 64 * 1024 * 1024

_DECLARATION: Final = re.compile(
    rb"""<\?xml\s+version\s*=\s*["'][0-9.]+["'](?:\s+encoding\s*=\s*["']([A-Za-z][\w.\-]*)["'])?"""
    rb"""(?:\s+standalone\s*=\s*["'](?:yes|no)["'])?\s*\?>"""
)
_DOCTYPE: Final = re.compile(rb"(?:\s|<!--.*?-->|<\?.*?\?>)*+<!DOCTYPE", re.DOTALL)
_DIV: Final = re.compile(
    rb"""<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|<(/?)(?:[^\s<>/:"'=]+:)?div(?=[\s/>])(?:[^<>"']|"[^"]*"|'[^']*')*+>""",
    re.DOTALL,
)
_UTF8: Final = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii"})
_UTF16: Final = frozenset({b"utf-16", b"utf16"})
_too_deep: Final = etree.XPath("/" + "/".join("*" * (MAX_DEPTH + 1)))
_too_wide: Final = etree.XPath(f"descendant-or-self::*[@*[{MAX_ATTRIBUTES + 1}]]")


class Source:
    """A well-formed document. `root` is its element; comments and processing instructions are left out of the tree.

    Raises InvalidXml for anything else, and for a DTD, an encoding but UTF-8 and UTF-16, too many levels or attributes.
    """

    def __init__(self, body: bytes) -> None:
        self._body = _utf8(body)
        if _DOCTYPE.match(self._body):
            raise InvalidXml("A document type declaration (<!DOCTYPE …>) is not taken: remove it.")
        try:
            self.root = etree.fromstring(self._body, _parser())
        except (etree.XMLSyntaxError, ValueError) as error:
            raise InvalidXml(f"Not well-formed XML: {_reason(error)}") from None
        for found in select(_too_deep, self.root):
            raise InvalidXml(f"Nested more than {MAX_DEPTH} levels deep (line {found.sourceline}).")
        for found in select(_too_wide, self.root):
            raise InvalidXml(f"An element with more than {MAX_ATTRIBUTES} attributes (line {found.sourceline}).")
        self._divs: Iterator[str] | None = None

    def next_div(self) -> str:
        """The text of the next `div` that is within no other, character for character as it stands in the document."""
        if self._divs is None:
            self._divs = _divs(self._body)
        return next(self._divs)


def select(path: etree.XPath, element: etree._Element) -> list[etree._Element]:
    """The elements that a path finds."""
    return cast("list[etree._Element]", path(element))


def _parser() -> etree.XMLParser:
    """A new one each time, for threads would wait for a shared one; `huge_tree` admits attachments beyond 10 MB."""
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=True,
        remove_comments=True,
        remove_pis=True,
    )


def _utf8(body: bytes) -> bytes:
    """The document in UTF-8, by the byte-order mark and the XML declaration (XML 1.0, appendix F)."""
    if len(body) > MAX_BYTES:
        raise InvalidXml(f"The document is larger than {MAX_BYTES} bytes.")
    wide = body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = body.decode("utf-16").encode() if wide else body.removeprefix(codecs.BOM_UTF8)
    except UnicodeError:
        raise InvalidXml("The document begins with a byte-order mark of UTF-16, but is not UTF-16.") from None
    if not text.strip():
        raise InvalidXml("The body is empty: a FHIR resource in XML was expected.")
    declared = _DECLARATION.match(text)
    name = (declared[1] or b"").lower() if declared else b""
    if name and name not in (_UTF16 if wide else _UTF8):
        hint = "; UTF-16 begins with a byte-order mark" if name in _UTF16 else ""
        raise InvalidXml(f"encoding={name.decode()!r} does not fit: send the document as UTF-8{hint}.")
    if not declared and text.startswith(b"<?xml "):
        raise InvalidXml("The XML declaration cannot be read: begin with <?xml version='1.0' encoding='UTF-8'?>.")
    if not wide and b"\0" in text[:4]:
        raise InvalidXml("The document is not UTF-8; UTF-16 begins with a byte-order mark.")
    return text


def _divs(body: bytes) -> Iterator[str]:
    """The outermost `div` elements of a document that is well-formed and has no DTD: `<` begins markup everywhere."""
    level = start = 0
    for found in _DIV.finditer(body):
        closing = found[1]
        if closing is None:
            continue
        if closing:
            level -= 1
        else:
            start = start if level else found.start()
            level += not found.group().endswith(b"/>")
        if not level:
            yield body[start : found.end()].decode()


def _reason(error: Exception) -> str:
    """What the parser says, with line and column."""
    message = " ".join(str(getattr(error, "msg", None) or error).split())
    if "Entity '" in message:
        message += "; only &lt; &gt; &amp; &quot; &apos; and numbers such as &#160; are known in XML"
    return message if message.endswith(".") else f"{message}."
