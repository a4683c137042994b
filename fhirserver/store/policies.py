"""Policies in the database: one document a patient, rebuilt in the transaction that changes what it is made of.

Collections `policy` (see `fhirserver.access.policy`; here also `epoch`, which counts the rebuilds, and `stamp`, unique
to each) and `links`. A policy depends on actors whose resources other transactions may write meanwhile: who rebuilds a
policy increments one of the `links` documents of each such reference, who writes the resource increments all of them,
so that the two conflict and one of them runs again; two rebuilds conflict seldom.

What was compiled is kept by the policy's stamp, never by time: a policy that was rebuilt, or whose transaction was
undone, has another. Every request reads the stamps, or across patients those of `actors`, so a Consent is in force on
the very next request of every worker.
"""

from __future__ import annotations

from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bson import ObjectId
from pymongo import ASCENDING, IndexModel, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure

from fhirserver import jsontext
from fhirserver.access import Access, Part, Policy, Requester, build, compose, part, reach, scopes, settled
from fhirserver.access import keys as actor_keys
from fhirserver.access.representation import representative
from fhirserver.errors import Unprocessable
from fhirserver.predicate import FALSE, all_of
from fhirserver.store import bodies, locks, spaces
from fhirserver.store.across import Across, Stamped, holds
from fhirserver.store.actors import BATCH, POLICIES, SHARDS, Actors, shard
from fhirserver.store.departments import departments
from fhirserver.store.envelope import unpacked
from fhirserver.store.errors import WRITE_CONFLICT
from fhirserver.store.kept import Kept
from fhirserver.store.merges import Family, Merges, one_of
from fhirserver.store.moment import Moment
from fhirserver.store.planner import few

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from pymongo.client_session import ClientSession
    from pymongo.database import Database

    from fhirserver.access.representation import Representative
    from fhirserver.access.scopes import Search
    from fhirserver.predicate import Predicate

Row = dict[str, Any]
Resource = dict[str, Any]

PATIENT_RULES: Final = frozenset({"Patient", "Consent", "CareTeam", "RelatedPerson"})
"""Types of which a write calls for `refresh` with the patients they are, or were, about."""
WATCHED: Final = frozenset({
    "Practitioner", "PractitionerRole", "Organization", "CareTeam", "Encounter", "EpisodeOfCare", "CarePlan",
})  # fmt: skip
"""Types of which a write calls for `refresh` with their reference: policies may depend on what they say."""

ACTORS: Final = frozenset({"Practitioner", "PractitionerRole", "Organization"})
"""Types of which `identifiers` tells the national keys."""
_POLICIES_KEPT: Final = 20_000
"""Policies, one of many Consents counting as so many."""
_PARTS_KEPT: Final = 10_000
_DEPTH: Final = 5


_NUMBERS: Final = ("epoch", "stamp")


class _Sources(NamedTuple):
    """What a policy is made of: the Patient, Consents and CareTeams by reference, what the RelatedPersons may, the
    record of the space."""

    patient: Resource | None
    consents: dict[str, Resource]
    teams: dict[str, Resource]
    related: dict[str, Representative]
    space: Row | None


class _Part(NamedTuple):
    stamp: ObjectId
    since: datetime
    part: Part


