"""Sections of the body as `Composition.section`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.documents.cda import actors, narrative, values
from fhirserver.spec.systems import LIST_EMPTY

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.documents.cda.context import Context, Reference
    from fhirserver.documents.cda.node import Node

    Entries = Callable[[Node, Context], list[Reference]]

_REASONS: Final = {
    "NA": "notstarted",
    "MSK": "withheld",
    "NASK": "notasked",
    "UNK": "unavailable",
    "NAV": "unavailable",
}

Section = dict[str, Any]


def section(node: Node, ctx: Context, read: Entries | None = None) -> Section | None:
    """Any section: its title, code, narrative, entries and inner sections; None when it says nothing.

    `read` converts its entries, for sections that know them better than `entries` does.
    """
    found, code = opening(node)
    own = actors.scope(node, ctx)
    if "authors" in own:
        found["author"] = list(own["authors"])
    if label := values.coding(node.one("confidentialityCode")):
        own["label"] = label
    with ctx.within(**own, section=code):
        references = (read or entries)(node, ctx)
        inner = inner_sections(node, ctx)
    return closing(found, node, references, inner)


def opening(node: Node) -> tuple[Section, dict[str, Any] | None]:
    """Title, code and narrative of a section, and the code by itself."""
    node.templates  # noqa: B018 read
    found: Section = {}
    title = values.said(node.one("title"))
    if title:
        found["title"] = title
    code = values.concept(node.one("code"))
    if code:
        found["code"] = code
    text = node.one("text")
    if text is not None and (text.kids or text.content):
        found["text"] = {"status": "additional", "div": narrative.div(text)}
    return found, code


def entries(node: Node, ctx: Context) -> list[Reference]:
    """What the entries of a section became."""
    references: dict[str, Reference] = {}
    for entry in node.all("entry"):
        entry.templates  # noqa: B018 read
        for kid in entry.kids:
            if kid.name != "templateId":
                references.update((each["reference"], each) for each in ctx.entry(kid))
    return list(references.values())


def inner_sections(node: Node, ctx: Context) -> list[Section]:
    """The sections within a section (or a structuredBody)."""
    found = []
    for component in node.all("component"):
        for inner in component.all("section"):
            made = ctx.section(inner)
            if made is not None:
                found.append(made)
    return found


def closing(found: Section, node: Node, references: list[Reference], inner: list[Section]) -> Section | None:
    """The section with its entries and inner sections; one without content says why it is empty (cmp-1, cmp-2)."""
    if references:
        found["entry"] = references
    if inner:
        found["section"] = inner
    if not references and not inner:
        flavor = node.null
        if flavor or "text" not in found:
            if not found:
                return None
            reason = _REASONS.get(flavor or "", "unavailable")
            found["emptyReason"] = {"coding": [{"system": LIST_EMPTY, "code": reason}]}
            found.setdefault("text", {"status": "empty", "div": f'<div xmlns="{narrative.XHTML}"><p>-</p></div>'})
    return found
