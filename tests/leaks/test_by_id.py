"""A hidden resource answers exactly as one that never was, whatever is asked of its id."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from tests.leaks.world import ABSENT, DELETED, HIDDEN, Hidden, alike
from tests.records import ask, observation, patient, post, put, reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.application import Answer, Caller
    from tests.leaks.world import World

PAST, FUTURE = "Mon, 01 Jan 2001 00:00:00 GMT", "Sun, 01 Jan 2096 00:00:00 GMT"
READS: dict[str, Callable[[Caller, str, str], Answer]] = {
    "read": lambda who, type, id: who.get(f"{type}/{id}"),
    "head": lambda who, type, id: who.call("HEAD", f"{type}/{id}"),
    "indented": lambda who, type, id: who.get(f"{type}/{id}?_pretty=true"),
    "if version 1": lambda who, type, id: who.get(f"{type}/{id}", If_None_Match='W/"1"'),
    "if version 2": lambda who, type, id: who.get(f"{type}/{id}", If_None_Match='W/"2"'),
    "if any": lambda who, type, id: who.get(f"{type}/{id}", If_None_Match="*"),
    "if since past": lambda who, type, id: who.get(f"{type}/{id}", If_Modified_Since=PAST),
    "if since future": lambda who, type, id: who.get(f"{type}/{id}", If_Modified_Since=FUTURE),
    "vread 1": lambda who, type, id: who.get(f"{type}/{id}/_history/1"),
    "vread 2": lambda who, type, id: who.get(f"{type}/{id}/_history/2"),
    "vread 3": lambda who, type, id: who.get(f"{type}/{id}/_history/3"),
    "vread if any": lambda who, type, id: who.get(f"{type}/{id}/_history/1", If_None_Match="*"),
    "history": lambda who, type, id: who.get(f"{type}/{id}/_history"),
    "history counted": lambda who, type, id: who.get(f"{type}/{id}/_history?_count=0"),
    "history paged": lambda who, type, id: who.get(f"{type}/{id}/_history?_count=1"),
    "search by id": lambda who, type, id: who.search(type, _id=id),
    "count by id": lambda who, type, id: who.search(type, _id=id, _summary="count"),
    "search by ids": lambda who, type, id: who.search(type, _id=f"{id},seen-p1"),
    "search by id and time": lambda who, type, id: who.search(type, _id=id, _lastUpdated="gt2020-01-01"),
    "transaction": lambda who, type, id: who.transact(ask("GET", f"{type}/{id}")),
    "transaction with others": lambda who, type, id: who.transact(
        ask("GET", "Observation/seen-p1"), ask("GET", f"{type}/{id}")
    ),
    "reference by type": lambda who, type, id: who.search("Observation", subject=f"{type}/{id}"),
    "as author": lambda who, type, id: who.search("DocumentReference", author=f"{type}/{id}"),
}
DELETES: dict[str, Callable[[Caller, str, str], Answer]] = {
    "delete": lambda who, type, id: who.delete(f"{type}/{id}"),
    "delete version 1": lambda who, type, id: who.delete(f"{type}/{id}", If_Match='W/"1"'),
    "delete version 9": lambda who, type, id: who.delete(f"{type}/{id}", If_Match='W/"9"'),
    "transaction": lambda who, type, id: who.transact(ask("DELETE", f"{type}/{id}")),
    "transaction of version 9": lambda who, type, id: who.transact(ask("DELETE", f"{type}/{id}", ifMatch='W/"9"')),
}
UPDATES: dict[str, Callable[[Caller, dict[str, Any]], Answer]] = {
    "update": lambda who, body: who.put(f"{body['resourceType']}/{body['id']}", body),
    "update version 1": lambda who, body: who.put(f"{body['resourceType']}/{body['id']}", body, If_Match='W/"1"'),
    "update version 9": lambda who, body: who.put(f"{body['resourceType']}/{body['id']}", body, If_Match='W/"9"'),
    "transaction": lambda who, body: who.transact(put(body)),
    "transaction of version 1": lambda who, body: who.transact(put(body, 'W/"1"')),
    "transaction with others": lambda who, body: who.transact(post(observation("patient-p")), put(body)),
}


@pytest.mark.parametrize("hidden", HIDDEN, ids="/".join)
def test_what_is_hidden_is_there(world: World, hidden: Hidden) -> None:
    deleted = "/".join(hidden) in DELETED
    assert world.operator.get("/".join(hidden)).status == (410 if deleted else 200)
    assert world.alice.get("/".join(hidden)).status == 404


def test_what_is_not_hidden_is_seen(world: World) -> None:
    for place in ("Patient/patient-p", "Observation/seen-p1", "DocumentReference/seen-p1", "CareTeam/team-p"):
        assert world.alice.get(place).status == 200
    assert world.bob.get("Observation/hidden-r1").status == 200
    assert world.patient("q").get("Observation/hidden-q1").status == 200


@pytest.mark.parametrize("asked", READS)
def test_no_way_of_reading_tells_hidden_from_absent(world: World, asked: str) -> None:
    look = READS[asked]
    absent = cache(lambda type: look(world.alice, type, ABSENT))
    for hidden in HIDDEN:
        alike(look(world.alice, *hidden), absent(hidden.type), hidden.id)


@pytest.mark.parametrize("hidden", HIDDEN, ids="/".join)
def test_no_way_of_deleting_tells_hidden_from_absent_or_deletes(world: World, hidden: Hidden) -> None:
    before = world.operator.get("/".join(hidden))
    for remove in DELETES.values():
        alike(remove(world.alice, *hidden), remove(world.alice, hidden.type, ABSENT), hidden.id)
    assert world.operator.get("/".join(hidden)) == before


@pytest.mark.parametrize("hidden", HIDDEN, ids="/".join)
def test_no_way_of_updating_tells_hidden_from_absent_or_updates(world: World, hidden: Hidden) -> None:
    counts = world.application.counts()
    before = world.operator.get("/".join(hidden), Accept="application/fhir+json")
    body = before.json if before.status == 200 else observation("patient-p", id=hidden.id)
    for change in UPDATES.values():
        alike(change(world.alice, body), change(world.alice, body | {"id": ABSENT}), hidden.id)
        bare = {"resourceType": hidden.type, "id": hidden.id}
        alike(change(world.alice, bare), change(world.alice, bare | {"id": ABSENT}), hidden.id)
    assert world.operator.get("/".join(hidden), Accept="application/fhir+json") == before
    assert world.application.counts() == counts


@pytest.mark.parametrize("integrity", [False, True])
@pytest.mark.parametrize("letter", ["q", "r"])
def test_a_reference_to_a_hidden_patient_is_as_a_dangling_one(world: World, integrity: bool, letter: str) -> None:
    server = world.application.under(referential_integrity=integrity)
    alice = server.practitioner("10000000001", organization="750000002")
    for body in (
        observation(f"patient-{letter}"),
        observation("patient-p", focus=[reference(f"Patient/patient-{letter}")]),
    ):
        other = _swapped(body, f"patient-{letter}", ABSENT)
        hidden, absent = alice.post("Observation", body), alice.post("Observation", other)
        assert hidden.status == absent.status == (422 if integrity else 201)
        for answer in (hidden, absent):
            if answer.status == 201:
                world.operator.delete(f"Observation/{answer.id}")
        if integrity:
            alike(hidden, absent, f"patient-{letter}")
            assert hidden.content.count(f"patient-{letter}".encode()) == 1


@pytest.mark.parametrize("hidden", [each for each in HIDDEN if each.type != "Patient"], ids="/".join)
def test_with_integrity_a_reference_to_what_is_hidden_is_as_a_dangling_one(world: World, hidden: Hidden) -> None:
    alice = world.application.under(referential_integrity=True).practitioner("10000000001")

    def pointing(id: str) -> Answer:
        return alice.post("Observation", observation("patient-p", derivedFrom=[reference(f"Observation/{id}")]))

    if hidden.type == "Observation":
        answer = pointing(hidden.id)
        assert answer.status == 422
        alike(answer, pointing(ABSENT), hidden.id)


def test_a_patient_learns_nothing_of_other_patients(world: World) -> None:
    """Nor whether a person has a record here, by the INS."""
    me = world.patient("p")
    for asked, look in READS.items():
        if asked != "reference by type":
            alike(look(me, "Patient", "patient-r"), look(me, "Patient", ABSENT), "patient-r")
            absent = look(me, "Observation", ABSENT)
            for id in ("hidden-r1", "hidden-r2"):
                alike(look(me, "Observation", id), absent, id)
    alike(me.post("Observation", observation("patient-r")), me.post("Observation", observation(ABSENT)), "patient-r")
    ins = {"system": "urn:oid:1.2.250.1.213.1.4.8", "value": "185056322012345"}
    id = world.operator.create(patient(identifier=[ins]))

    def deposit(value: str) -> Answer:
        return me.post("Observation", observation(subject={"identifier": ins | {"value": value}}))

    alike(deposit(ins["value"]), deposit("285056322012345"), ins["value"], "285056322012345")
    world.operator.delete(f"Patient/{id}")


def test_what_the_patient_may_not_yet_see_is_absent_for_the_patient(world: World) -> None:
    me = world.patient("p")
    for look in READS.values():
        alike(look(me, "DocumentReference", "unseen-pa"), look(me, "DocumentReference", ABSENT), "unseen-pa")


def test_what_a_minor_keeps_to_himself_is_absent_for_the_representative(world: World) -> None:
    parent = world.representative("m")
    assert parent.get("DocumentReference/seen-m1").status == 200
    for look in READS.values():
        alike(look(parent, "DocumentReference", "unseen-ma"), look(parent, "DocumentReference", ABSENT), "unseen-ma")


def test_the_record_of_an_adult_is_absent_for_who_once_represented_him(world: World) -> None:
    parent = world.representative("a")
    for type, id in (("DocumentReference", "unseen-a1"), ("Patient", "patient-a")):
        for look in READS.values():
            alike(look(parent, type, id), look(parent, type, ABSENT), id)


def _swapped(body: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    swapped: dict[str, Any] = json.loads(json.dumps(body).replace(old, new))
    return swapped
