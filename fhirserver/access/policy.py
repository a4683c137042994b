"""The policy of one patient: what the Patient, the Consents and the CareTeams say, materialised as one document.

_id       the Patient's id                     epoch    counts the rebuilds (kept by the store)
space     the states of the space (see `spaces`)  birth    birthDate;  zone  where he lives
traitant  keys of the médecin traitant         team     actors of the care teams: {groups, start, end}
rules     {id, root} for each Consent in force (see `consent`)
basis     keys that something here may give access     blocked  keys that a deny here may name
derived   types of what documents of this patient brought along (kept by the store)
actors    basis and blocked, and everyone where the space is not open for good: by these the policies that concern a
          requester are found
beside    of a record that others were merged into, or that was merged: the policies of the others (see `rules.parts`)
into      of a record that was merged: the id of the one that it is part of now
refs      references that this outcome depends on      known    [[reference, [keys]], …] of the actors of Consents
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fhirserver.access import keys, moments, representation, spaces, tables
from fhirserver.access.consent import Actor, Departments, Node, Reading, in_force, members, problems, tree
from fhirserver.access.zones import METROPOLE, zone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from fhirserver.access.representation import Representative, Rights

__all__ = ["Policy", "build", "problems", "references"]


@dataclass(frozen=True)
class Policy:
    """A policy document, as the rules read it."""

    patient: str
    epoch: int
    space: tuple[tuple[str, datetime | None], ...]
    birth: str | None
    traitant: frozenset[str]
    team: tuple[Node, ...]
    roots: tuple[Node, ...]
    consents: tuple[str, ...]
    actors: frozenset[str]
    derived: frozenset[str] = frozenset()
    beside: tuple[Policy, ...] = ()
    into: str | None = None
    represent: tuple[tuple[str, Representative], ...] = ()
    zone: str = METROPOLE

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Policy:
        """The policy of a document that `build` made and the store numbered."""
        rules = document["rules"]
        return cls(
            document["_id"],
            document.get("epoch", 0),
            tuple((state, since) for state, since in document["space"]),
            document.get("birth"),
            frozenset(document["traitant"]),
            tuple(document["team"]),
            tuple(each["root"] for each in rules),
            tuple(each["id"] for each in rules),
            frozenset(document["actors"]),
            frozenset(document.get("derived", ())),
            tuple(map(cls.of, document.get("beside", ()))),
            document.get("into"),
            tuple((id, representation.written(each)) for id, each in document.get("represent", ())),
            document.get("zone", METROPOLE),
        )

    @property
    def whole(self) -> tuple[Policy, ...]:
        """This policy and those of the records that are one with its own."""
        return (self, *self.beside)

    def space_at(self, now: datetime) -> tables.Space:
        """What the state of the person's space lets happen at a moment; of records that are one, what each lets."""
        found = [tables.spaces()[spaces.state(each.space, now)] for each in self.whole]
        return tables.Space(*(all(each) for each in zip(*found, strict=True)))

    def minor_at(self, now: datetime) -> bool:
        """Whether the person is surely under age."""
        ends = [moments.majority(each.birth, each.zone) for each in self.whole]
        return all(end is not None and now < end for end in ends)

    def represented_by(self, key: str, now: datetime) -> Rights:
        """What who bears a key (`related|…`) may as the person's representative; of a minor, whom the server let in as
        one and no RelatedPerson tells of, is one."""
        minor = self.minor_at(now)
        found = next((each for id, each in self.represent if f"related|{id}" == key), None)
        if found is None:
            return representation.unnamed() if minor else representation.NOTHING
        return found.rights(now, minor=minor)


