"""The rules of docs/access.md as a person would apply them to one resource at a time. Shares no code with the server.

Works on the resources as they stand. Dates in what it is given are whole days, periods whole days too.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

LADDER = ["U", "L", "M", "N", "R", "V"]
UP = {"COC": "TREAT", "ETREAT": "TREAT", "BTG": "ETREAT", "CAREMGT": "HOPERAT", "CLMATTCH": "HPAYMT"}
UP["RECORDMGT"] = "HOPERAT"
CARE = {"TREAT", "COC", "CAREMGT", "ETREAT", "BTG"}
NEVER = {"HPAYMT", "CLMATTCH", "HMARKT"}
KNOWN_PURPOSES = {
    "TREAT",
    "COC",
    "ETREAT",
    "BTG",
    "CAREMGT",
    "HOPERAT",
    "HPAYMT",
    "CLMATTCH",
    "HMARKT",
    "HRESCH",
    "PATRQT",
    "RECORDMGT",
}
PARENTS = {"MTH", "FTH", "PRN", "GUARD", "TUTEUR"}
PROTECTORS = {"TUTEUR", "habilitation-familiale", "mandat-de-protection-future"}
MASKS = {"MASQUE_PS", "MASQUE_PSOCIAL", "MASQUE_PT"}
DOCUMENT_TYPES = {"DocumentReference"}
BELOW = {"SUD": {"SUD", "ETHUD", "OPIOIDUD"}, "PSY": {"PSY"}, "HIV": {"HIV"}}
DATE_OF = {
    "Observation": "effectiveDateTime",
    "DocumentReference": None,
    "Encounter": "period",
    "Condition": "onsetDateTime",
    "Communication": None,
    "Appointment": None,
}


@dataclass
class Person:
    """Who asks."""

    kind: str
    keys: set[str]
    profession: str | None = None
    organization: str | None = None
    patient: str | None = None
    purpose: str = "TREAT"
    scopes: bool = True
    staff: str | None = None


@dataclass
class Record:
    """One patient's record, as the rules need it."""

    patient: dict[str, Any]
    consents: list[dict[str, Any]] = field(default_factory=list)
    teams: list[dict[str, Any]] = field(default_factory=list)
    numbers: dict[str, set[str]] = field(default_factory=dict)
    space: list[tuple[str, datetime]] = field(default_factory=list)
    parts: dict[str, set[str]] = field(default_factory=dict)
    claims: dict[str, set[str]] = field(default_factory=dict)
    plain: bool = False
    related: list[tuple[dict[str, Any], bool]] = field(default_factory=list)


@dataclass
class Deposit:
    """A resource, who deposited it and when; `document`: what it was made of, if of a document."""

    resource: dict[str, Any]
    by: set[str]
    at: datetime
    document: Deposit | None = None


def sees(who: Person, deposit: Deposit, record: Record, now: datetime) -> bool:
    """Whether `who`, asking for this patient by name, may see the resource."""
    if not who.scopes:
        return False
    if who.kind == "operator":
        return True
    if deposit.document is not None:
        if deposit.resource["resourceType"] == "Binary":
            return may_see(who, deposit.document, record, now)
        return may_see(who, deposit.document, record, now) and may_see(who, deposit, record, now)
    return may_see(who, deposit, record, now)


def may_see(who: Person, deposit: Deposit, record: Record, now: datetime) -> bool:
    if who.kind in ("patient", "representative") and who.patient == record.patient["id"]:
        return holder_sees(who, deposit, record, now)
    if state(record, now) != "open" or who.purpose in NEVER:
        return False
    said = joint(who, deposit, record, now)
    if said == "named deny":
        return False
    taking_part = participants(deposit, record)
    if taking_part is not None:
        return who.kind in ("practitioner", "system") and bool(who.keys & taking_part)
    mine = who.keys
    if deposit.resource["resourceType"] == "AuditEvent":
        mine = {each for each in mine if not each.startswith("finess|")}
    if who.kind in ("practitioner", "system") and mine & (deposit.by | authors(deposit.resource, record)):
        return True
    if who.kind == "patient":
        meant_for = labels(deposit.resource) & KNOWN_PURPOSES
        return family_sees(deposit, said) and (not meant_for or bool(meant_for & purposes(who.purpose)))
    if who.kind != "practitioner" or deposit.resource["resourceType"] in ("Consent", "AuditEvent"):
        return False
    return professional_sees(who, deposit, record, now, said)


