"""Tree navigation (FHIRPath N1, section 5.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.fhirpath import nodes, paths
from fhirserver.fhirpath.code import Code, Scope
from fhirserver.fhirpath.functions.registry import builder

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
        found: Items = []
        level = run(this, frame)
        while level:
            level = paths.children(level, model)
            frame.spend(len(level))
            found += level
        return found

    return Code(below, ordered=False)
