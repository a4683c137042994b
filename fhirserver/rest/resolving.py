"""What the conditions in a transaction Bundle lead to, looked up inside the transaction, before its first write.

"Identities resolved": https://hl7.org/fhir/R4/http.html#trules.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, NamedTuple

from fhirserver.documents.fhir import is_document
from fhirserver.errors import BadRequest, PreconditionFailed
from fhirserver.rest import conditional, references
from fhirserver.rest.documents import provided
from fhirserver.rest.entries import READS, Checked, Entry, at, brings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fhirserver.rest.conditional import Condition
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction


class Target(NamedTuple):
    """An entry with what its condition found; a delete by criteria may find several.

    `same`: the place of an earlier entry with the same `ifNoneExist`, which creates what this one looks for.
    """

    entry: Entry
    found: tuple[Stored, ...] = ()
    same: int | None = None

    @property
    def is_met(self) -> bool:
        """Whether there is nothing to create."""
        return self.same is not None or (self.entry.method == "POST" and bool(self.found))


def resolved(exchange: Exchange, tx: Transaction, checked: Checked) -> list[Target]:
    """The entries in the Bundle's order, with their last ids. Raises PreconditionFailed, or BadRequest when two of them
    write one resource."""
    provided.lock(tx, checked.entries)
    conditional.lock_all(
        tx,
        (
            (each.condition, each.resource if each.method != "PATCH" else None)
            for each in checked.entries
            if each.condition
        ),
    )
    targets = _targets(exchange, tx, checked.entries)
    _refuse_twice(targets)
    moved = _moved(tx, checked, targets)
    return [_linked(exchange, each, moved) for each in targets] if moved else targets


def brought(targets: list[Target]) -> frozenset[str]:
    """What will be there once the Bundle is stored (`Practitioner/abc`), of its creates and updates."""
    written = (each for each in targets if each.entry.method in ("POST", "PUT"))
    return frozenset(f"{each.entry.type}/{_last_id(each, targets)}" for each in written)


def _targets(exchange: Exchange, tx: Transaction, entries: Iterable[Entry]) -> list[Target]:
    targets: list[Target] = []
    creating: dict[str, Entry] = {}
    for entry in entries:
        with at(entry.place):
            target = Target(entry, _found(exchange, tx, entry))
            if entry.method in ("POST", "PUT") and entry.condition is not None and not target.found:
                first = creating.setdefault(entry.condition.text, entry)
                if first is not entry and "PUT" in (first.method, entry.method):
                    text = f"{entry.condition.text} is written twice in one transaction, by entry {first.place} too."
                    raise BadRequest(text)
                target = target._replace(same=first.place if first is not entry else None)
        targets.append(target)
    return _with_documents(exchange, tx, targets)


def _with_documents(exchange: Exchange, tx: Transaction, targets: list[Target]) -> list[Target]:
    """Documents that are here already, with what belongs to them, are found too."""
    documents: dict[int, Stored] = {}
    for target in targets:
        if not target.found:
            with at(target.entry.place):
                same = provided.same(exchange, tx, target.entry)
            if same is not None:
                documents[target.entry.place] = same
    if not documents:
        return targets
    found = documents | provided.met(exchange, tx, [each.entry for each in targets], documents)
    return [
        each._replace(found=(found[each.entry.place],), same=None) if each.entry.place in found else each
        for each in targets
    ]


def _found(exchange: Exchange, tx: Transaction, entry: Entry) -> tuple[Stored, ...]:
    if entry.condition is None:
        return ()
    if entry.method == "DELETE":
        return tuple(conditional.deleted(exchange, tx, entry.condition))
    found = conditional.only(tx, entry.condition, living=entry.method == "POST")
    return () if found is None else (found,)


def _refuse_twice(targets: Iterable[Target]) -> None:
    seen: set[tuple[str, str]] = set()
    for target in targets:
        entry = target.entry
        if entry.method in READS or target.is_met:
            continue
        for id in {each.id for each in target.found} or {_chosen(entry)}:
            if (entry.type, id) in seen:
                where = f"Bundle.entry[{entry.place}]"
                text = f"{where}: {entry.type}/{id} is written twice in one transaction."
                raise BadRequest(text, expression=where)
            seen.add((entry.type, id))


def _chosen(entry: Entry) -> str:
    """The id under which an entry stores what is not there yet."""
    if entry.method == "PUT" and entry.resource is not None:
        return str(entry.resource.get("id", entry.id))
    return entry.id


def _moved(tx: Transaction, checked: Checked, targets: list[Target]) -> dict[str, str]:
    """What is to be written instead of ids that were chosen before it was known what is there."""
    moved: dict[str, str] = {}
    for target in targets:
        entry = target.entry
        id = _last_id(target, targets)
        if entry.method in ("POST", "PUT") and id != entry.id:
            moved[f"{entry.type}/{entry.id}"] = f"{entry.type}/{id}"
    for text, sought in checked.sought.items():
        with at(sought.place):
            id = _led_to(tx, text, sought.condition, targets)
        moved[sought.placeholder] = f"{sought.condition.query.type}/{id}"
    return moved


def _last_id(target: Target, targets: list[Target]) -> str:
    if target.same is not None:
        return targets[target.same].entry.id
    return target.found[0].id if target.found else _chosen(target.entry)


def _led_to(tx: Transaction, text: str, condition: Condition, targets: list[Target]) -> str:
    """The id that a conditional reference leads to once the Bundle is stored. Raises PreconditionFailed."""
    there = conditional.only(tx, condition, living=True)
    of_type = [each for each in targets if each.entry.type == condition.query.type]
    gone = {id for each in of_type if each.entry.method == "DELETE" for id in _deleted(each)}
    ids = {_last_id(each, targets) for each in of_type if brings(each.entry, condition)}
    ids |= {there.id} - gone if there is not None else set()
    if not ids:
        raise PreconditionFailed(f"the reference {text} leads to nothing here.", code="not-found")
    if len(ids) > 1:
        raise PreconditionFailed(f"the reference {text} leads to several resources.", code="multiple-matches")
    return ids.pop()


def _deleted(target: Target) -> set[str]:
    return {each.id for each in target.found} if target.entry.condition else {target.entry.id}


def _linked(exchange: Exchange, target: Target, moved: dict[str, str]) -> Target:
    entry = target.entry
    if entry.resource is None or is_document(entry.resource):
        return target
    resource = copy.deepcopy(entry.resource)
    references.resolve(exchange.services.definitions, resource, moved)
    return target._replace(entry=entry._replace(resource=resource))
