"""iif(), trace(), now(), today(), timeOfDay() (FHIRPath N1, sections 5.5.1 and 5.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.fhirpath import nodes, temporal
from fhirserver.fhirpath.code import Code, Scope, joined
from fhirserver.fhirpath.errors import FhirPathError
from fhirserver.fhirpath.functions.registry import builder, collection, text, within
from fhirserver.fhirpath.temporal import Temporal
from fhirserver.fhirpath.values import EMPTY, NOTHING, Typed, as_python

if TYPE_CHECKING:
    from fhirserver.fhirpath.compiler import Compiler
    from fhirserver.fhirpath.environment import Frame
    from fhirserver.fhirpath.values import Items


@builder("iif", 2, 3)
def iif(compiler: Compiler, node: nodes.Call, source: Code, scope: Scope, /) -> Code:
    """The branches see the input as `$this`; only the one chosen is evaluated."""
    inner = scope if node.source is None else Scope(source.types)
    given = [compiler.compile(argument, inner) for argument in node.arguments]
    criterion, then = given[0].run, given[1].run
    otherwise = given[2].run if len(given) == 3 else None
    run = None if node.source is None else source.run

    def choose(this: Any, frame: Frame) -> Items:
        if run is not None:
            items = run(this, frame)
            if len(items) > 1:
                raise FhirPathError(f"iif() takes one item, not {len(items)}", node.at)
            this = items[0] if items else NOTHING
        if _holds(criterion(this, frame)):
            return then(this, frame)
        return EMPTY if otherwise is None else otherwise(this, frame)

    return Code(choose, joined(given[1].types, given[2].types if len(given) == 3 else ()))


def _holds(items: Items) -> bool:
    if not items:
        return False
    value = items[0][1] if items[0].__class__ is Typed else items[0]
    if len(items) > 1 or value.__class__ is not bool:
        raise FhirPathError("The criterion of iif() is a Boolean")
    return bool(value)


@builder("trace", 1, 2)
def trace(compiler: Compiler, node: nodes.Call, source: Code, scope: Scope, /) -> Code:
    """The input, which Env.trace is shown, or what the projection makes of it."""
    run, name = source.run, compiler.compile(node.arguments[0], scope).run
    projection = within(compiler, node.arguments[1], source).run if len(node.arguments) == 2 else None

    def show(this: Any, frame: Frame) -> Items:
        items = run(this, frame)
        if frame.env.trace is not None:
            seen = items if projection is None else [made for item in items for made in projection(item, frame)]
            frame.env.trace(text(name(this, frame), "trace()") or "", [as_python(item) for item in seen])
        return items

    return Code(show, source.types, ordered=source.ordered)


@collection("now", types=("System.DateTime",))
def now(frame: Frame, _items: Items) -> Items:
    return [temporal.of(frame.now())]


@collection("today", types=("System.Date",))
def today(frame: Frame, _items: Items) -> Items:
    return [Temporal("Date", temporal.of(frame.now()).parts[:3])]


@collection("timeOfDay", types=("System.Time",))
def time_of_day(frame: Frame, _items: Items) -> Items:
    moment = temporal.of(frame.now())
    return [Temporal("Time", moment.parts[3:], moment.fraction)]
