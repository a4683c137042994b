"""Policies in the database: one document a patient, rebuilt in the transaction that changes what it is made of.

Collections `policy` (see `fhirserver.access.policy`; here also `epoch`, which counts the rebuilds, and `stamp`, unique
to each) and `links`. A policy depends on actors whose resources other transactions may write meanwhile: who rebuilds a
policy increments one of the `links` documents of each such reference, who writes the resource increments all of them,
so that the two conflict and one of them runs again; two rebuilds conflict seldom.

What was compiled is kept by the policy's stamp, never by time: a policy that was rebuilt, or whose transaction was
undone, has another. Every request reads the stamps, so a Consent is in force on the very next request of every worker.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zlib import crc32

from bson import ObjectId
from pymongo import ASCENDING, IndexModel, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure

from fhirserver import jsontext
from fhirserver.access import Access, Part, Policy, Requester, build, compose, part, scopes, settled
from fhirserver.access import keys as actor_keys
from fhirserver.errors import Unprocessable
from fhirserver.store import bodies
from fhirserver.store.envelope import unpacked
from fhirserver.store.errors import WRITE_CONFLICT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from pymongo.client_session import ClientSession
    from pymongo.database import Database

    from fhirserver.predicate import Predicate

Row = dict[str, Any]
Resource = dict[str, Any]

PATIENT_RULES: Final = frozenset({"Patient", "Consent", "CareTeam"})
"""Types of which a write calls for `refresh` with the patients they are, or were, about."""
WATCHED: Final = frozenset({
    "Practitioner", "PractitionerRole", "Organization", "CareTeam", "Encounter", "EpisodeOfCare", "CarePlan",
})  # fmt: skip
"""Types of which a write calls for `refresh` with their reference: policies may depend on what they say."""

_ACTORS: Final = frozenset({"Practitioner", "PractitionerRole", "Organization"})
_SHARDS: Final = 4
_KEPT: Final = 100_000
_BATCH: Final = 1000
_DEPTH: Final = 5


class _Kept(NamedTuple):
    since: datetime
    part: Part


class Policies:
    """The policies of one database, for one process: what the store asks who may see what."""

    def __init__(self, database: Database[Row]) -> None:
        self._database = database
        self._policies = database["policy"]
        self._links = database["links"]
        self._made = False
        self._known: dict[str, tuple[ObjectId, Policy]] = {}
        self._parts: dict[tuple[Requester, str, ObjectId, bool], _Kept] = {}

    def predicate(
        self,
        access: Access,
        resource_type: str,
        patients: frozenset[str] | None = None,
        session: ClientSession | None = None,
    ) -> Predicate:
        """What the requester may see of a type. `patients`: the ids that the request is limited to, if it is."""
        if (certain := settled(access, resource_type)) is not None:
            return certain
        who, represented = access.requester, None
        stamps = self._concerned(who, resource_type, patients, session)
        policies = self._loaded(stamps, session)
        if who.kind == "representative" and who.patient is not None:
            represented = next(iter(self.load([who.patient], session)), None)
        parts = [
            (each.patient, self._part(access, resource_type, each, stamps[each.patient], patients)) for each in policies
        ]
        return compose(access, resource_type, parts, represented, patients).predicate

    def load(self, patients: Iterable[str], session: ClientSession | None = None) -> list[Policy]:
        """The policies of these patients, of those that have one."""
        return self._loaded(self._stamps(_among(patients), session), session)

    def refresh(
        self,
        session: ClientSession,
        patients: Iterable[str],
        references: Iterable[str],
        derived: Mapping[str, Iterable[str]] = MappingProxyType({}),
    ) -> None:
        """Brings up to date the policies of `patients`, and those that depend on `references` (`Practitioner/abc`).

        `derived`: by patient, the types of what was derived from documents; raises Unprocessable for an unknown one.
        To be called in the transaction that wrote them, after its writes were sent.
        """
        self._make()
        written = frozenset(references)
        self._touch([(name, shard) for name in sorted(written) for shard in range(_SHARDS)], session)
        concerned = set(patients)
        for name in written:
            concerned.update(row["_id"] for row in self._policies.find({"refs": name}, {"_id": 1}, session=session))
        known = {each.patient: each.derived for each in self.load(derived, session)} if derived else {}
        concerned.update(each for each, types in derived.items() if not known.get(each, frozenset()).issuperset(types))
        for patient in sorted(concerned):
            self._rebuild(patient, session, derived.get(patient, ()))

    def identifiers(
        self, references: Iterable[str], session: ClientSession | None = None
    ) -> dict[str, tuple[str, ...]]:
        """National actor keys by local reference, of those that are here and have any; a role's are those of both."""
        return self._resolve(references, session)[0]

    def _rebuild(self, patient: str, session: ClientSession, derived: Iterable[str]) -> None:
        previous = self._policies.find_one({"_id": patient}, session=session)
        resource = self._resources("Patient", {"_id": patient}, session).get(f"Patient/{patient}")
        if resource is None and previous is None:
            if derived:
                raise Unprocessable("The patient of the document has no record here.")
            return
        consents = self._resources("Consent", {"pat": patient}, session)
        teams = self._resources("CareTeam", {"pat": patient}, session)
        self._follow_teams(consents, teams, session)
        wanted = set(actor_keys.references([resource, *consents.values(), *teams.values()]))
        identifiers, hops = self._resolve(wanted, session)
        related = self._related(consents.values(), session)
        built = build(
            patient, resource, consents.values(), teams.values(), identifiers, resources=related, previous=previous
        )
        built["refs"] = sorted({*built["refs"], *(hop for name in built["refs"] for hop in hops.get(name, ()))})
        built["derived"] = sorted({*(previous or {}).get("derived", ()), *derived})
        shard = crc32(patient.encode()) % _SHARDS
        links = [(name, shard) for name in built["refs"] if name.partition("/")[0] in WATCHED]
        self._touch(links, session)
        if previous is not None and {**previous, **built} == previous:
            return
        epoch = previous["epoch"] + 1 if previous else 1
        whole = built | {"epoch": epoch, "stamp": ObjectId()}
        try:
            self._policies.replace_one({"_id": patient}, whole, upsert=True, session=session)
        except DuplicateKeyError as error:
            raise _again() from error

    def _follow_teams(
        self, consents: Mapping[str, Resource], teams: dict[str, Resource], session: ClientSession
    ) -> None:
        """Adds the teams that Consents and teams name, and those that these name."""
        waiting: set[str] = set(actor_keys.references([*consents.values(), *teams.values()]))
        for _ in range(_DEPTH):
            new = sorted(name for name in waiting if name.startswith("CareTeam/") and name not in teams)
            if not new:
                return
            found = self._by_reference(new, session)
            teams.update(found)
            waiting = set(actor_keys.references(list(found.values())))

    def _related(self, consents: Iterable[Resource], session: ClientSession) -> dict[str, Resource]:
        """What Consents name in `data` with the meaning `related`."""
        names: set[str] = set()
        todo: list[Any] = [each.get("provision") for each in consents]
        while todo:
            each = todo.pop()
            if isinstance(each, list):
                todo.extend(each)
            elif isinstance(each, dict):
                if each.get("meaning") == "related":
                    names.update(actor_keys.references(each))
                todo += [each.get("provision"), each.get("data")]
        return self._by_reference(names, session)

    def _resolve(
        self, references: Iterable[str], session: ClientSession | None
    ) -> tuple[dict[str, tuple[str, ...]], dict[str, list[str]]]:
        """Keys by reference, and for roles the references that these come from."""
        found = self._by_reference((each for each in references if each.partition("/")[0] in _ACTORS), session)
        hops: dict[str, list[str]] = {}
        for name, resource in found.items():
            if resource["resourceType"] == "PractitionerRole":
                both = [resource.get("practitioner"), resource.get("organization")]
                hops[name] = list(actor_keys.references(both))
        missing = {hop for each in hops.values() for hop in each} - set(found)
        near = found | self._by_reference(missing, session)
        identifiers = {name: actor_keys.of_resource(resource) for name, resource in near.items()}
        result = {name: keys for name, keys in identifiers.items() if keys}
        for name in hops:
            role, inner = near[name], actor_keys.contained(near[name])
            keys = [key for key in identifiers[name] if not key.startswith(("rpps|", "finess|"))]
            for each in ("practitioner", "organization"):
                keys += actor_keys.of_reference(role.get(each), result, inner)
            if any("|" in key for key in keys):
                result[name] = tuple(dict.fromkeys(keys))
            else:
                result.pop(name, None)
        return result, hops

    def _by_reference(self, names: Iterable[str], session: ClientSession | None) -> dict[str, Resource]:
        by_type: dict[str, list[str]] = {}
        for name in names:
            type_, _, id_ = name.partition("/")
            by_type.setdefault(type_, []).append(id_)
        found: dict[str, Resource] = {}
        for type_, ids in sorted(by_type.items()):
            found |= self._resources(type_, {"_id": {"$in": sorted(ids)}}, session)
        return found

    def _resources(self, type_: str, where: Row, session: ClientSession | None) -> dict[str, Resource]:
        """Current resources by reference, in the order of their ids."""
        wanted = {"v": 1, "r": 1, "z": 1, "b": 1}
        rows = self._database[type_].find(where, wanted, session=session).to_list()
        bodies.join(type_, rows, self._database[bodies.COLLECTION], session)
        rows.sort(key=lambda row: str(row["_id"]))
        return {f"{type_}/{row['_id']}": jsontext.parse(unpacked(row)) for row in rows}

    def _touch(self, links: list[tuple[str, int]], session: ClientSession) -> None:
        if not links:
            return
        updates = [UpdateOne({"_id": f"{name}#{shard}"}, {"$inc": {"n": 1}}, upsert=True) for name, shard in links]
        try:
            self._links.bulk_write(updates, ordered=False, session=session)
        except BulkWriteError as error:
            codes = {fault.get("code") for fault in error.details.get("writeErrors", ())}
            if codes <= {11000, WRITE_CONFLICT}:
                raise _again() from error
            raise

    def _concerned(
        self, who: Requester, resource_type: str, patients: frozenset[str] | None, session: ClientSession | None
    ) -> dict[str, ObjectId]:
        """Stamps by patient: of those the request is limited to, or of all that name the requester."""
        if who.kind in ("patient", "representative") and scopes.levels(who, resource_type, "rs") == {"patient"}:
            return {}
        if patients is not None:
            return self._stamps(_among(patients), session)
        found: dict[str, ObjectId] = {}
        for key in sorted(who.named):
            found |= self._stamps({"actors": key}, session)
        return found

    def _stamps(self, where: Row, session: ClientSession | None) -> dict[str, ObjectId]:
        rows = self._policies.find(where, {"stamp": 1}, session=session, batch_size=10 * _BATCH)
        return {row["_id"]: row["stamp"] for row in rows}

    def _loaded(self, stamps: Mapping[str, ObjectId], session: ClientSession | None) -> list[Policy]:
        missing = [each for each, stamp in stamps.items() if self._known.get(each, (None,))[0] != stamp]
        found: dict[str, Policy] = {}
        if len(self._known) > _KEPT:
            self._known.clear()
            missing = list(stamps)
        for start in range(0, len(missing), _BATCH):
            for row in self._policies.find({"_id": {"$in": missing[start : start + _BATCH]}}, session=session):
                found[row["_id"]] = policy = Policy.of(row)
                self._known[row["_id"]] = (row["stamp"], policy)
        return [found.get(each) or self._known[each][1] for each in stamps]

    def _part(
        self, access: Access, type_: str, policy: Policy, stamp: ObjectId, patients: frozenset[str] | None
    ) -> Part:
        key = (access.requester, type_, stamp, patients is not None)
        kept = self._parts.get(key)
        if kept is not None and kept.since <= access.now and (not kept.part.until or access.now < kept.part.until):
            return kept.part
        made = part(access, type_, policy, patients)
        if len(self._parts) > _KEPT:
            self._parts.clear()
        self._parts[key] = _Kept(access.now, made)
        return made

    def _make(self) -> None:
        if not self._made:
            self._policies.create_indexes(
                [
                    IndexModel([("actors", ASCENDING), ("_id", ASCENDING)], name="actors"),
                    IndexModel([("refs", ASCENDING)], name="refs"),
                ]
            )
            self._made = True


def _among(patients: Iterable[str]) -> Row:
    """By id; one alone without `$in`, which is slower."""
    ids = sorted(patients)
    return {"_id": ids[0]} if len(ids) == 1 else {"_id": {"$in": ids}}


def _again() -> OperationFailure:
    """Two transactions made the same document: the store runs this one again."""
    return OperationFailure("write conflict", WRITE_CONFLICT)
