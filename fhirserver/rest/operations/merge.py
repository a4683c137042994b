"""Patient/$merge, as R5 and R6 build it (https://hl7.org/fhir/R5/patient-operation-merge.html), and $unmerge, its undo.

Two records of one person become one, in one transaction: everything of the source is moved to the target, the source is
left as an inactive Patient that links to it. What was granted in one of them opens what was in that one; what is denied
in one is denied in both (`access.rules.parts`). For who manages identities: operators.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.access import Access, require
from fhirserver.audit import Event
from fhirserver.errors import BadRequest, Conflict, Forbidden, Unprocessable
from fhirserver.outcome import Issue, outcome
from fhirserver.rest import writing
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.bearing import Bearing
from fhirserver.rest.compartment import numbers_of
from fhirserver.rest.parameters import conforming, received_as

if TYPE_CHECKING:
    from fhirserver.rest.exchange import Exchange
    from fhirserver.rest.parameters import Inputs
    from fhirserver.rest.services import Services
    from fhirserver.store import Stored, Transaction

Resource = dict[str, Any]

MOST: Final = 100
"""Resources that the answer to an undo names."""
_REASON: Final = "records merged"
_PATIENTS: Final = (
    {"name": "source-patient", "use": "in", "type": "Reference", "max": "1"},
    {"name": "target-patient", "use": "in", "type": "Reference", "max": "1"},
)
_MERGING: Final = (*_PATIENTS, {"name": "result-patient", "use": "in", "type": "Patient", "max": "1"})


class _Pair(NamedTuple):
    source: str
    target: str


def merge(exchange: Exchange, type: str) -> Answer:
    """`POST [base]/Patient/$merge`: Parameters with the outcome and the target as it is now (`result`).

    Raises Forbidden, BadRequest, Unprocessable for Patients that cannot be one, Conflict for one that is merged.
    """
    inputs = received_as(exchange, _MERGING)
    pair = _pair(exchange, inputs)
    given = inputs.get("result-patient")
    result = None if given is None else conforming(exchange, given)
    moved = 0

    def work(tx: Transaction) -> list[Stored]:
        nonlocal moved
        _lock(tx, pair)
        source, target = (_active(tx, each) for each in pair)
        _require_one_person(source, target)
        taken = _taken_over(source, target)
        after = _result(result, target, pair) if result is not None else dict(target)
        after = _with(after, "identifier", taken)
        after = _with(after, "link", [_link("replaces", pair.source)])
        gone = _with({**source, "active": False}, "link", [_link("replaced-by", pair.target)])
        done = [tx.update(after), tx.update(gone)]
        facts = {"active": source.get("active"), "identifiers": taken}
        moved = tx.merge(pair.source, pair.target, Bearing(exchange.services, *pair), facts)
        return done

    stored = writing.commit(exchange, "operation", 200, work, read=lambda: _events("merge"))
    moved += followed(exchange.services, *pair)
    said = f"Patient/{pair.source} is part of Patient/{pair.target} now; {moved} resources were moved."
    return _answer(said, stored[0])


def unmerge(exchange: Exchange, type: str) -> Answer:
    """`POST [base]/Patient/$unmerge`: what was moved is back, changed or not; what came since stays, and is told.

    Raises Forbidden, BadRequest, Conflict for what was not merged so, or was merged onward.
    """
    pair = _pair(exchange, received_as(exchange, _PATIENTS))
    moved, stay = 0, list[str]()

    def work(tx: Transaction) -> list[Stored]:
        nonlocal moved, stay
        _lock(tx, pair)
        row = tx.merges.of(pair.source)
        if row is None or row["into"] != pair.target:
            raise Conflict(f"Patient/{pair.source} was not merged into Patient/{pair.target}.")
        if (onward := tx.merges.of(pair.target)) is not None:
            text = f"Patient/{pair.target} was merged into Patient/{onward['into']} since: undo that first."
            raise Conflict(text)
        source, target = (_patient(tx, each) for each in pair)
        back = {name: value for name, value in source.items() if name != "active"}
        back |= {} if row["active"] is None else {"active": row["active"]}
        kept = _without(target, "identifier", row["identifiers"])
        done = [
            tx.update(_without(kept, "link", [_link("replaces", pair.source)])),
            tx.update(_without(back, "link", [_link("replaced-by", pair.target)])),
        ]
        moved = tx.unmerge(pair.source, pair.target, Bearing(exchange.services, *pair))
        stay = tx.since(pair.target, row["at"], MOST)
        return done

    stored = writing.commit(exchange, "operation", 200, work, read=lambda: _events("unmerge"))
    said = f"Patient/{pair.source} is a record of its own again; {moved} resources were moved back."
    return _answer(said, stored[0], stay)


def followed(services: Services, source: str, target: str) -> int:
    """Moves what other transactions stored in a record while it was merged; how many resources."""

    def work(tx: Transaction) -> int:
        _lock(tx, _Pair(source, target))
        row = tx.merges.of(source)
        root = tx.merges.family(source).root
        if row is None or row["into"] != target or root != target:
            return 0
        return tx.follow(source, target, Bearing(services, source, target))

    return services.store.transact(Access.system(_REASON, services.clock()), work)


def _events(operation: str) -> list[Event]:
    return [Event("operation", 200, query=f"Patient/${operation}")]


def _pair(exchange: Exchange, inputs: Inputs) -> _Pair:
    require(exchange.access.requester, "Patient", "u")
    if exchange.access.requester.kind != "operator":
        raise Forbidden("Records are merged by who manages identities: an operator.")
    source, target = (_id(exchange, inputs, name) for name in ("source-patient", "target-patient"))
    if source == target:
        raise Unprocessable("source-patient and target-patient are the same.", expression="Parameters.parameter")
    return _Pair(source, target)


def _id(exchange: Exchange, inputs: Inputs, name: str) -> str:
    text = inputs.need(name).get("reference")
    if isinstance(text, str):
        type, _, id = text.removeprefix(exchange.services.base + "/").partition("/")
        if type == "Patient" and id and "/" not in id:
            return id
    raise BadRequest(f"{name} must be a literal reference, such as Patient/123.", expression="Parameters.parameter")


def _lock(tx: Transaction, pair: _Pair) -> None:
    tx.lock(f"merge#{each}" for each in pair)


def _patient(tx: Transaction, id: str) -> Resource:
    stored = tx.view.read("Patient", id)
    if stored is None or stored.deleted:
        raise Unprocessable(f"Patient/{id} is not here.", code="not-found")
    return jsontext.parse_object(stored.body)


def _active(tx: Transaction, id: str) -> Resource:
    patient = _patient(tx, id)
    if (row := tx.merges.of(id)) is not None:
        raise Conflict(f"Patient/{id} was merged into Patient/{row['into']} already.")
    if patient.get("active") is False or any(each.get("type") == "replaced-by" for each in patient.get("link", ())):
        raise Unprocessable(f"Patient/{id} is not active: only open records are merged.", code="business-rule")
    return patient


def _require_one_person(source: Resource, target: Resource) -> None:
    """The qualified identity stays: an INS that the target does not bear would be lost."""
    lost = {*numbers_of(source)} - {*numbers_of(target)}
    if not lost:
        return
    if not numbers_of(target):
        text = "The source bears a national health identity (INS), the target none: merge the target into the source."
    else:
        text = "The Patients bear different national health identities (INS): they are not one person."
    raise Unprocessable(text, code="business-rule")


def _taken_over(source: Resource, target: Resource) -> list[Resource]:
    """The source's identifiers that the target takes over as old ones; not official ones, of which there is one."""
    known = {(each.get("system"), each.get("value")) for each in target.get("identifier", ())}
    found = (each for each in source.get("identifier", ()) if (each.get("system"), each.get("value")) not in known)
    return [{**each, "use": "old"} for each in found if each.get("use") != "official"]


