"""Who was erased is nowhere any more, and the chains of traces are whole."""

from __future__ import annotations

import base64
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import bson
import pytest
from pymongo import MongoClient

from fhirserver.access import Access
from fhirserver.audit import erasures, verify
from fhirserver.espace.erasure import due
from fhirserver.espace.space import Actor
from fhirserver.store.envelope import unpacked
from tests.records import INS_NIR, document, observation, patient
from tests.rest.agenda.world import opened
from tests.rest.messages.people import House, attachment

if TYPE_CHECKING:
    from tests.application import Application

NOW = datetime(2026, 2, 10, 9, tzinfo=UTC)
NAME = "Zzyzxquartz"


def faults(application: Application) -> list[str]:
    store = application.services.store
    access = Access.system("test")
    sealed = erasures.sealed(application.services.derive(erasures.PURPOSE))
    return [each.text for each in verify(store.traces(access), store.landmarks(access), (), sealed)]


def found(application: Application, *texts: str) -> set[str]:
    """The collections in which a text stands anywhere."""
    settings = application.services.settings
    with MongoClient[dict[str, Any]](settings.mongo) as client:
        database = client[settings.database]
        return {
            name
            for name in database.list_collection_names()
            for row in database[name].find()
            if any(text.encode() in bson.encode(row) for text in texts)
        }


def number_of(id: str) -> str:
    return f"1800575{int(id.removeprefix('person-'), 16) % 10**8:08}"


def person(application: Application) -> str:
    """A person with a record: versions, a deletion, a large body, a file, a deposit by a professional, searches."""
    operator = application.operator()
    id = f"person-{uuid.uuid4().hex[:8]}"
    number = number_of(id)
    operator.store(
        patient(
            id=id,
            birthDate="1980-05-01",
            name=[{"family": NAME, "given": ["Ada"]}],
            identifier=[{"system": INS_NIR, "value": number}],
        )
    )
    holder = application.patient(id)
    kept = holder.create(observation(id, note=[{"text": NAME}]))
    holder.put(f"Observation/{kept}", {**holder.get(f"Observation/{kept}").json, "status": "amended"})
    gone = holder.create(observation(id))
    holder.delete(f"Observation/{gone}")
    large = observation(id, note=[{"text": uuid.uuid4().hex * 20_000}] * 3)
    operator.create(large)
    operator.create(document(id))
    relation = {"resourceType": "RelatedPerson", "patient": {"reference": f"Patient/{id}"}, "name": [{"text": NAME}]}
    parent = operator.create(relation)
    assert application.practitioner("10001112225").search("Patient", ("name", NAME)).status == 200
    application.representative(id, parent).get(f"Patient/{id}")
    assert operator.get(f"Patient?identifier={INS_NIR}|{number}").total >= 1
    return id


def test_nothing_is_left_and_the_chains_are_whole(application: Application) -> None:
    other = application.operator().create(patient(name=[{"family": "Autre"}]))
    id = person(application)
    assert found(application, id) > {"Patient", "trace", "policy"}
    assert faults(application) == []
    answer = application.operator().post(f"Patient/{id}/$espace-erase", None)
    assert answer.status == 200, answer.content
    told = {each["name"]: list(each.values())[1] for each in answer.json["parameter"]}
    assert told["resources"] >= 9
    assert told["traces"] >= 9
    left = found(application, id, number_of(id))
    assert left <= {"actors", "links"}, left
    assert faults(application) == []
    assert application.operator().get(f"Patient/{id}").status == 404
    assert application.operator().post(f"Patient/{id}/$espace-erase", None).status == 404
    assert application.operator().get(f"Patient/{other}").status == 200


def test_the_trace_tells_what_professionals_did_but_not_to_whom(application: Application) -> None:
    id = person(application)
    reader = application.practitioner("10001112225", purpose="BTG")
    assert reader.get(f"Patient/{id}").status == 200
    before = reader.search("AuditEvent", ("action", "R"), ("_count", "100"))
    application.operator().post(f"Patient/{id}/$espace-erase", None)
    after = reader.search("AuditEvent", ("action", "R"), ("_count", "100"))
    assert after.status == 200, after.content
    assert id in before.content.decode()
    assert id not in after.content.decode()
    assert "Patient/erased-" in after.content.decode()


