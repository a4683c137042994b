"""Operators other than `is` and `as` (FHIRPath N1, section 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.fhirpath import arithmetic, paths
from fhirserver.fhirpath.code import STRING, Code, constant, joined, predicate
from fhirserver.fhirpath.errors import FhirPathError
from fhirserver.fhirpath.model import TEXTS
from fhirserver.fhirpath.values import (
    EMPTY,
    Typed,
    compare,
    distinct,
    equal_collections,
    equivalent_collections,
    key,
    single,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.fhirpath.code import Truth
    from fhirserver.fhirpath.environment import Frame
    from fhirserver.fhirpath.values import Items


def unary(sign: str, source: Code) -> Code:
    """`-x` and `+x`"""
    run = source.run
    if source.literal and sign == "-":
        return constant([arithmetic.negative(source.literal[0])], source.types)

    def apply(this: Any, frame: Frame) -> Items:
        value = single(run(this, frame), sign)
        if value is None:
            return EMPTY
        negated = arithmetic.negative(value)
        return [negated if sign == "-" else value]

    return Code(apply)


def many(operator: str, operands: list[Code]) -> Code:
    if operator == "|":
        return _union(operands)
    tests = [code.truth for code in operands]
    if operator == "and":
        return predicate(_and(*tests) if len(tests) == 2 else _all(tests))
    return predicate(_or(*tests) if len(tests) == 2 else _any(tests))


def _and(left: Truth, right: Truth) -> Truth:
    def test(this: Any, frame: Frame) -> bool | None:
        first = left(this, frame)
        if first is False:
            return False
        second = right(this, frame)
        return second if first else False if second is False else None

    return test


def _all(tests: list[Truth]) -> Truth:
    def test(this: Any, frame: Frame) -> bool | None:
        result: bool | None = True
        for each in tests:
            value = each(this, frame)
            if value is False:
                return False
            if value is None:
                result = None
        return result

    return test


def _or(left: Truth, right: Truth) -> Truth:
    def test(this: Any, frame: Frame) -> bool | None:
        first = left(this, frame)
        if first:
            return True
        second = right(this, frame)
        return second if first is False else True if second else None

    return test


def _any(tests: list[Truth]) -> Truth:
    def test(this: Any, frame: Frame) -> bool | None:
        result: bool | None = False
        for each in tests:
            value = each(this, frame)
            if value:
                return True
            if value is None:
                result = None
        return result

    return test


def _union(operands: list[Code]) -> Code:
    types: tuple[str, ...] | None = ()
    for code in operands:
        types = joined(types, code.types)
    runs = [code.run for code in operands if code.literal != EMPTY]
    if all(code.literal is not None for code in operands):
        return constant(distinct([item for code in operands for item in code.literal or ()]), types)

    def run(this: Any, frame: Frame) -> Items:
        found: Items = []
        for each in runs:
            found += each(this, frame)
        frame.spend(len(found))
        return distinct(found)

    return Code(run, types)


def binary(operator: str, left: Code, right: Code, *, fixed: bool = False) -> Code:
    """The code of an operator that is not associative; `fixed` says that the group is one for the whole evaluation."""
    if operator in ("=", "!="):
        return predicate(_negated(_equality(left, right)) if operator == "!=" else _equality(left, right))
    if operator in ("~", "!~"):
        return predicate(_equivalence(left, right, operator == "~"))
    if operator in _ORDER:
        return predicate(_ordering(operator, left, right))
    if operator in ("in", "contains"):
        one, group = (left, right) if operator == "in" else (right, left)
        return predicate(_membership(operator, one, group, fixed=fixed))
    if operator in ("xor", "implies"):
        return predicate(_xor(left.truth, right.truth) if operator == "xor" else _implies(left.truth, right.truth))
    if operator == "&":
        return _concatenation(left, right)
    return _arithmetic(operator, left, right)


def _negated(test: Truth) -> Truth:
    def negate(this: Any, frame: Frame) -> bool | None:
        value = test(this, frame)
        return None if value is None else not value

    return negate


def _equality(left: Code, right: Code) -> Truth:
    if left.literal is not None and right.literal is None:
        left, right = right, left
    literal = right.literal
    text = literal[0] if literal and literal[0].__class__ is str else None
    if text is not None and left.chain is not None and left.types is not None and TEXTS.issuperset(left.types):
        return _equals_text(paths.values(left.chain), text)
    one, other = left.run, right.run

    def test(this: Any, frame: Frame) -> bool | None:
        return equal_collections(one(this, frame), other(this, frame))

    return test


def _equals_text(read: Callable[[Any], list[Any]], text: str) -> Truth:
    def test(this: Any, _frame: Frame) -> bool | None:
        values = read(this[1]) if this.__class__ is Typed else EMPTY
        if len(values) == 1:
            value = values[0]
            return None if value is None else bool(value == text)
        return False if values else None

    return test


def _equivalence(left: Code, right: Code, wanted: bool) -> Truth:
    one, other = left.run, right.run

    def test(this: Any, frame: Frame) -> bool | None:
        first, second = one(this, frame), other(this, frame)
        frame.spend(len(first) * len(second))
        return equivalent_collections(first, second) is wanted

    return test


_ORDER: Final[dict[str, Callable[[int], bool]]] = {
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


def _ordering(operator: str, left: Code, right: Code) -> Truth:
    one, other, holds = left.run, right.run, _ORDER[operator]

    def test(this: Any, frame: Frame) -> bool | None:
        first, second = single(one(this, frame), operator), single(other(this, frame), operator)
        if first is None or second is None:
            return None
        order = compare(first, second, operator)
        return None if order is None else holds(order)

    return test


def _membership(operator: str, one: Code, group: Code, *, fixed: bool) -> Truth:
    element = one.run
    members = _members(group, fixed=fixed)

    def test(this: Any, frame: Frame) -> bool | None:
        items = element(this, frame)
        if not items:
            return None
        if len(items) > 1:
            raise FhirPathError(f"'{operator}' takes one item, not {len(items)}")
        return key(items[0]) in members(this, frame)

    return test


def _members(group: Code, *, fixed: bool) -> Callable[[Any, Frame], Any]:
    """What tells the keys of a group: once for all, once an evaluation, or each time."""
    if group.literal is not None:
        known = frozenset(map(key, group.literal))
        return lambda _this, _frame: known
    run, mark = group.run, object()

    def gather(this: Any, frame: Frame) -> Any:
        items = run(this, frame)
        frame.spend(len(items))
        return {key(item) for item in items}

    def remember(this: Any, frame: Frame) -> Any:
        members = frame.memo.get(mark)
        if members is None:
            members = frame.memo[mark] = gather(this, frame)
        return members

    return remember if fixed else gather


def _xor(left: Truth, right: Truth) -> Truth:
    def test(this: Any, frame: Frame) -> bool | None:
        first, second = left(this, frame), right(this, frame)
        return None if first is None or second is None else first is not second

    return test


def _implies(left: Truth, right: Truth) -> Truth:
    def test(this: Any, frame: Frame) -> bool | None:
        first = left(this, frame)
        if first is False:
            return True
        second = right(this, frame)
        return second if first else True if second else None

    return test


def _concatenation(left: Code, right: Code) -> Code:
    one, other = left.run, right.run

    def run(this: Any, frame: Frame) -> Items:
        first, second = single(one(this, frame), "&"), single(other(this, frame), "&")
        text = arithmetic.concatenate("" if first is None else first, "" if second is None else second)
        frame.weigh(text)
        return [text]

    return Code(run, STRING)


def _arithmetic(operator: str, left: Code, right: Code) -> Code:
    one, other, apply = left.run, right.run, arithmetic.OPERATORS[operator]

    def run(this: Any, frame: Frame) -> Items:
        first, second = single(one(this, frame), operator), single(other(this, frame), operator)
        if first is None or second is None:
            return EMPTY
        value = apply(first, second)
        if value.__class__ is str:
            frame.weigh(value)
        return EMPTY if value is None else [value]

    return Code(run)