def participants(deposit: Deposit, record: Record) -> set[str] | None:
    """Who takes part in a message or an appointment, and who booked that; None for anything else."""
    resource = deposit.resource
    if resource["resourceType"] == "Appointment":
        named = [each["actor"] for each in resource["participant"]]
        return deposit.by.union(*(person_of(each, record) for each in named))
    tags = resource.get("meta", {}).get("tag", [])
    if resource["resourceType"] == "Communication" and any(each["system"] == "urn:fhirserver:message" for each in tags):
        return set().union(*(person_of(each, record) for each in (resource["sender"], *resource["recipient"])))
    return None


def person_of(reference: dict[str, Any], record: Record) -> set[str]:
    """A professional named in a role takes part himself; his organisation does where it is named alone."""
    if "identifier" in reference:
        return {f"rpps|{reference['identifier']['value']}"}
    named = resolve(reference["reference"], record)
    return {each for each in named if each.startswith("rpps|")} or named


def state(record: Record, now: datetime) -> str:
    """The state of the space; whatever lets nobody do anything is `shut`."""
    death = record.patient.get("deceasedDateTime")
    if record.patient.get("deceasedBoolean") or (death and death <= now.strftime("%Y-%m-%d")):
        return "shut"
    if not record.space:
        return "open" if record.patient.get("active", True) else "closed"
    begun = [(since, name) for name, since in record.space if since <= now]
    if not begun:
        return "shut"
    since, name = max(begun)
    if name == "closed" and now >= since.replace(year=since.year + 10):
        return "shut"
    if name == "open":
        return "open" if record.patient.get("active", True) else "closed"
    return name if name == "closed" else "shut"


def holder_sees(who: Person, deposit: Deposit, record: Record, now: datetime) -> bool:
    if state(record, now) == "shut":
        return False
    marks = labels(deposit.resource)
    if "INVISIBLE_PATIENT" in marks and deposit.at > a_month_before(now) and not who.keys & deposit.by:
        return False
    if tells_of_others(deposit.resource):
        return False
    if who.kind == "patient":
        return True
    if not represents(who, record, now):
        return False
    return "INVISIBLE_REPRESENTANTS_LEGAUX" not in marks


def tells_of_others(resource: dict[str, Any]) -> bool:
    """Whether an appointment names several patients, of whom none is to read of the others."""
    named = [each["actor"].get("reference", "") for each in resource.get("participant", [])]
    patients = [each for each in named if each.startswith("Patient/")]
    return resource["resourceType"] == "Appointment" and len(patients) > 1


def represents(who: Person, record: Record, now: datetime) -> bool:
    """Of a minor: parents, guardians, and of whom nothing is said. Of an adult: whom a measure in force has represent
    him, which the operator has declared. Dates of birth are whole days."""
    birth = record.patient.get("birthDate")
    minor = birth is not None and now < datetime(int(birth[:4]) + 18, int(birth[5:7]), int(birth[8:]), tzinfo=UTC)
    for related, vouched in record.related:
        if f"related|{related['id']}" not in who.keys:
            continue
        words = [coding["code"] for each in related.get("relationship", []) for coding in each["coding"]]
        if related.get("active") is False or not lasts(related.get("period"), now):
            return False
        if minor:
            return not words or bool(PARENTS & set(words))
        return vouched and bool(PROTECTORS & set(words))
    return minor


def family_sees(deposit: Deposit, said: str | None) -> bool:
    marks = labels(deposit.resource)
    hidden = marks & (MASKS | {"INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX"})
    return said == "named permit" and not hidden and height(deposit.resource) <= 3


def professional_sees(who: Person, deposit: Deposit, record: Record, now: datetime, said: str | None) -> bool:
    express_only = who.profession == "G15_10/SM25"
    care = who.purpose in CARE and not express_only
    general = {
        key for each in record.patient.get("generalPractitioner", []) for key in resolve(each["reference"], record)
    }
    meant_for = labels(deposit.resource) & KNOWN_PURPOSES
    if meant_for and not meant_for & purposes(who.purpose):
        return False
    if care and who.keys & {key for key in general if key.startswith("rpps|")}:
        return True
    if who.purpose == "RECORDMGT":
        return False
    if not habilitated(who.profession, deposit.resource) or labels(deposit.resource) & MASKS:
        return False
    if said == "named permit" or (said == "permit" and not express_only):
        return True
    if said == "deny":
        return False
    if height(deposit.resource) > 4:
        return False
    in_team = any(is_member(who, team, record, now) for team in record.teams)
    return (care and in_team) or emergency(who)


