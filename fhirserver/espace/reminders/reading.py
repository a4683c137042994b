"""What a record says that reminders depend on, through a view: who it is, what was done, what the person answered.

Nothing else of the record is looked at: what the view hides is as if it had never been done.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.access.acl import HIDDEN_FROM_REPRESENTATIVES
from fhirserver.access.entered import ANSWER, REMINDER
from fhirserver.access.zones import zone
from fhirserver.espace.ages import Age, days, today
from fhirserver.espace.reminders.engine import ANSWERS, Act, Answer, Person
from fhirserver.espace.reminders.tables import KINDS, codes, of_kind, rules
from fhirserver.predicate import In, negate
from fhirserver.search import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date, datetime

    from fhirserver.search import Query
    from fhirserver.spec import Definitions
    from fhirserver.store import Stored, View

Resource = dict[str, Any]

SYSTEM: Final = REMINDER
"""Of the identifier of a Basic: the rule that the person answered."""
ALL: Final = "all"
"""In the place of a rule: the person wants no notices."""
SILENT: Final = "silent"
BASIC: Final = "Basic"
MOST: Final = 500
AHEAD: Final = Age(2, "years")
"""So far ahead it is told what comes."""
_VACCINE: Final = "Immunization"
_DOCUMENT: Final = "DocumentReference"
_FINAL: Final = "final,amended,corrected"
_CODED: Final = {
    "Procedure": (("status", "completed"),),
    "Observation": (("status", _FINAL),),
    "DiagnosticReport": (("status", _FINAL),),
}
TYPES: Final = ("Patient", _VACCINE, _DOCUMENT, *_CODED, BASIC)
"""The types that are read."""
_DATES: Final = ("occurrenceDateTime", "performedDateTime", "effectiveDateTime", "date", "created")
_PERIODS: Final = ("performedPeriod", "effectivePeriod")
_DISEASES: Final = "targetDisease"
_OPEN: Final = tuple(negate(In(name, (HIDDEN_FROM_REPRESENTATIVES,))) for name in ("acl.labels", "doc.acl.labels"))


class Known(NamedTuple):
    """`answers`: those about rules; `basics`: by rule, the resource of the latest answer; `silent`: no notices."""

    person: Person
    acts: tuple[Act, ...]
    answers: tuple[Answer, ...]
    basics: Mapping[str, Stored]
    read: tuple[Stored, ...]

    @property
    def silent(self) -> bool:
        return ALL in self.basics


def known(view: View, definitions: Definitions, patient: Stored, now: datetime, *, for_all: bool = False) -> Known:
    """What reminders of a Patient depend on at a moment, as the view shows it.

    `for_all`: but for what a minor keeps from the representatives, since they are told too.
    """
    person = of_patient(jsontext.parse_object(patient.body))
    queries = list(_queries(definitions, patient.id, _kinds(person, today(now, person.zone))))
    if for_all:
        queries = [replace(each, where=(*each.where, *_OPEN)) for each in queries]
    found = view.search_together(queries).matches
    acts, answers, basics = list[Act](), list[Answer](), dict[str, "Stored"]()
    for stored in found:
        resource = jsontext.parse_object(stored.body)
        if stored.type != BASIC:
            acts += [act] if (act := act_of(resource, person.zone)) else []
        elif (said := answer_of(resource, person.zone)) is not None:
            answers += [said] if said.key != ALL else []
            basics[said.key] = stored
    return Known(person, tuple(acts), tuple(answers), basics, tuple(found))


def of_patient(patient: Mapping[str, Any]) -> Person:
    """Of somebody who died nothing is known, so that nothing is proposed."""
    dead = patient.get("deceasedBoolean") is True or "deceasedDateTime" in patient
    born = "" if dead else str(patient.get("birthDate") or "")
    return Person(born, str(patient.get("gender") or ""), zone(patient))


def act_of(resource: Mapping[str, Any], zone_: str) -> Act | None:
    """What a resource says was done; None where it says nothing of what rules know, or not when."""
    concepts = [resource.get(each) for each in ("vaccineCode", "code", "type")]
    concepts += [each for one in resource.get("protocolApplied", ()) for each in one.get(_DISEASES, ())]
    kinds = frozenset(kind for each in concepts for kind in kinds_of(each))
    text = next((resource[each] for each in _DATES if resource.get(each)), None)
    text = text or next((resource[each].get("start") for each in _PERIODS if resource.get(each)), None)
    when = days(text, zone_)
    return Act(kinds, when) if kinds and when else None


def answer_of(resource: Mapping[str, Any], zone_: str) -> Answer | None:
    """What a Basic says of a rule, or (`ALL`) that no notices are wanted."""
    key = next((each.get("value") for each in resource.get("identifier", ()) if each.get("system") == SYSTEM), None)
    codings = resource.get("code", {}).get("coding", ())
    code = next((each.get("code") for each in codings if each.get("system") == ANSWER), None)
    when = days(resource.get("created"), zone_)
    if key is None or when is None or code not in (ANSWERS if key != ALL else (SILENT,)):
        return None
    return Answer(str(key), str(code), when.last)


def kinds_of(concept: Any) -> Iterator[str]:
    """What the codings of a CodeableConcept count as."""
    for coding in (concept or {}).get("coding", ()):
        system, code = coding.get("system"), str(coding.get("code") or "")
        for kind, uri, known_, prefix in codes():
            if uri == system and (code.startswith(known_) if prefix else code == known_):
                yield kind


def _kinds(person: Person, day: date) -> frozenset[str]:
    """The acts that count for what may be proposed at the person's age, or within `AHEAD`."""
    birth, until = days(person.born, person.zone), AHEAD.on(day)
    if birth is None:
        return frozenset()
    return frozenset(
        act
        for rule in rules()
        if rule.sex in ("", person.sex)
        and rule.opens.on(birth.first) <= until
        and (rule.ends is None or rule.ends.on(birth.last) > day)
        for act in rule.acts
    )


def _queries(definitions: Definitions, patient: str, kinds: frozenset[str]) -> Iterator[Query]:
    """All alike in sort and count, as the view asks of searches that go together."""
    shared = [("patient", f"Patient/{patient}"), ("_count", str(MOST)), ("_sort", "-_lastUpdated"), ("_total", "none")]
    coded = {
        name: ",".join(f"{uri}|{code}" for act, uri, code, _ in codes() if act in of_kind(name) & kinds)
        for name in KINDS
    }
    if of_kind("vaccination") & kinds:
        yield parse(definitions, _VACCINE, [*shared, ("status", "completed")])
    if coded["examination"]:
        yield parse(definitions, _DOCUMENT, [*shared, ("status", "current"), ("type", coded["examination"])])
    for type_, more in _CODED.items() if coded["screening"] else ():
        yield parse(definitions, type_, [*shared, *more, ("code", coded["screening"])])
    yield parse(definitions, BASIC, [*shared, ("identifier", f"{SYSTEM}|")])
