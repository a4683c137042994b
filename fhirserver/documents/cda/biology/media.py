"""Images and other attachments of entries as Media; the copy of the report as PDF as Binary."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, Final

from fhirserver.documents.cda import actors, values

if TYPE_CHECKING:
    from fhirserver.documents.cda.context import Context, Reference
    from fhirserver.documents.cda.node import Node

TYPES: Final = "http://terminology.hl7.org/CodeSystem/media-type"

Resource = dict[str, Any]


def media(node: Node, ctx: Context, value: Node | None = None) -> list[Reference]:
    """An observationMedia (or the attachment that is a value of an observation) as Media; nothing without content."""
    content = value if value is not None else node.one("value")
    attachment = values.attachment(content)
    if attachment is None:
        return []
    resource: Resource = {"resourceType": "Media", "status": "completed"}
    if value is None:
        node.templates  # noqa: B018 read
        identifiers = actors.identifiers(node)
        if identifiers:
            resource["identifier"] = identifiers
    kind = attachment["contentType"].partition("/")[0]
    if kind in ("image", "video", "audio"):
        resource["type"] = {"coding": [{"system": TYPES, "code": kind}]}
    resource["subject"] = ctx.patient
    if value is None:
        resource.update(values.when(node.one("effectiveTime"), "created"))
    resource["content"] = attachment
    return [ctx.add(resource, "derived")]


def pdf_copy(node: Node, ctx: Context) -> Resource | None:
    """The Attachment of a PDF in an observationMedia, which becomes a Binary of its own."""
    content = node.one("value")
    if content is None or content.one("reference") is not None:
        return None
    attachment = values.attachment(content)
    if attachment is None:
        return None
    node.templates  # noqa: B018 read
    data = b64decode(attachment["data"])
    binary = {"resourceType": "Binary", "contentType": attachment["contentType"], "data": attachment["data"]}
    reference = ctx.add(binary, "binary")
    return {
        "contentType": attachment["contentType"],
        "url": reference["reference"],
        "size": len(data),
        "hash": b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode(),
    }
