"""How text is compared: without case, accents and punctuation (https://hl7.org/fhir/R4/search.html#string)."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

LONGEST: Final = 2000
"""Characters of a text that can be searched; what follows is not."""

LONGEST_SOUGHT: Final = 800
"""Characters of a text that is looked for: databases limit their patterns, the embedded one to 1,000."""

_LIGATURES: Final = str.maketrans({"œ": "oe", "æ": "ae"})
"""Which Unicode does not take apart, and French writes either way."""
_OTHER: Final = re.compile(r"[\W_]+")
_PHONE: Final = re.compile(r"\+?[\d\s().\-/]*\d[\d\s().\-/]*")
_NOT_DIAL: Final = re.compile(r"[^\d+]")


@lru_cache(maxsize=4096)
def normal(text: str) -> str:
    """The first `LONGEST` characters of a text, as `folded`."""
    return folded(text[:LONGEST])


def folded(text: str) -> str:
    """`« Éloïse-Marie » Lebœuf` -> `eloise marie leboeuf`: casefolded, without combining marks; punctuation becomes one
    space.

    What consists of punctuation alone becomes the empty string. Idempotent.
    """
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
        text = "".join(char for char in decomposed if not unicodedata.combining(char)).translate(_LIGATURES)
        return _OTHER.sub(" ", text).strip()
    return _OTHER.sub(" ", text.casefold()).strip()


def contact(value: str) -> str:
    """A telephone number without its spaces, dots, dashes and brackets; any other contact (e-mail, URL) casefolded."""
    return _NOT_DIAL.sub("", value) if _PHONE.fullmatch(value) else value.casefold()


def caseless(text: str) -> bool:
    """Whether the text has no upper and lower case (`718-7`)."""
    return text.casefold() == text and text.upper() == text
