"""Whose record a write belongs to: by literal reference, or by the national identity (INS) that the resource names.

A deposit names its patient by INS in `subject.identifier` and needs no right to read the record (DMP, feeding).
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.access import Access
from fhirserver.documents.fhir import is_document
from fhirserver.errors import Conflict, Unprocessable
from fhirserver.rest import judging
from fhirserver.search import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fhirserver.rest.exchange import Exchange
    from fhirserver.rest.inforce import InForce
    from fhirserver.search import Index
    from fhirserver.store import Transaction

INS_SYSTEMS: Final = frozenset(f"urn:oid:1.2.250.1.213.1.4.{last}" for last in (8, 9, 10, 11))
"""INS-NIR, INS-NIA, and the two for tests and demonstrations of INS-NIR."""
FEEDERS: Final = frozenset({"practitioner", "system", "operator"})
"""Who deposits by INS: to anybody else the answer would tell whether a record exists."""
MOST_ENTRIES: Final = 10_000
"""Search entries of one resource, which are one document of the database, indexed one by one."""
_NAMESPACE: Final = uuid.UUID("6f1a3f0e-2f0b-5b62-9d43-6a3d1f2f9c11")
_SUBJECTS: Final = ("subject", "patient")
_NOBODY: Final = "-"
"""In the place of a patient who is not known."""


def indexed(exchange: Exchange, tx: Transaction, resource: dict[str, Any]) -> Index:
    """The resource's search entries, with the record it enters as `pat`: found by it as if it named the Patient.

    Raises Unprocessable when the INS leads to no record, Conflict when to several; Unprocessable (`too-costly`)
    for a resource, but an operator's, that is found by more than `MOST_ENTRIES` values.
    """
    index = exchange.services.indexer.index(resource)
    size = len(index.t) + sum(map(len, index.d.values()))
    if size > MOST_ENTRIES and exchange.access.requester.kind != "operator":
        text = f"The resource would be found by {size} values; {MOST_ENTRIES} is the most: divide it into several."
        raise Unprocessable(text, code="too-costly")
    if index.pat is not None or exchange.access.requester.kind not in FEEDERS:
        return index
    name = None if index.patx else _named_by_ins(resource)
    if name is None:
        return index
    identifier = resource[name]["identifier"]
    try:
        patient = _by_ins(exchange, tx, str(identifier.get("value", "")), identifier["system"], name)
    except (Conflict, Unprocessable):  # for others than the scopes reach it is the same as of one who is here
        judging.require_reach(exchange, resource["resourceType"], "c", {}, (resource, _NOBODY))
        raise
    return exchange.services.indexer.index(_about(resource, name, patient))


def changed(
    exchange: Exchange, tx: Transaction, resource: dict[str, Any], pre: dict[str, Any], patient: str | None
) -> Index:
    """As `indexed`, of a resource that was in the record of `patient` as `pre`: it stays there as long as the INS by
    which it names him is the same, whoever changes it. Raises as `indexed`."""
    name = _named_by_ins(resource)
    if patient is not None and name is not None and resource[name] == pre.get(name):
        return indexed(exchange, tx, _about(resource, name, patient))
    return indexed(exchange, tx, resource)


def in_record(indexer: InForce, resource: dict[str, Any], patient: str | None) -> Index:
    """The search entries of a resource that is in the record of `patient`, or in none, as it is stored: a deposit may
    have named its patient by INS."""
    if patient is not None and is_document(resource):
        return in_bundle(indexer.index, resource, patient)
    index = indexer.index(resource)
    if patient is not None and resource["resourceType"] == "AuditEvent":
        return index._replace(pat=patient)  # as it was recorded, whatever record that was merged into
    if index.pat is not None or patient is None:
        return index
    known = as_about(resource, patient)
    index = indexer.index(known) if known is not None else index
    return index if index.pat is not None else index._replace(pat=patient)


def composition_of(bundle: str) -> str:
    """The id of the Composition that the document Bundle of an id was stored with."""
    return str(uuid.uuid5(_NAMESPACE, bundle))


def in_bundle(index: Callable[[dict[str, Any]], Index], bundle: dict[str, Any], patient: str) -> Index:
    """The search entries of a document Bundle in a record: its Composition is the one stored with it."""
    first, *others = bundle["entry"]
    composition = {**first["resource"], "id": composition_of(bundle["id"])}
    return index({**bundle, "entry": [{**first, "resource": composition}, *others]})._replace(pat=patient, patx=())


def as_about(resource: dict[str, Any], patient: str) -> dict[str, Any] | None:
    """The resource as if it named the Patient whom it names by INS; None when it does not."""
    name = _named_by_ins(resource)
    return None if name is None else _about(resource, name, patient)


def numbers_of(patient: Mapping[str, Any]) -> list[tuple[str, str]]:
    """System and value of the INS that a Patient bears, without those that are `old`."""
    return [
        (each["system"], each["value"])
        for each in patient.get("identifier") or ()
        if each.get("system") in INS_SYSTEMS and each.get("use") != "old" and isinstance(each.get("value"), str)
    ]


def _named_by_ins(resource: dict[str, Any]) -> str | None:
    """The element that names the patient by INS."""
    for name in _SUBJECTS:
        subject = resource.get(name)
        identifier = subject.get("identifier") if isinstance(subject, dict) else None
        if isinstance(identifier, dict) and identifier.get("system") in INS_SYSTEMS:
            return name
    return None


def _about(resource: dict[str, Any], name: str, patient: str) -> dict[str, Any]:
    return {**resource, name: {**resource[name], "reference": f"Patient/{patient}"}}


def _by_ins(exchange: Exchange, tx: Transaction, value: str, system: str, name: str) -> str:
    asked = [("identifier", f"{system}|{value}"), ("active:not", "false"), ("_count", "20"), ("_total", "none")]
    query = parse(exchange.services.definitions, "Patient", asked)
    matches = tx.trusted(Access.system("deposit by INS")).search(query).matches
    found = [each for each in matches if (system, value) in numbers_of(jsontext.parse_object(each.body))]
    if not found:
        raise Unprocessable(f"{name}.identifier: no open record has this INS.", code="not-found", expression=name)
    if len(found) > 1:
        raise Conflict(f"{name}.identifier: several records have this INS; they must be merged.", expression=name)
    return found[0].id
