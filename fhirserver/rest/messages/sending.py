"""How a message is sent: an ordinary create of a Communication of the category of messages (docs/messages.md).

The server says who sends it, when, and to whom where that is left out; judges it (`espace.messages.rules`); puts the
tag on it that makes it private; and makes a Binary, as private, of each attachment that came inside. What was sent is
neither changed nor deleted.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.access import Access, author_references, keys, private
from fhirserver.access.acl import HIDDEN_FROM_PATIENT, label_codes
from fhirserver.access.rules import Case, hard
from fhirserver.audit.news import LETTER
from fhirserver.clock import to_instant
from fhirserver.documents.media import media_of
from fhirserver.errors import Conflict, Forbidden, Unprocessable
from fhirserver.espace.messages import message, rules
from fhirserver.espace.roles import ROLES
from fhirserver.predicate import FALSE
from fhirserver.rest import compartment
from fhirserver.rest.documents.contents import Content, decoded
from fhirserver.store import new_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from fhirserver.access import Policy
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored, Transaction

Resource = dict[str, Any]

_SYSTEMS: Final = {"rpps": keys.RPPS, "finess": keys.FINESS}
_PERSONS: Final = frozenset({"Patient", "RelatedPerson"})
_BINARY: Final = "Binary"
_FIXED: Final = "A message that was sent stays as it was: only who else sees it is changed."
_POSTED: Final = "A message is sent by POST; nothing that is here becomes one."
_ALONE: Final = "A message is about the person of the record: it names no other patient."
_TWICE: Final = "A person is named by reference alone, a professional or organisation by number."
_UNREACHED: Final = "partOf leads to no thread here: name its first message, Communication/[id]."
_NOT_HERE: Final = "payload[{}].contentReference leads to nothing in this record."


class Sending(NamedTuple):
    """A message to be stored, and by id what is attached to it."""

    resource: Resource
    binaries: dict[str, Resource]


def sending(exchange: Exchange, tx: Transaction, resource: Resource) -> Sending | None:
    """What is to be stored of a new message; None for everything else.

    Raises Forbidden and Conflict as the rules have it, Unprocessable for what no message can be.
    """
    if not message.is_sent(resource):
        return None
    if exchange.access.requester.kind != "operator":
        first = _first(tx, resource)
        resource = _addressed(exchange, tx, _filled(exchange, resource, first), first)
        _require_content(exchange, tx, resource)
    return _detached(resource)


def attached(exchange: Exchange, tx: Transaction, stored: Stored, sent: Sending) -> None:
    """Stores what is attached to a message that was just stored, and has it handed over."""
    participants = [each for each in stored.acl.get("with", ()) if "|" in each]
    for id, binary in sent.binaries.items():
        made = message.tagged({**binary, "id": id}, participants)
        if stored.pat is not None:
            made["securityContext"] = {"reference": f"Patient/{stored.pat}"}
        index = exchange.services.indexer.index(made)._replace(pat=stored.pat)
        tx.besides.append(tx.create(made, id, fresh=True, index=index))
    if exchange.services.settings.mssante_host and message.side(exchange.access.requester) == "person":
        tx.post(_letters(exchange, stored, participants))


def require_kept(exchange: Exchange, pre: Resource, post: Resource | None) -> None:
    """Raises Forbidden where a message, or what is attached to one, would change or go, and where something becomes
    one. Who else sees it (labels) is changed as of anything."""
    if exchange.access.requester.kind == "operator":
        return
    if not private.is_message(pre):
        if post is not None and message.is_sent(post) and not message.is_sent(pre):
            raise Forbidden(_POSTED)
        return
    if post is None or _said(pre) != _said(post) or HIDDEN_FROM_PATIENT in label_codes(post) - label_codes(pre):
        raise Forbidden(_FIXED)


def judged(act: str, exchange: Exchange, facts: Collection[str]) -> None:
    """Raises Forbidden, or Conflict for what another moment may allow, with the words of the reason."""
    role = ROLES.get(exchange.access.requester.kind, "")
    reason = rules.refusal(act, role, facts)
    if reason is not None:
        raise (Conflict if reason in rules.STATES else Forbidden)(rules.words()[reason])


def wanted(access: Access, policy: Policy | None) -> bool:
    """Whether a professional may write to the person of this policy: the space is open, and he is not blocked."""
    return policy is not None and hard(Case(access, message.TYPE, policy, named=True)) == FALSE


def facts_of(access: Access, first: Stored, policy: Policy | None) -> set[str]:
    """What is so of a thread, by its first message, for who sees that."""
    who, resource = access.requester, jsontext.parse_object(first.body)
    found = {"closed" if message.is_closed(resource) else "open"}
    if policy is not None and policy.space_at(access.now).writes:
        found.add("writes")
    if who.own & set(first.acl.get("with", ())) or (message.side(who) == "person" and first.pat == who.patient):
        found.add("part")
    if message.closer(resource) == message.side(who):
        found.add("closer")
    return found | ({"wanted"} if wanted(access, policy) else set())


def _first(tx: Transaction, resource: Resource) -> Stored | None:
    """The first message of the thread that an answer is for; None of one that opens a thread. Raises Unprocessable, the
    same for one that is hidden, absent, or no first message."""
    if not resource.get("partOf"):
        return None
    id = message.thread(resource)
    found = tx.view.read(message.TYPE, id) if id is not None and len(resource["partOf"]) == 1 else None
    if found is None or found.deleted:
        raise Unprocessable(_UNREACHED, code="not-found", expression="Communication.partOf")
    first = jsontext.parse_object(found.body)
    if not private.is_message(first) or first.get("partOf") or not message.is_sent(first):
        raise Unprocessable(_UNREACHED, code="not-found", expression="Communication.partOf")
    return found


def _filled(exchange: Exchange, resource: Resource, first: Stored | None) -> Resource:
    """With what the server says: that it was sent, when, by whom; of an answer the subject and topic of its thread."""
    now = to_instant(exchange.access.now)
    made = {"sender": message.reference_of(exchange.access.requester), **resource, "status": "completed", "sent": now}
    for name in ("received", "statusReason"):
        made.pop(name, None)
    if first is None:
        return made
    head = jsontext.parse_object(first.body)
    made = {**{name: head[name] for name in ("subject", "topic") if name in head}, **made}
    if labels := [each for each in message.secret(head) if each not in (made.get("meta") or {}).get("security", ())]:
        meta = dict(made.get("meta") or {})
        made["meta"] = meta | {"security": [*meta.get("security", ()), *labels]}
    return made


def _addressed(exchange: Exchange, tx: Transaction, resource: Resource, first: Stored | None) -> Resource:
    """Judged, and with its recipients. Raises Forbidden, Conflict, Unprocessable."""
    access = exchange.access
    patient = compartment.indexed(exchange, tx, resource).pat
    policy = tx.policy(patient)
    if first is None:
        judged("open", exchange, {"wanted"} if wanted(access, policy) else ())
    else:
        judged("answer", exchange, facts_of(access, first, policy))
    if patient is None or (first is not None and first.pat != patient):
        raise Unprocessable("subject is the person of the record.", expression="Communication.subject")
    if not resource.get("recipient"):
        resource = resource | {"recipient": _everyone(access, patient, first)}
    told = [(each, _keys(tx, resource, each)) for each in resource["recipient"]]
    own = _keys(tx, resource, resource["sender"])
    if not own or not set(own) <= access.requester.own or _is_of_two(resource["sender"]):
        raise Forbidden("sender is who sends the message.")
    _require_recipients(access, patient, first, told)
    if compartment.indexed(exchange, tx, resource).patx:
        raise Unprocessable(_ALONE, code="business-rule", expression="Communication.recipient")
    recipients = [_identified(each, found) for each, found in told]
    return resource | {"sender": _identified(resource["sender"], own), "recipient": recipients}


def _identified(reference: Resource, found: tuple[str, ...]) -> Resource:
    """With the number by which a professional or an organisation finds what is his."""
    kind, _, number = found[0].partition("|") if len(found) == 1 else ("", "", "")
    if "identifier" in reference or kind not in _SYSTEMS:
        return reference
    return {**reference, "identifier": {"system": _SYSTEMS[kind], "value": number}}


def _everyone(access: Access, patient: str, first: Stored | None) -> list[Resource]:
    """Who else takes part: the person, and the professionals of the thread."""
    person = {"reference": f"Patient/{patient}"}
    if first is None:
        return [person]
    head = jsontext.parse_object(first.body)
    found = [] if message.side(access.requester) == "person" else [person]
    for each in (head.get("sender"), *head.get("recipient", ())):
        mine = isinstance(each, dict) and set(keys.of_reference(each, {}, {})) <= access.requester.own
        if isinstance(each, dict) and not mine and each.get("reference") != person["reference"]:
            found.append(each)
    return found


def _require_recipients(
    access: Access, patient: str, first: Stored | None, told: list[tuple[Resource, tuple[str, ...]]]
) -> None:
    """Raises Unprocessable for recipients that are none of this thread, or that nobody is known by. `told`: each with
    its actor keys."""
    person, named = f"patient|{patient}", {key for _, found in told for key in found}
    others = named - {person}
    text = ""
    if len(told) > message.MOST_RECIPIENTS:
        text = f"A message has {message.MOST_RECIPIENTS} recipients at most."
    elif any(_is_of_two(each) for each, _ in told):
        text = _TWICE
    elif not all(found for _, found in told) or any(keys.kind(each) not in _SYSTEMS for each in others):
        text = "A recipient is the person of the record, or a professional or organisation by RPPS or FINESS number."
    elif first is not None and not named <= {*first.acl.get("with", ()), person}:
        text = "A recipient of an answer is one of those who take part in the thread."
    elif message.side(access.requester) == "professional" and person not in named:
        text = "The person is among the recipients of what a professional sends."
    elif message.side(access.requester) == "person" and not others:
        text = "An answer goes to a professional of the thread."
    if text:
        raise Unprocessable(text, code="business-rule", expression="Communication.recipient")


def _is_of_two(reference: Resource) -> bool:
    """Whether it names a person by reference and somebody by number: it would be the one to some and the other to
    others."""
    return "identifier" in reference and bool(_PERSONS & {*str(reference.get("reference", "")).split("/")})


def _keys(tx: Transaction, resource: Resource, reference: Any) -> tuple[str, ...]:
    """The actor keys of one participant, without profession."""
    asked = {"resourceType": message.TYPE, "recipient": [reference], "contained": resource.get("contained", [])}
    found = private.participants(message.tagged(asked), tx.identifiers(author_references(asked))) or []
    return tuple(each for each in found if "|" in each or "/" in each)


def _require_content(exchange: Exchange, tx: Transaction, resource: Resource) -> None:
    """Raises Unprocessable for what is not to be read: too long, not text, a reference that leads out of the record."""
    if HIDDEN_FROM_PATIENT in label_codes(resource):
        raise Unprocessable("A message is not hidden from the person.", expression="Communication.meta.security")
    if "topic" in resource and not message.is_title(message.title(resource)):
        text = f"topic.text is a line of {message.LONGEST_TITLE} characters at most."
        raise Unprocessable(text, expression="Communication.topic")
    if not resource.get("payload"):
        raise Unprocessable("A message says something: give a payload.", expression="Communication.payload")
    if any(not message.is_text(each) for each in message.texts(resource)):
        text = f"A text has {message.LONGEST_TEXT} characters at most, and no control characters."
        raise Unprocessable(text, expression="Communication.payload")
    patient = compartment.indexed(exchange, tx, resource).pat
    for place, each in enumerate(resource["payload"]):
        if "contentReference" in each and not _is_in(exchange, tx, each["contentReference"], patient):
            raise Unprocessable(_NOT_HERE.format(place), code="not-found", expression=f"Communication.payload[{place}]")


def _is_in(exchange: Exchange, tx: Transaction, reference: Any, patient: str | None) -> bool:
    text = str(reference.get("reference", "")) if isinstance(reference, dict) else ""
    place = keys.local(text.removeprefix(f"{exchange.services.base}/"))
    if place is None or place[0] not in exchange.services.definitions.resource_types:
        return False
    found = tx.view.read(*place)
    return found is not None and not found.deleted and found.pat == patient


def _detached(resource: Resource) -> Sending:
    """The message with its attachments beside it. Raises Unprocessable for what is not taken."""
    binaries: dict[str, Resource] = {}
    payload, size = [], 0
    for place, each in enumerate(resource.get("payload") or ()):
        attachment = each.get("contentAttachment")
        if attachment is None:
            payload.append(each)
            continue
        where = f"Communication.payload[{place}].contentAttachment"
        if "data" not in attachment or "url" in attachment:
            raise Unprocessable(f"{where}: send the bytes in data, and no url.", expression=where)
        data = decoded(attachment["data"], f"{where}.data")
        size += len(data)
        media = media_of(data)
        if media is None or size > message.MOST_BYTES or len(binaries) == message.MOST_ATTACHMENTS:
            raise Unprocessable(
                f"{where}: {message.MOST_ATTACHMENTS} PDF, PNG, JPEG or texts of {message.MOST_BYTES} bytes in all.",
                expression=where,
            )
        id, content = new_id(), Content.of(data)
        binaries[id] = {"resourceType": _BINARY, "contentType": media, "data": attachment["data"]}
        if security := (resource.get("meta") or {}).get("security"):
            binaries[id]["meta"] = {"security": security}
        title = str(attachment.get("title") or "")
        known = {name: value for name, value in attachment.items() if name not in ("data", "hash", "size", "title")}
        named = {"title": title if message.is_title(title) else f"Pièce jointe {len(binaries)}"}
        told = {"contentType": media, "url": f"{_BINARY}/{id}", "size": content.size, "hash": content.hash}
        payload.append({**each, "contentAttachment": {**known, **told, **named}})
    return Sending(resource | ({"payload": payload} if payload else {}), binaries)


def _letters(exchange: Exchange, stored: Stored, participants: Iterable[str]) -> list[Resource]:
    """What is to be handed to the gateway: to each professional."""
    now = datetime.now(UTC)
    known = {"kind": LETTER, "patient": stored.pat, "at": exchange.access.now, "since": now, "due": now, "tries": 0}
    return [
        {"_id": uuid.uuid4().hex, **known, "message": stored.id, "key": key, "secret": False}
        for key in participants
        if keys.kind(key) in _SYSTEMS
    ]


def _said(resource: Mapping[str, Any]) -> Resource:
    """The resource without its labels, and what the server sets of `meta`."""
    meta = resource.get("meta") or {}
    kept = {name: each for name, each in meta.items() if name not in ("security", "versionId", "lastUpdated")}
    return {name: each for name, each in resource.items() if name != "meta"} | {"meta": kept}
