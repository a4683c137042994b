"""How a function is known to the compiler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from fhirserver.fhirpath import nodes
from fhirserver.fhirpath.code import Code, Scope
from fhirserver.fhirpath.errors import FhirPathError
from fhirserver.fhirpath.temporal import Temporal
from fhirserver.fhirpath.values import EMPTY, Typed, single

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.fhirpath.compiler import Compiler
    from fhirserver.fhirpath.environment import Frame
    from fhirserver.fhirpath.values import Items


class Builder(Protocol):
    """Makes the code of a call: of its node, the code of its input, and the scope of its arguments."""

    def __call__(self, compiler: Compiler, node: nodes.Call, source: Code, scope: Scope, /) -> Code: ...


BUILDERS: Final[dict[str, Builder]] = {}

SAME: Final = ("same",)
"""Stands for the types of the input."""


def builder(name: str, least: int = 0, most: int | None = None) -> Callable[[Builder], Builder]:
    """Register a builder for calls of `name` with `least` to `most` arguments."""
    most = least if most is None else most

    def register(build: Builder) -> Builder:
        def checked(compiler: Compiler, node: nodes.Call, source: Code, scope: Scope, /) -> Code:
            if not least <= len(node.arguments) <= most:
                wanted = str(least) if least == most else f"{least} to {most}"
                raise FhirPathError(f"{name}() takes {wanted} arguments, not {len(node.arguments)}", node.at)
            return build(compiler, node, source, scope)

        BUILDERS[name] = checked
        return build

    return register


def collection(
    name: str, least: int = 0, most: int | None = None, *, types: tuple[str, ...] | None = None, ordered: bool = False
) -> Callable[[Callable[..., Items]], Callable[..., Items]]:
    """Register a function of collections: `function(frame, items, *arguments) -> items`.

    `ordered` tells that it counts on the order of its input.
    """

    def register(function: Callable[..., Items]) -> Callable[..., Items]:
        @builder(name, least, most)
        def build(compiler: Compiler, node: nodes.Call, source: Code, scope: Scope, /) -> Code:
            if ordered:
                compiler.demand_order(source, f"{name}()", node.at)
            known = source.types if types is SAME else types
            return Code(_applied(function, source, arguments(compiler, node, scope)), known, ordered=source.ordered)

        return function

    return register


def _applied(function: Callable[..., Items], source: Code, given: list[Code]) -> Callable[[Any, Frame], Items]:
    run = source.run
    if not given:
        return lambda this, frame: function(frame, run(this, frame))
    runs = [code.run for code in given]
    if len(runs) == 1:
        first = runs[0]
        return lambda this, frame: function(frame, run(this, frame), first(this, frame))
    return lambda this, frame: function(frame, run(this, frame), *[each(this, frame) for each in runs])


def arguments(compiler: Compiler, node: nodes.Call, scope: Scope) -> list[Code]:
    return [compiler.compile(argument, scope) for argument in node.arguments]


def scalar(
    name: str, least: int = 0, most: int | None = None, *, types: tuple[str, ...] | None = None, texts: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function of one item: `function(value, *argument values) -> value or None`.

    It is empty when its input or an argument is. With `texts` the input is a text.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        take = text if texts else single

        @collection(name, least, most, types=types)
        def apply(frame: Frame, items: Items, *given: Items) -> Items:
            value = take(items, f"{name}()")
            if value is None:
                return EMPTY
            frame.weigh(value if value.__class__ is str else "")
            values = [single(each, f"{name}()") for each in given]
            if any(each is None for each in values):
                return EMPTY
            result = function(value, *values)
            if result.__class__ is str:
                frame.weigh(result)
            return EMPTY if result is None else [result]

        return function

    return register


def text(items: Items, what: str) -> str | None:
    """The text of a collection of at most one. Raises FhirPathError for what is no text."""
    if not items:
        return None
    if len(items) > 1:
        raise FhirPathError(f"{what} takes one item, not {len(items)}")
    value = items[0][1] if items[0].__class__ is Typed else items[0]
    if value is None or value.__class__ is str:
        return value
    if isinstance(value, Temporal):
        return str(value)
    raise FhirPathError(f"{what} takes a text")


def mentions(node: Any, kind: type) -> bool:
    """Whether a node of `kind` stands in the tree of `node`."""
    if isinstance(node, kind):
        return True
    return isinstance(node, tuple) and any(mentions(child, kind) for child in node)


def within(compiler: Compiler, argument: nodes.Node, source: Code) -> Code:
    """The code of an argument that is evaluated for each item of the input."""
    code = compiler.compile(argument, Scope(source.types))
    return counted(code) if mentions(argument, nodes.Index) else code


def counted(code: Code) -> Code:
    """Marks code that reads `$index`, by a property of its own that loops look at."""
    marked = _Counted(code.run, code.types, truth=code.truth, literal=code.literal, ordered=code.ordered)
    marked.chain, marked.this = code.chain, code.this
    return marked


class _Counted(Code):
    __slots__ = ()


def loop(frame: Frame, items: Items, code: Code) -> Any:
    """The items in turn, each with its `$index` where `code` reads it; counts the steps."""
    frame.spend(len(items) + 1)
    return _indexed(frame, items) if code.__class__ is _Counted else items


def _indexed(frame: Frame, items: Items) -> Any:
    before = frame.index
    for index, item in enumerate(items):
        frame.index = index
        yield item
    frame.index = before
