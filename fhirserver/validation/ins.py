"""The national health identity (INS) beyond the profiles: its key, the person's traits, what production takes.

A matricule has 13 characters and a key of two digits: sex, year and month of birth, department and commune of birth,
order. Published examples of FR Core have wrong keys, and a traits register is not here: so the key is judged only when
asked for, and what disagrees with the traits is a warning.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fhirserver.validation.context import At, Context

    Check = Callable[[dict[str, Any], At, Context], None]

_OID: Final = "urn:oid:1.2.250.1.213.1.4."
NIR: Final = _OID + "8"
NIA: Final = _OID + "9"
TEST: Final = frozenset((_OID + "10", _OID + "11"))
"""Numbers for tests and for demonstrations."""
INS: Final = TEST | {NIR, NIA}

_CORE: Final = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-"
_RELIABILITY: Final = _CORE + "identity-reliability"
_COMMUNE: Final = _CORE + "address-insee-code"
_LUNAR: Final = _CORE + "lunar-date"
_BIRTH_PLACE: Final = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"

_matricule: Final = re.compile(
    r"(?P<sex>[1-478])(?P<year>\d\d)(?P<month>\d\d)(?P<place>(?:\d\d|2[AB])\d{3})\d{3}(?P<key>\d\d)"
).fullmatch
_GENDERS: Final = {"1": "male", "3": "male", "7": "male", "2": "female", "4": "female", "8": "female"}
_UNKNOWN_COMMUNES: Final = ("990", "999")


class Rules(NamedTuple):
    """Which rules apply: `key` refuses wrong keys, `consistency` warns of traits that disagree with the number,
    `production` refuses test and demonstration numbers, and any INS on an identity that is not validated (VALI)."""

    key: bool = False
    consistency: bool = True
    production: bool = False

    def checks(self, type: str) -> Sequence[Check]:
        """What these rules ask of the objects of a type."""
        if type == "Patient":
            wanted = ((self.key, _keys), (self.consistency, _consistent), (self.production, _validated))
            return [check for switch, check in wanted if switch]
        return [_genuine] if type == "Identifier" and self.production else []


def is_matricule(number: str) -> bool:
    """Whether it has the form of a matricule with its key, which may be wrong."""
    return _matricule(number) is not None


def key(number: str) -> str:
    """The two digits that complete 13 characters; Corsica's 2A and 2B count as 19 and 18."""
    digits = number.replace("2A", "19").replace("2B", "18")
    return f"{97 - int(digits) % 97:02}"


def _keys(patient: dict[str, Any], at: At, ctx: Context) -> None:
    for index, identifier in _numbers(patient):
        value = identifier.get("value")
        here = (at, "identifier", index, "Identifier")
        if isinstance(value, str) and (found := _matricule(value)) is not None:
            expected = key(value[:13])
            if found["key"] != expected:
                ctx.report("ins-key", here, "value", value=value, expected=expected)
        else:
            ctx.report("ins-form", here, "value", severity="error", value=value)


def _consistent(patient: dict[str, Any], at: At, ctx: Context) -> None:
    for index, identifier in _numbers(patient):
        if identifier["system"] == NIA or identifier.get("use") == "old":
            continue
        value = identifier.get("value")
        found = _matricule(value) if isinstance(value, str) else None
        if found is None:
            ctx.report("ins-form", (at, "identifier", index, "Identifier"), "value", value=value)
            continue
        gender = patient.get("gender")
        if gender in ("male", "female") and gender != _GENDERS[found["sex"]]:
            ctx.report("ins-sex", at, "gender", found=gender, digit=found["sex"])
        _compare_birth(patient, found["year"], found["month"], at, ctx)
        _compare_place(patient, found["place"], at, ctx)


def _compare_birth(patient: dict[str, Any], year: str, month: str, at: At, ctx: Context) -> None:
    """Months beyond 12 stand for dates that the civil register does not know; lunar dates have months of their own."""
    birth = patient.get("birthDate")
    if not isinstance(birth, str) or len(birth) < 4:
        return
    other = birth[2:4] != year
    if not other and "01" <= month <= "12" and len(birth) >= 7 and not _extensions(patient.get("_birthDate"), _LUNAR):
        other = birth[5:7] != month
    if other:
        ctx.report("ins-birth", at, "birthDate", found=birth, year=year, month=month)


def _compare_place(patient: dict[str, Any], place: str, at: At, ctx: Context) -> None:
    """Corsica was department 20 until 1976; what neither number nor address knows is not compared."""
    for index, extension in _extensions(patient, _BIRTH_PLACE):
        for _, commune in _extensions(extension.get("valueAddress"), _COMMUNE):
            coding = commune.get("valueCoding")
            code = coding.get("code") if isinstance(coding, dict) else None
            if not isinstance(code, str) or code == "99999" or place[2:] in _UNKNOWN_COMMUNES or code == place:
                continue
            if place[:2] == "20" and code[:2] in ("2A", "2B") and code[2:] == place[2:]:
                continue
            ctx.report("ins-place", at, "extension", index, found=code, place=place)


def _validated(patient: dict[str, Any], at: At, ctx: Context) -> None:
    numbers = list(_numbers(patient))
    if not numbers or _status(patient) == "VALI":
        return
    for index, _ in numbers:
        ctx.report("ins-status", at, "identifier", index)


def _genuine(identifier: dict[str, Any], at: At, ctx: Context) -> None:
    system = identifier.get("system")
    if isinstance(system, str) and system in TEST:
        ctx.report("ins-test", at, "system", system=system)


def _status(patient: dict[str, Any]) -> object:
    for _, reliability in _extensions(patient, _RELIABILITY):
        for _, status in _extensions(reliability, "identityStatus"):
            coding = status.get("valueCoding")
            return coding.get("code") if isinstance(coding, dict) else None
    return None


def _numbers(patient: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The identifiers of an INS system, with their index."""
    listed = patient.get("identifier")
    for index, identifier in enumerate(listed if isinstance(listed, list) else ()):
        system = identifier.get("system") if isinstance(identifier, dict) else None
        if isinstance(system, str) and system in INS:
            yield index, identifier


def _extensions(holder: object, url: str) -> list[tuple[int, dict[str, Any]]]:
    listed = holder.get("extension") if isinstance(holder, dict) else None
    items = listed if isinstance(listed, list) else ()
    return [(index, item) for index, item in enumerate(items) if isinstance(item, dict) and item.get("url") == url]
