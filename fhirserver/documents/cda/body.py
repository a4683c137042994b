"""The body: sections of a structured document (level 3), or an embedded file (level 1)."""

from __future__ import annotations

import binascii
import hashlib
import re
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, Final

from fhirserver.documents.cda import sections

if TYPE_CHECKING:
    from fhirserver.documents.cda.context import Context
    from fhirserver.documents.cda.node import Node

PDF: Final = "application/pdf"
_ALGORITHMS: Final = {"SHA-1": "sha1", "SHA-256": "sha256"}

_media_type = re.compile(r"[A-Za-z0-9][\w!#$&^.+-]{0,126}/[A-Za-z0-9][\w!#$&^.+-]{0,126}").fullmatch

Section = dict[str, Any]


def read(root: Node, ctx: Context) -> tuple[list[Section], str | None]:
    """The sections of the Composition; of a level 1 document also the media type of what it embeds."""
    component = root.one("component")
    embedded = component.one("nonXMLBody") if component is not None else None
    if embedded is not None:
        return _embedded(embedded, ctx)
    structured = component.one("structuredBody") if component is not None else None
    if structured is None:
        ctx.finding("body-missing", component or root)
        return [], None
    return sections.inner_sections(structured, ctx), None


def _embedded(node: Node, ctx: Context) -> tuple[list[Section], str]:
    text = node.one("text")
    kind = "text/plain"
    if text is not None and (stated := text.get("mediaType")):
        kind = stated if _media_type(stated) else "application/octet-stream"
        if kind != stated:
            ctx.finding("content", text, element="@mediaType", found=stated, expected="type/subtype")
    if text is None:
        ctx.finding("body-missing", node)
        return [], kind
    data = _content(text, ctx)
    if data is None:
        return [], kind
    if kind == PDF and b"%PDF-" not in data[:1024]:
        ctx.finding("not-pdf", text)
    _integrity(text, data, ctx)
    binary: dict[str, Any] = {
        "resourceType": "Binary",
        "contentType": kind,
        "data": b64encode(data).decode(),
    }
    language = text.get("language")
    if language:
        binary["language"] = language
    return [{"entry": [ctx.add(binary, "binary")]}], kind


def _content(text: Node, ctx: Context) -> bytes | None:
    """The bytes of the body; None, and a finding, when they are not in the document or not base64."""
    reference = text.one("reference")
    if reference is not None and not text.content:
        ctx.finding("body-reference", text, found=reference.attributes.get("value", "-"))
        return None
    if text.attributes.get("compression"):
        ctx.finding("compression", text, found=text.attributes["compression"])
        return None
    if text.attributes.get("representation") != "B64":
        return text.text.encode() if text.content and not text.kids else None
    text.get("representation")
    try:
        data = b64decode("".join(text.text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        ctx.finding("base64", text, reason=error)
        return None
    if not data:
        ctx.finding("base64", text, reason="empty")
        return None
    return data


def _integrity(text: Node, data: bytes, ctx: Context) -> None:
    stated = text.get("integrityCheck")
    if stated is None:
        return
    algorithm = text.get("integrityCheckAlgorithm") or "SHA-1"
    name = _ALGORITHMS.get(algorithm)
    if name is None or stated != b64encode(hashlib.new(name, data).digest()).decode():
        ctx.finding("integrity", text, algorithm=algorithm)
