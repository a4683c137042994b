"""Existence (FHIRPath N1, section 5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.fhirpath import nodes, paths
from fhirserver.fhirpath.code import BOOLEAN, INTEGER, Code, Scope, constant, predicate
from fhirserver.fhirpath.errors import FhirPathError
from fhirserver.fhirpath.functions.registry import SAME, builder, collection, loop, within
from fhirserver.fhirpath.values import FALSE, TRUE, Typed, distinct, key

if TYPE_CHECKING:
    from fhirserver.fhirpath.compiler import Compiler
    from fhirserver.fhirpath.environment import Frame
    from fhirserver.fhirpath.values import Items


@builder("exists", 0, 1)
def exists(compiler: Compiler, node: nodes.Call, source: Code, _scope: Scope, /) -> Code:
    if node.arguments:
        return _exists_where(compiler, node, source)
    if source.chain is not None:
        there = paths.present(source.chain)
        return predicate(lambda this, _frame: this.__class__ is Typed and there(this[1]))
    if source.literal is not None:
        return constant(TRUE if source.literal else FALSE, BOOLEAN)
    run = source.run
    return predicate(lambda this, frame: bool(run(this, frame)))


def _exists_where(compiler: Compiler, node: nodes.Call, source: Code) -> Code:
    criteria = within(compiler, node.arguments[0], source)
    run, test = source.run, criteria.truth

    def any_true(this: Any, frame: Frame) -> bool:
        return any(test(item, frame) for item in loop(frame, run(this, frame), criteria))

    return predicate(any_true)


@builder("empty")
def empty(compiler: Compiler, node: nodes.Call, source: Code, scope: Scope, /) -> Code:
    there = exists(compiler, node, source, scope).truth
    return predicate(lambda this, frame: not there(this, frame))


@builder("not")
def negation(_compiler: Compiler, _node: nodes.Call, source: Code, _scope: Scope, /) -> Code:
    test = source.truth

    def negate(this: Any, frame: Frame) -> bool | None:
        value = test(this, frame)
        return None if value is None else not value

    return predicate(negate)


@builder("all", 1)
def every(compiler: Compiler, node: nodes.Call, source: Code, _scope: Scope, /) -> Code:
    criteria = within(compiler, node.arguments[0], source)
    run, test = source.run, criteria.truth

    def all_true(this: Any, frame: Frame) -> bool:
        return all(test(item, frame) for item in loop(frame, run(this, frame), criteria))

    return predicate(all_true)


@builder("count")
def count(_compiler: Compiler, _node: nodes.Call, source: Code, _scope: Scope, /) -> Code:
    run = source.run
    if source.chain is not None:
        read = paths.values(source.chain)
        return Code(lambda this, _frame: [len(read(this[1])) if this.__class__ is Typed else 0], INTEGER)
    return Code(lambda this, frame: [len(run(this, frame))], INTEGER)


def _booleans(items: Items, name: str) -> list[bool]:
    values = [item[1] if item.__class__ is Typed else item for item in items]
    for value in values:
        if value.__class__ is not bool:
            raise FhirPathError(f"{name}() takes Booleans")
    return values


@collection("allTrue", types=BOOLEAN)
def all_true(_frame: Frame, items: Items) -> Items:
    return [all(_booleans(items, "allTrue"))]


@collection("anyTrue", types=BOOLEAN)
def any_true(_frame: Frame, items: Items) -> Items:
    return [any(_booleans(items, "anyTrue"))]


@collection("allFalse", types=BOOLEAN)
def all_false(_frame: Frame, items: Items) -> Items:
    return [not any(_booleans(items, "allFalse"))]


@collection("anyFalse", types=BOOLEAN)
def any_false(_frame: Frame, items: Items) -> Items:
    return [not all(_booleans(items, "anyFalse"))]


def _keys(frame: Frame, items: Items) -> set[Any]:
    frame.spend(len(items))
    return {key(item) for item in items}


@collection("subsetOf", 1, types=BOOLEAN)
def subset_of(frame: Frame, items: Items, others: Items) -> Items:
    return [_keys(frame, items) <= _keys(frame, others)]


@collection("supersetOf", 1, types=BOOLEAN)
def superset_of(frame: Frame, items: Items, others: Items) -> Items:
    return [_keys(frame, items) >= _keys(frame, others)]


@collection("distinct", types=SAME)
def distinct_items(frame: Frame, items: Items) -> Items:
    frame.spend(len(items))
    return distinct(items)


@collection("isDistinct", types=BOOLEAN)
def is_distinct(frame: Frame, items: Items) -> Items:
    return [len(_keys(frame, items)) == len(items)]
