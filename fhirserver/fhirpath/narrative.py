"""What a narrative's XHTML may hold (https://hl7.org/fhir/R4/narrative.html#xhtml, invariants txt-1 and txt-2)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

_XHTML: Final = "{http://www.w3.org/1999/xhtml}"
_ELEMENTS: Final = frozenset(
    [
        "a",
        "abbr",
        "acronym",
        "address",
        "b",
        "bdo",
        "big",
        "blockquote",
        "br",
        "caption",
        "center",
        "cite",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "dfn",
        "div",
        "dl",
        "dt",
        "em",
        "font",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "ins",
        "kbd",
        "li",
        "map",
        "area",
        "ol",
        "p",
        "pre",
        "q",
        "s",
        "samp",
        "small",
        "span",
        "strike",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "tt",
        "u",
        "ul",
        "var",
    ]
)
_COMMON: Final = frozenset(["class", "dir", "id", "lang", "style", "title"])
_OWN: Final[dict[str, frozenset[str]]] = {
    "a": frozenset(
        [
            "accesskey",
            "charset",
            "coords",
            "href",
            "hreflang",
            "name",
            "rel",
            "rev",
            "shape",
            "tabindex",
            "target",
            "type",
        ]
    ),
    "area": frozenset(["accesskey", "alt", "coords", "href", "nohref", "shape", "tabindex", "target"]),
    "blockquote": frozenset({"cite"}),
    "br": frozenset({"clear"}),
    "caption": frozenset({"align"}),
    "del": frozenset({"cite", "datetime"}),
    "div": frozenset({"align"}),
    "font": frozenset({"color", "face", "size"}),
    "hr": frozenset(["align", "noshade", "size", "width"]),
    "img": frozenset(
        ["align", "alt", "border", "height", "hspace", "ismap", "longdesc", "name", "src", "usemap", "vspace", "width"]
    ),
    "ins": frozenset({"cite", "datetime"}),
    "li": frozenset({"type", "value"}),
    "map": frozenset({"name"}),
    "ol": frozenset({"compact", "start", "type"}),
    "p": frozenset({"align"}),
    "pre": frozenset({"width"}),
    "q": frozenset({"cite"}),
    "table": frozenset(
        ["align", "bgcolor", "border", "cellpadding", "cellspacing", "frame", "rules", "summary", "width"]
    ),
    "ul": frozenset({"compact", "type"}),
}
_CELLS: Final = frozenset(
    [
        "abbr",
        "align",
        "axis",
        "bgcolor",
        "char",
        "charoff",
        "colspan",
        "headers",
        "height",
        "nowrap",
        "rowspan",
        "scope",
        "span",
        "valign",
        "width",
    ]
)
_CELL_ELEMENTS: Final = frozenset(["col", "colgroup", "tbody", "td", "tfoot", "th", "thead", "tr"])
_HEADINGS: Final = frozenset(["h1", "h2", "h3", "h4", "h5", "h6"])
_SCRIPTS: Final = ("javascript:", "vbscript:", "data:text")


@lru_cache(4)
def is_safe(div: str) -> bool:
    """Whether `div` is one XHTML `div` of formatting, links and images only, with a text or an image in it."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(div.encode("utf-8", "surrogatepass"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return False
    if root.tag != _XHTML + "div" or root.getroottree().docinfo.internalDTD is not None:
        return False
    if not all(map(_allowed, root.iter())):
        return False
    return any(str(text).strip() for text in root.itertext()) or root.find(f".//{_XHTML}img") is not None


def _allowed(element: Any) -> bool:
    if not isinstance(element.tag, str):
        return "ProcessingInstruction" not in type(element).__name__
    name = element.tag.removeprefix(_XHTML)
    if name not in _ELEMENTS:
        return False
    own = (
        _CELLS if name in _CELL_ELEMENTS else frozenset({"align"}) if name in _HEADINGS else _OWN.get(name, frozenset())
    )
    for attribute, value in element.attrib.items():
        if attribute not in _COMMON and attribute not in own and not attribute.startswith("{http://www.w3.org/XML/"):
            return False
        if attribute in ("href", "src") and "".join(value.split()).lower().startswith(_SCRIPTS):
            return False
    return True
