"""A compiled expression and what is known of its result before it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.fhirpath.values import EMPTY, FALSE, NOTHING, TRUE, truth

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.fhirpath.environment import Frame
    from fhirserver.fhirpath.paths import Chain
    from fhirserver.fhirpath.values import Items

    Run = Callable[[Any, Frame], Items]
    Truth = Callable[[Any, Frame], bool | None]

BOOLEAN: Final = ("System.Boolean",)
STRING: Final = ("System.String",)
INTEGER: Final = ("System.Integer",)


class Scope(NamedTuple):
    """Where an expression stands: `types` are those that `$this` may have, None for any."""

    types: tuple[str, ...] | None


class Code:
    """`run(this, frame)` gives the collection, `truth(this, frame)` the same as a Boolean.

    `types` are the types that items may have (`code`, `System.Integer`), None for any; `chain` is the path from
    `$this` when the code is nothing but that; `this` marks `$this` itself; `literal` holds the items of a constant;
    `ordered` is False after children() and descendants().
    """

    __slots__ = ("chain", "literal", "ordered", "run", "this", "truth", "types")

    def __init__(
        self,
        run: Run,
        types: tuple[str, ...] | None = None,
        *,
        truth: Truth | None = None,
        chain: Chain | None = None,
        this: bool = False,
        literal: Items | None = None,
        ordered: bool = True,
    ) -> None:
        self.run = run
        self.types = types
        self.truth = truth or _truth_of(run)
        self.chain = chain
        self.this = this
        self.literal = literal
        self.ordered = ordered

    @property
    def only(self) -> str | None:
        """The one type that items have, when there is but one."""
        return self.types[0] if self.types is not None and len(self.types) == 1 else None


def _truth_of(run: Run) -> Truth:
    return lambda this, frame: truth(run(this, frame))


def predicate(test: Truth) -> Code:
    """The code of a three-valued truth."""

    def run(this: Any, frame: Frame) -> Items:
        result = test(this, frame)
        return EMPTY if result is None else TRUE if result else FALSE

    return Code(run, BOOLEAN, truth=test)


def constant(items: Items, types: tuple[str, ...] | None = ()) -> Code:
    return Code(lambda _this, _frame: items, types, literal=items)


def this_code(types: tuple[str, ...] | None) -> Code:
    """`$this`"""
    return Code(lambda this, _frame: EMPTY if this is NOTHING else [this], types, this=True)


def joined(left: tuple[str, ...] | None, right: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The types of a collection of items of either kind."""
    return None if left is None or right is None else tuple(dict.fromkeys(left + right))
