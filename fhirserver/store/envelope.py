"""A resource as MongoDB keeps it: its JSON bytes beside what queries and access rules need (docs/architecture.md)."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import zstandard

from fhirserver import jsontext
from fhirserver.clock import to_instant
from fhirserver.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FORMAT: Final = 2
"""What this version writes (`store.schema`). An envelope without a number is of format 1."""
COMPRESS_ABOVE: Final = 2048
"""Bytes of JSON from which zstd pays: below, the frame costs more than it saves."""

UNREAD: Final = dict.fromkeys(
    ("d", "s", "x", "made", *(f"doc.{name}" for name in ("_id", "v", "pat", "patx", "t", "d", "was"))), 0
)
"""Projection of what is not needed of an envelope whose resource is read."""
_MILLISECOND: Final = timedelta(milliseconds=1)


def new_id() -> str:
    """A logical id that tells nothing."""
    return str(uuid.uuid4())


class Stored(NamedTuple):
    """One version of a resource, or a tombstone (`deleted`, empty body). `above`: labels of the document that it was
    derived from."""

    type: str
    id: str
    version: int
    last_updated: datetime
    deleted: bool
    body: bytes
    pat: str | None
    acl: dict[str, Any]
    above: tuple[str, ...] = ()


class Page(NamedTuple):
    """One page of matches; `total` when it was asked for; `after` is where the next page begins, None on the last.

    `included`: what the query's includes bring; `truncated`: the includes of which there was more than a page holds.
    """

    matches: list[Stored]
    total: int | None
    after: tuple[Any, ...] | None
    included: Sequence[Stored] = ()
    truncated: tuple[str, ...] = ()


class Indexed(Protocol):
    """What the search room extracts from a resource."""

    @property
    def pat(self) -> str | None: ...
    @property
    def patx(self) -> Sequence[str]: ...
    @property
    def t(self) -> Sequence[str]: ...
    @property
    def d(self) -> Mapping[str, Sequence[Mapping[str, Any]]]: ...
    @property
    def s(self) -> Mapping[str, Mapping[str, Any]]: ...
    @property
    def x(self) -> Mapping[str, str]: ...


def instant(moment: datetime) -> datetime:
    """The moment in UTC, cut to the milliseconds that BSON keeps."""
    return moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)


def following(now: datetime, previous: datetime | None) -> datetime:
    """When a version was stored: now, but always after the version before, whatever the clocks say."""
    now = instant(now)
    return now if previous is None or now > previous else previous + _MILLISECOND


def stamped(resource: Mapping[str, Any], id_: str, version: int, moment: datetime) -> dict[str, Any]:
    """A copy of the resource that bears its id, `meta.versionId` and `meta.lastUpdated`."""
    meta = dict(resource.get("meta") or {})
    meta.pop("versionId", None)
    meta.pop("lastUpdated", None)
    text = to_instant(moment)
    head = {
        "resourceType": resource["resourceType"],
        "id": id_,
        "meta": {"versionId": str(version), "lastUpdated": text, **meta},
    }
    return head | {name: value for name, value in resource.items() if name not in head}


def first_version(resource: Mapping[str, Any], id_: str, now: datetime) -> bytes:
    """The JSON bytes of a resource that is stored now for the first time."""
    return jsontext.dump(stamped(resource, id_, 1, following(now, None)))


def encode(
    resource: dict[str, Any], version: int, moment: datetime, index: Indexed, acl: dict[str, Any]
) -> dict[str, Any]:
    """The envelope of a stamped resource."""
    envelope: dict[str, Any] = {"_id": resource["id"], "v": version, "f": FORMAT, "lu": moment}
    return envelope | entries(index) | {"acl": acl} | packed(jsontext.dump(resource))


def entries(index: Indexed) -> dict[str, Any]:
    """What an envelope holds to be found by, and the records that it belongs to."""
    found: dict[str, Any] = {}
    if index.pat is not None:
        found["pat"] = index.pat
    if index.patx:
        found["patx"] = list(index.patx)
    if index.x:
        found["x"] = dict(index.x)
    return found | {"t": list(index.t), "d": dict(index.d), "s": dict(index.s)}


def packed(body: bytes) -> dict[str, Any]:
    """`r`, and `z` when it is compressed."""
    if len(body) <= COMPRESS_ABOVE:
        return {"r": body}
    return {"r": _compress(body), "z": True}


def unpacked(envelope: Mapping[str, Any]) -> bytes:
    """The JSON bytes of an envelope that holds its whole body."""
    body: bytes = envelope.get("r", b"")
    return _decompress(body) if envelope.get("z") else body


def superseded(type_id: str, envelope: Mapping[str, Any]) -> dict[str, Any]:
    """The envelope as it goes to history: keyed by id and version, without sort keys and words.

    Terms and ranges stay, not indexed: a Consent that speaks of certain data is judged by them, then as now.
    """
    kept = {name: value for name, value in envelope.items() if name not in ("s", "x", "made")}
    return {**kept, "_id": history_key(type_id, envelope["v"]), "id": type_id}


def tombstone(envelope: Mapping[str, Any], moment: datetime) -> dict[str, Any]:
    """The history entry that says the resource was deleted; judged by what its last version was judged by."""
    version = envelope["v"] + 1
    kept = {name: envelope[name] for name in ("pat", "patx", "acl", "t", "d", "doc", "was") if name in envelope}
    key = history_key(envelope["_id"], version)
    return {"_id": key, "id": envelope["_id"], "v": version, "f": FORMAT, "lu": moment, "del": True, **kept}


def history_key(id_: str, version: int) -> str:
    """`_id` of a history entry; `|` occurs in no FHIR id."""
    return f"{id_}|{version}"


def decode(type_: str, envelope: Mapping[str, Any], body: bytes) -> Stored:
    """The envelope, current or from history, as the house sees it. Raises Unavailable for one of a format to come."""
    if envelope.get("f", 1) > FORMAT + 1:
        raise Unavailable("A newer version of the server is at work: this one can answer no more.")
    return Stored(
        type_,
        envelope.get("id", envelope["_id"]),
        envelope["v"],
        envelope["lu"],
        envelope.get("del", False),
        body,
        envelope.get("pat"),
        envelope.get("acl", {}),
        tuple(envelope["doc"].get("acl", {}).get("labels", ())) if "doc" in envelope else (),
    )


class _Codecs(threading.local):
    """zstd contexts may not be shared between threads, and cost more to make than to use."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=3).compress
        self.decompress = zstandard.ZstdDecompressor().decompress


_codecs = _Codecs()


def _compress(body: bytes) -> bytes:
    return _codecs.compress(body)


def _decompress(body: bytes) -> bytes:
    return _codecs.decompress(body)
