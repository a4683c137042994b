"""A CDA R2 document into resources: `convert(data)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fhirserver.documents.cda import body, header, origins, publication, reading, rules, templates
from fhirserver.documents.cda.clinical import imaging, links
from fhirserver.documents.cda.context import Context
from fhirserver.documents.cda.conversion import Conversion
from fhirserver.documents.cda.node import SYNTAX, Unread, unread
from fhirserver.documents.cda.values import uri
from fhirserver.documents.cda.values.systems import URI
from fhirserver.errors import BadRequest, Unprocessable

if TYPE_CHECKING:
    from fhirserver.documents.cda.node import Node

MODES: Final = ("strict", "lenient")


def convert(data: bytes, *, mode: str = "strict", language: str = "en") -> Conversion:
    """The resources of a CDA document (`fhirserver.documents.cda.conversion`).

    Breaches of the header rules are findings: errors in mode `strict`, warnings in `lenient`; who stores it decides.
    `language` is that of the findings, `en` or `fr`. Raises InvalidXml for what is not well-formed, unsafe or no CDA;
    Unprocessable for a document without an id, which nothing can identify; BadRequest for an unknown mode.
    """
    if mode not in MODES:
        raise BadRequest(f"The mode is {' or '.join(MODES)}, not {mode!r}.")
    tree, auto_presentable = reading.read(data)
    root = tree.root
    unique_id = _unique_id(root)
    ctx = Context(unique_id, templates.TABLES, language=language, lenient=mode == "lenient")
    rules.check(root, ctx)
    if auto_presentable:
        ctx.finding("stylesheet", None)
    parts = header.read(root, unique_id, ctx)
    if publication.is_prescription(parts.header.code):
        ctx.shared["prescription"] = {"system": URI, "value": unique_id}
    for consent in root.all("authorization"):
        ctx.leave(consent, "consent")
    sections, media_type = body.read(root, ctx)
    links.settle(ctx)
    imaging.of_header(root, parts, ctx)
    document, _ = publication.publish(root, data, parts, media_type, ctx)
    composition = publication.compose(root, parts, sections, ctx)
    origins.trace(root, document, composition, parts, ctx)
    for each in unread(root):
        ctx.leave(each.node, "null" if _null(each) else "unread", each.part)
    return Conversion(
        document=parts.header,
        level=3 if media_type is None else 1,
        media_type=publication.MEDIA_TYPE,
        auto_presentable=auto_presentable,
        entries=tuple(ctx.entries),
        findings=tuple(ctx.findings),
        left=tuple(ctx.left),
    )


def _null(unread: Unread) -> bool:
    """Whether all that was not read is a nullFlavor."""
    if unread.part is not None:
        return unread.part == "@nullFlavor"
    stated = [name for node in unread.node.walk() for name in node.attributes if name not in SYNTAX]
    return bool(stated) and set(stated) == {"nullFlavor"} and not unread.node.said


def _unique_id(root: Node) -> str:
    node = root.one("id")
    found = uri(node)
    if node is None or found is None:
        raise Unprocessable(
            "The document has no id: ClinicalDocument/id/@root, an OID or a UUID, is what identifies it.",
            code="required",
            expression="/ClinicalDocument/id",
        )
    return found
