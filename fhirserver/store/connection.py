"""The connection to MongoDB: one client a process, its promises, and the refusal of what cannot keep them."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.decimal128 import Decimal128, create_decimal128_context
from pymongo import MongoClient
from pymongo.errors import ConfigurationError, OperationFailure, PyMongoError, ServerSelectionTimeoutError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from fhirserver.store.errors import StoreError

if TYPE_CHECKING:
    from pymongo.database import Database

SELECTION_TIMEOUT: Final = 5.0
"""Seconds to wait for a reachable primary."""
OPERATION_TIMEOUT: Final = 15.0
"""Seconds that MongoDB may work on one operation."""
_GRACE: Final = 2.0
"""Seconds beyond it, after which a server that says nothing counts as gone."""

_AUTHENTICATION: Final = frozenset({18, 13, 8000})
_DECIMAL128: Final = create_decimal128_context()


def _exact(value: Any) -> Any:
    return _decimal128(str(value)) if isinstance(value, Decimal) else value


@lru_cache(maxsize=4096)
def _decimal128(text: str) -> Decimal128:
    """A number goes into several search entries of its resource."""
    return Decimal128(_DECIMAL128.create_decimal(text))


class _Decimals(TypeDecoder):
    bson_type = Decimal128

    def transform_bson(self, value: Decimal128) -> Decimal:
        return value.to_decimal()


CODEC: Final[CodecOptions[dict[str, Any]]] = CodecOptions(
    tz_aware=True, tzinfo=UTC, type_registry=TypeRegistry([_Decimals()], fallback_encoder=_exact)
)


def connect(
    uri: str, *, selection: float = SELECTION_TIMEOUT, operation: float = OPERATION_TIMEOUT
) -> MongoClient[dict[str, Any]]:
    """A client for this process: it does not survive a fork. Raises StoreError for what is no URI."""
    try:
        return MongoClient(
            uri,
            appname="fhirserver",
            serverSelectionTimeoutMS=int(selection * 1000),
            connectTimeoutMS=int(selection * 1000),
            waitQueueTimeoutMS=int(selection * 1000),
            socketTimeoutMS=int((operation + _GRACE) * 1000),
        )
    except (PyMongoError, ValueError) as error:
        raise StoreError(f"This is no URI of a MongoDB: {_first(error)}") from error


def database(client: MongoClient[dict[str, Any]], name: str) -> Database[dict[str, Any]]:
    """The database: reads see what a majority holds, a write is acknowledged when a majority holds it."""
    return client.get_database(
        name, CODEC, read_concern=ReadConcern("majority"), write_concern=WriteConcern("majority")
    )


def check(client: MongoClient[dict[str, Any]], name: str) -> None:
    """Raises StoreError when MongoDB is away, refuses the credentials, or has no transactions."""
    try:
        hello = client.admin.command("hello")
        client.get_database(name).command("listCollections", nameOnly=True)
    except (ServerSelectionTimeoutError, ConfigurationError) as error:
        raise StoreError(f"MongoDB is not reachable: {_first(error)}") from error
    except OperationFailure as error:
        if error.code in _AUTHENTICATION:
            raise StoreError("MongoDB refuses the user or the password of its URI.") from error
        raise StoreError(f"MongoDB answers with an error: {_first(error)}") from error
    except PyMongoError as error:
        raise StoreError(f"MongoDB does not answer as it should: {_first(error)}") from error
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise StoreError(
            "This MongoDB is a standalone server, which has no transactions: a record could be left half written. "
            "Start it as a replica set (one member is enough: --replSet rs0, then rs.initiate())."
        )


def _first(error: Exception) -> str:
    """The first clause of a driver's message, without the dump of the topology behind it."""
    return str(error).split(", Timeout:")[0].split(", full error:")[0]
