"""What a Subscription asks for, read strictly: of R4, or by topic (Subscriptions R5 Backport 1.1.0)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.errors import Unprocessable
from fhirserver.subscriptions.topics import TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Resource = dict[str, Any]

BACKPORT: Final = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
PROFILE: Final = f"{BACKPORT}backport-subscription"
ADVERTISED: Final = f"{BACKPORT}capabilitystatement-subscriptiontopic-canonical"
FILTER: Final = f"{BACKPORT}backport-filter-criteria"
CONTENTS: Final = ("empty", "id-only", "full-resource")
JSON: Final = "application/fhir+json"
XML: Final = "application/fhir+xml"
SECONDS: Final = 10
"""That an endpoint has to answer, unless the Subscription says less or more."""
_NUMBERS: Final = {
    "backport-heartbeat-period": ("valueUnsignedInt", 30, 86_400),
    "backport-timeout": ("valueUnsignedInt", 1, 30),
    "backport-max-count": ("valuePositiveInt", 1, 100),
}
"""Extensions of the channel: where the value stands, the least and the most."""
_MOST_HEADERS: Final = 20
_LONGEST: Final = 4096
_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}):[ \t]*([\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?)")
_OURS: Final = frozenset({
    "host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection", "keep-alive",
    "expect", "upgrade", "te", "trailer", "user-agent",
})  # fmt: skip
"""Headers that say how the request is sent."""


class Wanted(NamedTuple):
    """Versions of a type that meet search criteria, as text."""

    type: str
    criteria: str


class Plan(NamedTuple):
    """`topic`: its canonical, empty for criteria of R4; `wanted`: a version must meet one of them; `payload`: the media
    type, empty for none; `content` one of `CONTENTS`; `heartbeat` and `timeout` in seconds; `most`: events in one
    notification; `end`: until when."""

    topic: str
    wanted: tuple[Wanted, ...]
    endpoint: str
    headers: tuple[str, ...]
    payload: str
    content: str
    heartbeat: int
    timeout: int
    most: int
    end: datetime | None

    def described(self) -> dict[str, Any]:
        """The plan as it is kept: plain values."""
        return self._asdict() | {"wanted": [list(each) for each in self.wanted], "headers": list(self.headers)}

    @classmethod
    def written(cls, row: Mapping[str, Any]) -> Plan:
        """The plan that was `described`."""
        wanted = tuple(Wanted(*each) for each in row["wanted"])
        return cls(**{**row, "wanted": wanted, "headers": tuple(row["headers"])})

    def header_pairs(self) -> dict[str, str]:
        return {name: value.strip() for name, _, value in (each.partition(":") for each in self.headers)}


def planned(subscription: Resource) -> Plan:
    """What a Subscription, valid as R4 has it, asks for. Raises Unprocessable for what is not carried out here."""
    channel = subscription["channel"]
    if channel.get("type") != "rest-hook":
        raise _refused("channel.type", f"Channels of the type {channel.get('type')} are not offered: rest-hook is.")
    topic = _topic(subscription)
    numbers = {name: _number(channel, name) for name in _NUMBERS}
    if not topic and any(numbers.values()):
        raise _refused("channel", "Heartbeats, timeouts and several events at once are for topics.")
    payload, content = _payload(channel, by_topic=bool(topic))
    if not channel.get("endpoint"):
        raise _refused("channel.endpoint", "Say where notifications are to go.")
    return Plan(
        topic,
        tuple(_wanted(subscription, topic)),
        channel["endpoint"],
        tuple(_headers(channel)),
        payload,
        content,
        numbers["backport-heartbeat-period"] or 0,
        numbers["backport-timeout"] or SECONDS,
        numbers["backport-max-count"] or 1,
        _end(subscription),
    )


def _topic(subscription: Resource) -> str:
    """Its canonical; empty for criteria of R4."""
    criteria = subscription["criteria"]
    profiled = any(each.partition("|")[0] == PROFILE for each in subscription.get("meta", {}).get("profile", ()))
    if criteria in TOPICS:
        return str(criteria)
    if profiled:
        raise _refused("criteria", f"There is no such topic here. There are {', '.join(TOPICS)}.")
    return ""


def _wanted(subscription: Resource, topic: str) -> Iterator[Wanted]:
    extended = subscription.get("_criteria", {}).get("extension", ())
    filters = [str(each.get("valueString", "")) for each in extended if each.get("url") == FILTER]
    if not topic:
        if filters:
            raise _refused("criteria", "Filters are for topics: put the criteria themselves into the search.")
        type_, mark, text = subscription["criteria"].partition("?")
        if not re.fullmatch(r"[A-Z][A-Za-z]+", type_) or (mark and not text):
            raise _refused("criteria", "The criteria are a search, such as Observation?code=http://loinc.org|4548-4.")
        yield Wanted(type_, text)
        return
    triggers = TOPICS[topic].triggers
    named = [_filter(each, {type_ for type_, _ in triggers}) for each in filters]
    for type_, criteria in triggers:
        mine = [text for about, text in named if about in ("", type_)]
        if mine or not named:
            yield Wanted(type_, "&".join(filter(None, (criteria, *mine))))


def _filter(text: str, types: set[str]) -> tuple[str, str]:
    """The type that a filter is for, empty for all of the topic, and its criteria."""
    type_, mark, criteria = text.partition("?")
    if not mark:
        type_, criteria = "", text
    if not criteria or (type_ and type_ not in types):
        told = ", ".join(sorted(types))
        raise _refused("criteria", f"A filter is a search of what the topic tells of ({told}), such as patient=123.")
    return type_, criteria


def _payload(channel: Resource, *, by_topic: bool) -> tuple[str, str]:
    payload = str(channel.get("payload", ""))
    media = payload.partition(";")[0].strip().lower()
    if media not in ("", JSON, XML):
        raise _refused("channel.payload", f"The payload is {JSON} or {XML}, or is left out.")
    url = f"{BACKPORT}backport-payload-content"
    found = [each.get("valueCode") for each in channel.get("_payload", {}).get("extension", ()) if each["url"] == url]
    if not by_topic:
        if found:
            raise _refused("channel.payload", "How much content is wanted is said of topics only.")
        return media, "full-resource" if media else "empty"
    content = str(found[0]) if found else "empty"
    if content not in CONTENTS or len(found) > 1:
        raise _refused("channel.payload", f"The content is one of {', '.join(CONTENTS)}.")
    return media or JSON, content


def _number(channel: Resource, name: str) -> int | None:
    member, least, most = _NUMBERS[name]
    found = [each.get(member) for each in channel.get("extension", ()) if each.get("url") == f"{BACKPORT}{name}"]
    if not found:
        return None
    if len(found) > 1 or not isinstance(found[0], int) or not least <= found[0] <= most:
        raise _refused("channel", f"{name} is given once, from {least} to {most}.")
    return found[0]


def _headers(channel: Resource) -> Iterator[str]:
    """Header lines, sent as they are. What is wrong with one is said without repeating it: it may be a secret."""
    given = channel.get("header", ())
    if len(given) > _MOST_HEADERS:
        raise _refused("channel.header", f"{_MOST_HEADERS} headers are the most.")
    known: set[str] = set()
    for place, each in enumerate(given, 1):
        match = _HEADER.fullmatch(each) if len(each) <= _LONGEST else None
        name = match[1].lower() if match else ""
        if match is None:
            raise _refused("channel.header", f"Header {place} must be `Name: value`, in ASCII on one line.")
        if name in _OURS or name.startswith("proxy-") or name in known:
            raise _refused("channel.header", f"The header {match[1]} is set by the server, or stands there twice.")
        known.add(name)
        yield each


def _end(subscription: Resource) -> datetime | None:
    end = subscription.get("end")
    if end is None:
        return None
    try:
        found = datetime.fromisoformat(end.replace("Z", "+00:00"))
        found - timedelta(days=1), found + timedelta(days=1)
    except (ValueError, OverflowError):
        raise _refused("end", "The end is no moment that can be reckoned with.") from None
    return found


def _refused(place: str, text: str) -> Unprocessable:
    return Unprocessable(text, code="not-supported", expression=f"Subscription.{place}")
