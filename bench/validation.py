"""How fast resources are validated, on one core, beside other engines, all in one run.

    python -m bench.validation [--seconds 2]

Prints resources a second of CPU time, which other processes disturb less than the clock's. Every engine is given the
bytes of a resource; `parsed` is this one without parsing. The others check less:

- fhir.resources: structure (R4B models, so a few R4 resources are refused).
- jsonschema, with HL7's own schema of R4 (fhir.schema.json in hl7.fhir.r4.core): structure, primitive formats.
- fhirkit-rs: structure, primitive formats, choices.

Engines that are not installed, and the schema where the corpus is not, are left out and named. Examples come from the
corpora that `tests/corpus.py` finds; without them, only the crafted resources are measured.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import importlib.metadata
import json
import subprocess
import sys
import tarfile
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.spec import Definitions
from fhirserver.validation import Validator
from tests import corpus
from tests.profiles.samples import comprehensive
from tests.validation.samples import observation, patient
from tests.validation.test_french import ins_patient

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Engine = Callable[[Any], object]

LARGEST: Final = 60_000
"""Bytes of an example: what the published comparisons of validators took."""
SCHEMA: Final = "package/openapi/fhir.schema.json"


def measure(run: Engine, inputs: Sequence[Any], seconds: float) -> float:
    """Inputs a second, the best of three rounds after a warm-up; of a slow engine, of one round or of the warm-up."""
    begun = time.process_time()
    for each in inputs:
        run(each)
    first = time.process_time() - begun
    if first > 5 * seconds:
        return len(inputs) / first
    slow, best = first > seconds, 0.0
    for _ in range(1 if slow else 3):
        count, begun = 0, time.process_time()
        while time.process_time() - begun < seconds / 3:
            for each in inputs:
                run(each)
            count += len(inputs)
        best = max(best, count / (time.process_time() - begun))
    return best


def examples() -> list[bytes]:
    """Mixed R4 examples, the largest left out."""
    if not corpus.present("examples-r4"):
        return []
    return [path.read_bytes() for path in sorted(corpus.path("examples-r4").glob("*.json"))
            if path.stat().st_size < LARGEST]  # fmt: skip


def synthea() -> list[bytes]:
    """The Synthea Bundle whose entries number nearest to 300."""
    if not corpus.present("synthea"):
        return []
    bodies = [gzip.decompress(path.read_bytes()) for path in sorted(corpus.path("synthea").glob("*.json.gz"))]
    return [min(bodies, key=lambda body: abs(len(json.loads(body)["entry"]) - 300))]


def cases() -> list[tuple[str, str, list[bytes]]]:
    """Name, profile set and resources of each row."""
    listed = [
        ("R4 Patient", "core", [jsontext.dump(patient())]),
        ("R4 Observation", "core", [jsontext.dump(observation())]),
        ("fr-core-patient-ins", "french", [jsontext.dump(ins_patient())]),
        ("PDSm DocumentReference", "french", [jsontext.dump(comprehensive())]),
        ("R4 examples, mixed", "core", examples()),
        ("Synthea Bundle, 300 entries", "core", synthea()),
    ]
    return [case for case in listed if case[2]]


def fhir_resources() -> Engine | str:
    """What fhir.resources makes of a resource; what it refuses has cost it time too."""
    module = _module("fhir.resources.R4B")
    if isinstance(module, str):
        return module

    def run(body: bytes) -> object:
        try:
            model = module.get_fhir_model_class(json.loads(body)["resourceType"])
            return model.model_validate_json(body)
        except (ValueError, KeyError):
            return None

    return run


def json_schema() -> Engine | str:
    module = _module("jsonschema")
    if isinstance(module, str) or not corpus.present("r4-core"):
        return module if isinstance(module, str) else "no schema: the corpus r4-core is not here"
    with tarfile.open(corpus.path("r4-core")) as archive:
        try:
            file = archive.extractfile(SCHEMA)
        except KeyError:
            return f"no schema: the package has no {SCHEMA}"
        schema = json.load(file) if file else {}
    validators: dict[str, Any] = {}

    def run(body: bytes) -> object:
        resource = json.loads(body)
        name = resource["resourceType"]
        if name not in validators:
            validators[name] = module.Draft6Validator(
                {"$ref": f"#/definitions/{name}", "definitions": schema["definitions"]}
            )
        return validators[name].is_valid(resource)

    return run


def fhirkit() -> Engine | str:
    module = _module("fhirkit")
    return module if isinstance(module, str) else lambda body: _tolerant(module.validate, body)


def _tolerant(run: Engine, body: bytes) -> object:
    try:
        return run(body)
    except ValueError:
        return None


def _module(name: str) -> Any | str:
    """The module, or why it is left out."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return "not installed"


def compile_times() -> list[tuple[str, float]]:
    """Milliseconds of CPU time until the first answer for a type or profile, definitions loaded anew, modules not."""
    for _, _, bodies in cases()[:4]:
        Validator().validate(bodies[0])
    found = []
    for name, profile_set, bodies in cases()[:4]:
        packages = (Definitions.core() if profile_set == "core" else Definitions.french()).packages
        validator = Validator(Definitions(packages), profile_set=profile_set)
        begun = time.process_time()
        validator.validate(bodies[0])
        found.append((name, (time.process_time() - begun) * 1000))
    return found


def command_line() -> float:
    """Seconds of the clock for `fhirserver validate` of one INS patient in a process of its own, the best of three."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "patient.json"
        file.write_bytes(jsontext.dump(ins_patient()))
        best = 60.0
        for _ in range(3):
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-m", "fhirserver", "validate", str(file)], check=True, capture_output=True)
            best = min(best, time.perf_counter() - begun)
    return best


OTHERS: Final[dict[str, Callable[[], Engine | str]]] = {
    "fhir.resources": fhir_resources,
    "jsonschema": json_schema,
    "fhirkit-rs": fhirkit,
}


def _others() -> dict[str, Engine]:
    """The engines that are here; of the others, why not."""
    engines = {}
    for name, make in OTHERS.items():
        made = make()
        if isinstance(made, str):
            print(f"  {name} is left out: {made}")
        else:
            engines[name] = made
            print(f"  {name} {importlib.metadata.version(name)}")
    return engines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Speed of validation, on one core.", allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each measurement (2)")
    seconds = parser.parse_args().seconds
    warnings.simplefilter("ignore")
    print("cold")
    print(f"  {'fhirserver validate, one INS patient':<38}{command_line() * 1000:>8.0f} ms of the clock")
    for name, milliseconds in compile_times():
        print(f"  {'first ' + name:<38}{milliseconds:>8.1f} ms of CPU time")
    print("beside")
    engines = _others()
    print(f"{'warm: resources/s of CPU time':<32}{'parsed':>10}{'here':>10}" + "".join(f"{n:>16}" for n in engines))
    validators = {"core": Validator(Definitions.core()), "french": Validator()}
    for name, profile_set, bodies in cases():
        validator = validators[profile_set]
        objects = [jsontext.parse_object(body) for body in bodies]
        rates = [measure(validator.check, objects, seconds), measure(validator.validate, bodies, seconds)]
        rates += [measure(engine, bodies, seconds) for engine in engines.values()]
        widths = (10, 10, *(16 for _ in engines))
        print(
            f"  {name:<30}"
            + "".join(f"{rate:>{width},.{2 * (rate < 10)}f}" for rate, width in zip(rates, widths, strict=True))
        )


if __name__ == "__main__":
    main()
