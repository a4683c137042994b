"""How many requests a minute one client, or one address without a token, may make; beyond: 429 with `Retry-After`.

Counted in each worker by a sliding window (`limits`), so that no request waits for a count in the database: a worker
allows its share. The gate (`serving.gate`) bounds how many are at work at once, whoever sends them.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from fhirserver.errors import TooMany

if TYPE_CHECKING:
    from fhirserver.access import Requester

TEXT: Final = "Too many requests in a minute: send fewer, and go on after Retry-After seconds."


class Rates:
    """`client`, `address`: requests a minute of all workers together; 0 for any number."""

    def __init__(self, client: int, address: int, workers: int = 1) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._client, self._address = (_share(each, workers) for each in (client, address))

    def of_client(self, requester: Requester) -> None:
        """Counts a request of an authenticated client. Raises TooMany."""
        self._count(self._client, "client", requester.client or requester.id)

    def of_address(self, address: str) -> None:
        """Counts a request that nobody authenticated. Raises TooMany."""
        self._count(self._address, "address", address)

    def _count(self, limit: RateLimitItemPerMinute | None, *key: str) -> None:
        if limit is None or self._limiter.hit(limit, *key):
            return
        reset = self._limiter.get_window_stats(limit, *key).reset_time
        raise TooMany(TEXT, headers={"Retry-After": str(max(1, math.ceil(reset - time.time())))})


def _share(limit: int, workers: int) -> RateLimitItemPerMinute | None:
    return RateLimitItemPerMinute(max(1, math.ceil(limit / max(workers, 1)))) if limit else None
