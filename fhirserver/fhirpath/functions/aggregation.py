"""aggregate() (FHIRPath N1, section 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.fhirpath.code import Code, Scope
from fhirserver.fhirpath.functions.registry import builder, loop, within
from fhirserver.fhirpath.values import EMPTY

if TYPE_CHECKING:
    from fhirserver.fhirpath import nodes
    from fhirserver.fhirpath.compiler import Compiler
    from fhirserver.fhirpath.environment import Frame
    from fhirserver.fhirpath.values import Items


@builder("aggregate", 1, 2)
def aggregate(compiler: Compiler, node: nodes.Call, source: Code, scope: Scope, /) -> Code:
    step = within(compiler, node.arguments[0], source)
    start = compiler.compile(node.arguments[1], scope).run if len(node.arguments) == 2 else None
    run, apply = source.run, step.run

    def fold(this: Any, frame: Frame) -> Items:
        before = frame.total
        total = start(this, frame) if start is not None else EMPTY
        for item in loop(frame, run(this, frame), step):
            frame.total = total
            total = apply(item, frame)
            frame.spend(len(total))
        frame.total = before
        return total

    return Code(fold)
