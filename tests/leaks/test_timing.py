"""The time of an answer tells hidden from absent no better than its text."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

import pytest

from tests.leaks.world import ABSENT

if TYPE_CHECKING:
    from tests.leaks.world import World

SAMPLES = 150


@pytest.mark.long
@pytest.mark.parametrize(
    "path", ["Observation/{}", "Observation/{}/_history", "Observation/{}/_history/1", "Observation?_id={}"]
)
def test_hidden_and_absent_take_the_same_time(world: World, path: str) -> None:
    """Medians of interleaved requests differ by less than an absent one differs from itself, four times over."""

    def timed(id: str) -> float:
        began = time.perf_counter()
        world.alice.get(path.format(id))
        return time.perf_counter() - began

    ids = ("hidden-r1", ABSENT, "absent-01")
    seen: dict[str, list[float]] = {id: [] for id in ids}
    for _ in range(SAMPLES):
        for id in ids:
            seen[id].append(timed(id))
    hidden, absent, again = (median(seen[id]) for id in ids)
    noise = max(abs(absent - again), 0.05 * absent)
    assert abs(hidden - absent) < 4 * noise, (hidden, absent, again)
