"""What a database says of itself, for who examines an installation: no document is read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from pymongo.errors import OperationFailure, PyMongoError

from fhirserver.store import planner
from fhirserver.store.connection import check, connect
from fhirserver.store.errors import StoreError

if TYPE_CHECKING:
    from pymongo import MongoClient


class Condition(NamedTuple):
    """`version` as (7, 0, 5). `encrypted`: whether the database says that it encrypts what it keeps; None where it does
    not tell. `authenticated`: whether this connection had to say who it is. `skew`: seconds by which its clock is
    ahead of this machine's. `members` of the replica set; 0 for a sharded cluster."""

    version: tuple[int, ...]
    embedded: bool
    members: int
    authenticated: bool
    encrypted: bool | None
    skew: float


def examine(uri: str, database: str) -> Condition:
    """Raises StoreError when the database cannot be used."""
    client = connect(uri)
    try:
        check(client, database)
        return _examined(client, database)
    except PyMongoError as error:
        raise StoreError(f"MongoDB does not answer as it should: {type(error).__name__}") from error
    finally:
        client.close()


def _examined(client: MongoClient[dict[str, Any]], name: str) -> Condition:
    before = datetime.now(UTC)
    hello = client.admin.command("hello")
    middle = before + (datetime.now(UTC) - before) / 2
    told = hello["localTime"]
    told = told if told.tzinfo else told.replace(tzinfo=UTC)
    users = client.admin.command("connectionStatus")["authInfo"]["authenticatedUsers"]
    return Condition(
        version=tuple(int(each) for each in client.server_info()["version"].split("-")[0].split(".")),
        embedded=planner.is_embedded(client.get_database(name)),
        members=len(hello.get("hosts", ())),
        authenticated=bool(users),
        encrypted=_encrypted(client),
        skew=(told - middle).total_seconds(),
    )


def _encrypted(client: MongoClient[dict[str, Any]]) -> bool | None:
    try:
        options = client.admin.command("getCmdLineOpts").get("parsed", {})
    except OperationFailure:
        return None
    enabled = options.get("security", {}).get("enableEncryption")
    return True if enabled else None