def build(
    patient_id: str,
    patient: Mapping[str, Any] | None,
    consents: Iterable[Mapping[str, Any]],
    care_teams: Iterable[Mapping[str, Any]],
    identifiers: Mapping[str, tuple[str, ...]],
    *,
    resources: Mapping[str, Mapping[str, Any]] | None = None,
    previous: Mapping[str, Any] | None = None,
    space: Mapping[str, Any] | None = None,
    departments: Departments | None = None,
    related: Mapping[str, Representative] | None = None,
    plain: bool = False,
) -> dict[str, Any]:
    """The policy document, without its epoch. Never raises for what a resource says.

    `identifiers`: national keys by local reference; `resources`: what a Consent's `data` refers to; `previous`: the
    document before (a deny keeps hold of the keys that its actor had); `space`: what is kept of the person's space;
    `related`: what each RelatedPerson here may, by id; `plain`: Consents read labels as plain tags. No Patient: closed.
    """
    teams = {f"CareTeam/{team['id']}": team for team in care_teams if isinstance(team.get("id"), str)}
    reading = Reading(identifiers, teams, resources or {}, _known(previous or {}), departments, plain=plain)
    team = _team(patient_id, teams.values(), reading)
    rules = list(_rules(patient_id, consents, reading))
    traitant = _traitant(patient or {}, reading)
    states = spaces.timeline(patient, space)
    for_good = spaces.open_for_good([(name, since) for name, since in states], space)
    return {
        "_id": patient_id,
        "space": states,
        "birth": (patient or {}).get("birthDate"),
        "zone": zone(patient or {}),
        "traitant": traitant,
        "team": [each.as_node() for each in team],
        "represent": [[id, representation.described(each)] for id, each in sorted((related or {}).items())],
        "rules": rules,
        **_found_by(traitant, team, [each["root"] for each in rules], for_good=for_good),
        "refs": sorted(reading.refs),
        "known": [[name, found] for name, found in sorted(reading.found.items())],
    }


def _known(previous: Mapping[str, Any]) -> dict[str, list[str]]:
    return {name: list(found) for name, found in previous.get("known", ())}


def _team(patient: str, teams: Iterable[Mapping[str, Any]], reading: Reading) -> list[Actor]:
    found = [actor for each in teams if _is_of(each, patient) for actor in members(each, reading)]
    return [actor for actor in found if actor.active]


def _rules(patient: str, consents: Iterable[Mapping[str, Any]], reading: Reading) -> Iterator[dict[str, Any]]:
    """The Consents in force, in an order of their own."""
    for consent in sorted(consents, key=lambda each: str(each.get("id"))):
        if in_force(consent, patient) and (root := tree(consent, reading)) is not None:
            yield {"id": str(consent.get("id")), "root": root}


def _found_by(
    traitant: Iterable[str], team: Iterable[Actor], roots: list[Node], *, for_good: bool
) -> dict[str, list[str]]:
    """The keys of whom the policy concerns: to each it may give or deny something."""
    basis = set(traitant).union(*(actor.person() for actor in team), *map(permitted, roots))
    blocked: set[str] = set().union(*map(_denied, roots))
    shut = set() if for_good else {keys.EVERYONE}
    return {"basis": sorted(basis), "blocked": sorted(blocked), "actors": sorted(basis | blocked | shut)}


def references(resources: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Every local reference of the Patient, Consents and CareTeams that `build` may want resolved."""
    return frozenset(name for each in resources for name in keys.references(each))


def _is_of(team: Mapping[str, Any], patient: str) -> bool:
    subject = team.get("subject")
    place = keys.local(subject.get("reference")) if isinstance(subject, dict) else None
    return place == ("Patient", patient)


def _traitant(patient: Mapping[str, Any], reading: Reading) -> list[str]:
    """Persons only: an organisation is nobody's médecin traitant (Code de la santé publique, L.1111-16)."""
    inner = keys.contained(patient)
    found: set[str] = set()
    practitioners = patient.get("generalPractitioner")
    for reference in practitioners if isinstance(practitioners, list) else ():
        place = keys.local(reference.get("reference")) if isinstance(reference, dict) else None
        if place is not None:
            reading.refs.add("/".join(place))
        for key in keys.of_reference(reference, reading.identifiers, inner):
            if keys.kind(key) == "rpps" or key.startswith("Practitioner"):
                found.add(key)
    return sorted(found)


def _nodes(root: Node) -> Iterator[tuple[Node, bool]]:
    """Every node with whether it, or one around it, names an actor."""
    todo = [(root, root["maybe"] is not None)]
    while todo:
        node, named = todo.pop()
        yield node, named
        todo += [(each, named or each["maybe"] is not None) for each in node["nested"]]


def permitted(root: Node) -> Iterator[str]:
    """Who may gain by a Consent: a superset."""
    nodes = list(_nodes(root))
    if any(node["type"] == "permit" and not named for node, named in nodes):
        yield keys.EVERYONE
    if any(node["type"] == "permit" for node, _ in nodes):
        for node, _ in nodes:
            for actor in node["sure"] or ():
                yield from (key for group in actor["groups"] for key in group)


def _denied(root: Node) -> Iterator[str]:
    """Whom a Consent may deny by name: a superset."""
    nodes = list(_nodes(root))
    if any(node["type"] == "deny" for node, _ in nodes):
        for node, _ in nodes:
            yield from node["maybe"] or ()
