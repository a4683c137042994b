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


def div(node: Node, images: dict[str, str] | None = None) -> str:
    """The XHTML `div` of a `text` element, which counts as read.

    `images`: data URIs by ID of an observationMedia, each of which is shown once, where it is first referred to.
    """
    node.told()
    inner = _inner(node, images or {})
    seen = "<img" in inner or _tag.sub("", inner).strip()  # txt-2: a narrative shows something
    return f'<div xmlns="{XHTML}">{inner if seen else "<p>-</p>"}</div>'


def _inner(node: Node, images: dict[str, str]) -> str:
    """What stands within an element; text between the rows of a table has no place and nothing to say."""
    if node.name in _ROWS:
        return "".join([_element(kid, images) for kid in node.kids])
    inner = escape(node.content, quote=False) if node.content else ""
    for kid in node.kids:
        inner += _element(kid, images)
        if kid.tail:
            inner += escape(kid.tail, quote=False)
    return inner


def _element(node: Node, images: dict[str, str]) -> str:
    name = node.name
    if name == "list":
        return "".join(_list(node, images))
    if name == "linkHtml":
        inner = _inner(node, images)
        href = node.attributes.get("href", "")
        return f'<a href="{escape(href)}">{inner or escape(href)}</a>' if href.lower().startswith(_SAFE) else inner
    if name == "renderMultiMedia":
        return "".join(_media(node, images))
    if name == "caption" and node.parent is not None and node.parent.name != "table":
        return f"<b>{_inner(node, images)}</b> "
    return _styled(node, _TAGS.get(name, "span"), images)


def _styled(node: Node, tag: str, images: dict[str, str]) -> str:
    """A tag with the styles of `styleCode` around its content; a block within a paragraph makes a div of it."""
    if tag in ("p", "span") and any(kid.name in _BREAKS for kid in node.kids):
        tag = "div"
    attributes = opened = closed = ""
    if node.attributes:
        attributes = "".join(
            f' {name}="{escape(value)}"'
            for name, value in node.attributes.items()
            if name in _SPANS and tag[0] in "tc" and value.isalnum()
        )
        if node.name not in _ROWS:
            codes = node.attributes.get("styleCode", "").lower().split()
            styles = [_STYLES[code] for code in codes if code in _STYLES]
            opened, closed = "".join(f"<{s}>" for s in styles), "".join(f"</{s}>" for s in reversed(styles))
    if tag in _EMPTY:
        return f"<{tag}/>"
    inner = _inner(node, images)
    if not inner and node.name in ("thead", "tbody", "tfoot"):
        return ""
    return f"<{tag}{attributes}>{opened}{inner}{closed}</{tag}>"


def _list(node: Node, images: dict[str, str]) -> Iterator[str]:
    ordered = node.attributes.get("listType") == "ordered"
    style = _LISTS.get(node.attributes.get("styleCode", ""), "1")
    caption = node.one("caption")
    if caption is not None:
        yield f"<p><b>{_inner(caption, images)}</b></p>"
    yield f'<ol type="{style}">' if ordered else "<ul>"
    for item in node.all("item"):
        yield f"<li>{_inner(item, images)}</li>"
    yield "</ol>" if ordered else "</ul>"


def _media(node: Node, images: dict[str, str]) -> Iterator[str]:
    for reference in node.attributes.get("referencedObject", "").split():
        data = images.pop(reference, None)
        yield f'<img src="{data}" alt="{escape(reference)}"/>' if data else f"[{escape(reference)}]"
    yield from _inner(node, images)
