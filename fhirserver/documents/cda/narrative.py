"""The narrative block of a section (`StrucDocText`, CDA R2 4.3.5) as XHTML that a FHIR narrative admits."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fhirserver.documents.cda.node import Node

XHTML: Final = "http://www.w3.org/1999/xhtml"

_TAGS: Final[Mapping[str, str]] = {
    "paragraph": "p",
    "content": "span",
    "item": "li",
    "table": "table",
    "thead": "thead",
    "tbody": "tbody",
    "tfoot": "tfoot",
    "tr": "tr",
    "td": "td",
    "th": "th",
    "caption": "caption",
    "col": "col",
    "colgroup": "colgroup",
    "sub": "sub",
    "sup": "sup",
    "br": "br",
    "footnote": "small",
}
_STYLES: Final[Mapping[str, str]] = {
    "bold": "b",
    "underline": "u",
    "italics": "i",
    "emphasis": "em",
    "strong": "strong",
}
_LISTS: Final[Mapping[str, str]] = {
    "Arabic": "1",
    "LittleRoman": "i",
    "BigRoman": "I",
    "LittleAlpha": "a",
    "BigAlpha": "A",
}
_SPANS: Final = ("colspan", "rowspan", "align", "valign", "scope", "span")
_EMPTY: Final = frozenset({"br", "col"})
_ROWS: Final = frozenset({"table", "thead", "tbody", "tfoot", "tr", "colgroup"})
_SAFE: Final = ("http://", "https://", "mailto:", "tel:", "#")
_BREAKS: Final = frozenset({"paragraph", "list", "table", "item"})

_tag = re.compile(r"<[^>]*>")


def div(node: Node, images: Mapping[str, str] | None = None) -> str:
    """The XHTML `div` of a `text` element, which counts as read. `images`: data URIs by ID of an observationMedia."""
    node.told()
    inner = "".join(_inner(node, images or {}))
    seen = "<img" in inner or _tag.sub("", inner).strip()  # txt-2: a narrative shows something
    return f'<div xmlns="{XHTML}">{inner if seen else "<p>-</p>"}</div>'


def _inner(node: Node, images: Mapping[str, str]) -> Iterator[str]:
    """What stands within an element; text between the rows of a table has no place and nothing to say."""
    if node.name not in _ROWS:
        yield escape(node.content, quote=False)
    for kid in node.kids:
        yield from _element(kid, images)
        if node.name not in _ROWS:
            yield escape(kid.tail, quote=False)


def _element(node: Node, images: Mapping[str, str]) -> Iterator[str]:
    name = node.name
    if name == "list":
        yield from _list(node, images)
    elif name == "linkHtml":
        href = node.attributes.get("href", "")
        if href.lower().startswith(_SAFE):
            yield f'<a href="{escape(href)}">{"".join(_inner(node, images)) or escape(href)}</a>'
        else:
            yield from _inner(node, images)
    elif name == "renderMultiMedia":
        yield from _media(node, images)
    elif name == "caption" and node.parent is not None and node.parent.name != "table":
        yield f"<b>{''.join(_inner(node, images))}</b> "
    else:
        yield from _styled(node, _TAGS.get(name, "span"), images)


def _styled(node: Node, tag: str, images: Mapping[str, str]) -> Iterator[str]:
    """A tag with the styles of `styleCode` around its content; a block within a paragraph makes a div of it."""
    if tag in ("p", "span") and any(kid.name in _BREAKS for kid in node.kids):
        tag = "div"
    attributes = "".join(
        f' {name}="{escape(value)}"'
        for name, value in node.attributes.items()
        if name in _SPANS and tag[0] in "tc" and value.isalnum()
    )
    if tag in _EMPTY:
        yield f"<{tag}/>"
        return
    styles = [_STYLES[code] for code in node.attributes.get("styleCode", "").lower().split() if code in _STYLES]
    if node.name in _ROWS:
        styles = []
    opened, closed = "".join(f"<{s}>" for s in styles), "".join(f"</{s}>" for s in reversed(styles))
    inner = "".join(_inner(node, images))
    if inner or node.name not in ("thead", "tbody", "tfoot"):
        yield f"<{tag}{attributes}>{opened}{inner}{closed}</{tag}>"


def _list(node: Node, images: Mapping[str, str]) -> Iterator[str]:
    ordered = node.attributes.get("listType") == "ordered"
    style = _LISTS.get(node.attributes.get("styleCode", ""), "1")
    caption = node.one("caption")
    if caption is not None:
        yield f"<p><b>{''.join(_inner(caption, images))}</b></p>"
    yield f'<ol type="{style}">' if ordered else "<ul>"
    for item in node.all("item"):
        yield f"<li>{''.join(_inner(item, images))}</li>"
    yield "</ol>" if ordered else "</ul>"


def _media(node: Node, images: Mapping[str, str]) -> Iterator[str]:
    for reference in node.attributes.get("referencedObject", "").split():
        data = images.get(reference)
        yield f'<img src="{data}" alt="{escape(reference)}"/>' if data else f"[{escape(reference)}]"
    yield from _inner(node, images)
