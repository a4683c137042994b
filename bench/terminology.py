"""How fast questions about codes are answered, on one core.

    python -m bench.terminology [--codes 10000]

Prints microseconds a question, warm, and milliseconds for what is done once: a code system of that many codes, ten
below each, and a value set of those below one of them.
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fhirserver.spec import Definitions
from fhirserver.terminology import Found, Terminology, Wish

if TYPE_CHECKING:
    from collections.abc import Callable

SYSTEM: Final = "urn:bench:system"
VALUE_SET: Final = "urn:bench:value-set"


class Crafted:
    """The code system and the value set, as if they were stored."""

    def __init__(self, codes: int) -> None:
        concepts = [
            {"code": f"c{n}", "display": f"Concept {n}", "property": [{"code": "parent", "valueCode": f"c{n // 10}"}]}
            for n in range(1, codes)
        ]
        self._known: dict[str, dict[str, Any]] = {
            SYSTEM: {"url": SYSTEM, "content": "complete", "concept": [{"code": "c0"}, *concepts]},
            VALUE_SET: {
                "url": VALUE_SET,
                "compose": {
                    "include": [{"system": SYSTEM, "filter": [{"property": "concept", "op": "is-a", "value": "c5"}]}]
                },
            },
        }

    def find(self, type: str, canonical: str) -> Found | None:
        found = self._known.get(canonical)
        return None if found is None else Found(found, (type, canonical))

    def concept_maps(self, systems: frozenset[str]) -> tuple[Found, ...]:
        return ()


def once(run: Callable[[], object]) -> float:
    """Seconds of one call."""
    begun = time.process_time()
    run()
    return time.process_time() - begun


def warm(run: Callable[[], object], count: int = 5000) -> float:
    """Seconds a call, the best of three rounds."""
    return min(once(lambda: [run() for _ in range(count)]) for _ in range(3)) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--codes", type=int, default=10_000)
    options = parser.parse_args()
    terminology = Terminology(Definitions.core()).with_(Crafted(options.codes))
    low = {"system": SYSTEM, "code": f"c{options.codes // 2 + 123}"}
    high = {"system": SYSTEM, "code": "c5"}
    now = datetime.now(UTC)
    print(f"index of {options.codes} codes: {once(partial(terminology.subsumes, high, low)) * 1e3:.0f} ms, once")
    expand = partial(terminology.expand, VALUE_SET, Wish(count=100), now=now)
    print(f"$expand by is-a, a page of 100: {warm(expand, 10) * 1e3:.1f} ms")
    questions: dict[str, Callable[[], object]] = {
        "$validate-code in the code system": partial(terminology.in_code_system, [low]),
        "$validate-code in the value set": partial(terminology.in_value_set, VALUE_SET, [low]),
        "$subsumes": partial(terminology.subsumes, high, low),
        "$lookup": partial(terminology.lookup, SYSTEM, "c5"),
    }
    for name, run in questions.items():
        print(f"{name}: {warm(run) * 1e6:.1f} µs")


if __name__ == "__main__":
    main()
