"""Slicing at work: each item goes to the slice it fits (https://hl7.org/fhir/R4/profiling.html#slicing)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fhirserver.validation.discriminators import texts
from fhirserver.validation.elements import UNBOUNDED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fhirserver.outcome import Issue
    from fhirserver.validation.context import At, Context
    from fhirserver.validation.discriminators import Matcher
    from fhirserver.validation.items import Item, ItemCheck


class Slice(NamedTuple):
    """A slice: who belongs to it, how often, what holds for those, and how they are sliced again."""

    name: str
    matchers: tuple[Matcher, ...]
    low: int
    high: int
    checks: tuple[ItemCheck, ...]
    again: Slicing | None

    def fits(self, item: Item, ctx: Context) -> bool:
        for matcher in self.matchers:  # noqa: SIM110 - a generator costs more than the matchers
            if not matcher(item, ctx):
                return False
        return True


class Index(NamedTuple):
    """Which slices to try: those whose item has a certain text in a member, and those that cannot be told so."""

    name: str
    hinted: Mapping[str, tuple[int, ...]]
    others: tuple[int, ...]

    def candidates(self, item: Item) -> list[int]:
        found = list(self.others)
        for text in texts(item[1].get(self.name)):
            found += self.hinted.get(text, ())
        return sorted(set(found)) if len(found) > 1 else found


class Slicing(NamedTuple):
    """The slices of an element, in order; `rules` is `open`, `closed` or `openAtEnd`.

    No discriminator tells who belongs to a `loose` slice. As many items as it needs must meet all that it asks; how
    many belong to it at most is not judged, for what meets it may belong to another.
    """

    name: str
    slices: tuple[Slice, ...]
    rules: str
    ordered: bool
    profile: str
    hints: Index | None = None
    loose: tuple[Slice, ...] = ()

    def fitting(self, item: Item, ctx: Context) -> list[int]:
        """The numbers of the slices that an item belongs to."""
        numbers = range(len(self.slices)) if self.hints is None else self.hints.candidates(item)
        return [number for number in numbers if self.slices[number].fits(item, ctx)]

    def check(self, items: Sequence[Item], at: At, ctx: Context) -> None:
        """Judge items by their slices, and the slices by their counts. `at` is the place of the owner."""
        found: dict[str, list[Item]] = {}
        order: list[int] = []
        for item in items:
            fitting = self.fitting(item, ctx)
            if not fitting:
                self._unmatched(item, ctx)
                order.append(UNBOUNDED)
                continue
            number = fitting[0]
            if len(fitting) == 1:
                _judge(self.slices[number], item, ctx)
            else:
                number = self._best(fitting, item, ctx)
            order.append(number)
            found.setdefault(self.slices[number].name, []).append(item)
        if self.ordered or self.rules == "openAtEnd":
            self._order(order, items, ctx)
        for piece in self.slices:
            taken = found.get(piece.name, ())
            number = len(taken)
            if number < piece.low or number > piece.high:
                self._miscounted(piece, number, at, ctx)
            if taken and piece.again is not None:
                piece.again.check(taken, at, ctx)
        for piece in self.loose:
            self._loosely(piece, items, at, ctx)

    def _miscounted(self, piece: Slice, number: int, at: At, ctx: Context) -> None:
        rule, limit = ("slice-min", "min") if number < piece.low else ("slice-max", "max")
        bound = piece.low if number < piece.low else piece.high
        ctx.report(
            rule,
            at,
            self.name,
            profile=self.profile,
            slice=piece.name,
            name=self.name,
            found=number,
            values={limit: bound},
        )

    def _loosely(self, piece: Slice, items: Sequence[Item], at: At, ctx: Context) -> None:
        number = 0
        for item in items:
            kept = ctx.trial()
            _judge(piece, item, ctx)
            number += not any(issue.is_error for issue in ctx.settle(kept))
        if number < piece.low:
            self._miscounted(piece, number, at, ctx)

    def _unmatched(self, item: Item, ctx: Context) -> None:
        if self.rules == "closed":
            names = ", ".join(piece.name for piece in self.slices)
            ctx.report("slice-closed", item[2], profile=self.profile, name=self.name, slices=names)

    def _order(self, order: list[int], items: Sequence[Item], ctx: Context) -> None:
        """What `ordered` and `openAtEnd` ask; `order` has the slice's number of each item."""
        highest = -1
        for number, item in zip(order, items, strict=True):
            if number == UNBOUNDED:
                highest = UNBOUNDED if self.rules == "openAtEnd" else highest
            elif highest == UNBOUNDED:
                return ctx.report("slice-end", item[2], profile=self.profile, name=self.name)
            elif self.ordered and number < highest:
                piece = self.slices[number].name
                return ctx.report("slice-order", item[2], profile=self.profile, name=self.name, slice=piece)
            else:
                highest = max(highest, number)
        return None

    def _best(self, fitting: list[int], item: Item, ctx: Context) -> int:
        """Several slices claim the item: the first that accepts it gets it, else the one with the least to object."""
        least: list[Issue] = []
        chosen, fewest = fitting[0], UNBOUNDED
        for number in fitting:
            kept = ctx.trial()
            _judge(self.slices[number], item, ctx)
            issues = ctx.settle(kept)
            errors = sum(issue.is_error for issue in issues)
            if errors < fewest:
                chosen, fewest, least = number, errors, issues
            if not errors:
                break
        ctx.issues.extend(least)
        if not fewest:
            names = ", ".join(self.slices[number].name for number in fitting)
            piece = self.slices[chosen].name
            ctx.report("slice-several", item[2], profile=self.profile, name=self.name, slices=names, slice=piece)
        return chosen


def _judge(piece: Slice, item: Item, ctx: Context) -> None:
    value, owner, at, kind = item
    for check in piece.checks:
        check(value, owner, at, kind, ctx)
