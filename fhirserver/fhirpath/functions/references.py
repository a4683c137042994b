"""resolve() and what a reference says of its target (https://hl7.org/fhir/R4/fhirpath.html#functions)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from fhirserver.fhirpath.code import Code, Scope
from fhirserver.fhirpath.functions.registry import builder
from fhirserver.fhirpath.values import Typed, typed

if TYPE_CHECKING:
    from fhirserver.fhirpath import nodes
    from fhirserver.fhirpath.compiler import Compiler
    from fhirserver.fhirpath.environment import Frame
    from fhirserver.fhirpath.model import Model
    from fhirserver.fhirpath.values import Items

_LITERAL: Final = re.compile(r"(?:.*/)?([A-Z][A-Za-z]{1,63})/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?\Z")
_LONGEST: Final = 2048


@builder("resolve")
def resolve(compiler: Compiler, _node: nodes.Call, source: Code, _scope: Scope, /) -> Code:
    run, model = source.run, compiler.model

    def follow(this: Any, frame: Frame) -> Items:
        found: Items = []
        for item in run(this, frame):
            frame.spend(10)
            target = _target(reference(item), frame)
            if target is not None:
                found.append(typed(model.type_of(target, "Resource"), target))
        return found

    return Code(follow)


def reference(item: Any) -> str | None:
    """The text of a Reference, uri, canonical or string."""
    value = item[1] if item.__class__ is Typed else item
    if value.__class__ is dict:
        value = value.get("reference")
    return value if value.__class__ is str else None


def _target(text: str | None, frame: Frame) -> dict[str, Any] | None:
    if not text:
        return None
    if not text.startswith("#"):
        found = frame.env.resolve(text)
        return found if found.__class__ is dict else None
    container = frame.root[1] if frame.root.__class__ is Typed else None
    if container.__class__ is not dict or text == "#":
        return container if container.__class__ is dict else None
    listed = container.get("contained")
    for each in listed if listed.__class__ is list else ():
        if each.__class__ is dict and each.get("id") == text[1:]:
            return each
    return None


def target_type(item: Any, frame: Frame, model: Model) -> str | None:
    """The resource type of a reference's target: from its text, its `type`, or the target itself."""
    text = reference(item)
    if text is not None:
        match = _LITERAL.match(text[-_LONGEST:])
        if match is not None and model.is_resource(match[1]):
            return match[1]
    value = item[1] if item.__class__ is Typed else None
    declared = value.get("type") if value.__class__ is dict else None
    if declared.__class__ is str and model.is_resource(declared):
        return str(declared)
    target = _target(text, frame)
    return None if target is None else model.type_of(target, "Resource")
