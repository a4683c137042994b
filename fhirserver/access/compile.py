"""The rules composed to one predicate for a request: over one patient, several, or all that concern the requester."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fhirserver.access import rules, scopes, tables
from fhirserver.access.moments import soonest
from fhirserver.predicate import FALSE, TRUE, Eq, Exists, In, Predicate, all_of, any_of, negate, within

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from fhirserver.access.policy import Policy
    from fhirserver.access.requester import Access
    from fhirserver.access.scopes import Search


class Compiled(NamedTuple):
    """A predicate and the moment from which it must be compiled anew, None if only a write can change it."""

    predicate: Predicate
    until: datetime | None


class Part(NamedTuple):
    """What one policy says: where nothing is seen, and what it gives (own deposits left aside).

    `document`: what it lets be seen of the documents of derived resources, over their copy; None if there are none.
    """

    hard: Predicate
    granted: Predicate
    document: Predicate | None
    until: datetime | None
    keys: tuple[str, str, str]
    """Texts that are equal when the predicates are: as tuples, `And` and `Or` of the same are equal too."""


def predicate(
    access: Access,
    resource_type: str,
    policies: Sequence[Policy],
    named: frozenset[str] | None = None,
    search: Search = scopes.unsearched,
) -> Predicate:
    """What the requester may see of a type.

    `policies` are those of the patients that the request is limited to, whose ids are `named`; or, with None, all whose
    `actors` hold a key of the requester (see `Requester.named`). The patient of a holder or representative is always
    among them.
    """
    seen = compiled(access, resource_type, policies, named).predicate
    return all_of((seen, reach(access, resource_type, access.letters, search)))


def compiled(
    access: Access, resource_type: str, policies: Sequence[Policy], named: frozenset[str] | None = None
) -> Compiled:
    """The same whatever the scopes reach, with the moment until which it is right."""
    parts = [(each.patient, part(access, resource_type, each, named)) for each in policies]
    return compose(access, resource_type, parts, _represented(access, policies), named)


def settled(access: Access, resource_type: str) -> Predicate | None:
    """The predicate where it depends on no policy, whatever the scopes reach of it; else None."""
    who = access.requester
    if not scopes.levels(who, resource_type, "rs"):
        return FALSE
    if who.kind == "operator":
        return TRUE
    return TRUE if resource_type in tables.shared() and resource_type not in tables.compartment() else None


def part(access: Access, resource_type: str, policy: Policy, named: frozenset[str] | None) -> Part:
    """What one policy gives and withholds: depends on nothing but its arguments, so it can be kept."""
    case = rules.Case(access, resource_type, policy, named is not None and policy.patient in named)
    hard = rules.hard(case)
    granted = FALSE if hard == TRUE else all_of((rules.granted(case), negate(hard)))
    until, document = case.change(), None
    if resource_type in policy.derived:
        source = rules.Case(access, rules.DOCUMENT, policy, case.named)
        document = all_of((Exists(f"{rules.COPY}.pat"), within(rules.seen(source), rules.COPY)))
        until = soonest((until, source.change()))
    granted = rules.documented(resource_type, granted, FALSE if document is None else document)
    return Part(hard, granted, document, until, (repr(hard), repr(granted), repr(document)))


def compose(
    access: Access,
    resource_type: str,
    parts: Iterable[tuple[str, Part]],
    represented: Policy | None,
    named: frozenset[str] | None,
) -> Compiled:
    """Parts by patient, made one: patients of whom the same is said share a branch."""
    if (certain := settled(access, resource_type)) is not None:
        return Compiled(certain, None)
    who, parts = access.requester, list(parts)
    until = soonest(each.until for _, each in parts)
    if who.is_person:
        seen, change = rules.holder(access, resource_type, represented)
        seen, until = any_of((seen, _branches(parts))), soonest((until, change))
        if represented is not None and represented.into is not None:
            seen = FALSE
    else:
        seen = any_of((_branches(parts), _own(access, resource_type, parts, named)))
    if resource_type in tables.shared():
        seen = any_of((negate(Exists("pat")), seen))
    return Compiled(seen, until)


def _represented(access: Access, policies: Iterable[Policy]) -> Policy | None:
    return next((each for each in policies if each.patient == access.requester.patient), None)


def _own(
    access: Access, resource_type: str, parts: Iterable[tuple[str, Part]], named: frozenset[str] | None
) -> Predicate:
    """Own deposits, but of patients that closed their record or blocked the requester."""
    mine = rules.deposited(access, resource_type)
    if mine == FALSE or tables.purpose(access.requester.purpose).family == "prohibited":
        return FALSE
    withheld = _grouped((patient, each.hard, each.keys[0]) for patient, each in parts)
    asked = TRUE if named is None else any_of((negate(Exists("pat")), _patients(sorted(named))))
    mine = rules.documented(resource_type, mine, _documents(access, parts))
    return all_of((mine, asked, *(negate(each) for each in withheld)))


def _documents(access: Access, parts: Iterable[tuple[str, Part]]) -> Predicate:
    """Of which documents own entries are seen: of own ones too, but where the policy of their patient decides."""
    judged = [(patient, each.document, each.keys[2]) for patient, each in parts if each.document is not None]
    mine = within(rules.deposited(access, rules.DOCUMENT), rules.COPY)
    elsewhere = negate(_patients([patient for patient, _, _ in judged])) if judged else TRUE
    return any_of((all_of((mine, elsewhere)), *_grouped(judged)))


def _branches(parts: Iterable[tuple[str, Part]]) -> Predicate:
    return any_of(_grouped((patient, each.granted, each.keys[1]) for patient, each in parts))


def _grouped(parts: Iterable[tuple[str, Predicate, str]]) -> list[Predicate]:
    groups: dict[str, tuple[Predicate, list[str]]] = {}
    for patient, each, key in parts:
        if each != FALSE:
            groups.setdefault(key, (each, []))[1].append(patient)
    return [all_of((_patients(patients), each)) for each, patients in groups.values()]


def _patients(ids: list[str]) -> Predicate:
    return Eq("pat", ids[0]) if len(ids) == 1 else In("pat", tuple(ids))


def reach(access: Access, resource_type: str, letters: str, search: Search = scopes.unsearched) -> Predicate:
    """What the token's scopes reach of a type, whoever may see it: one of `letters` (of `cruds`) is granted on it.

    A `patient/` scope is for one patient: his own record and entries for a person, the one that the app was launched
    for else; and for what is nobody's.
    """
    found = []
    for level, conditions in scopes.granted(access.requester, resource_type, letters, search).items():
        near = _near(access, resource_type) if level == "patient" else TRUE
        found.append(all_of((near, any_of(conditions))))
    return any_of(found)


def launched(access: Access, resource_type: str) -> Predicate:
    """Under `patient/` scopes alone: the patient that the app was launched for, and what is nobody's."""
    if scopes.levels(access.requester, resource_type, "rs") != {"patient"}:
        return TRUE
    return _near(access, resource_type)


def _near(access: Access, resource_type: str) -> Predicate:
    who = access.requester
    if resource_type in tables.shared() and resource_type not in tables.compartment():
        return TRUE
    if who.patient is None:
        return FALSE
    if who.is_person:
        mine = rules.compartment(who.patient, resource_type), rules.deposited(access, resource_type)
        return any_of((negate(Exists("pat")), *mine))
    return any_of((Eq("pat", who.patient), Eq("patx", who.patient), negate(Exists("pat"))))
