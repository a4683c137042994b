"""Resources as the store keeps them, for tests of what searches find."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bson.codec_options import CodecOptions, TypeRegistry
from bson.decimal128 import Decimal128

from fhirserver import predicate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fhirserver.search import Indexer, Query


def envelope(indexer: Indexer, resource: dict[str, Any]) -> dict[str, Any]:
    """What the store would keep of the resource, its JSON left out."""
    index = indexer.index(resource)
    updated = resource.get("meta", {}).get("lastUpdated", "2024-01-01T00:00:00.000Z")
    document: dict[str, Any] = {
        "_id": resource["id"],
        "v": 1,
        "lu": datetime.fromisoformat(updated.replace("Z", "+00:00")).astimezone(UTC),
        "t": index.t,
        "d": index.d,
        "s": index.s,
        "x": index.x,
    }
    if index.pat is not None:
        document["pat"] = index.pat
    if index.patx:
        document["patx"] = list(index.patx)
    return document


def found(query: Query, documents: Iterable[dict[str, Any]]) -> set[str]:
    """The ids of the documents that a query matches."""
    return {document["_id"] for document in documents if all(predicate.matches(each, document) for each in query.where)}


def _encode(value: Any) -> Any:
    return Decimal128(value) if isinstance(value, Decimal) else value


OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(
    tz_aware=True, tzinfo=UTC, type_registry=TypeRegistry(fallback_encoder=_encode)
)
"""How the store speaks to the database: Decimals become Decimal128."""
