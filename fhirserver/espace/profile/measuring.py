"""A measure as an Observation of its French profile (Mesures de santé): made of typed values, judged, read back."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from fhirserver.espace import ages
from fhirserver.espace.profile.tables import Measure, by_code, measures, parts
from fhirserver.espace.profile.typed import Read, number
from fhirserver.spec.systems import LOINC, OBSERVATION_CATEGORY, UCUM

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

Resource = dict[str, Any]

COMPUTED: Final = frozenset({"imc"})
"""What is not entered by hand."""
_OF_BMI: Final = frozenset({"poids", "taille"})
_ADULT: Final = ages.age("18y")
_OF_DAYS: Final = frozenset({"pas"})
"""What is counted over a day: the time of the day says nothing."""


def entered() -> tuple[Measure, ...]:
    """The measures that a person types."""
    return tuple(each for each in measures().values() if not each.parent and each.name not in COMPUTED)


def has_time(measure: Measure) -> bool:
    return measure.name not in _OF_DAYS


def values(measure: Measure, typed: Mapping[str, str]) -> dict[str, Read]:
    """What was typed for a measure or each of its components, by name, each within its limits."""
    asked = parts(measure.name) or (measure,)
    return {each.name: number(typed.get(each.name, ""), each.low, each.high, each.decimals) for each in asked}


def observation(measure: Measure, found: Mapping[str, str], at: str, patient: str, performer: Resource) -> Resource:
    """The Observation of values by name, at a FHIR dateTime, of a patient (`Patient/x`)."""
    made: Resource = {
        "resourceType": "Observation",
        "meta": {"profile": [measure.profile]},
        "status": "final",
        "category": [{"coding": [{"system": OBSERVATION_CATEGORY, "code": "vital-signs", "display": "vital-signs"}]}],
        "code": _code(measure),
        "subject": {"reference": patient},
        "effectiveDateTime": at,
        "performer": [performer],
    }
    if inner := parts(measure.name):
        component = [{"code": _code(each), "valueQuantity": _quantity(each, found[each.name])} for each in inner]
        return made | {"component": component}
    return made | {"valueQuantity": _quantity(measure, found[measure.name])}


def measure_of(resource: Mapping[str, Any]) -> Measure | None:
    """Which measure an Observation is of."""
    return next((by_code()[code] for code in _codes(resource.get("code")) if code in by_code()), None)


def typed(resource: Mapping[str, Any]) -> dict[str, str]:
    """The values of an Observation as they would be typed, by name; empty where they are in another unit."""
    measure = measure_of(resource)
    if measure is None:
        return {}
    inner = {code: each for each in parts(measure.name) for code in each.codes}
    told: Iterable[tuple[Measure | None, Any]] = [(measure, resource.get("valueQuantity"))]
    if inner:
        told = [
            (inner.get(code), each.get("valueQuantity"))
            for each in resource.get("component") or ()
            for code in _codes(each.get("code"))
        ]
    return {
        each.name: str(quantity["value"]).replace(".", ",")
        for each, quantity in told
        if each is not None and isinstance(quantity, dict) and "value" in quantity and quantity.get("code") == each.ucum
    }


def implausible(resource: Mapping[str, Any]) -> list[str]:
    """Names of the measures whose value is nobody's. Raises nothing: what has no number in the unit is not judged."""
    found = []
    for name, text in typed(resource).items():
        measure = measures()[name]
        try:
            value = Decimal(text.replace(",", "."))
        except InvalidOperation:
            continue
        if not measure.low <= value <= measure.high:
            found.append(name)
    return found


def adult_bmi(observations: Iterable[Mapping[str, Any]], birth: str | None, today: date, zone: str) -> Decimal | None:
    """The body mass index of the latest weight and height of somebody who is surely of age, both taken since then.

    `birth`: FHIR date, whose last possible day counts; `zone`: where the person lives. None for a child, whose index is
    read on a curve by age; without both values in their units and within the limits; of days not surely known.
    """
    born = ages.days(birth, zone)
    if born is None:
        return None
    adult = _ADULT.on(born.last)
    found: dict[str, Decimal] = {}
    for each in observations:
        taken = ages.days(each.get("effectiveDateTime"), zone)
        if taken is not None and adult <= taken.first and taken.last <= today and not implausible(each):
            found |= {name: Decimal(text.replace(",", ".")) for name, text in typed(each).items() if name in _OF_BMI}
    return bmi(found["poids"], found["taille"]) if found.keys() == _OF_BMI else None


def bmi(weight: Decimal, height: Decimal) -> Decimal:
    """Body mass index of kilograms and centimetres, to one place."""
    return (weight / (height / 100) ** 2).quantize(Decimal("0.1"))


def _code(measure: Measure) -> Resource:
    return {"coding": [{"system": LOINC, "code": code} for code in measure.codes], "text": measure.names.fr}


def _quantity(measure: Measure, value: str) -> Resource:
    return {"value": Decimal(value), "unit": measure.unit, "system": UCUM, "code": measure.ucum}


def _codes(concept: Any) -> list[str]:
    codings = concept.get("coding") if isinstance(concept, dict) else None
    return [str(each.get("code")) for each in codings or () if isinstance(each, dict) and each.get("system") == LOINC]
