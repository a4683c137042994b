"""When a notification that was not taken is sent again, and when it is given up."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

PAUSES: Final = tuple(timedelta(seconds=each) for each in (10, 30, 120, 600, 1800, 3600, 10_800, 21_600))
"""After the first failure, the second, …; the last one from then on."""
IN_ERROR: Final = 3
"""Failures in a row after which the Subscription says so (`status` error)."""
GIVEN_UP: Final = timedelta(days=3)
"""Since the first of the failures: then the Subscription is off, and what waits is forgotten."""


def pause(tries: int) -> timedelta:
    """What is waited after so many failures in a row, from 1."""
    return PAUSES[min(tries, len(PAUSES)) - 1]
