"""The tables that stand as CSV files beside the modules that know what they mean."""

from __future__ import annotations

import csv
from importlib import resources


def rows(package: str, name: str) -> list[dict[str, str]]:
    """The rows of a file of a package, by column."""
    text = resources.files(package).joinpath(name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))
