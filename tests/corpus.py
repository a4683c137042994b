"""Where official material lies that tests may use but the project does not ship.

`FHIRSERVER_CORPUS` names a folder with `packages/` and `data/`; without it a folder `shared` beside the checkout is
looked at. A test that needs a corpus is marked `@pytest.mark.corpus("name")` and does not run where the corpus is not;
the closing lines of the run say so.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

PLACES: Final = {
    "r4-core": "packages/hl7.fhir.r4.core-4.0.1.tgz",
    "fr-core": "packages/hl7.fhir.fr.core-2.2.0.tgz",
    "fr-core-combined": "packages/hl7.fhir.fr.core-2.2.0-combined.tgz",
    "fr-core-2.1": "packages/hl7.fhir.fr.core-2.1.0.tgz",
    "examples-r4": "data/examples-r4",
    "synthea": "data/synthea",
    "fhirpath": "data/fhirpath",
    "patch": "data/patch",
    "pdsm4dmp": "data/pdsm4dmp",
}


def root() -> Path:
    """The folder that holds the corpora, whether or not it exists."""
    named = os.environ.get("FHIRSERVER_CORPUS")
    return Path(named) if named else Path(__file__).resolve().parents[2] / "shared"


def path(name: str) -> Path:
    """The file or folder of a corpus."""
    return root() / PLACES[name]


def present(name: str) -> bool:
    return path(name).exists()
