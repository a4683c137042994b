"""What a format has that the one before had not, and how what is here is brought up to it (`store.schema`).

2  who takes part in what is private to those who do (`acl.with`, `access.private`); and, beside the envelopes, policies
   that tell who represents an adult (`access.representation`)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.access import private
from fhirserver.store import bodies, schema
from fhirserver.store.envelope import FORMAT, history_key, unpacked
from fhirserver.store.policies import Policies
from fhirserver.store.schema import Migration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pymongo.database import Database

Row = dict[str, Any]

AT_ONCE: Final = 50
"""Policies that one transaction rebuilds."""
RELATED: Final = "RelatedPerson"


def migrations(database: Database[Row]) -> tuple[Migration, ...]:
    """One for each format after the first."""
    policies = Policies(database)

    def participants(type_: str, envelope: Row) -> Row:
        """With who takes part; what says so already keeps it, and what the version is that a tombstone ends counts."""
        acl = envelope.get("acl", {})
        if type_ not in private.KINDS or "with" in acl:
            return envelope
        resource = _resource(database, type_, envelope)
        identifiers = policies.identifiers(frozenset(private.references(resource)))
        between = private.participants(resource, identifiers)
        return envelope if between is None else {**envelope, "acl": {**acl, "with": between}}

    return (Migration(2, participants),)


def rebuilt(database: Database[Row], rebuild: Callable[[list[str]], object]) -> Iterator[int]:
    """Has the policies rebuilt of all who have RelatedPersons; yields how many of these were looked at."""

    def work(some: list[Row]) -> None:
        patients = sorted({each["pat"] for each in some if "pat" in each})
        for start in range(0, len(patients), AT_ONCE):
            rebuild(patients[start : start + AT_ONCE])

    return schema.walked(database, RELATED, FORMAT, work, "policies")


def _resource(database: Database[Row], type_: str, envelope: Row) -> Row:
    """The resource of an envelope; of a tombstone, what was deleted."""
    row: Row | None = dict(envelope)
    if envelope.get("del"):
        key = history_key(envelope["id"], envelope["v"] - 1)
        row = database[f"{type_}{schema.HISTORY}"].find_one({"_id": key})
    if row is None:
        return {"resourceType": type_}
    bodies.join(type_, [row], database[bodies.COLLECTION], None)
    return jsontext.parse_object(unpacked(row))
