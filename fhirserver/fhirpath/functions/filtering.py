"""Filtering and projection (FHIRPath N1, section 5.2), and sort()."""

from __future__ import annotations

from functools import cmp_to_key
from typing import TYPE_CHECKING, Any

from fhirserver.fhirpath import nodes
from fhirserver.fhirpath.code import Code, Scope
from fhirserver.fhirpath.functions.registry import builder, loop, within
from fhirserver.fhirpath.values import Typed, compare, key, single

if TYPE_CHECKING:
    from fhirserver.fhirpath.compiler import Compiler
    from fhirserver.fhirpath.environment import Frame
    from fhirserver.fhirpath.values import Items


@builder("where", 1)
def where(compiler: Compiler, node: nodes.Call, source: Code, _scope: Scope, /) -> Code:
    criteria = within(compiler, node.arguments[0], source)
    run, test = source.run, criteria.truth

    def keep(this: Any, frame: Frame) -> Items:
        return [item for item in loop(frame, run(this, frame), criteria) if test(item, frame)]

    return Code(keep, source.types, ordered=source.ordered)


@builder("select", 1)
def select(compiler: Compiler, node: nodes.Call, source: Code, _scope: Scope, /) -> Code:
    projection = within(compiler, node.arguments[0], source)
    run, project = source.run, projection.run

    def each(this: Any, frame: Frame) -> Items:
        found: Items = []
        for item in loop(frame, run(this, frame), projection):
            found += project(item, frame)
        frame.spend(len(found))
        return found

    return Code(each, projection.types, ordered=source.ordered)


@builder("repeat", 1)
def repeat(compiler: Compiler, node: nodes.Call, source: Code, _scope: Scope, /) -> Code:
    projection = within(compiler, node.arguments[0], Code(source.run))
    run, project = source.run, projection.run

    def climb(this: Any, frame: Frame) -> Items:
        found: dict[Any, Any] = {}
        level = run(this, frame)
        while level:
            new: dict[Any, Any] = {}
            for item in loop(frame, level, projection):
                for child in project(item, frame):
                    mark = _identity(child)
                    if mark not in found and mark not in new:
                        new[mark] = child
            found |= new
            level = list(new.values())
        return list(found.values())

    return Code(climb, ordered=source.ordered)


def _identity(item: Any) -> Any:
    """Elements that hold others differ by where they stand; the rest by what they say."""
    return id(item[1]) if item.__class__ is Typed and item[1].__class__ is dict else ("=", key(item))


@builder("sort", 0, 10)
def sort(compiler: Compiler, node: nodes.Call, source: Code, _scope: Scope, /) -> Code:
    """Least first; a key behind `-` greatest first; items without a key before all others."""
    keys = []
    for argument in node.arguments or (nodes.This(node.at),):
        descending = isinstance(argument, nodes.Unary) and argument.operator == "-"
        inner = argument.operand if isinstance(argument, nodes.Unary) and descending else argument
        keys.append((compiler.compile(inner, Scope(source.types)).run, descending))
    run = source.run

    def order(this: Any, frame: Frame) -> Items:
        items = run(this, frame)
        frame.spend(len(items) * (len(keys) + 4))
        rows = [([single(each(item, frame), "sort()") for each, _ in keys], item) for item in items]
        rows.sort(key=cmp_to_key(_comparison([descending for _, descending in keys])))
        return [item for _, item in rows]

    return Code(order, source.types)


def _comparison(directions: list[bool]) -> Any:
    def rank(left: Any, right: Any) -> int:
        for one, other, descending in zip(left[0], right[0], directions, strict=True):
            if one is None or other is None:
                order = (one is not None) - (other is not None)
                if order:
                    return order
                continue
            order = compare(one, other, "sort()") or 0
            if order:
                return -order if descending else order
        return 0

    return rank