def emergency(who: Person) -> bool:
    if who.purpose == "BTG":
        return (who.profession or "").startswith("G15_")
    return who.purpose == "ETREAT" and (who.profession or "")[:6] == "G15_10" and who.organization is not None


def habilitated(profession: str | None, resource: dict[str, Any]) -> bool:
    path = Path(__file__).parents[2] / "fhirserver" / "access" / "matrix.csv"
    rows = [row for row in csv.DictReader(path.read_text().splitlines()) if row["profession"] == (profession or "")[:6]]
    if resource["resourceType"] in DOCUMENT_TYPES:
        rows = [row for row in rows if row["kind"] == "document"]
        codes = {coding["code"] for coding in resource.get("type", {}).get("coding", [])}
    else:
        rows = [row for row in rows if row["kind"] == "resource"]
        codes = {resource["resourceType"]}
    if any(row["code"] in codes and row["read"] == "N" for row in rows):
        return False
    return any(row["code"] in codes | {"*"} and row["read"] == "Y" for row in rows)


def is_member(who: Person, team: dict[str, Any], record: Record, now: datetime) -> bool:
    if team["status"] != "active" or not lasts(team.get("period"), now):
        return False
    return any(
        lasts(each.get("period"), now) and is_actor(who, each["member"]["reference"], record)
        for each in team.get("participant", [])
    )


def is_actor(who: Person, reference: str, record: Record) -> bool:
    numbers = with_parts(resolve(reference, record), record.parts)
    kinds = {number.partition("|")[0] for number in numbers}
    return all(any(number in who.keys for number in numbers if number.startswith(kind)) for kind in kinds)


def may_be_actor(who: Person, reference: str, record: Record) -> bool:
    numbers = with_parts(resolve(reference, record), record.parts)
    persons = {number for number in numbers if number.startswith("rpps|")}
    meant = with_parts(persons or numbers, record.claims)
    return bool(meant & (who.keys | {f"rpps|{who.staff}"}))


def with_parts(numbers: set[str], parts: dict[str, set[str]]) -> set[str]:
    return numbers.union(*(parts.get(number, set()) for number in numbers))


def resolve(reference: str, record: Record) -> set[str]:
    kind, _, id_ = reference.partition("/")
    if kind == "Patient":
        return {f"patient|{id_}"}
    return set(record.numbers.get(reference) or {reference})


def authors(resource: dict[str, Any], record: Record) -> set[str]:
    named = [*resource.get("author", []), *resource.get("performer", [])]
    named += [resource[name] for name in ("asserter", "sender") if name in resource]
    return {f"rpps|{each['identifier']['value']}" for each in named if "identifier" in each}


# Consents


def joint(who: Person, deposit: Deposit, record: Record, now: datetime) -> str | None:
    said = []
    for consent in record.consents:
        scope = consent["scope"]["coding"][0]["code"]
        if consent["status"] != "active" or scope != "patient-privacy":
            continue
        if consent["patient"]["reference"] != f"Patient/{record.patient['id']}":
            continue
        said.append(speaks(consent["provision"], who, deposit, record, now, named=False, labelled=False, root=True))
    return strongest(said)


def strongest(said: list[str | None]) -> str | None:
    for each in ("named deny", "named permit", "deny", "permit"):
        if each in said:
            return each
    return None


def speaks(
    provision: dict[str, Any],
    who: Person,
    deposit: Deposit,
    record: Record,
    now: datetime,
    *,
    named: bool,
    labelled: bool,
    root: bool = False,
) -> str | None:
    nested = provision.get("provision", [])
    kind = provision.get("type") or (None if root and nested else "deny")
    certain = applies(provision, kind, who, deposit, record, now, loose=False)
    if not applies(provision, kind, who, deposit, record, now, loose=True):
        return None
    named = named or "actor" in provision
    conf = [each["code"] for each in provision.get("securityLabel", []) if each["code"] in LADDER]
    labelled = labelled or (kind == "permit" and bool(conf))
    inner = strongest([speaks(each, who, deposit, record, now, named=named, labelled=labelled) for each in nested])
    if inner is not None:
        return inner if certain or inner.endswith("deny") else None
    if kind == "permit" and (not certain or (not labelled and height(deposit.resource) > (4 if named else 3))):
        return None
    return None if kind is None else f"named {kind}" if named else kind


