"""The narrative: XHTML without scripts, forms or outside influence (https://hl7.org/fhir/R4/narrative.html#xhtml)."""

from __future__ import annotations

import html.entities
import re
import threading
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from fhirserver.validation.primitives import shape

if TYPE_CHECKING:
    from types import ModuleType

    from fhirserver.validation.context import At, Context

NAMESPACE: Final = "http://www.w3.org/1999/xhtml"
IMAGE: Final = f"{{{NAMESPACE}}}img"

ELEMENTS: Final = frozenset(
    (
        *("a", "abbr", "acronym", "address", "area", "b", "bdo", "big", "blockquote", "br", "caption", "cite", "code"),
        *("col", "colgroup", "dd", "del", "dfn", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr"),
        *("i", "img", "ins", "kbd", "li", "map", "ol", "p", "pre", "q", "samp", "small", "span", "strong", "sub"),
        *("sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "u", "ul", "var"),
    )
)
"""Chapters 7 to 11 (without 9.4) and 15 of HTML 4.0, `a` and `img`; `u`, deprecated, is used by published examples."""

_EVERYWHERE: Final = "class dir id lang style tabindex title accesskey xml:lang"
_CELLS: Final = "abbr align axis bgcolor char charoff colspan headers height nowrap rowspan scope valign width"
_SPECIFIC: Final = {
    "a": "charset coords href hreflang name rel rev shape type",
    "area": "alt coords href nohref shape",
    "blockquote": "cite",
    "br": "clear",
    "caption": "align",
    "col": "align char charoff span valign width",
    "colgroup": "align char charoff span valign width",
    "del": "cite datetime",
    "div": "align",
    "hr": "align noshade size width",
    "img": "align alt border height hspace ismap longdesc name src usemap vspace width",
    "ins": "cite datetime",
    "li": "type value",
    "map": "name",
    "ol": "compact start type",
    "p": "align",
    "pre": "width",
    "q": "cite",
    "table": "align bgcolor border cellpadding cellspacing frame rules summary width",
    "tbody": "align char charoff valign",
    "td": _CELLS,
    "tfoot": "align char charoff valign",
    "th": _CELLS,
    "thead": "align char charoff valign",
    "tr": "align bgcolor char charoff valign",
    "ul": "compact type",
}
_H: Final = {f"h{level}": "align" for level in range(1, 7)}
ATTRIBUTES: Final = {name: frozenset((_EVERYWHERE + " " + (_SPECIFIC | _H).get(name, "")).split()) for name in ELEMENTS}

_TAGS: Final = {f"{{{NAMESPACE}}}{name}": name for name in ELEMENTS}
_XML_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
_entity = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_KEPT: Final = frozenset(("lt", "gt", "amp", "quot", "apos"))
_active = re.compile(r"\s*(?:javascript|vbscript|data:text)", re.IGNORECASE).match


@cache
def _etree() -> ModuleType:
    """lxml costs a cold process 20 ms: only those who have a narrative pay."""
    from lxml import etree

    return etree


class _Parsers(threading.local):
    """A parser a thread: threads would wait for a shared one, and a new one costs as much as a narrative."""

    def __init__(self) -> None:
        self.parser = _etree().XMLParser(encoding="utf-8", resolve_entities=False, no_network=True)


@cache
def _parsers() -> _Parsers:
    return _Parsers()


def check(value: Any, at: At, name: str, ctx: Context) -> None:
    """Report what is wrong with `Narrative.div` (txt-1, txt-2 and its syntax)."""
    if not isinstance(value, str):
        return ctx.report("json-type", at, name, type="xhtml", expected="string", found=shape(value))
    if "<!DOCTYPE" in value or "<!ENTITY" in value:
        return ctx.report("txt-1", at, name, name="<!DOCTYPE>")
    etree = _etree()
    if value.startswith("<?xml") and "encoding" in value.partition("?>")[0]:
        return ctx.report("xhtml-syntax", at, name, reason="a text declares no encoding")
    try:
        root = etree.fromstring(_expand(value).encode(), _parsers().parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        return ctx.report("xhtml-syntax", at, name, reason=str(error))
    if root.tag != f"{{{NAMESPACE}}}div":
        return ctx.report("xhtml-root", at, name)
    visible = False
    for element in root.iter():
        kind = element.tag
        if type(kind) is str:
            if offence := _offence(kind, element):
                return ctx.report("txt-1", at, name, name=offence)
            visible = visible or kind == IMAGE or _seen(element.text)
        elif kind is not etree.Comment:
            return ctx.report("txt-1", at, name, name=str(element)[:40])
        visible = visible or _seen(element.tail)
    if not visible:
        ctx.report("txt-2", at, name)
    return None


def _seen(text: str | None) -> bool:
    return text is not None and not text.isspace()


def _offence(kind: str, element: Any) -> str | None:
    """The element or attribute that may not be there."""
    short = _TAGS.get(kind)
    if short is None:
        return f"<{kind.rpartition('}')[2]}>"
    if element.attrib:
        allowed = ATTRIBUTES[short]
        for attribute, value in element.attrib.items():
            if attribute not in allowed and attribute != _XML_LANG:
                return f"{short}@{attribute.rpartition('}')[2]}"
            if attribute in ("href", "src") and _active(value):
                return f"{short}@{attribute}={value[:20]}"
    return None


def _expand(value: str) -> str:
    """Named entities of HTML as the characters they stand for: XML has only five of its own."""
    if "&" not in value:
        return value
    return _entity.sub(_character, value)


def _character(found: re.Match[str]) -> str:
    kept = found.group()
    return kept if found[1] in _KEPT else html.entities.html5.get(found[1] + ";", kept)
