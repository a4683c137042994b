"""A CDA document as a page to read: own templates, no script, no stylesheet of the document's, nothing fetched.

The narrative comes through `narrative`, the whole through `nh3`, which lets pass what the lists below name.
"""

from __future__ import annotations

from base64 import b64decode
from html import escape
from typing import TYPE_CHECKING, Final

import nh3

from fhirserver.documents.cda import narrative, reading, values
from fhirserver.documents.cda.words import LABELS, Language

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.documents.cda.node import Node

IMAGES: Final = {"image/png", "image/jpeg", "image/gif"}
TAGS: Final = {
    "a", "b", "br", "caption", "col", "colgroup", "dd", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6",
    "header", "i", "img", "li", "ol", "p", "section", "small", "span", "strong", "sub", "sup", "table", "tbody", "td",
    "tfoot", "th", "thead", "tr", "u", "ul",
}  # fmt: skip
ATTRIBUTES: Final = {
    "a": {"href"},
    "img": {"src", "alt"},
    "ol": {"type"},
    "td": {"colspan", "rowspan", "align", "valign"},
    "th": {"colspan", "rowspan", "align", "valign", "scope"},
    "col": {"span", "align", "valign"},
    "div": {"class"},
}
SCHEMES: Final = {"http", "https", "mailto", "tel", "data"}
POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""The Content-Security-Policy that the page carries, and that a server should send with it."""
STYLE: Final = (
    "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}"
    "table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.2rem .5rem;text-align:left}"
    "dl{display:grid;grid-template-columns:max-content auto;gap:.2rem 1rem}dt{font-weight:bold}dd{margin:0}"
    "header{border-bottom:2px solid #333;margin-bottom:1rem}img{max-width:100%}"
)


def render(data: bytes, *, language: Language = "fr") -> bytes:
    """The page (UTF-8 HTML) of a document. Raises InvalidXml for what is no CDA.

    A body that is a file is named, not shown: it is served as it is.
    """
    root = reading.read(data).tree.root
    title = values.said(root.one("title")) or "CDA"
    inner = nh3.clean(
        "".join(_page(root, title, LABELS[language])),
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes=SCHEMES,
        link_rel="noopener noreferrer",
        attribute_filter=_filtered,
    )
    tongue = escape(values.code(root.one("languageCode")) or language)
    return (
        f'<!DOCTYPE html>\n<html lang="{tongue}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{inner}</body></html>\n"
    ).encode()


def _filtered(tag: str, name: str, value: str) -> str | None:
    """Images come from the document itself, links lead to the web or within the page."""
    if name == "src":
        return value if value.startswith(tuple(f"data:{kind};base64," for kind in IMAGES)) else None
    if name == "href" and value.startswith("data:"):
        return None
    return value


def _page(root: Node, title: str, labels: dict[str, str]) -> Iterator[str]:
    yield f"<header><h1>{escape(title)}</h1><dl>"
    for label, value in _facts(root, labels):
        if value:
            yield f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>"
    yield "</dl></header>"
    component = root.one("component")
    embedded = component.one("nonXMLBody") if component is not None else None
    if embedded is not None:
        kind = embedded.value("text", "mediaType") or "text/plain"
        yield from _file(embedded, kind, labels)
    elif component is not None and (body := component.one("structuredBody")) is not None:
        images = _images(body)
        for each in body.all("component"):
            for section in each.all("section"):
                yield from _section(section, 2, images)


def _facts(root: Node, labels: dict[str, str]) -> Iterator[tuple[str, str]]:
    code = root.one("code")
    patient = root.at("recordTarget/patientRole/patient")
    yield labels["type"], (code.get("displayName") or code.get("code") or "") if code is not None else ""
    yield labels["date"], _when(root.one("effectiveTime"))
    if patient is not None:
        yield labels["patient"], _named(patient)
        yield labels["born"], _when(patient.one("birthTime"))
        gender = patient.one("administrativeGenderCode")
        yield labels["gender"], labels.get(gender.attributes.get("code", ""), "") if gender is not None else ""
    for author in root.all("author"):
        role = author.one("assignedAuthor")
        yield labels["author"], _actor(role) if role is not None else ""
    custodian = root.at("custodian/assignedCustodian/representedCustodianOrganization")
    yield labels["custodian"], values.organization_name(custodian.one("name")) or "" if custodian is not None else ""


def _actor(role: Node) -> str:
    person = role.one("assignedPerson")
    device = role.one("assignedAuthoringDevice")
    employer = role.one("representedOrganization")
    parts = [
        _named(person) if person is not None else "",
        (values.said(device.one("manufacturerModelName")) or "") if device is not None else "",
        (values.organization_name(employer.one("name")) or "") if employer is not None else "",
    ]
    return ", ".join(part for part in parts if part)


def _named(holder: Node) -> str:
    found = []
    for node in holder.all("name"):
        for name in values.human_names(node):
            words = [*name.get("prefix", ()), *name.get("given", ()), name.get("family", ""), name.get("text", "")]
            found.append(" ".join(word for word in words if word))
    return " / ".join(dict.fromkeys(found))


def _when(node: Node | None) -> str:
    """A date as French readers write it, the time as the document says it."""
    text = values.date_time(node) or ""
    day, _, clock = text.partition("T")
    return "/".join(reversed(day.split("-"))) + (f" {clock[:5]}" if clock else "")


def _file(body: Node, kind: str, labels: dict[str, str]) -> Iterator[str]:
    text = body.one("text")
    if kind == "text/plain" and text is not None and text.one("reference") is None:
        words = text.text
        if text.attributes.get("representation") == "B64":
            try:
                words = b64decode("".join(words.split()), validate=True).decode("utf-8", "replace")
            except ValueError:
                words = ""
        yield "".join(f"<p>{escape(line)}</p>" for line in words.splitlines() if line.strip())
    else:
        yield f"<p>{escape(labels['file'])} ({escape(kind)})</p>"


def _section(node: Node, level: int, images: dict[str, str]) -> Iterator[str]:
    yield "<section>"
    title = values.said(node.one("title"))
    tag = f"h{min(level, 6)}"
    if title:
        yield f"<{tag}>{escape(title)}</{tag}>"
    text = node.one("text")
    if text is not None:
        yield narrative.div(text, images)
    for component in node.all("component"):
        for inner in component.all("section"):
            yield from _section(inner, level + 1, images)
    yield "</section>"


def _images(body: Node) -> dict[str, str]:
    """Images of the document by ID, as data URIs."""
    found = {}
    for node in body.walk():
        anchor = node.attributes.get("ID")
        value = node.one("value") if node.name == "observationMedia" and anchor else None
        if value is None or anchor is None or value.attributes.get("mediaType") not in IMAGES:
            continue
        attachment = values.attachment(value)
        if attachment and "data" in attachment:
            found[anchor] = f"data:{attachment['contentType']};base64,{attachment['data']}"
    return found
