"""Comments: the act that says something in words about what it is in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.documents.cda import actors, values

if TYPE_CHECKING:
    from fhirserver.documents.cda.context import Context
    from fhirserver.documents.cda.node import Node

TEMPLATES: Final = frozenset(
    {"2.16.840.1.113883.10.20.1.40", "1.3.6.1.4.1.19376.1.5.3.1.4.2", "1.2.250.1.213.1.1.3.32"}
)
CODE: Final = "48767-8"
"""LOINC, annotation comment."""


def is_comment(node: Node) -> bool:
    """Whether an act is a comment, by its template or its code."""
    code = node.one("code")
    return any(root in TEMPLATES for root, _ in node.templates) or (
        code is not None and code.attributes.get("code") == CODE
    )


def timed(note: dict[str, Any]) -> str:
    """The words of a comment, and when it was made, where nothing but words is kept of it."""
    return f"{note['text']} ({note['time']})" if "time" in note else str(note["text"])


def comment(node: Node, ctx: Context) -> dict[str, Any] | None:
    """A comment as Annotation; None for an act that is none or says nothing."""
    text = values.said(node.one("text")) if is_comment(node) else None
    if not text:
        return None
    node.formal("code", CODE)
    node.formal("statusCode", "completed")
    found: dict[str, Any] = {}
    for author in node.all("author"):
        author.templates  # noqa: B018 read
        who = actors.participant(author, ctx) if "authorReference" not in found else None
        kind = ctx.resource(who)["resourceType"] if who is not None else None
        if kind in ("Practitioner", "Organization", "Patient") and who is not None:
            found["authorReference"] = who
        elif kind == "PractitionerRole" and who is not None:
            found["authorReference"] = ctx.resource(who)["practitioner"]
        if "time" not in found and (time := values.date_time(author.one("time"))):
            found["time"] = time
    if "time" not in found and (time := values.date_time(node.one("effectiveTime"))):
        found["time"] = time
    found["text"] = text
    return found
