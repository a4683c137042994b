"""A file of insured persons: who stands in its rows, and what is wrong with a row.

Columns: `matricule` (13 characters and the key of two digits), `family`, `given`, `birthdate` (AAAA-MM-JJ), `sex`
(`male` or `female`); where wanted `system` (urn:oid of the number; default: the INS-NIR), `birthplace` (INSEE code),
`postalcode`, `email`, `informed` (the day on which the information was sent; default: now). UTF-8, with or without a
byte order mark; between the values commas, semicolons or tabs, as in the first line.
"""

from __future__ import annotations

import csv
import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.validation import ins

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEEDED: Final = ("matricule", "family", "given", "birthdate", "sex")
LONGEST: Final = {"family": 200, "given": 200, "email": 200, "postalcode": 20}
"""Characters that a value has at most."""
OLDEST: Final = 1850
"""The year of birth before which nobody is alive."""
_SEPARATORS: Final = ",;\t"
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSEE: Final = re.compile(r"[0-9][0-9AB][0-9]{3}")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_NOT_UTF_8: Final = re.compile("[\udc80-\udcff]")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_BIRTH_PLACE: Final = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
_COMMUNE: Final = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code"
Resource = dict[str, Any]


class Row(NamedTuple):
    """A row as it stands in the file; `fault`: why it cannot be read."""

    line: int
    values: dict[str, str]
    fault: str = ""


class Person(NamedTuple):
    """Who stands in a line: the number (system, value), the Patient that it makes, when the information was sent."""

    line: int
    number: tuple[str, str]
    patient: Resource
    informed: datetime


def rows(file: Path) -> Iterator[Row]:
    """The rows of a file, in order. Raises ValueError where columns are missing, OSError."""
    with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        head = text.readline()
        separator = max(_SEPARATORS, key=head.count)
        names = [each.strip().lower() for each in next(csv.reader([head], delimiter=separator), [])]
        if missing := [name for name in NEEDED if name not in names]:
            raise ValueError(f"the file lacks the columns {', '.join(missing)}")
        reader, line = csv.reader(text, delimiter=separator), 2
        while True:
            try:
                values = next(reader, None)
            except csv.Error as error:
                values, fault = [], f"cannot be read: {error}"
            else:
                fault = "holds more values than there are columns" if len(values or ()) > len(names) else ""
            if values is None:
                return
            if values or fault:
                yield Row(line, dict(zip(names, values, strict=False)), fault)
            line = reader.line_num + 2


def person(row: Row, now: datetime) -> Person:
    """What a row says. Raises ValueError that tells what to change."""
    if row.fault:
        raise ValueError(row.fault)
    told = {name: value.strip() for name, value in row.values.items()}
    _readable(told)
    number = _number(told)
    if told["sex"] not in ("male", "female"):
        raise ValueError("sex is male or female")
    born, informed = _dates(told, now)
    return Person(row.line, number, _patient(told, number, born), informed)


def _readable(told: dict[str, str]) -> None:
    for name, value in told.items():
        if _NOT_UTF_8.search(value):
            raise ValueError(f"{name} is not UTF-8: save the file in that encoding")
        if _CONTROL.search(value):
            raise ValueError(f"{name} holds a line break or another control character: is a quotation mark missing?")
        if len(value) > LONGEST.get(name, 100):
            raise ValueError(f"{name} is longer than {LONGEST.get(name, 100)} characters")
    for name in NEEDED:
        if not told.get(name):
            raise ValueError(f"{name} is missing")
    if told.get("birthplace") and not _INSEE.fullmatch(told["birthplace"]):
        raise ValueError("birthplace is an INSEE code of five characters")
    if told.get("email") and not _EMAIL.fullmatch(told["email"]):
        raise ValueError("email is not an address")


def _number(told: dict[str, str]) -> tuple[str, str]:
    system, number = told.get("system") or ins.NIR, told["matricule"].replace(" ", "").upper()
    if system not in ins.INS:
        raise ValueError(f"system {system!r} is none of {', '.join(sorted(ins.INS))}")
    if not ins.is_matricule(number):
        raise ValueError("matricule is a number of 13 characters and its key of two digits")
    if (expected := ins.key(number[:13])) != number[13:]:
        raise ValueError(f"matricule has the key {number[13:]} where its 13 characters have {expected}")
    return system, number


def _dates(told: dict[str, str], now: datetime) -> tuple[date, datetime]:
    if not _DAY.fullmatch(told["birthdate"]):
        raise ValueError("birthdate is a date such as 1980-05-01")
    try:
        born = date.fromisoformat(told["birthdate"])
        informed = now if not told.get("informed") else datetime.fromisoformat(told["informed"])
    except ValueError:
        raise ValueError("birthdate and informed are dates such as 1980-05-01") from None
    informed = informed if informed.tzinfo else informed.replace(hour=12, tzinfo=UTC)
    if informed.date() > now.date() or born > now.date():
        raise ValueError("birthdate and informed are not in the future")
    if born.year < OLDEST or informed.date() < born:
        raise ValueError(f"birthdate is not before {OLDEST}, and informed not before birthdate")
    return born, min(informed, now)


def _patient(told: dict[str, str], number: tuple[str, str], born: date) -> Resource:
    made: Resource = {
        "resourceType": "Patient",
        "active": True,
        "identifier": [{"use": "official", "system": number[0], "value": number[1]}],
        "name": [{"use": "official", "family": told["family"], "given": told["given"].split()}],
        "gender": told["sex"],
        "birthDate": born.isoformat(),
    }
    if told.get("birthplace"):
        commune = {"url": _COMMUNE, "valueCoding": {"code": told["birthplace"]}}
        made["extension"] = [{"url": _BIRTH_PLACE, "valueAddress": {"extension": [commune]}}]
    if told.get("postalcode"):
        made["address"] = [{"use": "home", "postalCode": told["postalcode"], "country": "FR"}]
    if told.get("email"):
        made["telecom"] = [{"system": "email", "value": told["email"]}]
    return made
