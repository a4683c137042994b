from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Requester
from tests.records import care_team, document, observation, patient, practitioner, reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.application import Answer, Application, Caller

ALICE, BOB = "10000000018", "10000000026"
BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
PORT = 8080


@pytest.fixture(scope="module")
def alice(application: Application) -> Caller:
    application.operator().store(practitioner(ALICE, id="alice"))
    who = Requester("practitioner", f"practitioner/{ALICE}", rpps=ALICE, profession="G15_10", name="Dr Alice Martin")
    return application.caller(who)


@pytest.fixture
def own(application: Application, alice: Caller) -> str:
    """A record of its own, of a minor, that Alice may read."""
    operator = application.operator()
    made = operator.create(patient(birthDate=f"{datetime.now(UTC).year - 10}-01-01"))
    operator.create(care_team(made, "Practitioner/alice"))
    return made


def events(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer
    return [each["resource"] for each in answer.json.get("entry", [])]


def acts(caller: Caller, patient: str, **more: str) -> list[dict[str, Any]]:
    return events(caller.search("AuditEvent", patient=patient, **more))


def by(caller: Caller, patient: str, rpps: str = ALICE) -> list[dict[str, Any]]:
    """What a professional did in a record, newest first."""
    return acts(caller, patient, **{"agent:identifier": f"https://rpps.esante.gouv.fr|{rpps}"})


def references(event: dict[str, Any]) -> list[str]:
    return [each["what"]["reference"] for each in event.get("entity", []) if "reference" in each.get("what", {})]


def test_the_holder_sees_who_read_what(application: Application, alice: Caller, own: str) -> None:
    seen = application.operator().create(observation(own))
    assert alice.get(f"Observation/{seen}", X_Request_Id="request-1234").status == 200
    (event,) = by(application.patient(own), own)
    assert event["meta"]["profile"] == [f"{BALP}PatientRead"]
    assert (event["action"], event["outcome"], event["subtype"][0]["code"]) == ("R", "0", "read")
    user, client, server = event["agent"]
    assert user["who"]["identifier"] == {"system": "https://rpps.esante.gouv.fr", "value": ALICE}
    assert (user["name"], user["requestor"]) == ("Dr Alice Martin", True)
    assert user["purposeOfUse"][0]["coding"][0]["code"] == "TREAT"
    assert client["network"] == {"address": "127.0.0.1", "type": "2"}
    assert server["who"]["identifier"] == event["source"]["observer"]["identifier"]
    assert references(event) == [f"Patient/{own}", f"Observation/{seen}/_history/1"]
    assert event["entity"][-1]["what"]["identifier"]["value"] == "request-1234"


def test_a_search_is_told_with_its_query(application: Application, alice: Caller, own: str) -> None:
    application.operator().create(observation(own))
    assert alice.search("Observation", patient=own, code="718-7").total == 1
    (event,) = by(application.patient(own), own)
    assert event["meta"]["profile"] == [f"{BALP}PatientQuery"]
    (query,) = [base64.b64decode(each["query"]).decode() for each in event["entity"] if "query" in each]
    assert query == f"Observation?patient={own}&code=718-7"


def test_refusals_are_told_too(application: Application, own: str) -> None:
    stranger = application.practitioner(BOB)
    assert stranger.get(f"Patient/{own}").status == 404
    assert stranger.search("Observation", patient=own).total == 0
    assert stranger.get(f"Patient/{own}/$everything").status == 404
    told = by(application.patient(own), own, BOB)
    assert [each["outcome"] for each in told] == ["4", "0", "4"]
    assert "profile" not in told[0]["meta"]


def test_one_event_is_read_and_its_reading_is_traced(application: Application, alice: Caller, own: str) -> None:
    alice.get(f"Patient/{own}")
    me = application.patient(own)
    (event,) = by(me, own)
    read = me.get(f"AuditEvent/{event['id']}")
    assert (read.json, read.headers["etag"]) == (event, 'W/"1"')
    assert me.get(f"AuditEvent/{event['id']}/_history/1").json == event
    assert me.get(f"AuditEvent/{event['id']}/_history/2").status == 404
    newest = acts(me, own, subtype="read", _count="1")[0]
    assert f"AuditEvent/{event['id']}/_history/1" in references(newest)


def test_others_see_nothing_of_it(application: Application, alice: Caller, own: str) -> None:
    alice.get(f"Patient/{own}")
    (event,) = by(application.patient(own), own)
    other = application.operator().create(patient())
    strangers = (application.patient(other), application.practitioner(BOB), application.system("750000001"))
    for each in strangers:
        hidden, absent = each.get(f"AuditEvent/{event['id']}"), each.get(f"AuditEvent/{'0' * 32}.0000000007")
        assert (hidden.status, absent.status) == (404, 404)
        assert hidden.told.replace(event["id"], "x") == absent.told.replace(f"{'0' * 32}.0000000007", "x")
        assert acts(each, own) == []


def test_a_professional_sees_his_own_acts_alone(application: Application, alice: Caller, own: str) -> None:
    alice.get(f"Patient/{own}")
    application.operator().get(f"Patient/{own}")
    found = events(alice.search("AuditEvent", patient=own))
    assert {each["agent"][0]["who"]["identifier"]["value"] for each in found} == {ALICE}
    assert len(acts(application.patient(own), own)) > len(found)


def test_of_his_own_acts_nobody_is_named_what_he_may_not_see_now(application: Application, own: str) -> None:
    operator, stranger = application.operator(), application.practitioner(BOB)
    operator.store(practitioner(BOB, id="bob"))
    operator.create(care_team(own, "Practitioner/bob"))
    letters = [operator.create(document(own)) for _ in range(2)]
    for each in letters:
        assert stranger.get(f"DocumentReference/{each}").status == 200

    def told() -> tuple[list[str], list[int]]:
        found = events(stranger.search("AuditEvent", patient=own, subtype="read"))
        assert found == [stranger.get(f"AuditEvent/{each['id']}").json for each in found]
        asked = [f"DocumentReference/{each}" for each in (*letters, "never")]
        totals = [stranger.search("AuditEvent", entity=each, subtype="read").total for each in asked]
        return [name for each in found for name in references(each)[1:]], totals

    versions = [f"DocumentReference/{each}/_history/1" for each in letters]
    assert told() == (versions[::-1], [1, 1, 0])
    mask = [{"op": "add", "path": "/securityLabel", "value": [{"coding": [{"code": "MASQUE_PS"}]}]}]
    media = {"Content-Type": "application/json-patch+json"}
    assert operator.call("PATCH", f"DocumentReference/{letters[0]}", mask, media).status == 200
    assert told() == (versions[1:], [0, 1, 0])
    assert stranger.get(f"DocumentReference/{letters[0]}").status == 404
    assert told() == (versions[1:], [0, 1, 0])
    assert any(versions[0] in references(each) for each in by(application.patient(own), own, BOB))


def test_reading_ones_acts_is_no_first_access(application: Application, own: str) -> None:
    stranger = application.practitioner(BOB)
    stranger.get(f"Patient/{own}")
    assert len(events(stranger.search("AuditEvent", patient=own))) == 1
    assert application.patient(own).search("Communication", subject=f"Patient/{own}").total == 0


def test_a_system_sees_its_own_acts_alone(application: Application, own: str) -> None:
    his, lab = application.system("750000001", "his-1"), application.system("750000001", "lab-1")
    his.create(observation(own))
    assert [each["action"] for each in acts(his, own)] == ["C"]
    assert acts(lab, own) == []


def test_of_a_search_over_several_records_each_holder_sees_his_own(application: Application, alice: Caller) -> None:
    operator = application.operator()
    records = [operator.create(patient()) for _ in range(2)]
    for each in records:
        operator.create(care_team(each, "Practitioner/alice"))
        operator.create(observation(each, code="555"))
    assert alice.search("Observation", code="555").total == 2
    for mine, others in (records, records[::-1]):
        (event,) = by(application.patient(mine), mine)
        assert references(event) == [f"Patient/{mine}"]
        assert others not in str(event)
        assert not any("query" in each for each in event["entity"])
        assert acts(application.patient(mine), others) == []
    (whole,) = by(operator, records[0])
    assert set(references(whole)) == {f"Patient/{each}" for each in records}


def test_a_minors_secret_is_kept_in_the_trace(application: Application, alice: Caller, own: str) -> None:
    me, parent, operator = application.patient(own), application.representative(own), application.operator()
    secret = operator.create(document(own, labels=("INVISIBLE_REPRESENTANTS_LEGAUX",)))
    plain = operator.create(observation(own))
    alice.get(f"DocumentReference/{secret}")
    assert (len(by(me, own)), by(parent, own)) == (1, [])
    (event,) = by(me, own)
    assert parent.get(f"AuditEvent/{event['id']}").status == 404
    assert acts(parent, own, entity=f"DocumentReference/{secret}") == []
    alice.transact({"request": {"method": "GET", "url": f"DocumentReference/{secret}"}},
                   {"request": {"method": "GET", "url": f"Observation/{plain}"}})  # fmt: skip
    assert len(references(by(me, own)[0])) == 3
    (shown,) = by(parent, own)
    assert references(shown) == [f"Patient/{own}", f"Observation/{plain}/_history/1"]
    assert secret not in str(shown)
    assert acts(parent, own, entity=f"DocumentReference/{secret}") == []
    assert me.get(f"AuditEvent/{event['id']}").status == 200
    assert by(parent, own) == [shown]


def test_what_was_made_of_a_secret_document_is_kept_in_the_trace_too(
    application: Application, alice: Caller, own: str
) -> None:
    from fhirserver.access import Access

    parent, operator, me = application.representative(own), application.operator(), application.patient(own)
    before = len(acts(parent, own))
    secret = alice.create(document(own, labels=("INVISIBLE_REPRESENTANTS_LEGAUX",)))
    made, store = f"made-{secret}", application.services.store
    store.transact(
        Access.system("test"), lambda tx: tx.create(observation(own), made, document=f"DocumentReference/{secret}")
    )
    file = alice.get(f"DocumentReference/{secret}").json["content"][0]["attachment"]["url"]
    for path in (file, f"Observation/{made}", f"Observation/{made}/_history/1", f"Observation/{made}/_history"):
        assert alice.get(path).status == 200
    assert alice.search("Observation", _id=made).total == 1
    assert alice.search("Observation", patient=own, _summary="count").total == 1
    assert alice.search("DocumentReference", _id=secret, _revinclude="Observation:derived-from").total == 1
    assert len(by(me, own)) >= 8
    assert by(parent, own) == []
    assert len(acts(parent, own)) == before + 1
    operator.create(observation(own))
    assert alice.search("Observation", patient=own).total == 2
    assert len(by(parent, own)) == 1


def test_a_representative_sees_that_a_search_was_made_not_for_what(
    application: Application, alice: Caller, own: str
) -> None:
    alice.search("Observation", patient=own, code="2106-3")
    (event,) = by(application.representative(own), own)
    assert "2106-3" not in base64.b64decode(next(e["query"] for e in event["entity"] if "query" in e)).decode()


def test_what_is_not_announced_is_not_told_by_the_trace(application: Application, alice: Caller, own: str) -> None:
    bad = application.operator().create(document(own, labels=("INVISIBLE_PATIENT",)))
    alice.get(f"DocumentReference/{bad}")
    assert by(application.patient(own), own) == []
    assert acts(application.patient(own), own, entity=f"DocumentReference/{bad}") == []
    later = application.at(datetime.now(UTC) + timedelta(days=40))
    assert f"DocumentReference/{bad}/_history/1" in references(by(later.patient(own), own)[0])


def test_pages_walk_through_all_that_happened(application: Application, alice: Caller, own: str) -> None:
    me = application.patient(own)
    for _ in range(7):
        alice.get(f"Patient/{own}")
    first = me.search("AuditEvent", patient=own, _count="3", action="R")
    assert first.total == 7
    found, page = first.ids, first
    while link := page.link("next"):
        page = me.get(link)
        found += page.ids
    assert len(found) == len(set(found)) == 7
    upwards = me.search("AuditEvent", patient=own, action="R", subtype="read", _sort="date").ids
    assert upwards == found[::-1]


def test_it_is_counted_searched_by_post_and_in_the_compartment(
    application: Application, alice: Caller, own: str
) -> None:
    alice.get(f"Patient/{own}")
    me, form = application.patient(own), {"Content-Type": "application/x-www-form-urlencoded"}
    assert me.search("AuditEvent", action="R", _summary="count").total == 1
    assert me.call("POST", "AuditEvent/_search", b"action=R", form).total == 1
    assert me.get(f"Patient/{own}/AuditEvent?action=R").total == 1
    assert me.search("AuditEvent", action="R", _include="AuditEvent:patient").total == 1
    included = me.search("AuditEvent", action="R", _include="AuditEvent:patient").json["entry"][-1]
    assert (included["search"]["mode"], included["resource"]["id"]) == ("include", own)
    xml = me.get(f"AuditEvent?patient={own}&action=R", Accept="application/fhir+xml")
    assert b"<AuditEvent" in xml.content


def test_what_cannot_be_sorted_by_is_refused(application: Application, own: str) -> None:
    answer = application.patient(own).search("AuditEvent", _sort="action")
    assert (answer.status, "date" in answer.told) == (400, True)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_nobody_changes_what_was_recorded(application: Application, alice: Caller, own: str, method: str) -> None:
    alice.get(f"Patient/{own}")
    (event,) = by(application.patient(own), own)
    body: Any = {"PUT": event, "PATCH": b'[{"op":"remove","path":"/outcome"}]', "DELETE": None}[method]
    media = {"Content-Type": "application/json-patch+json"} if method == "PATCH" else {}
    for caller in (application.operator(), application.patient(own), alice):
        for id in (event["id"], "0" * 32 + ".0000000001"):
            sent = {**event, "id": id} if method == "PUT" else body
            if method == "PUT" and id != event["id"] and caller is not alice:
                continue
            assert caller.call(method, f"AuditEvent/{id}", sent, media).status == 405
    assert by(application.patient(own), own) == [event]


def test_deposited_events_are_found_among_the_traces(application: Application, alice: Caller, own: str) -> None:
    deposited = {
        "resourceType": "AuditEvent",
        "type": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110106"},
        "action": "R",
        "recorded": "2020-01-01T00:00:00Z",
        "agent": [{"requestor": True, "who": {"display": "HIS"}}],
        "source": {"observer": {"display": "HIS"}},
        "entity": [{"what": reference(f"Patient/{own}")}],
    }
    id = application.operator().create(deposited)
    alice.get(f"Patient/{own}")
    me = application.patient(own)
    found = me.search("AuditEvent", action="R")
    assert (found.total, found.ids[-1]) == (2, id)
    assert me.search("AuditEvent", action="R", _count="1", _sort="date").ids == [id]
    assert me.get("AuditEvent?type=110106").ids == [id]


@pytest.fixture(scope="module")
def scan(application: Application) -> Callable[[dict[str, Any]], bool]:
    """Whether the database would look at all traces to answer a filter."""
    from pymongo import MongoClient

    def scanned(asked: dict[str, Any]) -> bool:
        with MongoClient[dict[str, Any]](application.services.settings.mongo) as client:
            collection = client[application.services.settings.database]["trace"]
            return "COLLSCAN" in str(collection.find(asked).sort([("at", -1)]).explain())

    return scanned


def test_an_index_leads_to_the_traces_of_a_record(scan: Callable[[dict[str, Any]], bool]) -> None:
    assert not scan({"pats": "p"})
    assert not scan({"pats": "p", "at": {"$gte": datetime(2026, 1, 1, tzinfo=UTC)}})
    assert not scan({"at": {"$gte": datetime(2026, 1, 1, tzinfo=UTC)}})
    assert not scan({"_id": "x"})


def test_a_token_that_is_not_accepted_is_traced_without_a_name(application: Application, own: str) -> None:
    assert application.nobody("none").get(f"Patient/{own}").status == 401
    (event, *_) = events(application.operator().search("AuditEvent", altid="unknown"))
    assert (event["outcome"], event["agent"][0]["altId"]) == ("4", "unknown")
    before = application.operator().search("AuditEvent", altid="unknown").total
    assert application.nobody().get(f"Patient/{own}").status == 401
    assert application.operator().search("AuditEvent", altid="unknown").total == before


def test_the_holder_sees_what_happened_to_records_that_were_merged_into_his(
    application: Application, alice: Caller, own: str
) -> None:
    operator = application.operator()
    other = operator.create(patient(birthDate=f"{datetime.now(UTC).year - 10}-01-01"))
    operator.create(care_team(other, "Practitioner/alice"))
    seen = operator.create(observation(other))
    alice.get(f"Observation/{seen}")
    sent = [
        {"name": "source-patient", "valueReference": reference(f"Patient/{other}")},
        {"name": "target-patient", "valueReference": reference(f"Patient/{own}")},
    ]
    assert operator.post("Patient/$merge", {"resourceType": "Parameters", "parameter": sent}).status == 200
    me, parent = application.patient(own), application.representative(own)
    for each in (me, parent):
        (event,) = by(each, own)
        assert references(event) == [f"Patient/{other}", f"Observation/{seen}/_history/1"]
        assert each.get(f"AuditEvent/{event['id']}").status == 200
        assert acts(each, own, entity=f"Observation/{seen}", subtype="read") == [event]
    assert me.get("AuditEvent?patient=" + other + "&action=R&subtype=read").total == 1
    assert by(application.patient(operator.create(patient())), own) == []
