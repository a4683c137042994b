"""What a message is: a Communication of the category `MESSAGE`. Pure.

The first message of a thread is the thread: the others name it in `partOf`. Its `status` is `completed`, or `stopped`
where the thread was closed, with who did (`statusReason`). `sent` is set when it is sent, `received` when it is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.access import keys
from fhirserver.access.acl import HIDDEN_FROM_REPRESENTATIVES
from fhirserver.access.entered import tags
from fhirserver.access.private import MESSAGE, PARTICIPANT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fhirserver.access import Requester

Resource = dict[str, Any]

TYPE: Final = "Communication"
CLOSED: Final = "stopped"
MESSAGE_ID: Final = "urn:fhirserver:message-id"
"""System of the identifier that holds the Message-ID of a message that came by e-mail."""
LONGEST_TEXT: Final = 20_000
LONGEST_TITLE: Final = 200
MOST_RECIPIENTS: Final = 20
MOST_ATTACHMENTS: Final = 5
MOST_BYTES: Final = 10 * 1024 * 1024
"""Of all that is attached to one message."""
_CLOSED_BY: Final = "urn:fhirserver:message-closed-by"
_LAYOUT: Final = "\r\n\t"


def is_sent(resource: Mapping[str, Any]) -> bool:
    """Whether it is of the category by which a Communication is a message."""
    return resource.get("resourceType") == TYPE and any(
        _is_category(coding)
        for concept in _list(resource.get("category"))
        if isinstance(concept, dict)
        for coding in _list(concept.get("coding"))
    )


def category() -> list[Resource]:
    return [{"coding": [dict(MESSAGE)]}]


def tagged(resource: Resource, participants: Iterable[str] = ()) -> Resource:
    """The resource with the tag of messages, and of further participants."""
    meta = dict(resource.get("meta") or {})
    ours = (MESSAGE["system"], PARTICIPANT)
    kept = [each for each in tags(resource) if each.get("system") not in ours]
    meta["tag"] = [*kept, dict(MESSAGE), *({"system": PARTICIPANT, "code": each} for each in participants)]
    return {**resource, "meta": meta}


def thread(resource: Mapping[str, Any]) -> str | None:
    """The id of the first message that this one is an answer to; None of a first one."""
    named = [keys.local(each.get("reference")) for each in _list(resource.get("partOf")) if isinstance(each, dict)]
    return next((place[1] for place in named if place is not None and place[0] == TYPE), None)


def is_closed(first: Mapping[str, Any]) -> bool:
    """Whether the thread of this first message was closed."""
    return first.get("status") == CLOSED


def closer(first: Mapping[str, Any]) -> str | None:
    """Which side closed it: `person` or `professional`."""
    reason = first.get("statusReason")
    found = _list(reason.get("coding")) if isinstance(reason, dict) else []
    return next((str(each["code"]) for each in found if each.get("system") == _CLOSED_BY), None)


def closed(first: Resource, who: Requester) -> Resource:
    """The first message of a thread that is closed by who."""
    return {**first, "status": CLOSED, "statusReason": {"coding": [{"system": _CLOSED_BY, "code": side(who)}]}}


def reopened(first: Resource) -> Resource:
    return {name: each for name, each in first.items() if name != "statusReason"} | {"status": "completed"}


def side(who: Requester) -> str:
    return "person" if who.is_person else "professional"


def reference_of(who: Requester) -> Resource:
    """How a message names who sends it."""
    named = {"display": who.name} if who.name else {}
    if who.kind == "patient":
        return {"reference": f"Patient/{who.patient}", **named}
    if who.kind == "representative":
        return {"reference": who.id, **named}
    if who.kind == "practitioner" and who.rpps:
        return {"type": "Practitioner", "identifier": {"system": keys.RPPS, "value": who.rpps}, **named}
    return {"type": "Organization", "identifier": {"system": keys.FINESS, "value": who.organization}, **named}


def secret(first: Mapping[str, Any]) -> list[Resource]:
    """The labels by which a thread is kept from representatives: all of it is."""
    meta = first.get("meta")
    labels = _list(meta.get("security")) if isinstance(meta, dict) else []
    return [each for each in labels if isinstance(each, dict) and each.get("code") == HIDDEN_FROM_REPRESENTATIVES]


def is_text(text: str, longest: int = LONGEST_TEXT) -> bool:
    """Whether it is text to read, not longer than that."""
    return bool(text.strip()) and len(text) <= longest and all(each.isprintable() or each in _LAYOUT for each in text)


def is_title(text: str) -> bool:
    return bool(text.strip()) and len(text) <= LONGEST_TITLE and text.isprintable()


def texts(resource: Mapping[str, Any]) -> list[str]:
    """What it says."""
    return [each["contentString"] for each in _payloads(resource) if isinstance(each.get("contentString"), str)]


def attachments(resource: Mapping[str, Any]) -> list[Resource]:
    """What is attached to it, in order."""
    found = [each.get("contentAttachment") for each in _payloads(resource)]
    return [each for each in found if isinstance(each, dict)]


def title(resource: Mapping[str, Any]) -> str:
    topic = resource.get("topic")
    return str(topic.get("text") or "") if isinstance(topic, dict) else ""


def _payloads(resource: Mapping[str, Any]) -> list[Resource]:
    return [each for each in _list(resource.get("payload")) if isinstance(each, dict)]


def _is_category(coding: Any) -> bool:
    return isinstance(coding, dict) and coding.get("system") == MESSAGE["system"]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
