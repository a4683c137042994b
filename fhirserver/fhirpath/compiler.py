"""Syntax tree -> closures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.fhirpath import nodes, operators, paths
from fhirserver.fhirpath.code import Code, Scope, constant, predicate, this_code
from fhirserver.fhirpath.errors import FhirPathError
from fhirserver.fhirpath.functions import BUILDERS
from fhirserver.fhirpath.functions.references import target_type
from fhirserver.fhirpath.model import PRIMITIVES, Element
from fhirserver.fhirpath.paths import Chain
from fhirserver.fhirpath.types import Specifier, specifier
from fhirserver.fhirpath.values import EMPTY, Typed, as_typed, single, system_type
from fhirserver.fhirpath.variables import variable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fhirserver.fhirpath.environment import Frame
    from fhirserver.fhirpath.model import Model
    from fhirserver.fhirpath.values import Items


class Compiler:
    """Compiles one expression. `strict` refuses names that the type does not have; `lenient_as` lets `as` and `is`
    take collections, as R4's own search parameters and invariants do; `functions` are the caller's."""

    def __init__(
        self,
        model: Model,
        *,
        lenient_as: bool = True,
        strict: bool = False,
        functions: Mapping[str, Callable[..., list[Any]]] | None = None,
    ) -> None:
        self.model = model
        self.lenient_as = lenient_as
        self.strict = strict
        self.functions = functions or {}

    def compile(self, node: nodes.Node, scope: Scope) -> Code:  # noqa: C901 - one case a node
        """The code of a node. Raises FhirPathError for what can be seen to be wrong before it runs."""
        match node:
            case nodes.Literal(value):
                return constant(EMPTY) if value is None else constant([value], (f"System.{system_type(value)}",))
            case nodes.Name(name, at):
                return self.name(name, at, scope)
            case nodes.This():
                return this_code(scope.types)
            case nodes.Index():
                return Code(lambda _this, frame: EMPTY if frame.index is None else [frame.index], ("System.Integer",))
            case nodes.Total():
                return Code(lambda _this, frame: frame.total)
            case nodes.Variable(name, at):
                return variable(name, at)
            case nodes.Member(source, name, at):
                return self.member(self.compile(source, scope), name, at)
            case nodes.Call():
                return self.call(node, scope)
            case nodes.Item(source, index, at):
                return self.item(self.compile(source, scope), self.compile(index, scope), at)
            case nodes.Unary(operator, operand):
                return operators.unary(operator, self.compile(operand, scope))
            case nodes.Binary(operator, left, right):
                group = {"in": right, "contains": left}.get(operator)
                fixed = group is not None and nodes.fixed(group)
                return operators.binary(operator, self.compile(left, scope), self.compile(right, scope), fixed=fixed)
            case nodes.Many(operator, operands):
                return operators.many(operator, [self.compile(operand, scope) for operand in operands])
            case nodes.TypeTest(operator, operand, name, at):
                return self.type_test(operator, operand, name, at, scope)

    def name(self, name: str, at: int, scope: Scope) -> Code:
        """An element of `$this`, or `$this` when it is of the type called so."""
        model = self.model
        for kind in scope.types or ():
            if model.element(kind, name) is not None:
                return self.member(this_code(scope.types), name, at)
        if not (name[:1].isupper() and model.known(name)):
            return self.member(this_code(scope.types), name, at)
        if scope.types is not None and not any(model.is_open(kind) for kind in scope.types):
            if all(model.is_a(kind, name) for kind in scope.types):
                return this_code(scope.types)
            if self.strict:
                raise FhirPathError(f"{name} is not the type of {' or '.join(scope.types)}", at)
            if not any(model.is_a(kind, name) for kind in scope.types):
                return constant(EMPTY)

        def run(this: Any, _frame: Frame) -> Items:
            return [this] if this.__class__ is Typed and model.is_a(this[0], name) else EMPTY

        return Code(run, (name,))

    def member(self, source: Code, name: str, at: int) -> Code:
        """A step down."""
        kind = source.only
        known = kind is not None and kind not in PRIMITIVES and self.model.elements(kind) is not None
        element = self.model.element(kind, name) if kind is not None and known else None
        if element is not None:
            return self.element(source, element)
        if source.types is not None and not any(map(self._may_surprise, source.types)):
            found = [self.model.element(kind, name) for kind in source.types]
            if not any(found) and name not in ("id", "extension"):
                if self.strict and source.types:
                    raise FhirPathError(f"{' or '.join(source.types)} has no element {name!r}", at)
                return constant(EMPTY)
            types = tuple(dict.fromkeys(kind for each in found if each is not None for kind in each.types))
        else:
            types = None
        step, run = paths.dynamic(name, self.model), source.run
        if source.this:
            return Code(lambda this, _frame: step([this]), types)

        def below(this: Any, frame: Frame) -> Items:
            found = step(run(this, frame))
            frame.spend(len(found))
            return found

        return Code(below, types, ordered=source.ordered)

    def _may_surprise(self, kind: str) -> bool:
        return self.model.is_open(kind) or (kind not in PRIMITIVES and self.model.elements(kind) is None)

    def element(self, source: Code, element: Element) -> Code:
        """A step to an element of the one type that the source has."""
        types = None if any(map(self.model.is_open, element.types)) else element.types
        if source.this:
            return self.chain(Chain((), element), types)
        chain = source.chain
        if chain is not None and chain.element.only is not None:
            return self.chain(Chain((*chain.parents, chain.element.only[0]), element), types)
        box, run = paths.boxed(Chain((), element), self.model), source.run

        def below(this: Any, frame: Frame) -> Items:
            found = [item for parent in run(this, frame) for item in box(parent[1])]
            frame.spend(len(found))
            return found

        return Code(below, types, ordered=source.ordered)

    def chain(self, chain: Chain, types: tuple[str, ...] | None) -> Code:
        box = paths.boxed(chain, self.model)
        return Code(lambda this, _frame: box(this[1]) if this.__class__ is Typed else EMPTY, types, chain=chain)

    def item(self, source: Code, index: Code, at: int) -> Code:
        """`source[index]`"""
        self.demand_order(source, "[]", at)
        run, position = source.run, index.run

        def pick(this: Any, frame: Frame) -> Items:
            at = single(position(this, frame), "[]")
            items = run(this, frame)
            if at.__class__ is not int:
                if at is None:
                    return EMPTY
                raise FhirPathError("An index is an Integer")
            return items[at : at + 1] if at >= 0 else EMPTY

        return Code(pick, source.types)

    def demand_order(self, source: Code, what: str, at: int) -> None:
        if self.strict and not source.ordered:
            raise FhirPathError(f"{what} needs an order, which children() and descendants() do not give", at)

    def specifier(self, name: str, at: int) -> Specifier:
        return specifier(name, self.model, lenient=self.lenient_as, at=at)

    def type_test(self, operator: str, operand: nodes.Node, name: str, at: int, scope: Scope) -> Code:
        """`is` and `as`, as operators and as functions."""
        source = self.compile(operand, scope)
        wanted = self.specifier(name, at)
        if operator == "as":
            return self.narrow(source, wanted, one=not self.lenient_as)
        if isinstance(operand, nodes.Call) and operand.name == "resolve":
            return self.resolves_to(operand, wanted, scope)
        return self.is_type(source, wanted)

    def is_type(self, source: Code, wanted: Specifier) -> Code:
        run, holds = source.run, wanted.holds

        def test(this: Any, frame: Frame) -> bool | None:
            items = run(this, frame)
            if len(items) > 1:
                raise FhirPathError(f"'is' takes one item, not {len(items)}")
            return holds(items[0]) if items else None

        return predicate(test)

    def resolves_to(self, call: nodes.Call, wanted: Specifier, scope: Scope) -> Code:
        """`resolve() is T`, by what the reference says of its target's type."""
        source = this_code(scope.types) if call.source is None else self.compile(call.source, scope)
        run, model = source.run, self.model

        def test(this: Any, frame: Frame) -> bool | None:
            items = run(this, frame)
            kinds = [kind for kind in (target_type(item, frame, model) for item in items) if kind]
            return None if not kinds else any(map(wanted.admits, kinds))

        return predicate(test)

    def narrow(self, source: Code, wanted: Specifier, *, one: bool) -> Code:
        """The items of a type: `as` with `one`, else `ofType`; a choice element becomes the member that holds it."""
        chain = source.chain
        if chain is not None and source.types is not None and not one:
            members = {member: kind for member, kind in chain.element.members.items() if wanted.selects(kind)}
            if not members:
                return constant(EMPTY)
            element = Element(chain.element.name, members, chain.element.array)
            return self.chain(Chain(chain.parents, element), element.types)
        run, kinds, native = source.run, wanted.kinds(), wanted.native

        def pick(this: Any, frame: Frame) -> Items:
            items = run(this, frame)
            if one and len(items) > 1:
                raise FhirPathError(f"'as' takes one item, not {len(items)}")
            return [item for item in items if (kinds[item[0]] if item.__class__ is Typed else native(item))]

        return Code(pick, self._selected(source.types, wanted), ordered=source.ordered)

    def _selected(self, types: tuple[str, ...] | None, wanted: Specifier) -> tuple[str, ...] | None:
        if types is None or any(self._may_surprise(kind) or kind.startswith("System.") for kind in types):
            return None if wanted.system or wanted.either else (wanted.name,)
        return tuple(filter(wanted.selects, types))

    def call(self, node: nodes.Call, scope: Scope) -> Code:
        """A function: the caller's own, then FHIRPath's."""
        source = this_code(scope.types) if node.source is None else self.compile(node.source, scope)
        own = self.functions.get(node.name)
        if own is not None:
            return self.own(own, source, [self.compile(argument, scope) for argument in node.arguments])
        builder = BUILDERS.get(node.name)
        if builder is None:
            raise FhirPathError(f"No function is called {node.name!r}", node.at)
        return builder(self, node, source, scope)

    def own(self, function: Callable[..., list[Any]], source: Code, arguments: list[Code]) -> Code:
        run, inputs = source.run, [argument.run for argument in arguments]

        def call(this: Any, frame: Frame) -> Items:
            frame.spend(1)
            given = [[as_typed(item) for item in each(this, frame)] for each in inputs]
            return list(function([as_typed(item) for item in run(this, frame)], *given))

        return Code(call)
