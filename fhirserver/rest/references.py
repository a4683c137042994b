"""References inside a resource, found by type: never a text that only looks like one.

In a transaction, `urn:uuid:` and other full URLs of the Bundle's own entries become the ids that the server gives
(https://hl7.org/fhir/R4/http.html#trules).
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fhirserver.spec import Definitions

_LINKS: Final = frozenset({"uri", "url", "oid", "uuid", "canonical"})
_HREF: Final = re.compile(r'((?:href|src)\s*=\s*")([^"]+)(")')


class Link(NamedTuple):
    """A text in a resource that may point somewhere, and the way to write another in its place."""

    type: str
    text: str
    replace: Callable[[str], None]


def links(definitions: Definitions, resource: dict[str, Any]) -> Iterator[Link]:
    """Every Reference.reference, uri, url, oid, uuid and canonical, and the narrative, at any depth."""
    yield from _links(definitions, resource, resource.get("resourceType", "Resource"))


def resolve(definitions: Definitions, resource: dict[str, Any], known: Mapping[str, str]) -> None:
    """Replaces, in place, every link to one of the known full URLs."""
    for link in links(definitions, resource):
        if link.type == "xhtml":
            link.replace(_HREF.sub(lambda found: found[1] + known.get(found[2], found[2]) + found[3], link.text))
        else:
            base, mark, fragment = link.text.partition("#")
            if base in known:
                link.replace(known[base] + mark + fragment)


def literal(definitions: Definitions, resource: dict[str, Any]) -> Iterator[str]:
    """The texts of all Reference.reference that point outside the resource."""
    for link in links(definitions, resource):
        if link.type == "Reference" and not link.text.startswith("#"):
            yield link.text


def _links(definitions: Definitions, node: dict[str, Any], type_name: str) -> Iterator[Link]:
    if isinstance(node.get("resourceType"), str):
        type_name = node["resourceType"]
    try:
        properties = definitions.type(type_name).properties
    except KeyError:
        return
    for name, value in node.items():
        known = properties.get(name)
        if known is None:
            continue
        if known.type in _LINKS or known.type == "xhtml":
            yield from _texts(node, name, value, known.type)
        elif type_name == "Reference" and name == "reference":
            yield from _texts(node, name, value, "Reference")
        else:
            for child in value if isinstance(value, list) else (value,):
                if isinstance(child, dict):
                    yield from _links(definitions, child, known.type)


def _texts(node: dict[str, Any], name: str, value: Any, kind: str) -> Iterator[Link]:
    if isinstance(value, str):
        yield Link(kind, value, partial(node.__setitem__, name))
    elif isinstance(value, list):
        for place, each in enumerate(value):
            if isinstance(each, str):
                yield Link(kind, each, partial(value.__setitem__, place))