def test_an_erasure_covers_just_its_records(application: Application) -> None:
    id = person(application)
    application.operator().post(f"Patient/{id}/$espace-erase", None)
    settings = application.services.settings
    with MongoClient[dict[str, Any]](settings.mongo) as client:
        traces = client[settings.database]["trace"]
        victim = traces.find_one({"erased": {"$exists": True}})
        bystander = traces.find_one({"erased": {"$exists": False}, "who": {"$exists": True}})
        landmark = traces.find_one({"what": "erasure"})
        assert victim
        assert bystander
        assert landmark
        for row, change in (
            (victim, {"status": 599}),
            (bystander, {"status": 599, "erased": victim["erased"]}),
            (landmark, {"records": []}),
        ):
            traces.update_one({"_id": row["_id"]}, {"$set": change})
            assert faults(application)
            traces.replace_one({"_id": row["_id"]}, row)
            assert faults(application) == []


def test_a_record_of_two_erased_persons_stays_verifiable(application: Application) -> None:
    ids = [person(application) for _ in range(2)]
    assert application.operator().get(f"Patient?name={NAME}").total >= 2
    for id in ids:
        assert application.operator().post(f"Patient/{id}/$espace-erase", None).status == 200
    assert found(application, *ids) <= {"actors", "links"}
    assert faults(application) == []


def test_merged_records_go_together(application: Application) -> None:
    source, target = (application.operator().create(patient(birthDate="1980-05-01")) for _ in range(2))
    kept = application.operator().create(observation(source))
    pair = [
        {"name": f"{name}-patient", "valueReference": {"reference": f"Patient/{id}"}}
        for name, id in (("source", source), ("target", target))
    ]
    merged = application.operator().post("Patient/$merge", {"resourceType": "Parameters", "parameter": pair})
    assert merged.status == 200, merged.content
    assert application.operator().post(f"Patient/{source}/$espace-erase", None).status == 409
    assert application.operator().post(f"Patient/{target}/$espace-erase", None).status == 200
    assert found(application, source, target) <= {"actors", "links"}
    assert application.operator().get(f"Observation/{kept}").status == 404
    assert faults(application) == []


@pytest.mark.parametrize("kind", ["patient", "practitioner"])
def test_only_the_operator_erases(application: Application, kind: str) -> None:
    id = application.operator().create(patient())
    caller = application.patient(id) if kind == "patient" else application.practitioner("10001112225")
    assert caller.post(f"Patient/{id}/$espace-erase", None).status == (403 if kind == "patient" else 404)
    assert application.operator().get(f"Patient/{id}").status == 200


def test_time_erases_what_was_asked_for_and_not_before(application: Application) -> None:
    id = application.operator().create(patient(birthDate="1980-05-01"))
    application.at(NOW).patient(id).post(f"Patient/{id}/$espace-request-erasure", None)
    services = application.services
    assert id not in services.spaces.to_erase(NOW + timedelta(days=14))
    late = NOW + timedelta(days=15)
    assert id in services.spaces.to_erase(late)
    assert due(services.erasure, [id], Actor("time", Access.system("erasure", late))) == 1
    assert services.spaces.to_erase(late) == []
    assert application.operator().get(f"Patient/{id}").status == 404


def test_what_was_erased_is_erased_again_in_a_backup_from_before(application: Application) -> None:
    id, other = (application.operator().create(patient(birthDate="1980-05-01")) for _ in range(2))
    services = application.services
    application.operator().post(f"Patient/{id}/$espace-erase", None)
    told = services.erasure.listed(NOW)
    assert id not in json.dumps(told)
    application.operator().store(patient(id=id))
    kept = application.operator().create(observation(id))
    actor = Actor("operator", Access.system("restore", NOW))
    assert len(list(services.erasure.again(told, actor))) == 1
    assert application.operator().get(f"Observation/{kept}").status == 404
    assert application.operator().get(f"Patient/{other}").status == 200
    assert list(services.erasure.again(told, actor)) == []


