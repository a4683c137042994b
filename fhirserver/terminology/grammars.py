"""Code systems that are a grammar or a register kept elsewhere: the form of a code is judged, none is listed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver.spec.systems import UCUM
from fhirserver.terminology import ucum

if TYPE_CHECKING:
    from collections.abc import Callable


class Grammar(NamedTuple):
    """`sure`: what has the form is a code. Otherwise a register decides, which is not here."""

    url: str
    name: str
    form: Callable[[str], object]
    sure: bool


_LANGUAGE: Final = re.compile(
    r"(?:(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4}|[a-z]{5,8})(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*(?:-[a-wyz0-9](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?"
    r"|x(?:-[a-z0-9]{1,8})+"
    r"|i-(?:ami|bnn|default|enochian|hak|klingon|lux|mingo|navajo|pwn|tao|tay|tsu)|en-gb-oed|sgn-(?:be-fr|be-nl|ch-de))",
    re.IGNORECASE,
)
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+\-]{0,126}"
_PARAMETER: Final = r'\s*;\s*[A-Za-z0-9!#$&^_.+\-]+=(?:[A-Za-z0-9!#$%&\'*^_`|~.+:/\-]+|"(?:[^"\\]|\\.)*")'
_MIME: Final = re.compile(rf"{_NAME}/{_NAME}(?:{_PARAMETER})*")
_COUNTRY: Final = re.compile(r"[A-Z]{2}|[A-Z]{3}|[0-9]{3}")
_SUBDIVISION: Final = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


GRAMMARS: Final = {
    grammar.url: grammar
    for grammar in (
        Grammar(UCUM, "UCUM", ucum.is_unit, sure=True),
        Grammar("urn:ietf:bcp:47", "BCP 47 (language tags)", _LANGUAGE.fullmatch, sure=True),
        Grammar("urn:ietf:bcp:13", "BCP 13 (media types)", _MIME.fullmatch, sure=True),
        Grammar("urn:iso:std:iso:3166", "ISO 3166-1 (countries)", _COUNTRY.fullmatch, sure=False),
        Grammar("urn:iso:std:iso:3166:-2", "ISO 3166-2 (subdivisions)", _SUBDIVISION.fullmatch, sure=False),
        Grammar("urn:iso:std:iso:4217", "ISO 4217 (currencies)", _CURRENCY.fullmatch, sure=False),
    )
}
