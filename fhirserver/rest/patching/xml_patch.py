"""XML Patch (RFC 5261): `add`, `replace` and `remove` over the FHIR XML of a resource.

Selectors are the paths of the RFC's own grammar, and `name/@value='…'` in predicates, since FHIR keeps values in
attributes; no other XPath, whose cost nobody can bound. Names without a prefix are those of the patch's default
namespace; `f:` is FHIR and `h:` XHTML unless the patch says otherwise.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from fhirserver import xmltext
from fhirserver.errors import BadRequest, InvalidXml, Unprocessable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.spec import Definitions

MOST: Final = 1000
"""Operations of one patch."""
LONGEST: Final = 2000
"""Characters of a selector."""
FHIR: Final = "http://hl7.org/fhir"
_PREFIXES: Final = {"f": FHIR, "h": "http://www.w3.org/1999/xhtml"}
_NAME: Final = r"[A-Za-z_][\w.\-]*(?::[A-Za-z_][\w.\-]*)?"
_TEXT: Final = r"""(?:'[^']*'|"[^"]*")"""
_PREDICATE: Final = rf"\[\s*(?:[1-9][0-9]*|(?:\.|@{_NAME}|{_NAME}(?:/@{_NAME})?)\s*=\s*{_TEXT})\s*\]"
_STEP: Final = re.compile(rf"(?:\*|{_NAME})(?:{_PREDICATE})*")
_LAST: Final = re.compile(rf"@{_NAME}|text\(\)(?:\[[1-9][0-9]*\])?")
_TOKEN: Final = re.compile(rf"{_TEXT}|(?P<at>@)?(?P<name>{_NAME})(?P<call>\(\))?")
_OPERATIONS: Final = ("add", "replace", "remove")


def xml_patch(resource: dict[str, Any], patch: bytes, definitions: Definitions) -> dict[str, Any]:
    """The resource after all operations, which apply one after another, or not at all. Raises also InvalidXml."""
    root = applied(xmltext.Source(xmltext.dump(resource, definitions)).root, xmltext.Source(patch).root)
    try:
        return xmltext.parse(etree.tostring(root, encoding="utf-8"), definitions)
    except InvalidXml as error:
        raise Unprocessable(f"What the patch makes is no FHIR XML: {error.text}") from None


def applied(target: etree._Element, patch: etree._Element) -> etree._Element:
    """The document after the operations in the patch; `target` is changed."""
    if not len(patch):
        raise BadRequest("The patch has no operations.", code="required")
    if len(patch) > MOST:
        raise BadRequest(f"The patch has more than {MOST} operations.", code="too-costly")
    holder = etree.Element("document")
    holder.append(target)
    for place, operation in enumerate(patch):
        name = etree.QName(operation).localname
        if name not in _OPERATIONS:
            raise BadRequest(f"Operation {place} is {name!r}, none of {', '.join(_OPERATIONS)}.")
        try:
            _OF[name](operation, _selected(holder, operation))
        except (BadRequest, Unprocessable) as error:
            error.issues = tuple(each._replace(text=f"Operation {place}: {each.text}") for each in error.issues)
            raise
        if len(holder) != 1:
            raise Unprocessable(f"Operation {place} leaves no single root element.")
    return holder[0]


def _selected(holder: etree._Element, operation: etree._Element) -> Any:
    """The one node that the operation selects: an element, or text of an element or attribute (lxml's smart string)."""
    selector = operation.get("sel")
    if selector is None or len(selector) > LONGEST:
        raise BadRequest("An operation says what it is for in `sel`.", code="required")
    *steps, last = _steps(selector.removeprefix("/"))
    if not all(map(_STEP.fullmatch, steps)) or not (_STEP.fullmatch(last) or (steps and _LAST.fullmatch(last))):
        raise BadRequest(f"sel={selector!r} is no path of RFC 5261, such as f:Patient/f:name[1]/f:family/@value.")
    spaces: dict[str, str] = {**_PREFIXES, **{key: value for key, value in operation.nsmap.items() if key}}
    spaces["default-"] = operation.nsmap.get(None, FHIR)
    try:
        found: Any = holder.xpath(_TOKEN.sub(_prefixed, "/".join([*steps, last])), namespaces=spaces)
    except etree.XPathError as error:
        raise BadRequest(f"sel={selector!r}: {error}.") from None
    if len(found) != 1:
        raise Unprocessable(
            f"{selector} is {len(found)} nodes, not one.", code="multiple-matches" if found else "not-found"
        )
    return found[0]


