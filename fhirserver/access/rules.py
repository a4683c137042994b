"""The rules, one pure function each, with the key by which answers and traces name them (docs/access.md).

A rule turns a case (who asks, when, which type, one patient's policy) into a predicate over envelopes. Three effects:

    hard    where it holds nothing is seen, whoever else would allow it
    grant   where it holds the resource is seen, within the limits that the grant names
    limit   where it does not hold the grant is void
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver.access import private, spaces, subscriber, tables
from fhirserver.access.acl import (
    HIDDEN_FROM_PATIENT,
    HIDDEN_FROM_REPRESENTATIVES,
    MASKED,
    NORMAL,
    RESTRICTED,
    THROUGH,
)
from fhirserver.access.answer import Answer, answer, meant, question
from fhirserver.access.moments import Span, month_before, soonest
from fhirserver.predicate import (
    FALSE,
    TRUE,
    Always,
    Cmp,
    Eq,
    Exists,
    In,
    Predicate,
    all_of,
    any_of,
    matches,
    negate,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from typing import Any

    from fhirserver.access.policy import Policy
    from fhirserver.access.representation import Rights
    from fhirserver.access.requester import Access, Requester

EXPRESS_ONLY: Final = frozenset({"G15_10/SM25"})
"""Occupational physicians: only with the person's express consent (L.1111-17 IV)."""
FEEDING: Final = "feeding"
"""The family of purposes for which records are fed, not read (`purposes.csv`)."""
DOCUMENT: Final = "DocumentReference"
COPY: Final = "doc"
"""Where a resource that was derived from a document bears what access rules read of the document."""
DERIVED: Final = Exists(COPY)
WHOLE: Final = frozenset({"Binary", "Bundle"})
"""Types of which one that was derived from a document is the document itself: judged as that alone."""
ORIGIN: Final = "was.id"
"""Where a resource that came with a record merged into this one says which record that was."""
UNDERIVED: Final = frozenset({DOCUMENT, "Patient", "Consent", "CareTeam", "AuditEvent", *tables.shared()})
"""Types of which nothing is derived from documents: they carry the rules, or are nobody's."""
_SEVERAL: Final = frozenset({"Appointment", "AppointmentResponse", "Group"})
"""Types of which one that names several patients tells each of the others: none of them reads it, nor who stored it as
a person."""


@dataclass(frozen=True)
class Case:
    """One requester, one moment, one type, one patient. `named`: the request names this patient."""

    access: Access
    type: str
    policy: Policy
    named: bool

    @cached_property
    def consents(self) -> Answer:
        return answer(self.policy.roots, question(self.access, self.type))

    @cached_property
    def beside(self) -> tuple[Answer, ...]:
        """What the Consents of the records say that are one with this one."""
        asked = question(self.access, self.type)
        return tuple(answer(each.roots, asked) for each in self.policy.beside)

    @cached_property
    def family(self) -> str:
        return tables.purpose(self.access.requester.purpose).family

    @property
    def care(self) -> bool:
        return self.family in ("care", "emergency")

    @property
    def consulting(self) -> bool:
        """Whether the purpose is to read the record: feeding is not."""
        return self.professional and self.family != FEEDING

    @property
    def professional(self) -> bool:
        return self.access.requester.kind == "practitioner"

    def change(self) -> datetime | None:
        """When a rule may answer otherwise, nothing having been written."""
        now, whole = self.access.now, self.policy.whole
        spans = [Span(each["start"], each["end"]).change(now) for policy in whole for each in policy.team]
        dates = [spaces.change(each.space, now) for each in whole]
        return soonest([*spans, *dates, *(each.change for each in (self.consents, *self.beside))])


class Rule(NamedTuple):
    """`key` names it, `words` say it, `judge` decides; `limits` are keys of the limits that bound a grant."""

    key: str
    effect: str
    words: str
    judge: Callable[[Case], Predicate]
    limits: tuple[str, ...] = ()


def closed(case: Case) -> Predicate:
    return Always(not case.policy.space_at(case.access.now).consults)


def prohibited(case: Case) -> Predicate:
    return Always(case.family == "prohibited")


