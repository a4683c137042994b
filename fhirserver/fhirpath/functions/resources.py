"""FHIR's own functions (https://hl7.org/fhir/R4/fhirpath.html#functions)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.fhirpath.code import BOOLEAN, Code, Scope, predicate
from fhirserver.fhirpath.errors import FhirPathError
from fhirserver.fhirpath.functions.registry import arguments, builder, collection, text
from fhirserver.fhirpath.model import PRIMITIVES
from fhirserver.fhirpath.narrative import is_safe
from fhirserver.fhirpath.values import EMPTY, FALSE, TRUE, Typed, boolean, typed

if TYPE_CHECKING:
    from fhirserver.fhirpath import nodes
    from fhirserver.fhirpath.compiler import Compiler
    from fhirserver.fhirpath.environment import Frame
    from fhirserver.fhirpath.values import Items

_STRUCTURES: Final = "http://hl7.org/fhir/StructureDefinition/"


def _extensions(items: Items, url: str | None) -> Items:
    found: Items = []
    for item in items:
        if item.__class__ is not Typed:
            continue
        holder = item[1] if item[1].__class__ is dict else item[2]
        listed = holder.get("extension") if holder.__class__ is dict else None
        if listed.__class__ is list:
            found += [typed("Extension", each) for each in listed if each.__class__ is dict and each.get("url") == url]
    return found


@builder("extension", 1)
def extension(compiler: Compiler, node: nodes.Call, source: Code, scope: Scope, /) -> Code:
    run, url = source.run, arguments(compiler, node, scope)[0].run

    def pick(this: Any, frame: Frame) -> Items:
        wanted = text(url(this, frame), "extension()")
        return EMPTY if wanted is None else _extensions(run(this, frame), wanted)

    return Code(pick, ("Extension",))


@builder("hasExtension", 1)
def has_extension(compiler: Compiler, node: nodes.Call, source: Code, scope: Scope, /) -> Code:
    run = extension(compiler, node, source, scope).run
    return predicate(lambda this, frame: bool(run(this, frame)))


@collection("hasValue", types=BOOLEAN)
def has_value(_frame: Frame, items: Items) -> Items:
    """One primitive, with a value."""
    if len(items) != 1:
        return FALSE
    item = items[0]
    if item.__class__ is not Typed:
        return TRUE
    return [item[1] is not None and item[1].__class__ not in (dict, list)]


@collection("getValue")
def get_value(_frame: Frame, items: Items) -> Items:
    if len(items) != 1 or items[0].__class__ is not Typed:
        return items[:1] if len(items) == 1 else EMPTY
    value = items[0][1]
    return [value] if items[0][0] in PRIMITIVES and value is not None else EMPTY


@collection("memberOf", 1, types=BOOLEAN)
def member_of(frame: Frame, items: Items, value_set: Items) -> Items:
    """Empty when it is not known."""
    canonical = text(value_set, "memberOf()")
    if canonical is None or not items:
        return EMPTY
    if len(items) > 1:
        raise FhirPathError(f"memberOf() takes one item, not {len(items)}")
    value = items[0][1] if items[0].__class__ is Typed else items[0]
    return boolean(frame.env.member_of(canonical, value))


@builder("conformsTo", 1)
def conforms_to(compiler: Compiler, node: nodes.Call, source: Code, scope: Scope, /) -> Code:
    """By the caller, else for the definitions of types themselves; else empty, or refused by a strict expression."""
    run, profile, model, strict = source.run, arguments(compiler, node, scope)[0].run, compiler.model, compiler.strict

    def test(this: Any, frame: Frame) -> bool | None:
        items, canonical = run(this, frame), text(profile(this, frame), "conformsTo()")
        if not items or canonical is None:
            return None
        if len(items) > 1:
            raise FhirPathError(f"conformsTo() takes one item, not {len(items)}")
        item = items[0]
        if item.__class__ is not Typed:
            return None
        known = frame.env.conforms_to(canonical, item[1])
        name = canonical.removeprefix(_STRUCTURES)
        if known is None and name != canonical and model.known(name):
            return model.is_a(item[0], name)
        if known is None and strict:
            raise FhirPathError(f"No profile {canonical!r} is known", node.at)
        return known

    return predicate(test)


@collection("htmlChecks", types=BOOLEAN)
def html_checks(_frame: Frame, items: Items) -> Items:
    """Whether a narrative's `div` holds only what FHIR allows, and says something."""
    value = text(items, "htmlChecks()")
    return EMPTY if value is None else [is_safe(value)]
