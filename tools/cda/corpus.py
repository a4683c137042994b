"""The corpus: every document of `examples/cda` by name."""

from __future__ import annotations

from tools.cda import level1, level3, reports
from tools.cda.header import written


def documents() -> dict[str, bytes]:
    """Name to file, the same bytes each time."""
    return {
        name: written(document)
        for name, document in {**level1.DOCUMENTS, **level3.DOCUMENTS, **reports.DOCUMENTS}.items()
    }
