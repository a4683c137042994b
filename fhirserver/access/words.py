"""What the rules are called in French, and the article each carries out (`words.csv`).

English stands with the rules, and here for those that `explain` states the other way round.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from fhirserver.access.rules import WORDS
from fhirserver.tables import rows as rows_of


class Wording(NamedTuple):
    """A rule in words, and its source in law; no source where it is a choice of this server."""

    english: str
    french: str
    source: str | None

    def said(self, language: str) -> str:
        return self.french if language == "fr" else self.english


def of(key: str) -> Wording:
    """The wording of a rule; one that has no French yet is told in English."""
    row = _rows().get(key, {})
    english = row.get("english") or WORDS.get(key, key)
    return Wording(english, row.get("french") or english, row.get("source") or None)


@cache
def _rows() -> dict[str, dict[str, str]]:
    return {row["key"]: row for row in rows_of("fhirserver.access", "words.csv")}
