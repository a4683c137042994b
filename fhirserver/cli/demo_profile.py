"""What the demo family says of its own health: entries by Claire, three months of her devices, her group."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from fhirserver.access import entered
from fhirserver.espace.profile import bloodgroup, entries, measuring, tables
from fhirserver.espace.profile.entries import Whose
from fhirserver.spec.systems import LOINC, OBSERVATION_CATEGORY

if TYPE_CHECKING:
    from collections.abc import Iterator

_TODAY: Final = date(2025, 11, 16)
_DEVICES: Final = {"poids": ("BAL-2025-001", "Balance connectée"), "tension": ("TEN-2025-002", "Tensiomètre connecté")}
_SERIALS: Final = "urn:fhirserver:demo:device"
_SAID: Final = (
    ("allergies", {"substance": "acariens", "reaction": "Rhinite", "depuis": "2002"}),
    ("problemes", {"texte": "Migraine", "depuis": "2010"}),
    ("operations", {"texte": "Appendicectomie", "date": "1996-07"}),
    ("famille", {"lien": "mere", "texte": "Hypertension artérielle", "age": "52"}),
    ("habitudes", {"tabac": "ancien", "activite": "3", "alimentation": "Peu de viande"}),
    ("dispositifs", {"sorte": "lentilles", "depuis": "1998"}),
)


def of(name: str, subject: dict[str, str]) -> Iterator[dict[str, Any]]:
    """What is entered by somebody of the family, marked as the server would."""
    if name != "claire":
        return
    for each in (*_entries(subject), *_measures(subject)):
        yield entered.marked(each, ["PATAST"])
    for day in ("2009-05-14", "2015-06-20"):
        yield _group(day, subject)


def _entries(subject: dict[str, str]) -> Iterator[dict[str, Any]]:
    whose = Whose(subject["reference"], dict(subject), _TODAY)
    for section, values in _SAID:
        yield from entries.built(tables.sections()[section], values, whose).resources


def _measures(subject: dict[str, str]) -> Iterator[dict[str, Any]]:
    """A weight a week and a pressure every third day; a height."""
    at = datetime(2025, 8, 18, 7, 30, tzinfo=ZoneInfo("Europe/Paris"))
    yield _measured("taille", {"taille": "168"}, at, subject)
    for week in range(13):
        weight = f"{64.2 - week * 0.17:.1f}"
        yield _measured("poids", {"poids": weight}, at + timedelta(weeks=week), subject)
    for turn in range(30):
        high, low = 132 - turn // 3 + turn * 7 % 5, 84 - turn // 5 + turn * 5 % 4
        values = {"systolique": str(high), "diastolique": str(low)}
        yield _measured("tension", values, at + timedelta(days=3 * turn, minutes=10), subject)


def _group(day: str, subject: dict[str, str]) -> dict[str, Any]:
    """A determination of the blood group by a laboratory."""
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": OBSERVATION_CATEGORY, "code": "laboratory"}]}],
        "code": {"coding": [{"system": LOINC, "code": bloodgroup.BOTH}], "text": "Groupe sanguin ABO et RhD"},
        "subject": subject,
        "effectiveDateTime": day,
        "performer": [{"display": "Laboratoire de démonstration"}],
        "valueCodeableConcept": {"text": "A Rh positif"},
    }


def _measured(name: str, values: dict[str, str], at: datetime, subject: dict[str, str]) -> dict[str, Any]:
    moment = at.isoformat(timespec="seconds")
    made = measuring.observation(tables.measures()[name], values, moment, subject["reference"], dict(subject))
    if name not in _DEVICES:
        return made
    serial, told = _DEVICES[name]
    return made | {"device": {"identifier": {"system": _SERIALS, "value": serial}, "display": told}}
