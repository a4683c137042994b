"""Whether a write is the requester's to do: by the scopes of the token, by the rules of access, in each record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.access import judge_feeding, judge_write, reach
from fhirserver.access.writes import WORDS
from fhirserver.errors import Conflict, Forbidden, Unprocessable
from fhirserver.predicate import TRUE, matches
from fhirserver.search.scoped import scoped
from fhirserver.store.traces import TYPE as AUDIT_EVENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fhirserver.access import Policy
    from fhirserver.access.writes import Decision
    from fhirserver.rest.exchange import Exchange
    from fhirserver.rest.steps import Write

State = tuple[dict[str, Any], str | None]
"""A resource, and whose record it is in."""
_LETTERS: Final = {"create": "c", "update": "u", "delete": "d"}


def require_reach(exchange: Exchange, type: str, letter: str, acl: Mapping[str, Any], *states: State) -> None:
    """The scopes must reach each state: one of another patient than the app was launched for, or beside what a search
    part names, is not written. Raises Forbidden."""
    reached = reach(exchange.access, type, letter, scoped(exchange.services.definitions))
    if reached == TRUE:
        return
    for resource, patient in states:
        index = exchange.services.indexer.index(resource)
        known = {"pat": patient, "patx": list(index.patx), "t": list(index.t), "acl": acl}
        if not matches(reached, {name: value for name, value in known.items() if value}):
            raise Forbidden(f"The token's scopes do not cover this {type} ({letter}).")


def require_scopes(write: Write) -> None:
    """The scopes must reach what is there and what is to be. Raises Forbidden."""
    acl = write.acl if write.before is not None else {"by": sorted(write.exchange.access.requester.own)}
    require_reach(write.exchange, write.type, _LETTERS[write.interaction], acl, *write.states)


def require_allowed(write: Write) -> None:
    """Raises Forbidden; Conflict for a Patient that is one with others, Unprocessable for what would enter a record
    that was merged into another one."""
    patients = {patient for _, patient in write.states}
    require_scopes(write)
    entering = _entering(write)
    for patient in patients if write.owner is None else {write.owner.pat}:
        _require(_judged(write, write.tx.policy(patient)))
    if write.post is None:
        _require_apart(write)
    else:
        _require_unmerged(write, patients)
        _require_open(write, entering)


def _judged(write: Write, policy: Policy | None) -> Decision:
    return judge_write(
        write.exchange.access,
        write.interaction,
        write.type,
        write.pre,
        write.post,
        policy,
        acl=write.before and write.before.acl,
        identifiers=write.identifiers,
    )


def _require(decision: Decision) -> None:
    if not decision.allowed:
        raise Forbidden(decision.words)


def _entering(write: Write) -> Iterable[str]:
    """The further records that it enters; for who feeds, also those that it is in.

    Raises Forbidden where what is there would go to another record: whatever element names the patient.
    """
    if write.index is None or write.pre is None or write.before is None:
        return () if write.index is None else write.index.patx
    index, kind = write.index, write.exchange.access.requester.kind
    known = write.exchange.services.indexer.index(write.pre)
    unnamed = index.pat is None and known.pat is None
    if index.pat != write.before.pat and not unnamed and kind != "operator":
        raise Forbidden(WORDS["subject"])
    return index.patx if kind in ("practitioner", "system") else set(index.patx) - set(known.patx)


def _require_unmerged(write: Write, patients: Iterable[str | None]) -> None:
    """Nothing enters a record that was merged into another one, but a Patient may link to it."""
    further = () if write.type == "Patient" or write.index is None else write.index.patx
    for patient in sorted({each for each in (*patients, *further) if each is not None}):
        policy = write.tx.policy(patient)
        if policy is not None and policy.into is not None:
            text = f"Patient/{patient} was merged into Patient/{policy.into}: refer to that one."
            raise Unprocessable(text, code="business-rule")


def _require_apart(write: Write) -> None:
    policy = write.tx.policy(write.id) if write.type == "Patient" else None
    if policy is not None and policy.beside:
        others = ", ".join(f"Patient/{each.patient}" for each in policy.beside)
        raise Conflict(f"Patient/{write.id} was merged with {others}: undo that first ($unmerge).")


def _require_open(write: Write, patients: Iterable[str]) -> None:
    """What is about several patients enters the record of each: a closed one, or one that opposes it, refuses it."""
    for patient in patients if write.type != AUDIT_EVENT else ():
        _require(judge_feeding(write.exchange.access, write.type, write.tx.policy(patient)))
