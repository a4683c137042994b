from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fhirserver.terminology.hierarchy import Hierarchy

CODES = [str(n) for n in range(12)]


@given(st.lists(st.tuples(st.sampled_from(CODES), st.sampled_from([*CODES, "unknown"])), max_size=25))
def test_below_is_what_a_walk_along_the_parents_finds(edges: list[tuple[str, str]]) -> None:
    parents: dict[str, list[str]] = {}
    for code, parent in edges:
        parents.setdefault(code, []).append(parent)
    hierarchy = Hierarchy(CODES, parents)
    for code in CODES:
        walked = _walked(code, parents)
        assert hierarchy.ancestors(code) == walked
        for other in CODES:
            assert hierarchy.is_below(code, other) == (other in walked)
            assert (other in hierarchy.below(code)) == (code in _walked(other, parents))


def _walked(code: str, parents: dict[str, list[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [code]
    while waiting:
        for parent in parents.get(waiting.pop(), []):
            if parent in CODES and parent not in found:
                found.add(parent)
                waiting.append(parent)
    return found - {code}
