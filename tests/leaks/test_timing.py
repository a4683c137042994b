"""The time of an answer tells hidden from absent no better than its text."""

from __future__ import annotations

import gc
import time
from math import erfc, sqrt
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.leaks.world import ABSENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.leaks.world import World

PAIRS = 500
TOLD_APART = 0.001
"""Below this probability the two are told apart; three runs of chance alone would have to agree."""
ATTEMPTS = 3


def chance(first: Sequence[float], second: Sequence[float]) -> float:
    """The two-sided p-value of the Mann-Whitney U test, by its normal approximation (without ties)."""
    n, m = len(first), len(second)
    ranked = sorted([(each, 0) for each in first] + [(each, 1) for each in second])
    ranks = sum(rank for rank, (_, sample) in enumerate(ranked, 1) if sample == 0)
    u = ranks - n * (n + 1) / 2
    return erfc(abs(u - n * m / 2) / sqrt(n * m * (n + m + 1) / 12) / sqrt(2))


def test_the_measure_tells_apart_what_differs_and_nothing_else() -> None:
    source = Random(7)
    times = [source.gauss(10, 1) for _ in range(PAIRS)]
    others = [source.gauss(10, 1) for _ in range(PAIRS)]
    assert chance(times, others) > TOLD_APART
    assert chance(times, [each + 0.5 for each in others]) < TOLD_APART
    assert chance(times, [each - 0.5 for each in others]) < TOLD_APART


@pytest.mark.long
@pytest.mark.parametrize(
    "path", ["Observation/{}", "Observation/{}/_history", "Observation/{}/_history/1", "Observation?_id={}"]
)
@pytest.mark.parametrize("hidden", ["hidden-r1", "hidden-q1"])
def test_hidden_and_absent_take_the_same_time(world: World, path: str, hidden: str) -> None:
    """500 pairs in an order of chance, of processor time: others on the machine do not count.

    What waits for the database is not in it; that both send it the same is probe 2.
    """

    def timed(id: str) -> float:
        began = time.thread_time()
        world.alice.get(path.format(id))
        return time.thread_time() - began

    def measured() -> float:
        source = Random()
        times: dict[str, list[float]] = {hidden: [], ABSENT: []}
        for _ in range(PAIRS):
            for id in source.sample((hidden, ABSENT), 2):
                times[id].append(timed(id))
        return chance(times[hidden], times[ABSENT])

    for _ in range(10):
        timed(hidden), timed(ABSENT)
    gc.disable()
    try:
        found: list[float] = []
        while len(found) < ATTEMPTS and (not found or found[-1] < TOLD_APART):
            found.append(measured())
    finally:
        gc.enable()
    assert found[-1] >= TOLD_APART, found
