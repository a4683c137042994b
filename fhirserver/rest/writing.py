"""What create, update, delete and transaction share: the way of a write.

Body -> received (type and id) -> validated -> in one transaction: whose record, may it be written, stored with history,
index entries, policy and trace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.access import author_references, judge_feeding, judge_write, problems, reach, require
from fhirserver.access.writes import WORDS
from fhirserver.audit import Entity, Event
from fhirserver.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    MethodNotAllowed,
    PreconditionFailed,
    Unprocessable,
)
from fhirserver.outcome import Issue, outcome
from fhirserver.predicate import TRUE, matches
from fhirserver.rest import agenda, compartment, defining, origin, references
from fhirserver.rest.answer import Answer, version_headers
from fhirserver.rest.documents import cda_unique, identity
from fhirserver.rest.documents.belonging import document_of, require_free, require_unsealed
from fhirserver.rest.documents.changes import DOCUMENT, require_metadata
from fhirserver.rest.messages import sending as messages
from fhirserver.rest.subscriptions import receiving
from fhirserver.search.scoped import scoped
from fhirserver.store import new_id as new_id
from fhirserver.store.traces import is_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from fhirserver.access import Access
    from fhirserver.rest.exchange import Exchange
    from fhirserver.search import Index
    from fhirserver.store import Stored, Transaction

TOLERATED: Final = frozenset({"txt-2", "full-url", "modifier-unknown", "urn-form"})
"""Rules whose breach does not keep a server of core profiles from storing a resource; it is told as a warning.