def _result(given: Resource, target: Resource, pair: _Pair) -> Resource:
    if given.get("id") != pair.target:
        raise Unprocessable("result-patient must be the target, under its id.", expression="Patient.id")
    if {*numbers_of(given)} != {*numbers_of(target)} or given.get("active") is False:
        text = "result-patient must be active, and bear the target's national health identity (INS)."
        raise Unprocessable(text, code="business-rule")
    return dict(given)


def _link(type: str, id: str) -> Resource:
    return {"other": {"reference": f"Patient/{id}"}, "type": type}


def _with(resource: Resource, name: str, more: list[Resource]) -> Resource:
    there = list(resource.get(name, ()))
    added = [each for each in more if each not in there]
    return resource | ({name: there + added} if added else {})


def _without(resource: Resource, name: str, less: list[Resource]) -> Resource:
    left = [each for each in resource.get(name, ()) if each not in less]
    bare = {key: value for key, value in resource.items() if key != name}
    return bare | ({name: left} if left else {})


def _answer(said: str, result: Stored, stay: list[str] | None = None) -> Answer:
    issues = [Issue("information", "informational", said)]
    if stay:
        named = ", ".join(stay) + (", and more" if len(stay) >= MOST else "")
        text = f"What came into Patient/{result.id} since the merge stays there: {named}."
        issues.append(Issue("warning", "informational", text))
    parameters = [
        {"name": "outcome", "resource": outcome(issues)},
        {"name": "result", "resource": jsontext.parse_object(result.body)},
    ]
    return of_value(200, {"resourceType": "Parameters", "parameter": parameters})
