"""Resources as a page to read: what each says in words, when, and how much; newest first.

It goes by the kinds of values of FHIR (https://hl7.org/fhir/R4/datatypes.html), not by resource types, so that nothing
which a record may hold is left out. Codes without words, references and identifiers stay in the NDJSON.
"""

from __future__ import annotations

from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from fhirserver.clock import moment
from fhirserver.tables import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_NAMES: Final = (
    "code", "vaccineCode", "medicationCodeableConcept", "topic", "title", "description", "name", "relationship",
    "device", "serviceType", "type",
)  # fmt: skip
"""Where a resource says what it is, the first of them that is there."""
_DATES: Final = (
    "effectiveDateTime", "effectivePeriod", "occurrenceDateTime", "performedDateTime", "performedPeriod", "sent",
    "start", "started", "authoredOn", "onsetDateTime", "onsetPeriod", "timingPeriod", "created", "dateTime", "recorded",
    "date", "period", "recordedDate", "recordedOn", "dateAsserted", "issued", "birthDate",
)  # fmt: skip
_TEXTS: Final = frozenset({
    "text", "display", "title", "description", "comment", "contentString", "valueString", "patientInstruction",
    "line", "city", "postalCode", "family", "given", "lotNumber", "conclusion", "instruction",
})  # fmt: skip
_SILENT: Final = frozenset({"meta", "subject", "patient", "identifier", "category", "instance", "content"})
_BEFORE: Final = {"sender": "de", "recipient": "à", "low": "de", "high": "à"}
"""What is said before a part. Sender and recipient may be the person, who is not named elsewhere."""
_ORDINARY: Final = frozenset(
    {"active", "final", "completed", "current", "booked", "available", "finished", "in-progress"}
)
_STATES: Final = {
    "cancelled": "annulé", "entered-in-error": "saisi par erreur", "stopped": "arrêté", "inactive": "inactif",
    "proposed": "proposé", "pending": "en attente", "waitlist": "en liste d’attente", "noshow": "non venu",
    "on-hold": "suspendu", "superseded": "remplacé", "amended": "modifié", "corrected": "corrigé",
    "fulfilled": "honoré", "not-done": "non fait", "preliminary": "provisoire",
}  # fmt: skip
_NAMELESS: Final = "Sans intitulé"
_PAGE: Final = """<!DOCTYPE html>
<html lang="fr"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title></head><body>
<p><a href="../LISEZMOI.html">Copie de votre dossier</a></p>
<h1>{title}</h1>
<ul>{rows}</ul>
</body></html>
"""


def title(resource_type: str) -> str:
    """What resources of a type are called in French; the type's name where it has no words."""
    words = _titles().get(resource_type, resource_type)
    return words[0].upper() + words[1:]


def page(resource_type: str, resources: Iterable[Mapping[str, Any]], zone: str) -> bytes:
    """The page, in UTF-8. `zone`: where the person lives."""
    told = sorted(((_local(_date(each), zone), _row(each, zone)) for each in resources), reverse=True)
    return _PAGE.format(title=escape(title(resource_type)), rows="".join(row for _, row in told)).encode()


def when(value: str, zone: str) -> str:
    """A FHIR date, dateTime or instant as it is read in France: `29/02/2024`, `29/02/2024 à 10:15`."""
    day, _, time = _local(value, zone).partition("T")
    return "/".join(reversed(day.split("-"))) + (f" à {time}" if time else "")


def _local(value: str, zone: str) -> str:
    """By which dates stand in order: `2024`, `2024-02-29`, `2024-02-29T10:15` where the person lives."""
    at = moment(value)
    return at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M") if at is not None else value.partition("T")[0]


def _row(resource: Mapping[str, Any], zone: str) -> str:
    rest = [each for key, value in resource.items() if key not in _SILENT for each in _value(key, value)]
    named = (", ".join(_words(resource.get(each), each)) for each in _NAMES)
    name = next(filter(None, (*named, *rest)), _NAMELESS)
    state = str(resource.get("status", ""))
    said = [*dict.fromkeys(each for each in rest if each != name)]
    said += [_STATES.get(state, state)] if state and state not in _ORDINARY else []
    parts = (f"<strong>{escape(name)}</strong>", escape(when(_date(resource), zone)), escape(" – ".join(said)))
    return f"<li>{'<br>'.join(filter(None, parts))}</li>"


def _date(resource: Mapping[str, Any]) -> str:
    found = next((resource[each] for each in _DATES if resource.get(each)), "")
    return str(found.get("start") or found.get("end") or "") if isinstance(found, dict) else str(found)


def _words(value: Any, key: str) -> Iterator[str]:
    """The words of a value that names something."""
    if value:
        yield from (value,) if isinstance(value, str) else _value(key, value)


def _value(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _value(key, each)
    elif isinstance(value, dict) and key in _BEFORE:
        yield from (f"{_BEFORE[key]} {each}" for each in _structure(value))
    elif isinstance(value, dict) and not str(value.get("reference", "")).startswith("Patient/"):
        yield from _structure(value)
    elif not isinstance(value, dict) and (key in _TEXTS or key == "valueInteger"):
        yield str(value)


def _structure(value: Mapping[str, Any]) -> Iterator[str]:
    """A CodeableConcept by its text, else by the words of a coding; a Quantity with its unit; all else by its parts."""
    if "coding" in value:
        said = (value.get("text"), *(each.get("display") for each in value["coding"]))
        yield from [str(each) for each in said if each][:1]
    elif "value" in value and not isinstance(value["value"], str | dict | list):
        number = str(value["value"]).replace(".", ",")
        yield f"{value.get('comparator', '')}{number} {value.get('unit') or value.get('code') or ''}".strip()
    elif "div" not in value:
        for key, each in value.items():
            if key not in _SILENT:
                yield from _value(key, each)


@cache
def _titles() -> dict[str, str]:
    return {row["type"]: row["words"] for row in rows("fhirserver.espace", "types.csv")}