class Policies:
    """The policies of one database, for one process: what the store asks who may see what.

    `search` understands the search parts of scopes; `plain`: Consents read labels of confidentiality as plain tags.
    """

    def __init__(self, database: Database[Row], search: Search = scopes.unsearched, *, plain: bool = False) -> None:
        self._database, self._search, self._plain = database, search, plain
        self._policies = database[POLICIES]
        self._links = database["links"]
        self._made = False
        self._known: Kept[str, Stamped] = Kept(_POLICIES_KEPT)
        self._parts: Kept[tuple[Requester, str, str], _Part] = Kept(_PARTS_KEPT)
        self._actors = Actors(database)
        self._across = Across(self._actors, self._loaded)

    def predicate(
        self,
        access: Access,
        resource_type: str,
        patients: frozenset[str] | None = None,
        session: ClientSession | None = None,
        moment: Moment | None = None,
    ) -> Predicate:
        """What the requester may see of a type. `patients`: the ids that the request is limited to, if it is.

        `moment`: what was read of the policies before from the snapshot that the session holds."""
        reached = reach(access, resource_type, access.letters, self._search)
        if reached == FALSE:
            return FALSE
        return all_of((self._ruled(access, resource_type, patients, session, moment or Moment()), reached))

    def _ruled(
        self,
        access: Access,
        resource_type: str,
        patients: frozenset[str] | None,
        session: ClientSession | None,
        moment: Moment,
    ) -> Predicate:
        """What the rules let him see, whatever his scopes reach."""
        if (certain := settled(access, resource_type)) is not None:
            return certain
        who = access.requester
        own = who.patient if who.is_person else None
        alone = own is not None and scopes.levels(who, resource_type, "rs") == {"patient"}
        asked = frozenset() if alone or patients is None else patients
        wanted = asked if own is None else asked | {own}
        if unread := wanted - moment.stamps.keys():
            moment.stamps |= {**dict.fromkeys(unread), **self._stamps(_among(unread), session)}
        stamps = {each: stamp for each in wanted if (stamp := moment.stamps[each]) is not None}
        found = self._loaded(stamps, session)
        represented = found[own][1] if own in found else None
        if patients is None and not alone:
            return self._across.predicate(access, resource_type, represented, session, moment)
        parts = [
            (each, self._part(access, resource_type, policy, stamp))
            for each, (stamp, policy) in found.items()
            if each in asked
        ]
        return compose(access, resource_type, parts, represented, patients).predicate

    def load(self, patients: Iterable[str], session: ClientSession | None = None) -> list[Policy]:
        """The policies of these patients, of those that have one."""
        return [policy for _, policy in self._loaded(self._stamps(_among(patients), session), session).values()]

    def refresh(
        self,
        session: ClientSession,
        patients: Iterable[str],
        references: Iterable[str],
        derived: Mapping[str, Iterable[str]] = MappingProxyType({}),
        fresh: frozenset[str] = frozenset(),
    ) -> None:
        """Brings up to date the policies of `patients`, and those that depend on `references` (`Practitioner/abc`).

        `derived`: by patient, the types of what was derived from documents; raises Unprocessable for an unknown one.
        `fresh`: those whose Patient this transaction made under a new id, and nothing else that a policy is made of.
        To be called in the transaction that wrote them, after its writes were sent.
        """
        if self.make():  # a transaction that began before would store policies that the new indexes miss
            raise OperationFailure("collections were made meanwhile", WRITE_CONFLICT)
        written = frozenset(references)
        self._touch([(name, each) for name in sorted(written) for each in range(SHARDS)], session)
        concerned = set(patients)
        for name in written:
            concerned.update(row["_id"] for row in self._policies.find({"refs": name}, {"_id": 1}, session=session))
        known = {each.patient: each.derived for each in self.load(derived, session)} if derived else {}
        concerned.update(each for each, types in derived.items() if not known.get(each, frozenset()).issuperset(types))
        changed = self._begun(concerned & fresh, session)
        for each in sorted(concerned - changed.keys()):
            if each not in changed:
                changed |= self._rebuild(each, session, derived.get(each, ()))
        self._actors.touch(changed, session)

    def identifiers(
        self, references: Iterable[str], session: ClientSession | None = None
    ) -> dict[str, tuple[str, ...]]:
        """National actor keys by local reference, of those that are here and have any; a role's are those of both."""
        return self._resolve(references, session)[0]

    def _begun(self, patients: Iterable[str], session: ClientSession) -> dict[str, set[str]]:
        """The first policies of patients of whom nothing else is here, stored at once; as `_rebuild`."""
        found: dict[str, Resource] = {}
        for some in few(patients):
            found |= self._resources("Patient", {"_id": {"$in": some}}, session)
        held = spaces.Spaces(self._database, session).of(resource["id"] for resource in found.values()) if found else {}
        made: dict[str, Row] = {}
        for resource in found.values():
            id_ = resource["id"]
            made[id_] = self._built(id_, _Sources(resource, {}, {}, {}, held.get(id_)), None, session) | {"derived": []}
        rows = [built | {"epoch": 1, "stamp": ObjectId()} for built in made.values()]
        if rows:
            try:
                self._policies.insert_many(rows, ordered=False, session=session)
            except BulkWriteError as error:
                raise OperationFailure("write conflict", WRITE_CONFLICT) from error
        return {patient: set(built["actors"]) for patient, built in made.items()}

    def _rebuild(self, patient: str, session: ClientSession, derived: Iterable[str]) -> dict[str, set[str]]:
        """By patient, the actor keys to whom the policy is another now: those that it names, or named before."""
        previous = self._policies.find_one({"_id": patient}, session=session)
        resource = self._resources("Patient", {"_id": patient}, session).get(f"Patient/{patient}")
        if previous is None and resource is None:
            if derived:
                raise Unprocessable("The patient of the document has no record here.")
            return {patient: set()}
        family = Merges(self._database, session).family(patient) if previous is not None else None
        if family is not None and family.merged:
            return self._united(family, session, derived)
        consents = self._resources("Consent", {"pat": patient}, session)
        teams = self._resources("CareTeam", {"pat": patient}, session)
        told = self._representatives(patient, session), spaces.of(self._database, patient, session)
        built = self._built(patient, _Sources(resource, consents, teams, *told), previous, session)
        built["derived"] = sorted({*(previous or {}).get("derived", ()), *derived})
        return {patient: self._stored(built, previous, session)}

    def _united(self, family: Family, session: ClientSession, derived: Iterable[str]) -> dict[str, set[str]]:
        """The policies of records that are one: each of what was said in it and of what was said since."""
        root = family.root
        previous = {each: self._policies.find_one({"_id": each}, session=session) for each in family.members}
        origins: dict[str, str | None] = {}
        found: dict[str, dict[str, Resource]] = {}
        for type_ in ("Consent", "CareTeam"):
            found[type_] = self._resources(type_, {"pat": root}, session)
            rows = self._database[type_].find({"pat": root}, {"was": 1}, session=session)
            origins |= {(name := f"{type_}/{row['_id']}"): family.origin(name, row.get("was")) for row in rows}
        parts: dict[str, Row] = {}
        for each in family.members:
            consents, teams = (
                {name: one for name, one in found[type_].items() if origins.get(name) in (each, None)}
                for type_ in ("Consent", "CareTeam")
            )
            resource = self._resources("Patient", {"_id": each}, session).get(f"Patient/{each}")
            if resource is not None and each != root:
                resource = {**resource, "active": family.merged[each]["active"] is not False}
            told = self._representatives(each, session), spaces.of(self._database, each, session)
            sources = _Sources(resource, consents, teams, *told)
            parts[each] = self._built(root, sources, previous[each], session) | {"_id": each}
        since = set(parts[root]["traitant"]) - family.traitant
        for each in family.members[1:]:
            parts[each]["traitant"] = sorted({*parts[each]["traitant"], *since})
        types = {*derived, *(name for each in previous.values() for name in (each or {}).get("derived", ()))}
        return {
            each: self._stored(one_of(parts, each, root) | {"derived": sorted(types)}, previous[each], session)
            for each in family.members
        }

    def _built(self, patient: str, sources: _Sources, previous: Row | None, session: ClientSession) -> Row:
        """The policy that the sources make, whose Consents and teams are about the patient."""
        resource, consents, teams, representatives, space = sources
        self._follow_teams(consents, teams, session)
        wanted = set(actor_keys.references([resource, *consents.values(), *teams.values()]))
        identifiers, hops = self._resolve(wanted, session)
        related = self._related(consents.values(), session)
        told = [*consents.values(), *teams.values()]
        known = {*chain(*identifiers.values()), *actor_keys.identified(told)}
        parts, depends = departments(self._database, {*wanted, *chain(*hops.values())}, known, session)
        built = build(
            patient,
            resource,
            consents.values(),
            teams.values(),
            identifiers,
            resources=related,
            previous=previous,
            space=space,
            departments=parts,
            related=representatives,
            plain=self._plain,
        )
        through = {hop for name in built["refs"] for hop in hops.get(name, ())}
        built["refs"] = sorted({*built["refs"], *through, *depends})
        watched = [name for name in built["refs"] if name.partition("/")[0] in WATCHED or name in depends]
        links = [(name, shard(patient)) for name in watched]
        self._touch(links, session)
        return built

    def _representatives(self, patient: str, session: ClientSession) -> dict[str, Representative]:
        """What the RelatedPersons of a record may, by id."""
        name, wanted = "RelatedPerson", {"v": 1, "r": 1, "z": 1, "b": 1, "acl.by": 1}
        rows = self._database[name].find({"pat": patient}, wanted, session=session).to_list()
        bodies.join(name, rows, self._database[bodies.COLLECTION], session)
        return {
            str(row["_id"]): representative(jsontext.parse(unpacked(row)), vouched=not row["acl"]["by"]) for row in rows
        }

    def _stored(self, built: Row, previous: Row | None, session: ClientSession) -> set[str]:
        """The actor keys to whom it is another than the one before."""
        patient = built["_id"]
        if previous is not None and built == {name: each for name, each in previous.items() if name not in _NUMBERS}:
            return set()
        epoch = previous["epoch"] + 1 if previous else 1
        whole = built | {"epoch": epoch, "stamp": ObjectId()}
        try:
            self._policies.replace_one({"_id": patient}, whole, upsert=True, session=session)
        except DuplicateKeyError as error:
            raise OperationFailure("write conflict", WRITE_CONFLICT) from error
        return {*built["actors"], *(previous["actors"] if previous else ())}

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
        found = self._by_reference((each for each in references if each.partition("/")[0] in ACTORS), session)
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
        updates = [UpdateOne({"_id": f"{name}#{place}"}, {"$inc": {"n": 1}}, upsert=True) for name, place in links]
        locks.write(self._links, updates, session)

    def _stamps(self, where: Row, session: ClientSession | None) -> dict[str, ObjectId]:
        return {row["_id"]: row["stamp"] for row in self._policies.find(where, {"stamp": 1}, session=session)}

    def _loaded(self, stamps: Mapping[str, ObjectId], session: ClientSession | None) -> dict[str, Stamped]:
        """Policies by patient, each with its stamp: those asked for, or newer ones."""
        found: dict[str, Stamped] = {}
        missing: list[str] = []
        for patient, stamp in stamps.items():
            kept = self._known.get(patient)
            if kept is not None and kept[0] == stamp:
                found[patient] = kept
            else:
                missing.append(patient)
        for start in range(0, len(missing), BATCH):
            for row in self._policies.find(_among(missing[start : start + BATCH]), session=session):
                found[row["_id"]] = made = row["stamp"], Policy.of(row)
                self._known.put(row["_id"], made, 1 + len(row["rules"]) + len(row["team"]))
        return found

    def _part(self, access: Access, type_: str, policy: Policy, stamp: ObjectId) -> Part:
        """What the policy of a patient whom the request is limited to gives."""
        key = access.requester, type_, policy.patient
        kept = self._parts.get(key)
        if kept is not None and kept.stamp == stamp and holds(kept.since, kept.part.until, access.now):
            return kept.part
        made = part(access, type_, policy, frozenset({policy.patient}))
        self._parts.put(key, _Part(stamp, access.now, made))
        return made

    def make(self) -> bool:
        """Makes the indexes of the policies, unless this was done already: whether it was now."""
        if not self._made:
            self._policies.create_indexes(
                [
                    IndexModel([("actors", ASCENDING), ("_id", ASCENDING)], name="actors"),
                    IndexModel([("refs", ASCENDING)], name="refs"),
                ]
            )
            Merges(self._database).make()
            self._made = True
            return True
        return False


def _among(patients: Iterable[str]) -> Row:
    """By id; one alone without `$in`, which is slower."""
    ids = sorted(patients)
    return {"_id": ids[0]} if len(ids) == 1 else {"_id": {"$in": ids}}
