"""Who is above whom in a code system: asked often, so indexed once.

Where each concept has one parent, concepts are numbered in preorder: what is below one is an interval of numbers, and
"below" is two comparisons. Concepts with several parents keep the set of all their ancestors, made when first asked.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


class Hierarchy:
    """The parents of codes, as given; parents that are no code of the system are left out, and cycles end."""

    def __init__(self, codes: Collection[str], parents: Mapping[str, Iterable[str]]) -> None:
        self._codes = codes
        self.parents: dict[str, tuple[str, ...]] = {}
        for code, above in parents.items():
            known = tuple(dict.fromkeys(each for each in above if each in codes and each != code))
            if known and code in codes:
                self.parents[code] = known
        self._ancestors: dict[str, frozenset[str]] = {}

    @cached_property
    def children(self) -> dict[str, list[str]]:
        """Code -> codes directly below, in the order of the code system."""
        found: dict[str, list[str]] = {}
        for code in self._codes:
            for parent in self.parents.get(code, ()):
                found.setdefault(parent, []).append(code)
        return found

    def is_below(self, code: str, ancestor: str) -> bool:
        """Whether a code is a descendant of another; a code is not below itself."""
        spans = self._spans
        if spans is None:
            return ancestor in self.ancestors(code)
        here, there = spans.get(code), spans.get(ancestor)
        return here is not None and there is not None and there[0] < here[0] < there[1]

    def ancestors(self, code: str) -> frozenset[str]:
        """All codes above a code, itself not among them."""
        found = self._ancestors.get(code)
        if found is None:
            found = self._ancestors[code] = frozenset(_reached(code, self.parents))
        return found

    def below(self, code: str) -> set[str]:
        """All descendants of a code."""
        return _reached(code, self.children)

    @cached_property
    def _spans(self) -> dict[str, tuple[int, int]] | None:
        """Code -> [its number, the number after its last descendant); None unless the codes make trees."""
        if any(len(above) > 1 for above in self.parents.values()):
            return None
        spans: dict[str, tuple[int, int]] = {}
        began: dict[str, int] = {}
        number = 0
        waiting = [(code, False) for code in self._codes if code not in self.parents]
        while waiting:
            code, done = waiting.pop()
            if done:
                spans[code] = (began[code], number)
                continue
            began[code], number = number, number + 1
            waiting.append((code, True))
            waiting += [(child, False) for child in self.children.get(code, ())]
        return spans if len(spans) == len(self._codes) else None


def _reached(code: str, steps: Mapping[str, Iterable[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [code]
    while waiting:
        new = [each for each in steps.get(waiting.pop(), ()) if each not in found]
        found.update(new)
        waiting += new
    found.discard(code)
    return found
