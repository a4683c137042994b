"""The corpus: every document of `examples/cda` by name."""

from __future__ import annotations

from tools.cda import level1, level3, reports, rich
from tools.cda.header import written


def documents() -> dict[str, bytes]:
    """Name to file, the same bytes each time."""
    tables = (level1.DOCUMENTS, level3.DOCUMENTS, reports.DOCUMENTS)
    made = {name: written(document) for table in tables for name, document in table.items()}
    return {**made, **rich.documents()}