def _steps(selector: str) -> list[str]:
    """Split at each `/` outside predicates."""
    steps, start, depth, quote = [], 0, 0, ""
    for place, character in enumerate(selector):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "[]":
            depth += 1 if character == "[" else -1
        elif character == "/" and not depth:
            steps.append(selector[start:place])
            start = place + 1
    return [*steps, selector[start:]]


def _prefixed(found: re.Match[str]) -> str:
    """A name of elements without a prefix is one of the default namespace; attributes have none."""
    name = found["name"]
    if name is None or found["at"] or found["call"] or ":" in name:
        return found[0]
    return f"default-:{name}"


def _add(operation: etree._Element, node: Any) -> None:
    if not isinstance(node, etree._Element):
        raise BadRequest("add selects an element.")
    kind, place = operation.get("type"), operation.get("pos")
    if kind is None and not len(operation) and not operation.text:
        raise BadRequest("add brings nothing.", code="required")
    if kind is not None:
        _add_attribute(operation, node, kind)
    elif place in ("before", "after"):
        _beside(operation, node, place)
    elif place in (None, "prepend"):
        _within(operation, node, first=place is not None)
    else:
        raise BadRequest(f"pos={place!r} is none of before, after and prepend.")


def _add_attribute(operation: etree._Element, node: etree._Element, kind: str) -> None:
    if not re.fullmatch(r"@[A-Za-z_][\w.\-]*", kind):
        raise BadRequest(f"type={kind!r}: only attributes of no namespace can be added.", code="not-supported")
    if kind[1:] in node.attrib:
        raise Unprocessable(f"The element has an attribute {kind[1:]} already: replace it.")
    node.set(kind[1:], operation.text or "")


def _within(operation: etree._Element, node: etree._Element, *, first: bool) -> None:
    children, text = [copy.deepcopy(each) for each in operation], operation.text or ""
    if first:
        if children:
            children[-1].tail = (children[-1].tail or "") + (node.text or "")
            node.text = text or None
        else:
            node.text = text + (node.text or "")
        node[:0] = children
        return
    if len(node):
        node[-1].tail = (node[-1].tail or "") + text
    else:
        node.text = (node.text or "") + text
    node.extend(children)


def _beside(operation: etree._Element, node: etree._Element, place: str) -> None:
    if (operation.text or "").strip():
        raise BadRequest("Text beside an element: FHIR has none.", code="not-supported")
    for child in [copy.deepcopy(each) for each in operation][:: 1 if place == "before" else -1]:
        child.tail = None
        if place == "before":
            node.addprevious(child)
        else:
            tail, node.tail = node.tail, None
            node.addnext(child)
            child.tail = tail


def _replace(operation: etree._Element, node: Any) -> None:
    if not isinstance(node, etree._Element):
        _set_text(node, operation.text or "")
        return
    parent = node.getparent()
    if len(operation) != 1 or (operation.text or "").strip() or parent is None:
        raise BadRequest("replace of an element brings one element.")
    child = copy.deepcopy(operation[0])
    child.tail = node.tail
    parent.replace(node, child)


def _remove(_: etree._Element, node: Any) -> None:
    if not isinstance(node, etree._Element):
        _set_text(node, None)
        return
    parent, before = node.getparent(), node.getprevious()
    if parent is None:
        raise Unprocessable("The root element is not removed.")
    if node.tail and before is not None:
        before.tail = (before.tail or "") + node.tail
    elif node.tail:
        parent.text = (parent.text or "") + node.tail
    parent.remove(node)


def _set_text(node: Any, text: str | None) -> None:
    element: etree._Element = node.getparent()
    if node.is_attribute and text is None:
        del element.attrib[node.attrname]
    elif node.is_attribute:
        element.set(node.attrname, text or "")
    elif node.is_tail:
        element.tail = text
    else:
        element.text = text


_OF: Final[Mapping[str, Any]] = {"add": _add, "replace": _replace, "remove": _remove}
