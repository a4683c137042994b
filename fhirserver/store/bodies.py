"""Bodies too large for one document (MongoDB: 16 MB), in chunks of a collection of their own.

A chunk is keyed by resource, version and number, is written in the transaction that stores the version, never changes,
and stays when the version goes to history. Whoever holds an envelope that a guarded read has let through may load them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pymongo.client_session import ClientSession
    from pymongo.collection import Collection

COLLECTION: Final = "chunks"
INLINE: Final = 1 << 20
"""Bytes that an envelope may hold itself: more would burden every query that passes it."""
CHUNK: Final = 4 << 20


def split(type_: str, envelope: dict[str, Any]) -> list[dict[str, Any]]:
    """The chunks of a large body, of which the envelope's `r` keeps the number; none for a small one."""
    body: bytes = envelope["r"]
    if len(body) <= INLINE:
        return []
    parts = [body[start : start + CHUNK] for start in range(0, len(body), CHUNK)]
    envelope["r"] = len(parts)
    return [{"_id": key, "r": part} for key, part in zip(keys(type_, envelope), parts, strict=True)]


def join(
    type_: str,
    envelopes: Iterable[dict[str, Any]],
    chunks: Collection[dict[str, Any]],
    session: ClientSession | None,
) -> None:
    """Puts the bodies of all that were split back into their envelopes, in one query."""
    large: Sequence[dict[str, Any]] = [envelope for envelope in envelopes if isinstance(envelope.get("r"), int)]
    if not large:
        return
    wanted = [key for envelope in large for key in keys(type_, envelope)]
    found = {chunk["_id"]: chunk["r"] for chunk in chunks.find({"_id": {"$in": wanted}}, session=session)}
    for envelope in large:
        envelope["r"] = b"".join(found[key] for key in keys(type_, envelope))


def keys(type_: str, envelope: Mapping[str, Any]) -> list[str]:
    """The keys of the chunks of a body that was split."""
    id_ = envelope.get("id", envelope["_id"])
    return [f"{type_}/{id_}|{envelope['v']}|{number}" for number in range(envelope["r"])]
