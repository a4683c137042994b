"""Probes that write: no condition, refusal or reference tells of what is hidden, and nobody lets himself in."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.leaks.probing import PATCH, SOME, Probe
from tests.leaks.world import ABSENT, ALICE, CLINIC, NOW
from tests.records import RPPS, ask, care_team, consent, document, observation, patient, practitioner, reference

if TYPE_CHECKING:
    from tests.leaks.probing import Probing

WRITES = {"post": "a write has one method"}


def if_none_exist(to: Probing) -> None:
    for criteria in ("code=2160-0", "_id=hidden-q1", "subject=Patient/patient-q", "performer=Patient/patient-r"):
        told = to.same("Observation", "POST", observation("patient-p", code="9-9"), If_None_Exist=criteria)
        assert told.status == 201
        to.forget(told)
    seen = to.same("Observation", "POST", observation("patient-p"), If_None_Exist="_id=seen-p1")
    assert (seen.status, seen.value["id"]) == (200, "seen-p1")


def conditional_writes(to: Probing) -> None:
    before = to.world.operator.get("Observation/hidden-r1")
    for criteria in ("code=2160-0", "_id=hidden-r1"):
        for method, body in (("PUT", observation("patient-p", code="9-9")), ("DELETE", None), ("PATCH", PATCH)):
            told = to.same(f"Observation?{criteria}", method, body)
            to.forget(told)
            other = to.same(
                f"Observation?{criteria.replace('2160-0', '0612-0').replace('hidden-r1', ABSENT)}", method, body
            )
            assert other.status == told.status
            to.forget(other)
    assert to.world.operator.get("Observation/hidden-r1") == before


def conditions_of_reads(to: Probing) -> None:
    for type, id in SOME:
        for tag in ('W/"1"', "*"):
            assert to.absent(f"{type}/{id}", id, If_None_Match=tag).status == 404
        for at in ("Mon, 01 Jan 2001 00:00:00 GMT", "Sun, 01 Jan 2095 00:00:00 GMT"):
            assert to.absent(f"{type}/{id}", id, If_Modified_Since=at).status == 404
        for tag in ('W/"1"', 'W/"9"'):
            to.absent(f"{type}/{id}", id, "DELETE", If_Match=tag)


def updates(to: Probing) -> None:
    counts = to.server.counts()
    for type, id in SOME:
        stored = to.world.operator.get(f"{type}/{id}", Accept="application/fhir+json")
        body = stored.json if stored.status == 200 else _of(type, id)
        for headers in ({}, {"If_Match": 'W/"1"'}, {"If_Match": 'W/"9"'}):
            assert to.absent(f"{type}/{id}", id, "PUT", body, **headers).status >= 400
        assert to.absent(f"{type}/{id}", id, "PATCH", PATCH).status >= 400
    assert to.server.counts() == counts


def _of(type: str, id: str) -> dict[str, Any]:
    return observation("patient-p", id=id) if type == "Observation" else document("patient-p", id=id)


def references(to: Probing) -> None:
    for integrity in (False, True):
        server = to.server.under(referential_integrity=integrity)
        alice = server.practitioner(ALICE, organization=CLINIC)
        for id, body in (
            ("hidden-q1", observation("patient-p", derivedFrom=[reference("Observation/hidden-q1")])),
            ("hidden-r3", observation("patient-p", hasMember=[reference("Observation/hidden-r3")])),
        ):
            other = json.loads(json.dumps(body).replace(id, ABSENT))
            hidden, absent = to.ask(alice, "Observation", "POST", body), to.ask(alice, "Observation", "POST", other)
            assert hidden.status == absent.status == (422 if integrity else 201)
            if integrity:
                assert hidden.text.replace(id, ABSENT) == absent.text
            for told in (hidden, absent):
                if told.status == 201:
                    to.world.operator.delete(f"Observation/{told.value['id']}")


def identifiers(to: Probing) -> None:
    """No identifier is unique: nothing names who has it."""
    taken = [{"system": "urn:hospital", "value": "4711"}]
    to.world.operator.store(observation("patient-r", id="hidden-ri", identifier=taken))
    for body in (observation("patient-p", identifier=taken), practitioner(ALICE), practitioner("10000000077")):
        told = to.same(body["resourceType"], "POST", body)
        assert told.status == 201
        assert "hidden" not in told.text
        to.forget(told)
    told = to.same(
        "Observation", "POST", observation("patient-p", identifier=taken), If_None_Exist="identifier=urn:hospital|4711"
    )
    assert told.status == 201
    to.forget(told)
    to.world.operator.delete("Observation/hidden-ri")


def validation(to: Probing) -> None:
    for id in ("hidden-q1", "hidden-r3"):
        body = observation("patient-p", derivedFrom=[reference(f"Observation/{id}")])
        to.absent("Observation/$validate", id, "POST", body)
        to.absent(f"Observation/{id}/$validate", id, "POST", {"resourceType": "Parameters"})


def bundles(to: Probing) -> None:
    """A mixed Bundle says of each entry what the entry by itself is answered; a transaction fails with a clean text."""
    for type, id in SOME:
        for entry in (ask("GET", f"{type}/{id}"), ask("DELETE", f"{type}/{id}", ifMatch='W/"9"')):
            for kind in ("batch", "transaction"):
                body = {"resourceType": "Bundle", "type": kind, "entry": [ask("GET", "Observation/seen-p1"), entry]}
                told = to.absent("", id, "POST", body)
                for secret in ("2160-0", "Mercier", "Moreau", "patient-r/"):
                    assert secret not in told.text


def nobody_is_not_everybody(to: Probing) -> None:
    """An empty array cannot be written in XML."""
    id = to.world.operator.create(patient())
    to.world.operator.create(observation(id))
    me = to.server.patient(id)
    empty = consent(id, "permit")
    empty["provision"]["actor"] = []
    device = consent(id, "permit", "Device/nobody")
    for body in (device,) if to.form.xml else (empty, device):
        told = to.ask(me, "Consent", "POST", body)
        assert told.status in (201, 422)
        assert to.alice.search("Observation", patient=id).total == 0


def consents_in_time(to: Probing) -> None:
    id = to.world.operator.create(patient())
    to.world.operator.create(observation(id))
    period = {"start": "2026-03-02", "end": "2026-03-03T12:00:00Z"}
    body = consent(id, "permit", "Practitioner/alice", period=period)
    told = to.ask(to.server.patient(id), "Consent", "POST", body)
    assert told.status == 201

    def at(**delta: int) -> int:
        alice = to.server.at(NOW + timedelta(**delta)).practitioner(ALICE, organization=CLINIC)
        return alice.search("Observation", patient=id).total

    assert [at(), at(hours=12), at(days=2), at(days=2, seconds=1)] == [0, 1, 1, 0]
    made = told.value | {"status": "inactive"}
    assert to.ask(to.server.patient(id), f"Consent/{made['id']}", "PUT", made).status == 200
    assert at(days=1, hours=12) == 0
    nested = consent(id, "permit", "Practitioner/alice", provision=[{"type": "deny", "class": [
        {"system": "http://hl7.org/fhir/resource-types", "code": "Observation"}]}])  # fmt: skip
    assert to.ask(to.server.patient(id), "Consent", "POST", nested).status == 201
    assert at() == 0


def warm_caches(to: Probing) -> None:
    id = to.world.operator.create(patient())
    to.world.operator.create(observation(id))
    other = to.server.under().practitioner(ALICE, organization=CLINIC)
    url = f"Observation?patient={id}"
    for _ in range(2):
        assert other.get(url).total == 0
        made = to.ask(to.server.patient(id), "Consent", "POST", consent(id, "permit", "Practitioner/alice"))
        assert other.get(url).total == 1
        assert to.ask(to.server.patient(id), f"Consent/{made.value['id']}", "DELETE").status in (200, 204)
        assert other.get(url).total == 0


def labels_and_subjects(to: Probing) -> None:
    id = to.world.operator.create(patient())
    to.world.operator.create(care_team(id, "Practitioner/alice"))
    author = [{"identifier": {"system": RPPS, "value": ALICE}}]
    made = to.alice.create(document(id, author=author, labels=("MASQUE_PS",)))
    bare = document(id, author=author, id=made)
    moved = document("patient-r", author=author, id=made, labels=("MASQUE_PS",))
    for body in (bare, moved, document("patient-q", author=author, id=made)):
        assert to.ask(to.alice, f"DocumentReference/{made}", "PUT", body).status == 403
    assert to.world.operator.get(f"DocumentReference/{made}/_history").total == 1


def self_granted(to: Probing) -> None:
    id = to.world.operator.create(patient())
    to.world.operator.create(observation(id))
    for body in (
        consent(id, "permit", "Practitioner/alice"),
        consent(id, "permit", "Practitioner/alice") | {"performer": [reference("Practitioner/alice")]},
        care_team(id, "Practitioner/alice"),
        consent("patient-r", "permit", "Practitioner/alice"),
    ):
        assert to.ask(to.alice, body["resourceType"], "POST", body).status == 403
    assert to.alice.search("Observation", patient=id).total == 0


def subscriptions(to: Probing) -> None:
    """The answer tells nothing of what the criteria name; what is told later, `test_subscriptions.py`."""
    body = {
        "resourceType": "Subscription", "status": "requested", "reason": "x",
        "criteria": "Observation?patient=patient-r",
        "channel": {"type": "rest-hook", "endpoint": "http://127.0.0.1:9/"},
    }  # fmt: skip
    told = to.same("Subscription", "POST", body)
    assert told.status in (201, 403, 422)
    assert "hidden" not in told.text
    to.forget(told)


PROBES = (
    Probe(22, "If-None-Exist", if_none_exist, WRITES),
    Probe(23, "conditional update, delete and patch", conditional_writes, WRITES),
    Probe(24, "If-Match, If-None-Match, If-Modified-Since", conditions_of_reads, WRITES),
    Probe(25, "an update of a hidden id", updates, WRITES),
    Probe(26, "references to what is hidden", references, WRITES),
    Probe(27, "identifiers in use", identifiers, WRITES),
    Probe(28, "$validate", validation, {"post": "it is by POST"}),
    Probe(29, "mixed Bundles", bundles, {**WRITES, "batch": "a Bundle within a Bundle", "batch-xml": "the same"}),
    Probe(35, "an allow-list of nobody", nobody_is_not_everybody, WRITES),
    Probe(36, "Consents in time", consents_in_time, WRITES),
    Probe(37, "a Consent while caches are warm", warm_caches, WRITES),
    Probe(38, "labels and subjects changed", labels_and_subjects, WRITES),
    Probe(39, "access granted to oneself", self_granted, WRITES),
    Probe(41, "Subscriptions", subscriptions, WRITES),
)  # fmt: skip
