"""The table of requirements (`requirements.csv`): what profiles and transactions say a server shall or should do."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver.conformance.shipped import folder

if TYPE_CHECKING:
    from pathlib import Path

FILE: Final = "requirements.csv"


class Requirement(NamedTuple):
    """`id` as tests name it; `source`: document and section; `level`: SHALL or SHOULD; `url`: where it stands."""

    id: str
    source: str
    level: str
    text: str
    url: str


def requirements(file: Path | None = None) -> dict[str, Requirement]:
    """All requirements by id, in the order of the table."""
    with (file or folder() / FILE).open(encoding="utf-8", newline="") as lines:
        return {row["id"]: Requirement(**row) for row in csv.DictReader(lines)}
