"""An entry of a section: values of its form to resources, and back, so that it can be changed.

Codes stand beside words: a choice brings its code, what is typed is always allowed. What a form does not know of a
resource stays as it is when the entry is changed.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.espace.profile import tables, typed
from fhirserver.espace.profile.typed import Read
from fhirserver.spec.systems import LOINC, OBSERVATION_CATEGORY, TERMINOLOGY, UCUM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from fhirserver.espace.profile.tables import Choice, Section

Resource = dict[str, Any]
Values = dict[str, str]

_BOUNDS: Final = {"age": (0, 120), "activite": (0, 7)}
"""Of fields that hold whole numbers."""
_EITHER: Final = {"allergies": ("substance", "texte"), "vaccinations": ("vaccin", "texte"),
                  "dispositifs": ("sorte", "texte")}  # fmt: skip
"""Of a common choice and free text, one is needed."""
_DEVICE: Final = "appareil"
_KEPT: Final = frozenset({"id", "meta", "text", "recordedDate", "dateAsserted", "recordedOn", "extension", "contained"})
"""What changing an entry leaves as it is."""
_FORMS: Final[Mapping[str, frozenset[str]]] = {
    "AllergyIntolerance": frozenset({"clinicalStatus", "code", "reaction", "criticality", "onsetDateTime"}),
    "MedicationStatement": frozenset({
        "status", "medicationCodeableConcept", "dosage", "effectivePeriod", "effectiveDateTime", "reasonCode",
    }),
    "Condition": frozenset({"clinicalStatus", "code", "onsetDateTime", "abatementDateTime"}),
    "Immunization": frozenset({"vaccineCode", "occurrenceDateTime", "lotNumber"}),
    "Procedure": frozenset({"code", "performedDateTime"}),
    "FamilyMemberHistory": frozenset({"relationship", "condition", "note"}),
    "Observation": frozenset({
        "valueCodeableConcept", "valueString", "valueQuantity", "component", "effectiveDateTime",
    }),
    "DeviceUseStatement": frozenset({"status", "timingPeriod", "contained", "device"}),
}  # fmt: skip
"""What the form of an entry says, by type: empty in the form, gone from the entry."""


class Whose(NamedTuple):
    """`patient`: `Patient/x`; `person`: the Reference of who enters; `today`: his day."""

    patient: str
    person: Resource
    today: date


class Built(NamedTuple):
    """The resources of a form, none where something is wrong: keys of errors by field (`typed.Read`)."""

    resources: list[Resource]
    errors: dict[str, str]


def built(section: Section, values: Mapping[str, str], whose: Whose) -> Built:
    """What a filled form says: one resource, of habits one for each that was filled in."""
    read = {each.name: _read(each, values.get(each.name, ""), whose.today) for each in section.fields}
    errors = {name: each.error for name, each in read.items() if each.error}
    found = {name: each.text for name, each in read.items() if each.text}
    wanted = _EITHER.get(section.name, ())
    if wanted and not errors and not any(found.get(each) for each in wanted):
        errors[wanted[0]] = "either"
    if section.name == "habitudes" and not errors and not found:
        errors["tabac"] = "either"
    start, end = found.get("depuis"), found.get("jusque")
    if start and end and end[: len(start)] < start[: len(end)]:
        errors["jusque"] = "order"
    return Built([] if errors else _BUILDERS[section.name](found, whose), errors)


def shown(section: Section, resource: Mapping[str, Any]) -> Values:
    """The values of the form by which an entry is changed."""
    return {name: each for name, each in _READERS[section.name](resource).items() if each}


def changed(before: Resource, made: Resource) -> Resource:
    """An entry with what the form says now."""
    of_form = _FORMS[before["resourceType"]]
    kept = {name: each for name, each in before.items() if name not in of_form}
    said = {name: each for name, each in made.items() if name in of_form or name not in (_KEPT | kept.keys())}
    return kept | said


def section_of(resource: Mapping[str, Any]) -> Section | None:
    """The section that an entry stands in; of Observations those of habits."""
    type_ = resource.get("resourceType")
    found = next((each for each in tables.sections().values() if each.type == type_), None)
    return None if type_ == "Observation" and habit_of(resource) is None else found


def habit_of(resource: Mapping[str, Any]) -> tables.Habit | None:
    codes = {(each.get("system"), each.get("code")) for each in (resource.get("code") or {}).get("coding") or ()}
    return next((each for each in tables.habits().values() if (LOINC, each.code) in codes), None)


def _read(field: tables.Field, text: str, today: date) -> Read:
    if field.kind == "date":
        return typed.day(text, today, required=field.required)
    if field.kind == "check":
        return Read("oui" if text == "oui" else "")
    if field.kind == "number":
        if not text.strip() and not field.required:
            return Read()
        low, high = _BOUNDS[field.name]
        return typed.number(text, Decimal(low), Decimal(high), 0)
    if field.kind == "choice" and text and text not in tables.choices(field.options):
        return Read(error="choice")
    return typed.line(text, required=field.required)


def _named(options: str, name: str | None, text: str | None) -> Resource:
    """A CodeableConcept of a choice, of words, or of both."""
    chosen = tables.choices(options).get(name or "")
    if chosen is None:
        return {"text": text or ""}
    said = {"text": f"{chosen.names.fr} ({text})" if text else chosen.names.fr}
    if not chosen.code:
        return said
    return {"coding": [{"system": chosen.system, "code": chosen.code}], **said}


def _unnamed(options: str, concept: Any) -> tuple[str, str]:
    """The name of the choice, and the words beside it."""
    concept = concept if isinstance(concept, dict) else {}
    text = str(concept.get("text") or "")
    codes = {(each.get("system"), each.get("code")) for each in concept.get("coding") or ()}

    def fits(each: Choice) -> bool:
        return (each.system, each.code) in codes if each.code else text.partition(" (")[0] == each.names.fr

    chosen = next((each for each in tables.choices(options).values() if fits(each)), None)
    if chosen is None:
        told = (str(each["display"]) for each in concept.get("coding") or () if each.get("display"))
        return "", text or next(told, "")
    rest = text.removeprefix(chosen.names.fr)
    return chosen.name, rest[2:-1] if rest.startswith(" (") and rest.endswith(")") else rest.strip()


def _coded(system: str, code: str) -> Resource:
    return {"coding": [{"system": TERMINOLOGY + system, "code": code}]}


def _period(found: Mapping[str, str]) -> Resource:
    ends = {"start": found.get("depuis"), "end": found.get("jusque")}
    return {name: each for name, each in ends.items() if each}


def _some(**elements: Any) -> Resource:
    """The elements that hold something."""
    return {name: each for name, each in elements.items() if each}


def _allergy(found: Values, whose: Whose) -> list[Resource]:
    manifestation = [{"manifestation": [{"text": found["reaction"]}]}] if "reaction" in found else []
    state = "inactive" if "passee" in found else "active"
    return [{
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": _coded("allergyintolerance-clinical", state),
        "code": _named("allergens", found.get("substance"), found.get("texte")),
        "patient": {"reference": whose.patient},
        "recordedDate": whose.today.isoformat(),
        "recorder": whose.person,
        "asserter": whose.person,
        **_some(criticality="high" if "grave" in found else "", onsetDateTime=found.get("depuis"),
                reaction=manifestation),
    }]  # fmt: skip


def _allergy_shown(resource: Mapping[str, Any]) -> Values:
    name, text = _unnamed("allergens", resource.get("code"))
    reactions = [each for one in resource.get("reaction") or () for each in one.get("manifestation") or ()]
    return {
        "substance": name,
        "texte": text,
        "reaction": str(reactions[0].get("text") or "") if reactions else "",
        "grave": "oui" if resource.get("criticality") == "high" else "",
        "depuis": str(resource.get("onsetDateTime") or "")[:10],
        "passee": "" if _is(resource.get("clinicalStatus"), "active") else "oui",
    }


def _medication(found: Values, whose: Whose) -> list[Resource]:
    return [{
        "resourceType": "MedicationStatement",
        "status": "completed" if "jusque" in found else "active",
        "medicationCodeableConcept": {"text": found["texte"]},
        "subject": {"reference": whose.patient},
        "dateAsserted": whose.today.isoformat(),
        "informationSource": whose.person,
        **_some(effectivePeriod=_period(found), dosage=[{"text": found["posologie"]}] if "posologie" in found else [],
                reasonCode=[{"text": found["raison"]}] if "raison" in found else []),
    }]  # fmt: skip


def _medication_shown(resource: Mapping[str, Any]) -> Values:
    period = resource.get("effectivePeriod") or {"start": resource.get("effectiveDateTime")}
    return {
        "texte": _unnamed("", resource.get("medicationCodeableConcept"))[1],
        "posologie": _first(resource, "dosage"),
        "raison": _first(resource, "reasonCode"),
        "depuis": str(period.get("start") or "")[:10],
        "jusque": str(period.get("end") or "")[:10],
    }


def _problem(found: Values, whose: Whose) -> list[Resource]:
    return [{
        "resourceType": "Condition",
        "clinicalStatus": _coded("condition-clinical", "resolved" if "jusque" in found else "active"),
        "category": [_coded("condition-category", "problem-list-item")],
        "code": {"text": found["texte"]},
        "subject": {"reference": whose.patient},
        "recordedDate": whose.today.isoformat(),
        "recorder": whose.person,
        "asserter": whose.person,
        **_some(onsetDateTime=found.get("depuis"), abatementDateTime=found.get("jusque")),
    }]  # fmt: skip


def _problem_shown(resource: Mapping[str, Any]) -> Values:
    return {
        "texte": _unnamed("", resource.get("code"))[1],
        "depuis": str(resource.get("onsetDateTime") or "")[:10],
        "jusque": str(resource.get("abatementDateTime") or "")[:10],
    }


def _vaccination(found: Values, whose: Whose) -> list[Resource]:
    return [{
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": _named("vaccines", found.get("vaccin"), found.get("texte")),
        "patient": {"reference": whose.patient},
        "occurrenceDateTime": found["date"],
        "primarySource": False,
        "reportOrigin": _coded("immunization-origin", "recall"),
        **_some(lotNumber=found.get("lot")),
    }]  # fmt: skip


def _vaccination_shown(resource: Mapping[str, Any]) -> Values:
    name, text = _unnamed("vaccines", resource.get("vaccineCode"))
    date_, lot = (str(resource.get(each) or "") for each in ("occurrenceDateTime", "lotNumber"))
    return {"vaccin": name, "texte": text, "date": date_[:10], "lot": lot}


def _procedure(found: Values, whose: Whose) -> list[Resource]:
    return [{
        "resourceType": "Procedure",
        "status": "completed",
        "code": {"text": found["texte"]},
        "subject": {"reference": whose.patient},
        "recorder": whose.person,
        "asserter": whose.person,
        **_some(performedDateTime=found.get("date")),
    }]  # fmt: skip


def _procedure_shown(resource: Mapping[str, Any]) -> Values:
    return {
        "texte": _unnamed("", resource.get("code"))[1],
        "date": str(resource.get("performedDateTime") or "")[:10],
    }


def _family(found: Values, whose: Whose) -> list[Resource]:
    condition: Resource = {"code": {"text": found["texte"]}}
    if "age" in found:
        condition["onsetAge"] = {"value": Decimal(found["age"]), "unit": "ans", "system": UCUM, "code": "a"}
    return [{
        "resourceType": "FamilyMemberHistory",
        "status": "completed",
        "patient": {"reference": whose.patient},
        "date": whose.today.isoformat(),
        "relationship": _named("relations", found["lien"], None),
        "condition": [condition],
        **_some(note=[{"text": found["note"]}] if "note" in found else []),
    }]  # fmt: skip


def _family_shown(resource: Mapping[str, Any]) -> Values:
    condition = (resource.get("condition") or [{}])[0]
    return {
        "lien": _unnamed("relations", resource.get("relationship"))[0],
        "texte": _unnamed("", condition.get("code"))[1],
        "age": str((condition.get("onsetAge") or {}).get("value") or ""),
        "note": _first(resource, "note"),
    }


def _habits(found: Values, whose: Whose) -> list[Resource]:
    return [_habit(tables.habits()[name], text, whose) for name, text in found.items()]


def _habit(habit: tables.Habit, text: str, whose: Whose) -> Resource:
    coding = {"system": LOINC, "code": habit.code} | ({"display": habit.display} if habit.display else {})
    made: Resource = {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": OBSERVATION_CATEGORY, "code": "social-history"}]}],
        "code": {"coding": [coding], "text": habit.names.fr},
        "subject": {"reference": whose.patient},
        "effectiveDateTime": whose.today.isoformat(),
        "performer": [whose.person],
    }
    if habit.name == "tabac":
        return made | {"valueCodeableConcept": _named("smoking", text, None)}
    if habit.name == "activite":
        amount = {"value": Decimal(text), "unit": "jours par semaine", "system": UCUM, "code": "d/wk"}
        return made | {"valueQuantity": amount}
    return made | {"valueString": text}


def _habits_shown(resource: Mapping[str, Any]) -> Values:
    habit = habit_of(resource)
    if habit is None:
        return {}
    if habit.name == "tabac":
        return {"tabac": _unnamed("smoking", resource.get("valueCodeableConcept"))[0]}
    if habit.name == "activite":
        return {"activite": str((resource.get("valueQuantity") or {}).get("value", ""))}
    return {habit.name: str(resource.get("valueString") or "")}


def _device(found: Values, whose: Whose) -> list[Resource]:
    kind = _named("devices", found.get("sorte"), found.get("texte"))
    device = {"resourceType": "Device", "id": _DEVICE, "type": kind, "patient": {"reference": whose.patient}}
    return [{
        "resourceType": "DeviceUseStatement",
        "contained": [device | _some(serialNumber=found.get("serie"))],
        "status": "completed" if "jusque" in found else "active",
        "subject": {"reference": whose.patient},
        "recordedOn": whose.today.isoformat(),
        "source": whose.person,
        "device": {"reference": f"#{_DEVICE}", "display": kind["text"]},
        **_some(timingPeriod=_period(found)),
    }]  # fmt: skip


def _device_shown(resource: Mapping[str, Any]) -> Values:
    devices: list[Resource] = [each for each in resource.get("contained") or () if each.get("id") == _DEVICE]
    device = devices[0] if devices else {}
    name, text = _unnamed("devices", device.get("type") or {"text": (resource.get("device") or {}).get("display")})
    period = resource.get("timingPeriod") or {}
    serial = str(device.get("serialNumber") or "")
    ends = (str(period.get(each) or "")[:10] for each in ("start", "end"))
    return {"sorte": name, "texte": text, "serie": serial} | dict(zip(("depuis", "jusque"), ends, strict=True))


def _is(concept: Any, code: str) -> bool:
    return any(each.get("code") == code for each in (concept or {}).get("coding") or ())


def _first(resource: Mapping[str, Any], name: str) -> str:
    return next((str(each["text"]) for each in resource.get(name) or () if each.get("text")), "")


_BUILDERS: Final[Mapping[str, Callable[[Values, Whose], list[Resource]]]] = {
    "allergies": _allergy,
    "traitements": _medication,
    "problemes": _problem,
    "vaccinations": _vaccination,
    "operations": _procedure,
    "famille": _family,
    "habitudes": _habits,
    "dispositifs": _device,
}
_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Values]]] = {
    "allergies": _allergy_shown,
    "traitements": _medication_shown,
    "problemes": _problem_shown,
    "vaccinations": _vaccination_shown,
    "operations": _procedure_shown,
    "famille": _family_shown,
    "habitudes": _habits_shown,
    "dispositifs": _device_shown,
}
