"""Displays by language, and texts compared without accents and case."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PUNCTUATION: Final = re.compile(r"[^\w]+")


def shown(display: str | None, designations: Iterable[Mapping[str, Any]], language: str | None) -> str | None:
    """The display in a language where there is a designation in it (`fr` is met by `fr-FR`), else the display."""
    if language:
        for wanted in (each.partition(";")[0].strip().lower() for each in language.split(",")):
            for item in designations:
                tag = str(item.get("language", "")).lower()
                if tag == wanted or tag.startswith(wanted + "-"):
                    return str(item["value"])
    return display


def folded(text: str) -> str:
    """`Médecin  Généraliste` -> `medecin generaliste`."""
    bare = unicodedata.normalize("NFKD", text)
    return " ".join("".join(each for each in bare if not unicodedata.combining(each)).casefold().split())


class Search:
    """A text filter: each of its words begins a word of a concept's display or designations, or its code."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = folded(text).split()

    def finds(self, code: str, texts: Iterable[str]) -> bool:
        text = folded(" ".join((code, *texts)).replace("-", " - "))
        held = f" {text} {_PUNCTUATION.sub(' ', text)}"
        return all(" " + word in held or folded(code).startswith(word) for word in self.words)


def same(one: str, other: str) -> bool:
    """Whether two displays differ by case and space only."""
    return " ".join(one.casefold().split()) == " ".join(other.casefold().split())