def blocked(case: Case) -> Predicate:
    return any_of(each.deny_named for each in (case.consents, *case.beside))


def own(case: Case) -> Predicate:
    return deposited(case.access, case.type)


def traitant(case: Case) -> Predicate:
    who = case.access.requester
    return Always(case.professional and case.care and not _express_only(case) and bool(who.keys & case.policy.traitant))


def team(case: Case) -> Predicate:
    if not (case.professional and case.care) or _express_only(case):
        return FALSE
    return Always(any(meant(each, case.access.requester.keys, case.access.now) for each in case.policy.team))


def consent(case: Case) -> Predicate:
    """A system is nobody who consults: a Consent that names its organisation means the professionals there."""
    return case.consents.permit_named if case.consulting else FALSE


def agreement(case: Case) -> Predicate:
    return case.consents.permit if case.consulting and not _express_only(case) else FALSE


def relative(case: Case) -> Predicate:
    return case.consents.permit_named if case.access.requester.is_person else FALSE


def emergency(case: Case) -> Predicate:
    """`BTG` for health professionals, `ETREAT` for the regulating physician of a SAMU; only for a patient named."""
    who = case.access.requester
    health = (who.profession or "").startswith("G15_")
    regulator = (who.profession or "").partition("/")[0] == "G15_10" and who.organization is not None
    allowed = health if who.purpose == "BTG" else regulator
    return Always(case.named and case.professional and case.family == "emergency" and allowed)


def record(case: Case) -> Predicate:
    return Always(case.type not in tables.WITHHELD)


def single(case: Case) -> Predicate:
    return TRUE if case.type == "Patient" else negate(Exists("patx"))


def unopposed(case: Case) -> Predicate:
    return all_of((negate(case.consents.deny), undivided(case)))


def undivided(case: Case) -> Predicate:
    """Of records that are one, a deny in the one holds in the other, but for whom a permit there names."""
    return all_of(negate(all_of((each.deny, negate(each.permit_named)))) for each in case.beside)


def matrix(case: Case) -> Predicate:
    kind = "document" if case.type in tables.DOCUMENTS else "resource"
    rights = tables.rights(case.access.requester.profession, kind)
    if kind == "resource":
        return Always(case.type in rights.granted or (rights.every and case.type not in rights.refused))
    granted = TRUE if rights.every else In("acl.type", tuple(sorted(rights.granted))) if rights.granted else FALSE
    refused = negate(In("acl.type", tuple(sorted(rights.refused)))) if rights.refused else TRUE
    return all_of((granted, refused))


def unmasked(case: Case) -> Predicate:
    return negate(In("acl.labels", (*MASKED, THROUGH)))


def restricted(case: Case) -> Predicate:
    return Cmp("acl.conf", "$lte", RESTRICTED)


def normal(case: Case) -> Predicate:
    return Cmp("acl.conf", "$lte", NORMAL)


def purpose(case: Case) -> Predicate:
    """A label may say for what the data is: of several, one that the request's purpose is or specialises."""
    codes = tables.purpose(case.access.requester.purpose).codes
    return any_of((negate(Exists("acl.purposes")), In("acl.purposes", tuple(sorted(codes)))))


def participants(case: Case) -> Predicate:
    return private.open_to_others(case.type)


def open_to_family(case: Case) -> Predicate:
    return negate(In("acl.labels", (HIDDEN_FROM_PATIENT, HIDDEN_FROM_REPRESENTATIVES)))


