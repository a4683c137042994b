"""How large code systems are added and asked: a made-up release of SNOMED CT, in the files of the real one.

    python -m bench.releases [--codes 350000]

Prints seconds and memory of adding it, the size of the package, microseconds of a question, and memory at the end.
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fhirserver.spec import Definitions, installed
from fhirserver.terminology import Terminology, TooCostly, Wish
from fhirserver.terminology.releases import add

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCT: Final = "http://snomed.info/sct"
_FIRST: Final = 100_000
_MODULE: Final = "900000000000207008"
_WORDS: Final = 5_000


def release(path: Path, codes: int) -> Path:
    """A zip: each concept below one or two others, with a full name, a synonym and a French name."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, lines in (
            ("Concept_Snapshot", _concepts(codes)),
            ("Description_Snapshot", _descriptions(codes)),
            ("Relationship_Snapshot", _relationships(codes)),
        ):
            with archive.open(f"Snapshot/Terminology/sct2_{name}_INT_20260101.txt", "w", force_zip64=True) as file:
                for line in lines:
                    file.write(line.replace("|", "\t").encode() + b"\r\n")
    return path


def _concepts(codes: int) -> Iterator[str]:
    yield "id|effectiveTime|active|moduleId|definitionStatusId"
    for code in range(_FIRST, _FIRST + codes):
        yield f"{code}|20260101|1|{_MODULE}|900000000000074008"


def _descriptions(codes: int) -> Iterator[str]:
    yield "id|effectiveTime|active|moduleId|conceptId|languageCode|typeId|term|caseSignificanceId"
    chance = random.Random(1)
    number = 0
    for code in range(_FIRST, _FIRST + codes):
        for language, kind in (("en", "003001"), ("en", "013009"), ("fr", "013009")):
            number += 1
            words = " ".join(f"w{chance.randrange(_WORDS):04}" for _ in range(5))
            term = f"{language}|900000000000{kind}|{language} {words}|900000000000448009"
            yield f"{number}|20260101|1|{_MODULE}|{code}|{term}"


def _relationships(codes: int) -> Iterator[str]:
    yield "active|sourceId|destinationId|typeId|characteristicTypeId"
    chance = random.Random(2)
    for n in range(1, codes):
        for above in {n // 5, chance.randrange(n)} if n % 2 else {n // 5}:
            yield f"1|{_FIRST + n}|{_FIRST + above}|116680003|900000000000011006"


def mean(run: Callable[[str], object], codes: list[str]) -> float:
    """Microseconds of a call, for a code each."""
    begun = time.perf_counter()
    for code in codes:
        run(code)
    return (time.perf_counter() - begun) / len(codes) * 1e6


def memory() -> float:
    """The most memory ever, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codes", type=int, default=350_000)
    codes = parser.parse_args().codes
    with tempfile.TemporaryDirectory() as folder:
        path = release(Path(folder) / "release.zip", codes)
        print(f"before               {memory():8.0f} MB")
        begun = time.perf_counter()
        added = add("snomed", [path], Path(folder) / "packages")
        print(f"add {added.concepts:,} concepts {time.perf_counter() - begun:6.1f} s  {memory():6.0f} MB")
        print(f"package              {added.path.stat().st_size / 1e6:8.0f} MB")
        definitions = Definitions([*installed.load(Path(folder) / "packages"), *Definitions.core().packages])
        questions(Terminology(definitions), codes)
        print(f"in the end           {memory():8.0f} MB")


def questions(terminology: Terminology, codes: int) -> None:
    """Asks about codes that were not asked about before."""
    now = datetime.now(UTC)
    asked = [str(code) for code in random.Random(3).sample(range(_FIRST, _FIRST + codes), min(2000, codes))]
    inside = f"{SCT}?fhir_vs=isa/{_FIRST + 1}"
    terminology.lookup(SCT, asked[0])
    top = {"system": SCT, "code": str(_FIRST + 1)}
    questions: dict[str, Callable[[str], object]] = {
        "$validate-code": lambda code: terminology.in_code_system([{"system": SCT, "code": code}]),
        "$lookup": lambda code: terminology.lookup(SCT, code),
        "$subsumes": lambda code: terminology.subsumes(top, {"system": SCT, "code": code}),
        "in is-a value set": lambda code: terminology.holds(inside, SCT, code),
    }
    for name, run in questions.items():
        print(f"{name:20} {mean(run, asked):8.0f} µs")
    words = [f"w{n:04} w{n * 3:03}" for n in range(20)]
    spent = mean(lambda text: terminology.expand(f"{SCT}?fhir_vs", Wish(filter=text, count=10), now=now), words)
    print(f"$expand by two words {spent / 1000:8.1f} ms")
    below = [str(_FIRST + n) for n in range(500, 520)]
    spent = mean(lambda code: terminology.expand(f"{SCT}?fhir_vs=isa/{code}", Wish(count=10), now=now), below)
    print(f"$expand is-a         {spent / 1000:8.1f} ms")
    begun = time.perf_counter()
    try:
        terminology.expand(f"{SCT}?fhir_vs", now=now)
    except TooCostly as error:
        print(f"too costly           {(time.perf_counter() - begun) * 1000:8.0f} ms  {error}")


if __name__ == "__main__":
    main()
