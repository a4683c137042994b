"""What the demo family had done of what prevention proposes: vaccinations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_ATC: Final = "http://www.whocc.no/atc"
_HEXAVALENT: Final = ("J07CA09", "Vaccin hexavalent (DTPCa-Hib-HepB)")
_TETRAVALENT: Final = ("J07CA02", "Vaccin tétravalent (DTPCa)")
_DONE: Final = {
    "lea": (
        ("2015-08-24", *_HEXAVALENT),
        ("2015-10-26", *_HEXAVALENT),
        ("2016-05-23", *_HEXAVALENT),
        ("2016-06-27", "J07BD52", "Vaccin rougeole-oreillons-rubéole"),
        ("2016-11-14", "J07BD52", "Vaccin rougeole-oreillons-rubéole"),
        ("2021-07-05", *_TETRAVALENT),
    ),
    "jeanne": (("2025-10-13", "J07BB02", "Vaccin antigrippal"),),
    "marc": (("2007-01-15", "J07CA02", "Vaccin tétravalent (dTcaP)"), ("2025-10-20", "J07BB02", "Vaccin antigrippal")),
}


def of(name: str, subject: dict[str, str]) -> Iterator[dict[str, Any]]:
    """The vaccinations of somebody of the family."""
    for day, code, said in _DONE.get(name, ()):
        yield {
            "resourceType": "Immunization",
            "status": "completed",
            "vaccineCode": {"text": said, "coding": [{"system": _ATC, "code": code}]},
            "patient": subject,
            "occurrenceDateTime": day,
        }