RULES: Final[tuple[Rule, ...]] = (
    Rule("closed", "hard", "The space is closed, or not open.", closed),
    Rule("prohibited", "hard", "For this purpose nobody may read the record, even with consent.", prohibited),
    Rule("blocked", "hard", "The person denies this requester by name, or the organisation he acts for.", blocked),
    Rule("own", "grant", "The requester or his organisation wrote or deposited it, or takes part in it.", own),
    Rule("traitant", "grant", "He is the médecin traitant.", traitant,
         ("purpose", "record", "single", "participants")),
    Rule("team", "grant", "He is in the care team.", team,
         ("purpose", "record", "single", "participants", "unopposed", "matrix", "unmasked", "restricted")),
    Rule("consent", "grant", "The person's Consent names him.", consent,
         ("purpose", "record", "single", "participants", "matrix", "unmasked", "undivided")),
    Rule("agreement", "grant", "The person's Consent permits every professional.", agreement,
         ("purpose", "record", "single", "participants", "unopposed", "matrix", "unmasked")),
    Rule("emergency", "grant", "It is an emergency that the person has not opposed.", emergency,
         ("purpose", "record", "single", "participants", "unopposed", "matrix", "unmasked", "restricted")),
    Rule("relative", "grant", "The person's Consent names this relative.", relative,
         ("purpose", "record", "single", "participants", "unmasked", "normal", "open-to-family", "undivided")),
    Rule("purpose", "limit", "Its labels name no purpose, or this one.", purpose),
    Rule("record", "limit", "It is part of the record, not about it.", record),
    Rule("single", "limit", "It is about no other patient.", single),
    Rule("participants", "limit", "It is not between its participants alone.", participants),
    Rule("unopposed", "limit", "No Consent denies it to everyone.", unopposed),
    Rule("undivided", "limit", "No Consent of a record merged with this one denies it to everyone.", undivided),
    Rule("matrix", "limit", "The habilitation matrix opens it to the profession.", matrix),
    Rule("unmasked", "limit", "It is not masked to professionals.", unmasked),
    Rule("restricted", "limit", "It is not very restricted (V).", restricted),
    Rule("normal", "limit", "It is not restricted (R, V).", normal),
    Rule("open-to-family", "limit", "It is not hidden from the person or the representatives.", open_to_family),
)  # fmt: skip
BY_KEY: Final = {rule.key: rule for rule in RULES}
HARD: Final = tuple(rule for rule in RULES if rule.effect == "hard")
GRANTS: Final = tuple(rule for rule in RULES if rule.effect == "grant")
WORDS: Final = {rule.key: rule.words for rule in RULES} | {
    "operator": "The operator of the server, or its own work.",
    "scope": "The token's scopes do not cover it.",
    "launch": "The token is for another patient.",
    "shared": "It is of the directory, or a definition: everyone's.",
    "holder": "It is the requester's own record.",
    "representative": "He represents the minor, or the protected adult, whose record it is.",
    "majority": "The person is of age or the date of birth not known, and no measure in force has him represent.",
    "announcement": "Hidden from the person until it has been announced, at most a month.",
    "merged": "The record was merged into another one: ask for that one.",
    "minor-secret": "The minor keeps it from the representatives.",
    "document": "The document that it was derived from is not visible.",
    "nothing": "No rule gives access.",
}


def deposited(access: Access, resource_type: str) -> Predicate:
    """What the requester or his organisation deposited; for professionals and systems also what they wrote.

    Of AuditEvents his own alone: what he did, or what a system recorded itself. Of what is private, what he takes part
    in (`access.private`); of Subscriptions, those that are his (`access.subscriber`)."""
    who = access.requester
    if resource_type == subscriber.TYPE:
        return In("acl.by", (subscriber.key(who),))
    own = (each for each in who.own if resource_type != "AuditEvent" or not each.startswith("finess|"))
    mine = tuple(sorted(own))
    if not mine:
        return FALSE
    if who.is_person:
        return all_of((In("acl.by", mine), *_alone(resource_type)))
    return private.among(resource_type, mine, any_of((In("acl.by", mine), In("acl.author", mine))))


def parts(case: Case) -> Iterator[tuple[Predicate, Case]]:
    """A record that others were merged into, in its parts: where each is, and the case of it.

    What the person, or a team, granted in one record opens what was in that record; what denies, denies in all.
    """
    whole = case.policy.whole
    if len(whole) == 1:
        yield TRUE, case
        return
    for policy in whole:
        others = tuple(replace(each, beside=()) for each in whole if each is not policy)
        place = negate(Exists(ORIGIN)) if policy is case.policy else Eq(ORIGIN, policy.patient)
        yield place, replace(case, policy=replace(policy, beside=others))


