"""$explain-access and $who-can-see: for whom the record is, in words, and true of what reads answer."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from tests.application import applications, embedded_uri
from tests.leaks.world import ABSENT, ALICE, BOB, CLINIC, HOSPITAL, World, alike

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Answer, Caller

__all__ = ["applications", "embedded_uri"]

RESOURCES = [
    "Observation/seen-p1", "Observation/hidden-q1", "Observation/hidden-r1", "Observation/hidden-pr",
    "DocumentReference/hidden-p1", "DocumentReference/hidden-p3", "DocumentReference/unseen-pa",
    "DocumentReference/unseen-ma", "DocumentReference/seen-m1", "Consent/hidden-p1", "CareTeam/hidden-r1",
    "Binary/hidden-r1", "Binary/hidden-p1", "AuditEvent/hidden-p1", "Patient/patient-p", "Patient/patient-q",
]  # fmt: skip


@pytest.fixture(scope="module")
def world(applications: Callable[..., Any]) -> Iterator[World]:
    with applications() as application:
        yield World(application)


def explained(who: Caller, resource: str, requester: str = f"rpps|{ALICE}", **params: str) -> Answer:
    given = {"profession": "G15_10"} if requester.startswith("rpps|") else {}
    pairs = {"resource": resource, "requester": requester, **given, **params}
    return who.call("GET", "$explain-access", query=pairs.items(), headers={"Accept-Language": "fr"})


def told(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer
    return {each["name"]: next(iter(v for k, v in each.items() if k != "name")) for each in answer.json["parameter"]}


def rules(answer: Answer) -> dict[str, dict[str, Any]]:
    found = {}
    for each in answer.json["parameter"]:
        if each["name"] == "rule":
            parts = {part["name"]: next(v for k, v in part.items() if k != "name") for part in each["part"]}
            found[parts["code"]] = parts
    return found


@pytest.mark.parametrize("resource", RESOURCES)
def test_the_verdict_is_what_a_read_answers(world: World, resource: str) -> None:
    server = world.application
    for rpps, (profession, organization), purpose in product(
        (ALICE, BOB), (("G15_10", CLINIC), ("G15_10/SM25", HOSPITAL), ("G15_60", HOSPITAL)), ("TREAT", "BTG", "HPAYMT")
    ):
        who = server.practitioner(rpps, profession, organization, purpose)
        verdict = told(explained(world.operator, resource, f"rpps|{rpps}", profession=profession,
                                 organization=organization, purpose=purpose))["visible"]  # fmt: skip
        assert verdict == (who.get(resource).status == 200), (rpps, profession, organization, purpose)
    for text, who, more in (
        ("client|his", world.hospital, {"organization": HOSPITAL}),
        ("patient|patient-p", world.patient("p"), {}),
        ("related|parent", world.representative(resource.partition("-")[2][:1]), {}),
    ):
        verdict = told(explained(world.operator, resource, text, **more))["visible"]
        owner = (
            world.operator.get(resource, Accept="application/fhir+json").json.get("subject", {}).get("reference", "")
        )
        if not text.startswith("related") or owner == f"Patient/patient-{resource.partition('-')[2][:1]}":
            assert verdict == (who.get(resource).status == 200), text


def test_rules_are_told_in_words_with_their_source(world: World) -> None:
    answer = explained(world.patient("q"), "Observation/hidden-q1")
    blocked = rules(answer)["blocked"]
    assert told(answer)["visible"] is False
    assert blocked["holds"] is True
    assert blocked["text"].startswith("La personne a bloqué nommément")
    assert blocked["source"] == "DMP TD0.2, NB1 et NB2"
    assert blocked["consent"] == {"reference": "Consent/consent-q"}
    english = world.patient("q").get(
        f"$explain-access?resource=Observation/hidden-q1&requester=rpps|{ALICE}&profession=G15_10"
    )
    assert rules(english)["blocked"]["text"].startswith("The person denies")
    masked = rules(explained(world.patient("p"), "DocumentReference/hidden-p1"))
    assert masked["team"]["holds"] is True
    assert (masked["unmasked"]["holds"], masked["unmasked"]["of"]) == (False, "team")


def test_a_post_asks_the_same(world: World) -> None:
    parameters = {"resource": "Observation/seen-p1", "requester": f"rpps|{ALICE}", "profession": "G15_10"}
    body = {"resourceType": "Parameters", "parameter": [{"name": n, "valueString": v} for n, v in parameters.items()]}
    answer = world.patient("p").post("$explain-access", body, Accept_Language="fr")
    assert answer.json == explained(world.patient("p"), "Observation/seen-p1").json
    assert told(answer)["visible"] is True
    xml = world.patient("p").post("$explain-access", body, Accept="application/fhir+xml")
    assert b'<valueBoolean value="true"/>' in xml.content


def test_it_is_for_whose_record_it_is_and_to_all_others_as_if_there_were_nothing(world: World) -> None:
    for who in (world.alice, world.bob, world.hospital, world.patient("s"), world.representative("m")):
        for resource in ("Observation/seen-p1", "Observation/hidden-r1", "Observation/hidden-r2", "Patient/patient-p",
                         "Practitioner/alice"):  # fmt: skip
            type, id = resource.split("/")
            never = "z" * len(id)
            alike(explained(who, resource), explained(who, f"{type}/{never}"), id, never)
            seers = [who.get(f"Patient/patient-p/$who-can-see?resource={type}/{each}") for each in (id, never)]
            alike(seers[0], seers[1], id, never)
            assert seers[0].status == 404


def test_what_the_person_must_not_know_yet_stays_unknown(world: World) -> None:
    for who, id in ((world.patient("p"), "unseen-pa"), (world.representative("m"), "unseen-ma")):
        alike(explained(who, f"DocumentReference/{id}"), explained(who, f"DocumentReference/{ABSENT}"), id)
    assert explained(world.patient("m"), "DocumentReference/unseen-ma").status == 200
    assert explained(world.representative("m"), "DocumentReference/seen-m1").status == 200
    assert explained(world.representative("a"), "DocumentReference/unseen-a1").status == 404


def test_what_cannot_be_asked_is_refused_by_name(world: World) -> None:
    me = world.patient("p")
    for query, text in (
        ("resource=Observation/seen-p1", "requester"),
        ("requester=rpps|1&resource=Observation/seen-p1", "rpps|1"),
        (f"requester=rpps|{ALICE}&resource=Observation/seen-p1", "profession"),
        ("requester=client|x&resource=Observation/seen-p1", "organization"),
        (f"requester=rpps|{ALICE}&profession=G15_10&resource=Thing/1", "Thing/1"),
        (f"requester=rpps|{ALICE}&profession=G15_10&resource=Observation/seen-p1&purpose=FUN", "FUN"),
        ("who=x", "who"),
    ):
        answer = me.get(f"$explain-access?{query}")
        assert answer.status == 400, query
        assert text in answer.told


def test_who_can_see_names_persons_and_professions(world: World) -> None:
    answer = world.patient("p").get("Patient/patient-p/$who-can-see?resource=Observation/seen-p1&purpose=TREAT")
    assert answer.status == 200, answer
    rows = [each["part"] for each in answer.json["parameter"] if each["name"] == "seer"]
    kinds = [row[0]["valueCode"] for row in rows]
    assert kinds == ["operator", "holder", "practitioner"]
    alice = rows[2]
    assert alice[1]["valueReference"]["identifier"]["value"] == ALICE
    assert {"name": "profession", "valueCoding": {"code": "G15_10", "display": "Médecin"}} in alice
    everyone = world.patient("p").get("Patient/patient-p/$who-can-see?purpose=BTG")
    (row,) = [each["part"] for each in everyone.json["parameter"][1:] if each["part"][0]["valueCode"] == "practitioner"
              and not any(part["name"] == "who" for part in each["part"])]  # fmt: skip
    assert {"name": "except", "valueReference": {"type": "Practitioner", "identifier": {
        "system": "https://rpps.esante.gouv.fr", "value": BOB}}} in row  # fmt: skip


def test_answers_conform(world: World) -> None:
    for answer in (
        explained(world.patient("p"), "DocumentReference/hidden-p1"),
        world.patient("p").get("Patient/patient-p/$who-can-see"),
    ):
        issues = world.application.services.validator.check(answer.json)
        assert [issue for issue in issues if issue.is_error] == []
