"""How fast biology reports (CDA of level 3) are converted and validated, on one core.

    python -m bench.documents [--seconds 5] [--profile]

One report of 52 results and 12 previous ones in four batteries (68 Observations, 92 resources, 108 kB, indented) is
read, converted, and every resource validated, as ingestion does. Prints documents a second of CPU time, which other
processes disturb less than the clock's, in all and step by step; the best of three rounds.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
import time
from typing import TYPE_CHECKING

from fhirserver.documents.cda import convert, read
from fhirserver.validation import Validator
from tools.cda.header import written
from tools.cda.reports import large

if TYPE_CHECKING:
    from collections.abc import Callable


def measure(run: Callable[[], object], seconds: float) -> float:
    """Runs a second of CPU time, the best of three rounds after a warm-up."""
    run()
    best = 0.0
    for _ in range(3):
        count, begun = 0, time.process_time()
        while (spent := time.process_time() - begun) < seconds / 3:
            run()
            count += 1
        best = max(best, count / spent)
    return best


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Speed of biology reports, on one core.", allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each measurement (5)")
    parser.add_argument("--profile", action="store_true", help="show where the time goes")
    options = parser.parse_args()
    data = written(large())
    validator = Validator()
    conversion = convert(data)

    def validate() -> None:
        for entry in conversion.entries:
            validator.check(entry.resource)

    def both() -> None:
        for entry in convert(data).entries:
            validator.check(entry.resource)

    both()
    gc.freeze()  # as a server does once it serves: what stays is not looked at again
    results = len(conversion.all("Observation"))
    print(f"{len(data):,} bytes, {results} Observations, {len(conversion.entries)} resources")
    steps = {"read": lambda: read(data), "convert": lambda: convert(data), "validate": validate, "both": both}
    for name, run in steps.items():
        rate = measure(run, options.seconds)
        print(f"  {name:<10}{rate:>8.0f}/s{1000 / rate:>8.2f} ms")
    if options.profile:
        with cProfile.Profile() as profile:
            for _ in range(20):
                both()
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)


if __name__ == "__main__":
    main()