def applies(
    provision: dict[str, Any],
    kind: str | None,
    who: Person,
    deposit: Deposit,
    record: Record,
    now: datetime,
    *,
    loose: bool,
) -> bool:
    """Whether the provision is about this; `loose`: whether it may be, where that cannot be told for certain."""
    if not lasts(provision.get("period"), now) and not (loose and inverted(provision.get("period"))):
        return False
    if "actor" in provision:
        test = may_be_actor if loose else is_actor
        if not any(test(who, each["reference"]["reference"], record) for each in provision["actor"]):
            return False
    elif who.kind not in ("practitioner", "system"):
        return False
    if "purpose" in provision:
        codes = {each["code"] for each in provision["purpose"]}
        if not (codes & purposes(who.purpose) or (loose and codes - KNOWN_PURPOSES)):
            return False
    if "action" in provision:
        codes = {each["coding"][0]["code"] for each in provision["action"]}
        if not codes & {"access", "use", "disclose"}:
            return False
    return about(provision, kind, deposit, record, loose=loose)


def about(provision: dict[str, Any], kind: str | None, deposit: Deposit, record: Record, *, loose: bool) -> bool:
    resource = deposit.resource
    if "class" in provision:
        codes = {each["code"] for each in provision["class"]}
        kinds = {coding["code"] for coding in resource.get("type", {}).get("coding", [])}
        if not (resource["resourceType"] in codes or (resource["resourceType"] in DOCUMENT_TYPES and codes & kinds)):
            return False
    if "code" in provision:
        codes = {each["coding"][0]["code"] for each in provision["code"]}
        if not codes & {coding["code"] for coding in resource.get("code", {}).get("coding", [])}:
            return False
    if "securityLabel" in provision:
        readings = ["permit", "deny"] if loose and kind is None else [kind]
        if not any(
            covers(each["code"], reading, resource, plain=record.plain)
            for each in provision["securityLabel"]
            for reading in readings
        ):
            return False
    if "data" in provision and not any(meant(each, deposit, record, loose=loose) for each in provision["data"]):
        return False
    return "dataPeriod" not in provision or in_time(provision["dataPeriod"], resource, loose=loose)


def covers(code: str, kind: str | None, resource: dict[str, Any], *, plain: bool) -> bool:
    if code not in LADDER:
        return bool(labels(resource) & BELOW.get(code, {code}))
    step = LADDER.index(code)
    if kind is None or plain:
        return height(resource) == step
    return height(resource) <= step if kind == "permit" else height(resource) >= step


def meant(datum: dict[str, Any], deposit: Deposit, record: Record, *, loose: bool) -> bool:
    resource, reference = deposit.resource, datum["reference"]["reference"]
    itself: bool = reference == f"{resource['resourceType']}/{resource['id']}"
    pointing: bool = resource.get("encounter", {}).get("reference") == reference
    if datum["meaning"] == "instance":
        return itself
    if datum["meaning"] in ("related", "dependents"):
        return itself or pointing
    return bool(resolve(reference, record) & (authors(resource, record) | (deposit.by if loose else set())))


def in_time(period: dict[str, Any], resource: dict[str, Any], *, loose: bool) -> bool:
    name = DATE_OF[resource["resourceType"]]
    value = resource.get(name) if name else None
    if value is None or inverted(period):
        return loose
    first, last = (value["start"], value["end"]) if isinstance(value, dict) else (value, value)
    if loose:
        return bool(period.get("start", "0") <= last and first <= period.get("end", "9"))
    return bool(period.get("start", "0") <= first and last <= period.get("end", "9"))


def inverted(period: dict[str, str] | None) -> bool:
    return period is not None and "start" in period and "end" in period and period["start"] > period["end"]


def lasts(period: dict[str, str] | None, now: datetime) -> bool:
    if period is None:
        return True
    day = now.strftime("%Y-%m-%d")
    return period.get("start", "0") <= day <= period.get("end", "9")


def purposes(code: str) -> set[str]:
    found = {code}
    while code in UP:
        code = UP[code]
        found.add(code)
    return found


def labels(resource: dict[str, Any]) -> set[str]:
    found = {each["code"] for each in resource.get("meta", {}).get("security", [])}
    return found | {coding["code"] for each in resource.get("securityLabel", []) for coding in each["coding"]}


def height(resource: dict[str, Any]) -> int:
    steps = [LADDER.index(code) for code in labels(resource) if code in LADDER]
    return max(steps, default=3)


def a_month_before(now: datetime) -> datetime:
    first = now.replace(day=1) - timedelta(days=1)
    return first.replace(day=min(now.day, first.day))
