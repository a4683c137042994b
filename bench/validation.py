"""How fast resources are validated, on one core, beside what else is at hand.

    python -m bench.validation [--seconds 2]

Prints resources a second of CPU time (which other processes disturb less than the clock's) and the ratio to
`fhir.resources`, which parses and checks structure only. Examples come from the corpora that `tests/corpus.py` finds;
without them, only the crafted resources are measured.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

from fhirserver import jsontext
from fhirserver.spec import Definitions
from fhirserver.validation import Validator
from tests import corpus
from tests.validation.samples import observation, patient
from tests.validation.test_french import ins_patient

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST = 60_000
"""Bytes of an example: what the published comparisons of validators took."""


class Row(NamedTuple):
    """One measurement: `rate` in resources a second of CPU time."""

    name: str
    rate: float


def measure(run: Callable[[dict[str, Any]], object], resources: list[dict[str, Any]], seconds: float) -> float:
    """Resources a second, the best of three rounds, after a warm-up."""
    for resource in resources:
        run(resource)
    best = 0.0
    for _ in range(3):
        count, begun = 0, time.process_time()
        while time.process_time() - begun < seconds / 3:
            for resource in resources:
                run(resource)
            count += len(resources)
        best = max(best, count / (time.process_time() - begun))
    return best


def examples() -> list[dict[str, Any]]:
    """Mixed R4 examples, the largest left out."""
    if not corpus.present("examples-r4"):
        return []
    paths = sorted(corpus.path("examples-r4").glob("*.json"))
    return [jsontext.parse_object(path.read_bytes()) for path in paths if path.stat().st_size < LARGEST]


def synthea() -> list[dict[str, Any]]:
    """The Synthea Bundle whose entries number nearest to 300."""
    if not corpus.present("synthea"):
        return []
    paths = sorted(corpus.path("synthea").glob("*.json.gz"))
    bundles = [jsontext.parse_object(gzip.decompress(path.read_bytes())) for path in paths]
    return [min(bundles, key=lambda bundle: abs(len(bundle["entry"]) - 300))]


def parsed(resource: dict[str, Any]) -> object:
    """What fhir.resources makes of a resource; what it refuses has cost it time too."""
    from fhir.resources.R4B import get_fhir_model_class

    try:
        return get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    except (ValueError, KeyError):
        return None


def compile_times() -> list[tuple[str, float]]:
    """Milliseconds of CPU time until the first answer for a type or profile, definitions loaded anew, modules not."""
    Validator().check(ins_patient())
    found = []
    for name, profile_set, resource in (
        ("R4 Patient", "core", patient()),
        ("R4 Observation", "core", observation()),
        ("fr-core-patient-ins", "french", ins_patient()),
    ):
        packages = Definitions.core().packages if profile_set == "core" else Definitions.french().packages
        validator = Validator(Definitions(packages), profile_set=profile_set)
        begun = time.process_time()
        validator.check(resource)
        found.append((name, (time.process_time() - begun) * 1000))
    return found


def rows(seconds: float) -> list[tuple[Row, Row]]:
    """Each measurement beside that of fhir.resources on the same resources."""
    core, french = Validator(Definitions.core()), Validator()
    cases: list[tuple[str, Validator, list[dict[str, Any]]]] = [
        ("R4 Patient", core, [patient()]),
        ("R4 Observation", core, [observation()]),
        ("fr-core-patient-ins", french, [ins_patient()]),
        ("R4 examples, mixed", core, examples()),
        ("Synthea Bundle", core, synthea()),
    ]
    found = []
    for name, validator, resources in cases:
        if resources:
            plain = [json.loads(jsontext.dump(resource)) for resource in resources]
            ours = Row(name, measure(validator.check, resources, seconds))
            found.append((ours, Row("fhir.resources", measure(parsed, plain, seconds))))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Speed of validation, on one core.", allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each measurement (2)")
    seconds = parser.parse_args().seconds
    warnings.simplefilter("ignore")
    print(f"{'cold: first answer, ms of CPU time':<36}")
    for name, milliseconds in compile_times():
        print(f"  {name:<34}{milliseconds:>10.1f}")
    print(f"{'warm: resources/s of CPU time':<36}{'here':>10}{'fhir.resources':>18}{'ratio':>9}")
    for ours, theirs in rows(seconds):
        print(f"  {ours.name:<34}{ours.rate:>10,.0f}{theirs.rate:>18,.0f}{ours.rate / theirs.rate:>9.1f}")


if __name__ == "__main__":
    main()