def test_an_erasure_that_was_broken_off_is_done_again(application: Application, monkeypatch: Any) -> None:
    id = person(application)
    with monkeypatch.context() as broken:
        broken.setattr(erasures, "_retold", lambda *_: 1 / 0)
        assert application.operator().post(f"Patient/{id}/$espace-erase", None).status == 500
    assert faults(application) == []
    actor = Actor("operator", Access.system("test", NOW))
    application.services.erasure.erase(actor, id)
    assert found(application, id) <= {"actors", "links"}
    assert faults(application) == []


MARK = "Wqzvkyx"
"""A word in a value of each kind that is the person's."""


def standing(application: Application, *texts: str) -> dict[str, set[str]]:
    """By collection, which of the texts stand anywhere: in fields, in bodies (compressed or in pieces), in files."""
    settings = application.services.settings
    wanted = {each: (each.encode(), base64.b64encode(each.encode())) for each in texts}
    found: dict[str, set[str]] = {}
    with MongoClient[dict[str, Any]](settings.mongo) as client:
        database = client[settings.database]
        for name in database.list_collection_names():
            for row in database[name].find():
                body = unpacked(row) if isinstance(row.get("r"), bytes) else b""
                content = bson.encode(row) + body
                if hits := {text for text, forms in wanted.items() if any(each in content for each in forms)}:
                    found.setdefault(name, set()).update(hits)
    return found


def full_record(application: Application) -> tuple[str, str]:
    """A person of whom there is something of each kind; id and number."""
    operator, id = application.operator(), f"person-{uuid.uuid4().hex[:8]}"
    number, here = number_of(id), {"reference": f"Patient/{id}"}
    name = [{"use": "official", "family": MARK, "given": ["Ada"]}]
    identifier = [{"system": INS_NIR, "value": number}]
    mail = [{"system": "email", "value": f"{MARK}@example.org"}]
    operator.store(patient(id=id, birthDate="1980-05-01", name=name, identifier=identifier, telecom=mail))
    house = House(application)
    house.person = here
    holder = application.patient(id)
    told = house.opened(None, {"contentString": MARK}, attachment(f"%PDF-1.4 {MARK}".encode(), MARK))
    assert house.answered(told, holder, {"contentString": f"{MARK} {MARK}"}).status == 201
    agenda = opened(application)
    booked = agenda.appointment(0, description=MARK, comment=MARK) | {
        "participant": agenda.participants(f"Patient/{id}")
    }
    operator.create(booked)
    entered = holder.create(observation(id, note=[{"text": MARK}]))
    holder.put(f"Observation/{entered}", {**holder.get(f"Observation/{entered}").json, "status": "amended"})
    holder.delete(f"Observation/{holder.create(observation(id, note=[{'text': MARK}]))}")
    operator.create(observation(id, note=[{"text": f"{MARK} " * 500}]))
    operator.create(document(id))
    operator.create({"resourceType": "RelatedPerson", "patient": here, "active": True, "name": [{"family": MARK}]})
    channel = {"type": "rest-hook", "endpoint": f"https://{MARK}.example.org/", "payload": "application/fhir+json"}
    hook = {"resourceType": "Subscription", "status": "requested", "reason": MARK, "channel": channel}
    holder.post("Subscription", hook | {"criteria": f"Observation?patient={id}"})
    application.services.accounts.invitations.invite(id, by="test")
    application.services.spaces.happen(Actor("operator", Access.system("test", datetime.now(UTC))), id, "activate")
    assert application.practitioner("10001112225", purpose="BTG").get(f"Patient/{id}").status == 200
    assert operator.search("Patient", ("name", MARK)).total == 1
    holder.post(f"Patient/{id}/$portability", None, Prefer="respond-async")
    return id, number


def test_no_value_of_any_kind_is_left_in_any_collection(application: Application) -> None:
    id, number = full_record(application)
    before = standing(application, id, number, MARK)
    assert before.keys() >= {
        "Patient", "Communication", "Appointment", "Observation", "Observation.history", "RelatedPerson", "policy",
        "space", "outbox", "trace", "jobs", "register.invitations",
    }  # fmt: skip
    answer = application.operator().post(f"Patient/{id}/$espace-erase", None)
    assert answer.status == 200, answer.content
    left = standing(application, id, number, MARK)
    assert {name: texts for name, texts in left.items() if name not in ("actors", "links")} == {}
    assert all(texts == {id} for texts in left.values())
    assert faults(application) == []
