"""A compiled expression, and where compiled expressions are kept."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from fhirserver.fhirpath import paths
from fhirserver.fhirpath.code import Scope
from fhirserver.fhirpath.compiler import Compiler
from fhirserver.fhirpath.environment import DEFAULT, Env, Frame
from fhirserver.fhirpath.errors import FhirPathError
from fhirserver.fhirpath.model import PRIMITIVES, Model
from fhirserver.fhirpath.parser import parse
from fhirserver.fhirpath.values import Typed, as_python, as_typed, typed
from fhirserver.spec import Definitions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Expression:
    """An expression ready to run; one may run in several threads at a time.

    Nodes are dicts as `jsontext.parse` makes them, or a primitive's value. Evaluation raises FhirPathError for what
    the input does not bear: two items where one belongs, operands of no common order, or too many steps.
    """

    __slots__ = ("_box", "_model", "_run", "_truth", "_values", "base", "text")

    def __init__(self, text: str, base: str | None, model: Model, compiler: Compiler) -> None:
        self.text = text
        self.base = base
        self._model = model
        try:
            code = compiler.compile(parse(text), Scope(None if base is None or model.is_open(base) else (base,)))
        except RecursionError:
            raise FhirPathError("The expression is nested too deeply") from None
        self._run = code.run
        self._truth = code.truth
        self._box = None if code.chain is None else paths.boxed(code.chain, model)
        self._values = None if code.chain is None else paths.values(code.chain)

    def __repr__(self) -> str:
        return f"<Expression {self.text!r} on {self.base}>"

    def __call__(self, node: Any, *, resource: Any = None, root: Any = None, env: Env | None = None) -> list[Any]:
        """The plain values: str, bool, int, Decimal, dict; dates as text. Primitives without a value are left out."""
        if self._values is not None:
            return [value for value in self._values(node) if value is not None]
        items = self._evaluate(self._run, node, None, resource, root, env)
        return [value for value in map(as_python, items) if value is not None]

    def typed(
        self, node: Any, *, extra: Any = None, resource: Any = None, root: Any = None, env: Env | None = None
    ) -> list[Typed]:
        """The items with their FHIR types; a System value bears the type of the FHIR primitive that would hold it."""
        if self._box is not None:
            return self._box(node)
        return [as_typed(item) for item in self._evaluate(self._run, node, extra, resource, root, env)]

    def test(
        self, node: Any, *, extra: Any = None, resource: Any = None, root: Any = None, env: Env | None = None
    ) -> bool | None:
        """The expression as an invariant of `node`: True, False, or None when the result is empty.

        `extra` is a primitive's `_` object; `resource` is the resource that holds the node (by default the node) and
        `root` the one that contains that. An invariant is broken only by False: FHIR's own `*-0` invariants
        (`name.matches(...)`) are empty where the element is absent, and say nothing then.
        """
        return self._evaluate(self._truth, node, extra, resource, root, env)  # type: ignore[no-any-return]

    def _evaluate(
        self, run: Callable[[Any, Frame], Any], node: Any, extra: Any, resource: Any, root: Any, env: Env | None
    ) -> Any:
        item = self._item(node, extra)
        holder = item if resource is None else self._resource(resource)
        frame = Frame(env or DEFAULT, item, holder, holder if root is None else self._resource(root))
        try:
            return run(item, frame)
        except RecursionError:
            raise FhirPathError("The expression is nested too deeply") from None
        except ArithmeticError:
            raise FhirPathError("A number is beyond measure") from None

    def _item(self, node: Any, extra: Any) -> Typed:
        base = self.base
        if base is None or self._model.is_open(base):
            return self._resource(node)
        return typed(base, node, extra if base in PRIMITIVES else None)

    def _resource(self, node: Any) -> Typed:
        return typed(self._model.type_of(node, "Resource" if node.__class__ is dict else "string"), node)


_KEPT: Final = 10_000


@lru_cache(8)
def _model(definitions: Definitions) -> Model:
    return Model(definitions)


def compile(  # noqa: A001 the engine's one verb
    text: str,
    base: str | None = None,
    defs: Definitions | None = None,
    *,
    lenient_as: bool = True,
    strict: bool = False,
    functions: Mapping[str, Callable[..., list[Any]]] | None = None,
) -> Expression:
    """The expression `text` over nodes of type `base` (`Patient`, `HumanName`, `Patient.contact`; None: any resource).

    With `lenient_as`, `as` filters a collection and `Boolean` means FHIR's `boolean` too, as R4's own search
    parameters and invariants need; without, as the FHIRPath specification says. `strict` refuses element names that
    the type does not have. `functions`: name -> `function(items, *arguments) -> items`, all lists of Typed.
    Cached, unless functions are given. Raises FhirPathError.
    """
    model = _model(defs or Definitions.core())
    key = (text, base, lenient_as, strict)
    found: Expression | None = None if functions else model.compiled.get(key)
    if found is None:
        compiler = Compiler(model, lenient_as=lenient_as, strict=strict, functions=functions)
        found = Expression(text, base, model, compiler)
        if not functions:
            if len(model.compiled) >= _KEPT:
                model.compiled.clear()
            model.compiled[key] = found
    return found
