"""Tree navigation (FHIRPath N1, section 5.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.fhirpath import nodes, paths
from fhirserver.fhirpath.code import Code, Scope
from fhirserver.fhirpath.functions.registry import builder
from fhirserver.fhirpath.values import Typed

if TYPE_CHECKING:
    from fhirserver.fhirpath.compiler import Compiler
    from fhirserver.fhirpath.environment import Frame
    from fhirserver.fhirpath.values import Items


@builder("children")
def children(compiler: Compiler, _node: nodes.Call, source: Code, _scope: Scope, /) -> Code:
    run, model = source.run, compiler.model

    def below(this: Any, frame: Frame) -> Items:
        found = paths.children(run(this, frame), model)
        frame.spend(len(found))
        return found

    return Code(below, ordered=False)


@builder("descendants")
def descendants(compiler: Compiler, _node: nodes.Call, source: Code, _scope: Scope, /) -> Code:
    run, model = source.run, compiler.model

    def below(this: Any, frame: Frame) -> Items:
        top = run(this, frame)
        mark = id(top[0][1]) if len(top) == 1 and top[0].__class__ is Typed and top[0][1].__class__ is dict else None
        known = frame.memo.get(mark)
        if known is not None:
            frame.spend(len(known[1]))
            return known[1]  # type: ignore[no-any-return]
        found: Items = []
        level = top
        while level:
            level = paths.children(level, model)
            frame.spend(len(level))
            found += level
        if mark is not None:
            frame.memo[mark] = (top, found)
        return found

    return Code(below, ordered=False)