def around(case: Case, envelope: Mapping[str, Any]) -> Case:
    """The case of the part that the resource of an envelope is in; of none, one that grants nothing."""
    found = next((each for place, each in parts(case) if matches(place, envelope)), None)
    return found or replace(case, policy=replace(case.policy, traitant=frozenset(), team=(), roots=(), consents=()))


def hard(case: Case) -> Predicate:
    """Where nothing is seen."""
    return any_of(rule.judge(case) for rule in HARD)


def granted(case: Case) -> Predicate:
    """What the policy gives, own deposits left aside."""
    return any_of(all_of((place, granted_here(each))) for place, each in parts(case))


def granted_here(case: Case) -> Predicate:
    """What is given of the part of the record that the case is about."""
    found = []
    for rule in GRANTS:
        if rule.key != "own" and (given := rule.judge(case)) != FALSE:
            found.append(all_of((given, *(BY_KEY[key].judge(case) for key in rule.limits))))
    return any_of(found)


def seen(case: Case) -> Predicate:
    """All that the requester sees of this patient, by whatever rule."""
    return all_of((any_of((own(case), granted(case))), negate(hard(case))))


def documented(resource_type: str, given: Predicate, document: Predicate) -> Predicate:
    """What was derived from a document is seen only where that is; what is the document itself (`WHOLE`), just there.

    `document` is what is seen of DocumentReferences, over the copy that the derived resource bears.
    """
    if resource_type in UNDERIVED:
        return given
    if resource_type in WHOLE:
        return any_of((all_of((given, negate(DERIVED))), all_of((DERIVED, document))))
    return all_of((given, any_of((negate(DERIVED), document))))


def feeding(requester: Requester) -> bool:
    """Whether a professional or a system asks in order to feed records."""
    return requester.kind in ("practitioner", "system") and tables.purpose(requester.purpose).family == FEEDING


def compartment(patient: str, resource_type: str) -> Predicate:
    """What is in the patient's compartment, his for being the one or one of those it is about."""
    if resource_type == "Patient":
        return Eq("pat", patient)
    if alone := _alone(resource_type):
        return all_of((Eq("pat", patient), *alone))
    return any_of((Eq("pat", patient), Eq("patx", patient)))


def _alone(resource_type: str) -> tuple[Predicate, ...]:
    return (negate(Exists("patx")),) if resource_type in _SEVERAL else ()


def announced(access: Access) -> Predicate:
    """`INVISIBLE_PATIENT` hides until it is taken off, or a month after the deposit (R.1111-53)."""
    hidden = In("acl.labels", (HIDDEN_FROM_PATIENT,))
    return any_of((negate(hidden), Cmp("acl.at", "$lte", month_before(access.now))))


def holder(access: Access, resource_type: str, policy: Policy | None) -> tuple[Predicate, datetime | None]:
    """What a patient or a representative sees of the record that is his, and until when; `policy` is that record's."""
    given, until = _holder(access, resource_type, policy)
    if given == FALSE or resource_type in UNDERIVED:
        return given, until
    return documented(resource_type, given, within(_holder(access, DOCUMENT, policy)[0], COPY)), until


def _holder(access: Access, resource_type: str, policy: Policy | None) -> tuple[Predicate, datetime | None]:
    who = access.requester
    if who.patient is None or (policy is not None and not policy.space_at(access.now).reads):
        return FALSE, access.now
    if policy is not None and policy.into is not None:
        return FALSE, access.now
    seen = all_of((compartment(who.patient, resource_type), announced(access), negate(In("acl.labels", (THROUGH,)))))
    if who.kind == "patient":
        return any_of((seen, deposited(access, resource_type))), access.now
    if policy is None or not represents(access, policy).read:
        return FALSE, access.now
    secret = negate(In("acl.labels", (HIDDEN_FROM_REPRESENTATIVES,)))
    return all_of((any_of((seen, deposited(access, resource_type))), secret)), access.now


def represents(access: Access, policy: Policy) -> Rights:
    """What a representative may in the record of a policy (CSP R.1111-40)."""
    return policy.represented_by(f"related|{access.requester.id.rpartition('/')[2]}", access.now)


def _express_only(case: Case) -> bool:
    return case.access.requester.profession in EXPRESS_ONLY