They change nothing of what the server does with it (what an access rule reads is judged apart); official R4 examples
break them. `$validate` and `fhirserver validate` call them errors.
"""
_ACTORS: Final = ("Practitioner/", "PractitionerRole/", "Organization/")
_TRACES: Final = "AuditEvent"
_FIXED: Final = "What was recorded stays as it was: an AuditEvent is neither changed nor deleted."
_FORGED: Final = "source.observer is this server, which records by itself what is done here: name who else tells."
_NOT_YOURS: Final = "An id is given by the server: POST to {type}, or update a resource that is there."


def refuse_headers(exchange: Exchange, *names: str) -> None:
    """A condition that is not carried out is refused, not passed over. Raises BadRequest that names it."""
    for name in names:
        if name in exchange.request.headers:
            raise BadRequest(f"The condition {name} is not offered here.", code="not-supported")


def received(resource: dict[str, Any], type: str, id: str | None = None) -> dict[str, Any]:
    """The resource when it is of the type and, for an update, of the id that the URL names. Raises BadRequest."""
    found = resource.get("resourceType")
    if found != type:
        raise BadRequest(f"resourceType is {found!r}, but the URL says {type}.", expression="resourceType")
    if id is not None and resource.get("id") != id:
        raise BadRequest(
            f"The resource's id is {resource.get('id')!r}, but the URL says {id}.", expression=f"{type}.id"
        )
    return resource


def refuse_conditional_references(exchange: Exchange, resource: dict[str, Any]) -> None:
    """`Patient?identifier=…` is a reference in a transaction only (http.html#trules); stored, it would lead nowhere.

    Raises Unprocessable. A stored Bundle may hold such a transaction.
    """
    if resource["resourceType"] == "Bundle":
        return
    for text in references.literal(exchange.services.definitions, resource):
        type, mark, _ = text.removeprefix(exchange.services.base + "/").partition("?")
        if mark and type in exchange.services.definitions.resource_types:
            said = f"The reference {text} is conditional: send the resource in a transaction, or refer to an id."
            raise Unprocessable(said, code="not-supported")


def require_changeable(type: str, stored: Stored | None = None) -> None:
    """Of AuditEvents nothing is changed, whoever asks, and whether or not there is one. Raises MethodNotAllowed."""
    if type == _TRACES and (stored is None or not stored.deleted):
        raise MethodNotAllowed(_FIXED, headers={"Allow": "GET, HEAD"})


def require_recorded_elsewhere(exchange: Exchange, resource: Mapping[str, Any], id: str) -> None:
    """What is recorded from outside is not taken for a trace of this server. Raises MethodNotAllowed, Unprocessable."""
    if resource["resourceType"] != _TRACES:
        return
    if is_trace(_TRACES, id):
        raise MethodNotAllowed(_FIXED, headers={"Allow": "GET, HEAD"})
    observer = resource.get("source", {}).get("observer", {})
    named = observer.get("identifier", {}).get("value"), observer.get("reference")
    if any(str(each).rstrip("/") == exchange.services.base for each in named):
        raise Unprocessable(_FORGED, code="business-rule", expression="AuditEvent.source.observer")


def findings(exchange: Exchange, resource: dict[str, Any], profiles: Sequence[str] = ()) -> list[Issue]:
    """All findings of the resource, as R4, the profiles and, for a Consent, the rules of access have it."""
    language = exchange.request.accept_languages.best_match(("en", "fr")) or "en"
    issues = exchange.services.validator.check(resource, profiles, language=language)
    if resource.get("resourceType") == "Consent" and not any(issue.is_error for issue in issues):
        issues += problems(resource)
    return issues


def validated(exchange: Exchange, resource: dict[str, Any], *, profiles_bind: bool = True) -> list[Issue]:
    """The findings that do not forbid to store it. Raises Unprocessable with all of them when one does.

    Without `profiles_bind`, only breaches of R4 itself forbid it.
    """
    issues = findings(exchange, resource)
    if not profiles_bind:
        issues = [issue._replace(severity="warning") if issue.profile and issue.is_error else issue for issue in issues]
    if exchange.services.settings.profiles == "core":
        issues = [issue._replace(severity="warning") if issue.rule in TOLERATED else issue for issue in issues]
    if any(issue.is_error for issue in issues):
        raise Unprocessable(
            "The resource does not conform.", issues=sorted(issues, key=lambda issue: not issue.is_error)
        )
    return issues


def validated_update(exchange: Exchange, resource: dict[str, Any], there: Callable[[], object]) -> list[Issue]:
    """As `validated`, of a resource that may be here already: a document was held to its profile when it came.

    `there` tells whether it is, as far as the requester sees it.
    """
    return validated(exchange, resource, profiles_bind=resource["resourceType"] != DOCUMENT or not there())


def commit(
    exchange: Exchange,
    interaction: str,
    status: int | Callable[[], int],
    work: Callable[[Transaction], list[Stored]],
    *,
    subject: tuple[str, str] | None = None,
    read: Callable[[], Iterable[Event]] = tuple,
    by: Access | None = None,
) -> list[Stored]:
    """Runs the work and its trace in one transaction; `subject` is traced when nothing was written.

    `by`: who had it done, when that is another one than in whose name it is done.

    `status` and `read`, what was read besides, are asked for when the work is done.
    """
    access = exchange.access

    def traced(tx: Transaction) -> list[Stored]:
        done = work(tx)
        defining.changed(exchange, tx, done)
        reads = tuple(read())
        exchange.services.notices.tell(access, reads)
        exchange.services.notices.queue(tx, by or access, done)
        touched = [Entity.of(stored) for stored in (*done, *tx.besides)]
        touched += [entity for each in reads for entity in each.entities]
        event = Event(
            interaction,
            status if isinstance(status, int) else status(),
            tuple(touched) or ((Entity(*subject),) if subject else ()),
            query=" ".join(each.query for each in reads if each.query) or None,
            patients=tuple({patient for each in reads for patient in each.patients}),
        )
        tx.trace(place.link(event.record((by or access).requester, access.now, exchange.services.origin)))
        return done

    with exchange.services.chains.place() as place:
        done = exchange.services.store.transact(access, traced)
    if any(stored.type == defining.TYPE for stored in done):
        exchange.services.in_force.refreshed()
    return done


def create(
    exchange: Exchange,
    tx: Transaction,
    resource: dict[str, Any],
    id: str,
    *,
    document: str | None = None,
    index: Index | None = None,
) -> Stored:
    """Stores a first version under an id that the server has just made. Raises Forbidden or Unprocessable.

    `document` (`DocumentReference/x`): what it was derived from; then its references are the server's own. `index`: its
    search entries, where they are others than the resource says.
    """
    return _create(exchange, tx, resource, id, chosen=False, document=document, index=index)


def create_shared(exchange: Exchange, tx: Transaction, resource: dict[str, Any], id: str) -> Stored:
    """Stores under an id that the server made of what the resource says: there may have been one, now deleted."""
    return _create(exchange, tx, resource, id, chosen=True)


def update(exchange: Exchange, tx: Transaction, resource: dict[str, Any], id: str, expected: int | None) -> Stored:
    """Stores the next version; for an operator also the first, under the id of his choice.

    Raises MethodNotAllowed, the same for a free id, a hidden and a deleted one; PreconditionFailed, Forbidden,
    Unprocessable.
    """
    type = resource["resourceType"]
    before = tx.view.read(type, id)
    if before is None or before.deleted:
        if exchange.access.requester.kind != "operator":
            raise MethodNotAllowed(_NOT_YOURS.format(type=type), headers={"Allow": "GET, HEAD"})
        if expected:
            raise PreconditionFailed(f"{type}/{id} is not here, so it is not at version {expected}.")
        return _create(exchange, tx, resource, id, chosen=True)
    if expected is not None and before.version != expected:
        told = f"is no longer at version {expected}: read it again" if expected else "is here already"
        raise PreconditionFailed(f"{type}/{id} {told}.")
    require_changeable(type, before)
    pre = jsontext.parse_object(before.body)
    messages.require_kept(exchange, pre, resource)
    resource = origin.marked(exchange, agenda.carried(resource, pre), pre, before.acl)
    resource = receiving.received(exchange, resource)
    index = compartment.changed(exchange, tx, resource, pre, before.pat)
    identifiers = tx.identifiers(author_references(resource))
    require_unsealed(before, pre)
    _require_known_actors(exchange, tx, resource)
    require_reach(exchange, type, "u", before.acl, (pre, before.pat), (resource, index.pat))
    entering = _entering(exchange, before, pre, index)
    for patient in {before.pat, index.pat}:
        decision = judge_write(
            exchange.access, "update", type, pre, resource, tx.policy(patient), acl=before.acl, identifiers=identifiers
        )
        if not decision.allowed:
            raise Forbidden(decision.words)
    _require_unmerged(tx, type, {before.pat, index.pat}, index.patx)
    if exchange.access.requester.kind != "operator":
        require_metadata(pre, resource, also=frozenset({"meta"}))
        require_free(exchange, pre)
    cda_unique.require_settled(tx, pre, resource)
    _require_open(exchange, tx, type, entering)
    identity.require_own_number(exchange, tx, resource, id, pre)
    _require_targets(exchange, tx, resource)
    resource = agenda.settled(exchange, tx, pre, resource, before.acl, index.pat) or resource
    stored = tx.update(resource, expected, index=index, identifiers=identifiers)
    origin.written(exchange, tx, stored, resource, pre)
    receiving.recorded(exchange, tx, stored, resource)
    if cda_unique.is_set_aside(pre, resource):
        tx.besides += cda_unique.withdrawn(exchange, tx, id)
    return stored


def _entering(exchange: Exchange, before: Stored, pre: dict[str, Any], index: Index) -> Iterable[str]:
    """The further records that the changed resource enters; for who feeds, also those that it is in.

    Raises Forbidden where it would go to another record: whatever element names the patient.
    """
    known, who = exchange.services.indexer.index(pre), exchange.access.requester
    unnamed = index.pat is None and known.pat is None
    if index.pat != before.pat and not unnamed and who.kind != "operator":
        raise Forbidden(WORDS["subject"])
    return index.patx if who.kind in ("practitioner", "system") else set(index.patx) - set(known.patx)


def delete(exchange: Exchange, tx: Transaction, type: str, id: str, expected: int | None) -> list[Stored]:
    """The tombstone, or nothing for what is absent, hidden or deleted. Raises PreconditionFailed or Forbidden."""
    require_changeable(type)
    before = tx.view.read(type, id)
    if before is None or before.deleted:
        return []
    if expected is not None and before.version != expected:
        raise PreconditionFailed(f"{type}/{id} is no longer at version {expected}: read it again.")
    pre = jsontext.parse_object(before.body)
    require_reach(exchange, type, "d", before.acl, (pre, before.pat))
    require_free(exchange, pre)
    require_unsealed(before, pre)
    messages.require_kept(exchange, pre, None)
    if type == "Patient":
        _require_apart(tx, id)
    decision = judge_write(exchange.access, "delete", type, pre, None, tx.policy(before.pat), acl=before.acl)
    if not decision.allowed:
        raise Forbidden(decision.words)
    agenda.settled(exchange, tx, pre, None, before.acl, before.pat)
    origin.removed(tx, pre)
    receiving.removed(tx, type, id)
    return [tx.delete(type, id, expected)]


def answer(exchange: Exchange, stored: Stored, status: int, findings: list[Issue]) -> Answer:
    """The answer to a create or update, as `Prefer` asks: the resource unless it says otherwise."""
    headers = version_headers(stored)
    headers["Location"] = f"{exchange.services.base}/{stored.type}/{stored.id}/_history/{stored.version}"
    if exchange.prefer.returns == "minimal":
        return Answer(status, None, headers)
    if exchange.prefer.returns == "OperationOutcome":
        return Answer(status, jsontext.dump(outcome(findings)), headers)
    return Answer(status, stored.body, headers)


def _create(
    exchange: Exchange,
    tx: Transaction,
    resource: dict[str, Any],
    id: str,
    *,
    chosen: bool,
    document: str | None = None,
    index: Index | None = None,
) -> Stored:
    type = resource["resourceType"]
    require(exchange.access.requester, type, "c")
    require_recorded_elsewhere(exchange, resource, id)
    resource = {**resource, "id": id}
    if document is None:
        resource = origin.marked(exchange, resource)
    sent = messages.sending(exchange, tx, resource) if document is None else None
    resource = sent.resource if sent is not None else resource
    resource = receiving.received(exchange, resource)
    index = index or compartment.indexed(exchange, tx, resource)
    require_reach(exchange, type, "c", {"by": sorted(exchange.access.requester.own)}, (resource, index.pat))
    identifiers = tx.identifiers(author_references(resource))
    _require_known_actors(exchange, tx, resource)
    owner = None if document else document_of(exchange, tx, resource)
    policy = tx.policy(index.pat if owner is None else owner.pat)
    decision = judge_write(exchange.access, "create", type, None, resource, policy, identifiers=identifiers)
    if not decision.allowed:
        raise Forbidden(decision.words)
    _require_unmerged(tx, type, {index.pat}, index.patx)
    _require_open(exchange, tx, type, index.patx)
    identity.require_own_number(exchange, tx, resource, id)
    if document is None:
        _require_targets(exchange, tx, resource)
    if owner is not None:
        document = f"{owner.type}/{owner.id}"
    if sent is not None:
        resource = sent.tagged
        index = compartment.indexed(exchange, tx, resource)
    resource = agenda.settled(exchange, tx, None, resource, {}, index.pat) or resource
    try:
        stored = tx.create(resource, id, fresh=not chosen, index=index, identifiers=identifiers, document=document)
    except Conflict:
        raise Conflict(f"{type}/{id} was stored meanwhile: read it again.") from None
    if sent is not None:
        messages.attached(exchange, tx, stored, sent)
    origin.written(exchange, tx, stored, resource, None)
    receiving.recorded(exchange, tx, stored, resource)
    return stored


def require_reach(
    exchange: Exchange, type: str, letter: str, acl: Mapping[str, Any], *states: tuple[dict[str, Any], str | None]
) -> None:
    """The scopes must reach each state, a resource and its patient: one of another patient than the app was launched
    for, or beside what a search part names, is not written. Raises Forbidden."""
    reached = reach(exchange.access, type, letter, scoped(exchange.services.definitions))
    if reached == TRUE:
        return
    for resource, patient in states:
        index = exchange.services.indexer.index(resource)
        known = {"pat": patient, "patx": list(index.patx), "t": list(index.t), "acl": acl}
        if not matches(reached, {name: value for name, value in known.items() if value}):
            raise Forbidden(f"The token's scopes do not cover this {type} ({letter}).")


def _require_unmerged(tx: Transaction, type: str, patients: Iterable[str | None], further: Iterable[str]) -> None:
    """Nothing enters a record that was merged into another one, but a Patient may link to it. Raises Unprocessable,
    which names that one."""
    concerned = {*patients} | ({*further} if type != "Patient" else set())
    for patient in sorted(each for each in concerned if each is not None):
        policy = tx.policy(patient)
        if policy is not None and policy.into is not None:
            text = f"Patient/{patient} was merged into Patient/{policy.into}: refer to that one."
            raise Unprocessable(text, code="business-rule")


def _require_apart(tx: Transaction, patient: str) -> None:
    """Raises Conflict for a Patient that is one with others."""
    policy = tx.policy(patient)
    if policy is not None and policy.beside:
        others = ", ".join(f"Patient/{each.patient}" for each in policy.beside)
        raise Conflict(f"Patient/{patient} was merged with {others}: undo that first ($unmerge).")


def _require_open(exchange: Exchange, tx: Transaction, type: str, patients: Iterable[str]) -> None:
    """What is about several patients enters the record of each: a closed one, or one that opposes it, refuses it."""
    for patient in patients if type != _TRACES else ():
        decision = judge_feeding(exchange.access, type, tx.policy(patient))
        if not decision.allowed:
            raise Forbidden(decision.words)


def _require_known_actors(exchange: Exchange, tx: Transaction, resource: dict[str, Any]) -> None:
    """A person who blocks or lets in somebody must be told when nobody can be recognised by what the Consent names."""
    if resource["resourceType"] != "Consent" or not exchange.access.requester.is_person:
        return
    named = {text for text in references.literal(exchange.services.definitions, resource) if text.startswith(_ACTORS)}
    found = [issue for issue in problems(resource, tx.identifiers(named)) if issue.is_error]
    if found:
        raise Unprocessable("The Consent names somebody who cannot be recognised.", issues=found)


def _require_targets(exchange: Exchange, tx: Transaction, resource: dict[str, Any]) -> None:
    """With referential integrity on, each literal reference must lead to what the requester sees: hidden is absent."""
    if not exchange.services.settings.referential_integrity:
        return
    types = exchange.services.definitions.resource_types
    for text in references.literal(exchange.services.definitions, resource):
        type, _, id = text.removeprefix(exchange.services.base + "/").partition("/_history/")[0].partition("/")
        if type in types and id and f"{type}/{id}" not in tx.coming:
            target = tx.view.read(type, id)
            if target is None or target.deleted:
                raise Unprocessable(f"The reference {text} leads to nothing here.", code="not-found")
