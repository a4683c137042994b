"""Looking into what was sent or answered: FHIRPath, JSONPath (RFC 9535), XPath."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import jsonpath
from lxml import etree

from fhirserver import fhirpath, jsontext, xmltext
from fhirserver.errors import FhirError

if TYPE_CHECKING:
    from fhirserver.spec import Definitions

_SPACES: Final = {"f": "http://hl7.org/fhir", "fhir": "http://hl7.org/fhir", "h": "http://www.w3.org/1999/xhtml"}


class LookError(ValueError):
    """An expression that cannot be evaluated, or content that it cannot look into."""


def resource_of(content: bytes, definitions: Definitions) -> dict[str, Any]:
    """The resource in a body, JSON or XML. Raises LookError."""
    try:
        if content.lstrip()[:1] == b"<":
            return xmltext.parse(content, definitions)
        return jsontext.parse_object(content)
    except FhirError as error:
        raise LookError(f"there is no FHIR resource: {error}") from None


def by_expression(expression: str, resource: dict[str, Any], definitions: Definitions) -> list[str]:
    """The values of a FHIRPath expression, as text. Raises LookError."""
    try:
        found = fhirpath.compile(expression, None, definitions)(resource)
    except fhirpath.FhirPathError as error:
        raise LookError(f"the expression {expression!r} cannot be evaluated: {error}") from None
    return [_text(each) for each in found]


def by_path(path: str, content: bytes) -> list[str]:
    """The values of a JSONPath on JSON, or of an XPath (prefix `f` or `fhir`) on XML. Raises LookError."""
    if content.lstrip()[:1] == b"<":
        return _by_xpath(path, content)
    try:
        rooted = path if path.startswith("$") else f"${path if path[:1] in '.[' else '.' + path}"
        return [_text(each) for each in jsonpath.findall(rooted, jsontext.parse(content))]
    except (jsonpath.JSONPathError, FhirError) as error:
        raise LookError(f"the path {path!r} cannot be evaluated: {error}") from None


def _by_xpath(path: str, content: bytes) -> list[str]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        found = etree.fromstring(content, parser).xpath(path, namespaces=_SPACES)
    except (etree.XMLSyntaxError, etree.XPathError) as error:
        raise LookError(f"the path {path!r} cannot be evaluated: {error}") from None
    if not isinstance(found, list):
        return [_number(found) if isinstance(found, float) else _text(found)]
    return [_node(each) for each in found]


def _node(found: Any) -> str:
    """An attribute or text; of an element its `value`, as FHIR XML has it, or its text."""
    return found if isinstance(found, str) else str(found.get("value", found.text or ""))


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else str(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal | int | str):
        return str(value)
    return jsontext.dump(value).decode()
