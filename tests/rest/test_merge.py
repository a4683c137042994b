"""Patient/$merge and $unmerge: two records of one person become one, with all that is in them, and two again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from pymongo import MongoClient

from fhirserver.store import moving
from tests import records
from tests.records import reference

if TYPE_CHECKING:
    from tests.application import Answer, Application, Caller

ALICE, BOB, CAROL = "10000000001", "10000000002", "10000000003"
VOLATILE = {"v", "lu", "r", "z", "w", "made", "epoch", "stamp", "derived", "x", "d", "s", "doc"}
IPP = "urn:oid:1.2.250.1.999.7"
INS = {"system": records.INS_NIR, "value": "279035121518989", "use": "official"}
OTHER_INS = {"system": records.INS_NIR, "value": "180126912345678", "use": "official"}


def parameters(source: str, target: str, *more: dict[str, Any]) -> dict[str, Any]:
    named = (("source-patient", source), ("target-patient", target))
    told = [{"name": name, "valueReference": reference(f"Patient/{id}")} for name, id in named]
    return {"resourceType": "Parameters", "parameter": [*told, *more]}


class Two(NamedTuple):
    """Records `a` and `b`: Alice is in the care team of `a`, Bob of `b`; an Observation in each, a letter in `a`."""

    application: Application
    operator: Caller
    a: str
    b: str
    in_a: str
    in_b: str
    letter: str

    def merge(self, *more: dict[str, Any]) -> Answer:
        return self.operator.post("Patient/$merge", parameters(self.a, self.b, *more))

    def unmerge(self) -> Answer:
        return self.operator.post("Patient/$unmerge", parameters(self.a, self.b))

    def sees(self, rpps: str, purpose: str = "TREAT") -> set[str]:
        """Names of those of the two Observations that a professional sees, by read and by search alike."""
        caller = self.application.practitioner(rpps, purpose=purpose)
        named = {"a": self.in_a, "b": self.in_b}
        read = {name for name, id in named.items() if caller.get(f"Observation/{id}").status == 200}
        found = set(caller.search("Observation", status="final", _count="500").ids)
        assert purpose != "TREAT" or {name for name, id in named.items() if id in found} == read
        return read


@pytest.fixture(scope="module")
def directory(application: Application) -> None:
    operator = application.operator()
    for name, rpps in (("alice", ALICE), ("bob", BOB), ("carol", CAROL)):
        operator.store(records.practitioner(rpps, id=name))


@pytest.fixture
def two(application: Application, directory: None) -> Two:
    operator = application.operator()
    a, b = operator.create(records.patient(birthDate="1980-01-01")), operator.create(records.patient())
    operator.create(records.care_team(a, "Practitioner/alice"))
    operator.create(records.care_team(b, "Practitioner/bob"))
    in_a, in_b = operator.create(records.observation(a)), operator.create(records.observation(b))
    return Two(application, operator, a, b, in_a, in_b, operator.create(records.document(a)))


def test_everything_of_the_source_is_of_the_target_then(two: Two) -> None:
    operator = two.operator
    operator.put(f"Observation/{two.in_a}", records.observation(two.a, id=two.in_a, note=[{"text": "x"}]))
    gone = operator.create(records.observation(two.a))
    operator.delete(f"Observation/{gone}")
    answer = two.merge()
    assert answer.status == 200, answer
    told = {each["name"]: each["resource"] for each in answer.json["parameter"]}
    assert told["result"]["id"] == two.b
    assert "were moved" in told["outcome"]["issue"][0]["diagnostics"]
    moved = operator.get(f"Observation/{two.in_a}").json
    assert (moved["subject"]["reference"], moved["meta"]["versionId"]) == (f"Patient/{two.b}", "3")
    assert set(operator.search("Observation", patient=two.b).ids) == {two.in_a, two.in_b}
    assert operator.search("Observation", patient=two.a).ids == []
    assert operator.get(f"Observation/{two.in_a}/_history/1").json["subject"]["reference"] == f"Patient/{two.a}"
    holder = two.application.patient(two.b)
    assert holder.get(f"Observation/{two.in_a}/_history").total == 3
    assert holder.get(f"Observation/{gone}/_history/1").status == 200
    document = holder.get(f"DocumentReference/{two.letter}").json
    assert holder.get(document["content"][0]["attachment"]["url"]).content == b"Bonjour"


def test_the_source_is_an_inactive_patient_that_links_to_the_target(two: Two) -> None:
    two.merge()
    source, target = (two.operator.get(f"Patient/{each}").json for each in (two.a, two.b))
    assert (source["active"], target["active"]) == (False, True)
    assert source["link"] == [{"other": reference(f"Patient/{two.b}"), "type": "replaced-by"}]
    assert target["link"] == [{"other": reference(f"Patient/{two.a}"), "type": "replaces"}]
    assert two.application.practitioner(ALICE).get(f"Patient/{two.a}").json["active"] is False
    assert two.application.practitioner(BOB).get(f"Patient/{two.a}").status == 404


def test_what_was_granted_in_one_record_opens_nothing_of_the_other(two: Two) -> None:
    assert (two.sees(ALICE), two.sees(BOB), two.sees(CAROL)) == ({"a"}, {"b"}, set())
    two.merge()
    assert (two.sees(ALICE), two.sees(BOB), two.sees(CAROL)) == ({"a"}, {"b"}, set())


def test_what_is_granted_since_opens_both(two: Two) -> None:
    two.merge()
    two.operator.create(records.care_team(two.b, "Practitioner/carol"))
    assert two.sees(CAROL) == {"a", "b"}


@pytest.mark.parametrize("where", ["a", "b"])
def test_a_block_in_either_record_holds_in_both(two: Two, where: str) -> None:
    for each in (two.a, two.b):
        two.operator.create(records.care_team(each, "Practitioner/carol"))
    consent = two.operator.create(records.consent(getattr(two, where), "deny", "Practitioner/carol"))
    assert two.sees(CAROL) == {"a", "b"} - {where}
    two.merge()
    assert two.sees(CAROL) == set()
    two.operator.delete(f"Consent/{consent}")
    assert two.sees(CAROL) == {"a", "b"}


@pytest.mark.parametrize("where", ["a", "b"])
def test_an_opposition_in_either_record_holds_in_both(two: Two, where: str) -> None:
    two.operator.create(records.consent(getattr(two, where), "deny"))
    two.merge()
    assert [two.sees(each) for each in (ALICE, BOB, CAROL)] == [set(), set(), set()]
    assert two.sees(CAROL, "BTG") == set()


def test_a_permit_of_one_record_opens_that_one_still(two: Two) -> None:
    two.operator.create(records.consent(two.a, "permit", "Practitioner/carol"))
    two.merge()
    assert two.sees(CAROL) == {"a"}
    assert two.sees(CAROL, "BTG") == {"a", "b"}


def test_what_was_derived_from_a_document_follows_it(two: Two) -> None:
    made = records.observation(two.a)
    store = two.application.services.store
    from fhirserver.access import Access

    store.transact(
        Access.system("test"), lambda tx: tx.create(made, f"made-{two.a}", document=f"DocumentReference/{two.letter}")
    )
    alice = two.application.practitioner(ALICE)
    two.merge()
    assert alice.get(f"Observation/made-{two.a}").status == 200
    assert two.application.practitioner(BOB).get(f"Observation/made-{two.a}").status == 404
    label = [{"op": "add", "path": "/securityLabel", "value": [{"coding": [{"code": "MASQUE_PS"}]}]}]
    media = {"Content-Type": "application/json-patch+json"}
    assert two.operator.call("PATCH", f"DocumentReference/{two.letter}", label, media).status == 200
    assert alice.get(f"Observation/made-{two.a}").status == 404
    two.unmerge()
    assert alice.get(f"Observation/made-{two.a}").status == 404
    assert two.application.patient(two.a).get(f"Observation/made-{two.a}").status == 200


def test_the_undo_puts_back_what_was_moved_and_tells_what_stays(two: Two) -> None:
    before = {name: two.operator.get(f"Patient/{getattr(two, name)}").json for name in ("a", "b")}
    consent = two.operator.create(records.consent(two.b, "permit", "Practitioner/carol"))
    two.merge()
    changed = two.operator.get(f"Observation/{two.in_a}").json | {"note": [{"text": "since"}]}
    assert two.operator.put(f"Observation/{two.in_a}", changed).status == 200
    new = two.operator.create(records.observation(two.b))
    answer = two.unmerge()
    assert answer.status == 200, answer
    (told,) = (each["resource"] for each in answer.json["parameter"] if each["name"] == "outcome")
    assert f"Observation/{new}" in told["issue"][1]["diagnostics"]
    assert two.in_a not in told["issue"][1]["diagnostics"]
    back = two.operator.get(f"Observation/{two.in_a}").json
    assert (back["subject"]["reference"], back["note"]) == (f"Patient/{two.a}", [{"text": "since"}])
    assert two.operator.search("Observation", patient=two.a).ids == [two.in_a]
    assert set(two.operator.search("Observation", patient=two.b).ids) == {two.in_b, new}
    for name in ("a", "b"):
        after = two.operator.get(f"Patient/{getattr(two, name)}").json
        assert after | {"meta": None} == before[name] | {"meta": None}
    assert (two.sees(ALICE), two.sees(BOB), two.sees(CAROL)) == ({"a"}, {"b"}, {"b"})
    two.operator.delete(f"Consent/{consent}")
    assert two.sees(CAROL) == set()
    assert two.application.patient(two.a).get(f"Observation/{two.in_a}/_history/1").status == 200
    assert two.merge().status == 200


def test_the_undo_leaves_the_database_as_it_was_but_for_versions(two: Two) -> None:
    settings = two.application.services.settings
    holder = two.application.patient(two.a)
    holder.create(records.consent(two.a, "permit", "Practitioner/carol"))
    holder.create(records.observation(two.a))

    def kept() -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        with MongoClient[dict[str, Any]](settings.mongo) as client:
            database = client[settings.database]
            for name in database.list_collection_names():
                if name[:1].isupper() and not name.endswith(".history"):
                    of_two = {"$or": [{"pat": {"$in": [two.a, two.b]}}, {"patx": {"$in": [two.a, two.b]}}]}
                    for row in database[name].find(of_two):
                        found[f"{name}/{row['_id']}"] = {each: row[each] for each in set(row) - VOLATILE}
            for row in database["policy"].find({"_id": {"$in": [two.a, two.b]}}):
                found[f"policy/{row['_id']}"] = {each: row[each] for each in set(row) - VOLATILE}
            found["merges"] = {row["_id"]: row for row in database["merges"].find({"names": two.a})}
            past = database["Observation.history"].find({"pat": {"$in": [two.a, two.b]}, "v": 1})
            found["past"] = {row["_id"]: row for row in past}
        return found

    two.operator.put(f"Observation/{two.in_a}", records.observation(two.a, id=two.in_a, note=[{"text": "x"}]))
    before = kept()
    two.merge()
    assert kept() != before
    two.unmerge()
    after = kept()
    after["past"] = {key: row for key, row in after["past"].items() if key in before["past"]}
    assert after == before


def test_references_that_named_the_target_before_keep_naming_it(two: Two) -> None:
    team = records.consent(two.a, "deny", f"Patient/{two.b}", f"Patient/{two.a}")
    id = two.operator.create(team)
    two.merge()
    assert f"Patient/{two.a}" not in two.operator.get(f"Consent/{id}").content.decode()
    two.unmerge()
    back = two.operator.get(f"Consent/{id}").json
    assert back["patient"]["reference"] == f"Patient/{two.a}"
    assert [each["reference"]["reference"] for each in back["provision"]["actor"]] == [
        f"Patient/{two.b}", f"Patient/{two.a}",
    ]  # fmt: skip


def test_records_merge_in_chains_and_come_apart_from_the_end(two: Two) -> None:
    operator = two.operator
    c = operator.create(records.patient())
    operator.create(records.care_team(c, "Practitioner/carol"))
    two.merge()
    assert operator.post("Patient/$merge", parameters(two.b, c)).status == 200
    assert (two.sees(ALICE), two.sees(BOB), two.sees(CAROL)) == ({"a"}, {"b"}, set())
    assert set(operator.search("Observation", patient=c).ids) == {two.in_a, two.in_b}
    assert two.application.services.store.absorbed(c) == {two.a, two.b}
    assert two.unmerge().status == 409
    assert operator.post("Patient/$unmerge", parameters(two.b, c)).status == 200
    assert set(operator.search("Observation", patient=two.b).ids) == {two.in_a, two.in_b}
    assert (two.sees(ALICE), two.sees(BOB)) == ({"a"}, {"b"})
    assert two.unmerge().status == 200
    assert operator.search("Observation", patient=two.a).ids == [two.in_a]
    assert two.application.services.store.absorbed(c) == frozenset()


def test_what_cannot_be_one_is_refused(two: Two) -> None:
    operator, post = two.operator, two.operator.post
    closed = operator.create(records.patient() | {"active": False})
    assert post("Patient/$merge", parameters(two.a, two.a)).status == 422
    assert post("Patient/$merge", parameters(two.a, closed)).status == 422
    assert post("Patient/$merge", parameters(closed, two.a)).status == 422
    assert post("Patient/$merge", parameters("never-was", two.a)).status == 422
    assert post("Patient/$merge", {"resourceType": "Parameters"}).status == 400
    assert two.unmerge().status == 409
    assert two.application.practitioner(ALICE).post("Patient/$merge", parameters(two.a, two.b)).status == 403
    two.merge()
    assert two.merge().status == 409
    again = post("Patient/$merge", parameters(two.b, two.a))
    assert (again.status, again.issue["code"]) == (409, "conflict")


def test_a_qualified_identity_is_not_lost(two: Two) -> None:
    one = two.operator.create(records.patient(identifier=[INS]))
    other = two.operator.create(records.patient(identifier=[OTHER_INS]))
    refused = two.operator.post("Patient/$merge", parameters(one, other))
    assert (refused.status, "not one person" in refused.told) == (422, True)
    assert "merge the target into the source" in two.operator.post("Patient/$merge", parameters(one, two.a)).told
    assert two.operator.post("Patient/$merge", parameters(two.a, one)).status == 200
    deposit = records.observation() | {"subject": {"identifier": {"system": INS["system"], "value": INS["value"]}}}
    id = two.application.system("750000001").create(deposit)
    assert id in two.operator.search("Observation", patient=one).ids
    two.operator.delete(f"Observation/{id}")
    two.operator.post("Patient/$unmerge", parameters(two.a, one))
    for each in (one, other):
        assert two.operator.delete(f"Patient/{each}").status == 204


def test_what_is_written_for_the_source_is_refused_and_told_where_to(two: Two) -> None:
    two.merge()
    for sent in (
        two.operator.post("Observation", records.observation(two.a)),
        two.operator.put(f"Observation/{two.in_b}", records.observation(two.a, id=two.in_b)),
        two.operator.put(f"Patient/{two.a}", records.patient(id=two.a)),
        two.application.system("750000001").post("Observation", records.observation(two.a)),
    ):
        assert (sent.status, f"Patient/{two.b}" in sent.told) == (422, True)
    assert two.operator.delete(f"Patient/{two.b}").status == 409
    kept = two.operator.get(f"Patient/{two.b}").json | {"gender": "female"}
    assert two.operator.put(f"Patient/{two.b}", kept).status == 200


def test_the_number_of_the_source_leads_to_the_target(two: Two) -> None:
    number = {"system": IPP, "value": f"ipp-{two.a}"}
    source = two.operator.create(records.patient(identifier=[number]))
    two.operator.post("Patient/$merge", parameters(source, two.b))
    assert two.operator.get(f"Patient/{two.b}").json["identifier"] == [number | {"use": "old"}]
    observation = records.observation() | {"subject": reference(f"Patient?identifier={IPP}|{number['value']}")}
    done = two.operator.transact({"request": {"method": "POST", "url": "Observation"}, "resource": observation})
    assert done.status == 200, done
    id = done.json["entry"][0]["response"]["location"].split("/")[1]
    assert two.operator.get(f"Observation/{id}").json["subject"]["reference"] == f"Patient/{two.b}"


def test_a_token_for_the_source_reaches_nothing(two: Two) -> None:
    old = two.application.patient(two.a)
    assert old.get(f"Observation/{two.in_a}").status == 200
    two.merge()
    for path in (f"Observation/{two.in_a}", f"Observation/{two.in_b}", f"Patient/{two.a}", f"Patient/{two.b}"):
        assert old.get(path).status == 404
    assert old.search("Observation").total == 0
    assert two.application.patient(two.b).get(f"Observation/{two.in_a}").status == 200


def test_what_came_while_it_was_merged_follows(two: Two) -> None:
    from fhirserver.access import Access

    two.merge()
    late = f"late-{two.a}"
    two.application.services.store.transact(
        Access.system("test"), lambda tx: tx.create(records.observation(two.a), late, fresh=True)
    )
    two.application.purge()
    assert late in two.operator.search("Observation", patient=two.b).ids
    assert two.application.practitioner(BOB).get(f"Observation/{late}").status == 404


def test_the_merge_is_traced_in_both_records(two: Two) -> None:
    from fhirserver.access import Access

    two.merge()
    *_, last = (each for each in two.application.services.store.traces(Access.system("test")) if "pats" in each)
    assert set(last["pats"]) >= {two.a, two.b}
    assert last["query"].startswith("Patient/$merge")


def test_what_was_recorded_of_the_source_is_found_under_the_target_as_it_was(two: Two) -> None:
    coding = {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"}
    event = {
        "resourceType": "AuditEvent", "type": coding, "recorded": "2026-02-03T10:00:00Z",
        "agent": [{"requestor": True, "who": {"display": "x"}}], "source": {"observer": {"display": "y"}},
        "entity": [{"what": reference(f"Patient/{two.a}")}],
    }  # fmt: skip
    id = two.operator.create(event)
    before = two.operator.get(f"AuditEvent/{id}").content
    two.merge()
    assert two.operator.get(f"AuditEvent/{id}").content == before
    for each in (two.a, two.b):
        assert id in two.operator.search("AuditEvent", entity=f"Patient/{each}", _count="100").ids
    holder = two.application.patient(two.b)
    assert holder.get(f"AuditEvent/{id}").status == holder.get(f"Observation/{two.in_a}").status == 200
    types = [{"name": "type", "valueCode": each} for each in ("AuditEvent", "Observation")]
    two.operator.post("$reindex", {"resourceType": "Parameters", "parameter": types}, Prefer="respond-async")
    two.application.work()
    assert holder.get(f"AuditEvent/{id}").status == holder.get(f"Observation/{two.in_a}").status == 200
    assert two.application.practitioner(BOB).get(f"Observation/{two.in_a}").status == 404
    two.unmerge()
    assert id not in two.operator.search("AuditEvent", entity=f"Patient/{two.b}", _count="100").ids


def test_a_result_may_be_given(two: Two) -> None:
    whole = records.patient(id=two.b, gender="female")
    assert two.merge({"name": "result-patient", "resource": whole | {"id": "x"}}).status == 422
    assert two.merge({"name": "result-patient", "resource": whole}).status == 200
    after = two.operator.get(f"Patient/{two.b}").json
    assert (after["gender"], after["link"][0]["type"]) == ("female", "replaces")


def test_writes_and_both_ways_of_a_merge_at_once_lose_nothing(two: Two) -> None:
    """Others write into both records while two merge them, one each way: one does, and all is in one record then."""
    lab = two.application.system("750000001")
    started = Barrier(4)

    def merge(source: str, target: str) -> int:
        started.wait(120)
        return two.operator.post("Patient/$merge", parameters(source, target)).status

    def write(patient: str) -> list[Answer]:
        started.wait(120)
        return [lab.post("Observation", records.observation(patient)) for _ in range(6)]

    with ThreadPoolExecutor(4) as pool:
        merges = [pool.submit(merge, *pair) for pair in ((two.a, two.b), (two.b, two.a))]
        writes = [pool.submit(write, each) for each in (two.a, two.b)]
        assert sorted(each.result() for each in merges) == [200, 409]
        answers = [answer for each in writes for answer in each.result()]
    assert {each.status for each in answers} <= {201, 422}
    two.application.purge()
    whole, part = (two.b, two.a) if merges[0].result() == 200 else (two.a, two.b)
    stored = {each.id for each in answers if each.status == 201}
    assert set(two.operator.search("Observation", patient=whole, _count="50").ids) == stored | {two.in_a, two.in_b}
    assert two.operator.search("Observation", patient=part).total == 0


@pytest.mark.parametrize("states", [("opposed", "closed"), ("closed", "opposed"), ("closed", "closed")])
def test_undone_in_any_order_a_space_is_as_those_left_make_it(two: Two, states: tuple[str, str]) -> None:
    from fhirserver.access import Access

    operator, store = two.operator, two.application.services.store
    c = operator.create(records.patient())
    operator.create(records.care_team(c, "Practitioner/carol"))
    in_c = operator.create(records.observation(c))
    store.transact(Access.system("test"), lambda tx: tx.space(two.a, states[0]))
    store.transact(Access.system("test"), lambda tx: tx.space(c, states[1]))
    carol = two.application.practitioner(CAROL)
    assert carol.get(f"Observation/{in_c}").status == 404
    two.merge()
    assert operator.post("Patient/$merge", parameters(c, two.b)).status == 200
    assert (two.sees(BOB), carol.get(f"Observation/{in_c}").status) == (set(), 404)
    two.unmerge()
    assert (two.sees(BOB), carol.get(f"Observation/{in_c}").status) == (set(), 404)
    assert operator.post("Patient/$unmerge", parameters(c, two.b)).status == 200
    assert (two.sees(BOB), carol.get(f"Observation/{in_c}").status) == ({"b"}, 404)


def test_who_may_not_write_in_a_record_is_not_told_that_it_was_merged(two: Two) -> None:
    stranger = two.application.patient(two.operator.create(records.patient()))
    own = stranger.create(records.observation(stranger.get("Patient").ids[0]))
    moved = records.observation(two.a, id=own)

    def refused() -> list[tuple[int, str]]:
        answers = stranger.post("Observation", records.observation(two.a)), stranger.put(f"Observation/{own}", moved)
        return [(each.status, each.told) for each in answers]

    before = refused()
    assert [status for status, _ in before] == [403, 403]
    two.merge()
    assert refused() == before


def test_what_one_transaction_does_not_carry_is_refused_and_nothing_moved(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "MOST_EMBEDDED", 3)
    refused = two.merge()
    assert (refused.status, refused.issue["code"]) == (422, "too-costly")
    assert two.operator.get(f"Observation/{two.in_a}").json["meta"]["versionId"] == "1"
    assert two.operator.get(f"Patient/{two.a}").json["active"] is True
