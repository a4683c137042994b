"""transaction (https://hl7.org/fhir/R4/http.html#transaction)."""

from __future__ import annotations

import base64
import json
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.records import (
    ask,
    care_team,
    consent,
    observation,
    organization,
    patient,
    post,
    practitioner,
    put,
    reference,
)

if TYPE_CHECKING:
    from typing import Any

    from tests.application import Answer, Application, Caller

MOTHER, CHILD = "urn:uuid:7f3c1a52-0f0f-4d8c-9d38-0c1a5e9a4b01", "urn:uuid:7f3c1a52-0f0f-4d8c-9d38-0c1a5e9a4b02"


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    return application.operator()


def statuses(answer: Answer) -> list[str]:
    assert answer.status == 200, answer
    assert answer.json["type"] == "transaction-response"
    return [each["response"]["status"] for each in answer.json["entry"]]


def placed(answer: Answer, place: int) -> str:
    """`Type/id` of what the entry at that place stored."""
    location: str = answer.json["entry"][place]["response"]["location"]
    return location.partition("/_history/")[0]


def test_references_within_the_bundle_become_those_of_the_server(operator: Caller) -> None:
    narrative = f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{MOTHER}">x</a></div>'
    seen = observation(
        subject=reference(MOTHER),
        performer=[reference(CHILD)],
        extension=[{"url": "http://example.org/x", "valueUri": CHILD}],
        text={"status": "generated", "div": narrative},
        note=[{"text": f"not a link: {MOTHER}"}],
    )
    answer = operator.transact(post(seen), post(patient(), MOTHER), post(practitioner("10000000018"), CHILD))
    assert statuses(answer) == ["201 Created"] * 3
    mother, child = placed(answer, 1), placed(answer, 2)
    stored = operator.get(placed(answer, 0)).json
    assert stored["subject"] == {"reference": mother}
    assert stored["performer"] == [{"reference": child}]
    assert stored["extension"][0]["valueUri"] == child
    assert f'href="{mother}"' in stored["text"]["div"]
    assert stored["note"][0]["text"].endswith(MOTHER)
    assert operator.search("Observation", subject=mother).total == 1


def test_a_relative_reference_leads_to_the_server_of_its_entry(operator: Caller) -> None:
    """https://hl7.org/fhir/R4/bundle.html#references"""
    elsewhere = "http://example.org/fhir"
    entries = [
        post(observation("7"), f"{elsewhere}/Observation/1"),
        post(observation("8"), f"{elsewhere}/Observation/2"),
        post(observation("7"), MOTHER),
        post(patient(), f"{elsewhere}/Patient/7"),
    ]
    answer = operator.transact(*entries)
    subjects = [operator.get(placed(answer, place)).json["subject"]["reference"] for place in range(3)]
    assert subjects == [placed(answer, 3), "Patient/8", "Patient/7"]


def test_a_patch_in_a_binary_does_not_refer_to_entries(operator: Caller) -> None:
    """Its texts are not replaced: what it would store leads nowhere."""
    id = operator.create(patient())
    for value, status in ((CHILD, 400), ("Practitioner/x", 200)):
        change = [{"op": "add", "path": "/generalPractitioner", "value": [reference(value)]}]
        data = base64.b64encode(json.dumps(change).encode()).decode()
        patch = {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data}
        entry = {"resource": patch, "request": {"method": "PATCH", "url": f"Patient/{id}"}}
        answer = operator.transact(post(practitioner("10000000018"), CHILD), entry)
        assert answer.status == status, answer
        assert status == 200 or "Bundle.entry[1]" in answer.told


def test_a_reference_to_no_entry_is_refused(operator: Caller) -> None:
    answer = operator.transact(post(patient(), MOTHER), post(observation(subject=reference(CHILD))))
    assert answer.status == 400
    assert "Bundle.entry[1]" in answer.told
    assert CHILD in answer.told


def test_answers_come_in_the_order_of_the_bundle(operator: Caller) -> None:
    kept, gone = operator.create(patient()), operator.create(patient())
    answer = operator.transact(
        ask("GET", f"Patient/{kept}"),
        put(patient(id=kept, gender="other")),
        post(patient()),
        ask("DELETE", f"Patient/{gone}"),
        put(patient(id=f"new-{kept}")),
    )
    assert statuses(answer) == ["200 OK", "200 OK", "201 Created", "204 No Content", "201 Created"]
    entries = answer.json["entry"]
    assert [each["response"].get("etag") for each in entries] == ['W/"2"', 'W/"2"', 'W/"1"', 'W/"2"', 'W/"1"']
    assert all("lastModified" in each["response"] for each in entries)


def test_verbs_are_carried_out_in_the_order_delete_post_put_get(operator: Caller) -> None:
    id = operator.create(patient(gender="male"))
    answer = operator.transact(ask("GET", f"Patient/{id}"), put(patient(id=id, gender="female")))
    assert answer.json["entry"][0]["resource"]["gender"] == "female"
    refused = operator.transact(ask("GET", f"Patient/{id}"), ask("DELETE", f"Patient/{id}"))
    assert refused.status == 410
    assert operator.get(f"Patient/{id}").status == 200


@pytest.mark.parametrize(
    ("last", "status"),
    [
        (post(patient(gender="m")), 422),
        (ask("GET", "Patient/never-was"), 404),
        (put(patient(id="never-was"), 'W/"1"'), 412),
        (post({"resourceType": "Nothing"}), 404),
        (post(observation()) | {"resource": patient()}, 400),
        (ask("GET", "Patient?nam=x"), 400),
        (ask("GET", ""), 400),
        (ask("GET", "Nothing"), 404),
        (ask("GET", "Patient?name=x", ifNoneExist="name=x"), 400),
        (ask("PATCH", "Patient/x"), 400),
        (ask("POST", "Patient"), 400),
        (put(patient(id="never-was")) | {"resource": patient(id="other")}, 400),
        (post(patient()) | {"request": {"method": "POST", "url": "Patient", "ifNoneExist": "identifiers=x"}}, 400),
        (post(observation(subject=reference(CHILD))), 400),
    ],
)
def test_a_failing_last_entry_leaves_nothing_stored(
    application: Application, operator: Caller, last: dict[str, Any], status: int
) -> None:
    kept = operator.create(patient())
    before = application.counts()
    first = [post(patient(), MOTHER), post(observation(subject=reference(MOTHER))), ask("DELETE", f"Patient/{kept}")]
    answer = operator.transact(*first, last)
    assert answer.status == status
    assert "Bundle.entry[3]" in answer.told
    assert application.counts() == before
    assert operator.get(f"Patient/{kept}").headers["etag"] == 'W/"1"'


@pytest.mark.parametrize(
    "pair",
    [
        [put(patient(id="same")), put(patient(id="same", gender="other"))],
        [put(patient(id="same")), ask("DELETE", "Patient/same")],
        [ask("DELETE", "Patient/same"), ask("DELETE", "Patient/same")],
    ],
)
def test_one_resource_is_written_once(operator: Caller, pair: list[dict[str, Any]]) -> None:
    answer = operator.transact(*pair)
    assert answer.status == 400
    assert "Patient/same" in answer.told
    assert operator.get("Patient/same").status == 404


def test_one_full_url_stands_once(operator: Caller) -> None:
    assert operator.transact(post(patient(), MOTHER), post(patient(), MOTHER)).status == 400


def test_if_match_holds_within_a_transaction(operator: Caller) -> None:
    id = operator.create(patient())
    assert operator.transact(put(patient(id=id), 'W/"2"')).status == 412
    assert statuses(operator.transact(put(patient(id=id), 'W/"1"'))) == ["200 OK"]
    assert operator.transact(ask("DELETE", f"Patient/{id}", ifMatch='W/"1"')).status == 412
    assert statuses(operator.transact(ask("DELETE", f"Patient/{id}", ifMatch='W/"2"'))) == ["204 No Content"]


def test_a_transaction_answers_resources_to_who_prefers_them(operator: Caller) -> None:
    silent = operator.transact(post(patient()))
    assert "resource" not in silent.json["entry"][0]
    full = operator.transact(post(patient(gender="other")), Prefer="return=representation")
    assert full.json["entry"][0]["resource"]["gender"] == "other"
    told = operator.transact(post(patient()), Prefer="return=OperationOutcome")
    assert told.json["entry"][0]["response"]["outcome"]["resourceType"] == "OperationOutcome"


def test_an_empty_transaction_does_nothing(operator: Caller) -> None:
    answer = operator.post("", {"resourceType": "Bundle", "type": "transaction"})
    assert answer.json == {"resourceType": "Bundle", "type": "transaction-response"}


def test_only_transactions_and_batches_are_processed(operator: Caller) -> None:
    for kind in ("collection", "document", "history", None, 5, ["transaction"]):
        answer = operator.post("", {"resourceType": "Bundle", "type": kind, "entry": [post(patient())]})
        assert answer.status == 400
        assert "transaction" in answer.told
    assert operator.post("", patient()).status == 400


def test_a_misspelt_bundle_is_no_empty_transaction(application: Application, operator: Caller) -> None:
    before = application.counts()
    misspelt: list[dict[str, Any]] = [
        {"entries": [post(patient())]},
        {"entry": [post(patient()) | {"fullURL": MOTHER}]},
        {"entry": [{"resource": patient(), "request": {"method": "POST", "url": "Patient", "if-match": "x"}}]},
        {"entry": [post(patient()) | {"fullUrl": ["x"]}]},
    ]
    for more in misspelt:
        assert operator.post("", {"resourceType": "Bundle", "type": "transaction", **more}).status == 422
    assert application.counts() == before


def test_an_update_within_a_transaction_obeys_the_rule_of_ids(application: Application, operator: Caller) -> None:
    me = operator.create(patient())
    answer = application.system("750000001").transact(put(observation(me, id="my-id")))
    assert answer.status == 405
    assert operator.get("Observation/my-id").status == 404


def test_a_forbidden_entry_undoes_the_others(application: Application, operator: Caller) -> None:
    me = operator.create(patient())
    before = application.counts()
    answer = application.patient(me).transact(post(observation(me)), post(patient()))
    assert answer.status == 403
    assert "Bundle.entry[1]" in answer.told
    assert application.counts() == before


def test_a_policy_made_in_a_transaction_holds_in_it(application: Application, operator: Caller) -> None:
    """A hospital makes the record and feeds it in one transaction."""
    hospital = application.system("750000001")
    answer = hospital.transact(post(patient(), MOTHER), post(observation(subject=reference(MOTHER))))
    assert statuses(answer) == ["201 Created"] * 2
    id = placed(answer, 0).partition("/")[2]
    assert application.patient(id).search("Observation").total == 1


def test_hundreds_of_entries_are_one_transaction(operator: Caller) -> None:
    answer = operator.transact(*(post(observation(code=f"{n}-0")) for n in range(300)))
    assert statuses(answer) == ["201 Created"] * 300
    assert len({placed(answer, n) for n in range(300)}) == 300


def test_a_read_is_judged_by_what_the_transaction_wrote(application: Application, operator: Caller) -> None:
    mine = {"member": {"identifier": {"system": "https://rpps.esante.gouv.fr", "value": "10000000029"}}}
    subject = reference(f"Patient/{operator.create(patient())}")
    team = {"resourceType": "CareTeam", "id": "left", "status": "active", "subject": subject, "participant": [mine]}
    operator.store(team)
    seen = operator.create(observation(subject=subject))
    physician = application.practitioner("10000000029")
    read = ask("GET", f"Observation/{seen}")
    assert statuses(physician.transact(read)) == ["200 OK"]
    answer = physician.transact(put(team | {"status": "inactive"}), read)
    assert answer.status == 404
    assert "Bundle.entry[1]" in answer.told
    assert statuses(physician.transact(read)) == ["200 OK"]


def _url() -> str:
    return f"urn:uuid:{uuid.uuid4()}"


@pytest.mark.parametrize("chosen", [False, True], ids=["POST", "PUT"])
def test_an_author_whom_the_transaction_stores_finds_his_own(
    application: Application, operator: Caller, chosen: bool
) -> None:
    """Whatever the order of the entries, and by way of a role too: `acl.author` is his number."""
    who, role = _url(), _url()
    number = "10000000124" if chosen else "10000000116"
    id = operator.create(patient())
    actor = put(practitioner(number, id=f"p-{number}")) if chosen else post(practitioner(number), who)
    named = f"Practitioner/p-{number}" if chosen else who
    answer = operator.transact(
        post(observation(id, performer=[reference(named)])),
        post(observation(id, performer=[reference(role)])),
        post({"resourceType": "PractitionerRole", "practitioner": reference(named)}, role),
        actor,
    )
    assert statuses(answer) == ["201 Created"] * 4
    seen = application.practitioner(number).search("Observation", subject=f"Patient/{id}").ids
    assert set(seen) == {placed(answer, place).partition("/")[2] for place in (0, 1)}
    assert application.practitioner("10000000132").search("Observation", subject=f"Patient/{id}").ids == []


def test_an_author_whose_number_the_transaction_brings_is_known_by_it(
    application: Application, operator: Caller
) -> None:
    id, without = operator.create(patient()), operator.create({"resourceType": "Practitioner"})
    made = observation(id, performer=[reference(f"Practitioner/{without}")])
    assert statuses(operator.transact(post(made), put(practitioner("10000000140", id=without))))
    assert application.practitioner("10000000140").search("Observation", subject=f"Patient/{id}").total == 1


def test_participants_whom_the_transaction_stores_take_part(application: Application, operator: Caller) -> None:
    id, who, where, role = operator.create(patient()), _url(), _url(), _url()
    appointment = {
        "resourceType": "Appointment",
        "status": "booked",
        "start": "2030-01-01T10:00:00Z",
        "end": "2030-01-01T10:30:00Z",
        "participant": [{"actor": reference(each), "status": "accepted"} for each in (f"Patient/{id}", who, role)],
    }
    answer = operator.transact(
        post(appointment),
        post({"resourceType": "PractitionerRole", "organization": reference(where)}, role),
        post(organization("750000116"), where),
        post(practitioner("10000000157"), who),
    )
    path = placed(answer, 0)
    assert application.practitioner("10000000157").get(path).status == 200
    assert application.practitioner("10000000165", organization="750000116").get(path).status == 200
    assert application.practitioner("10000000165").get(path).status == 404


def test_actors_of_a_consent_and_members_of_a_team_whom_the_transaction_stores_are_let_in(
    application: Application, operator: Caller
) -> None:
    id, one, two = operator.create(patient()), _url(), _url()
    operator.create(observation(id))
    granted = [post(consent(id, "permit", one)), post(care_team(id, two))]
    operator.transact(*granted, post(practitioner("10000000173"), one), post(practitioner("10000000181"), two))
    for number, total in (("10000000173", 1), ("10000000181", 1), ("10000000199", 0)):
        assert application.practitioner(number).search("Observation", subject=f"Patient/{id}").total == total


def test_an_establishment_declares_its_team_with_itself(application: Application, operator: Caller) -> None:
    id, house, doctor = operator.create(patient()), _url(), _url()
    own = application.system("750000124")
    team = care_team(id, doctor, managingOrganization=[reference(house)])
    answer = own.transact(post(team), post(organization("750000124"), house), post(practitioner("10000000207"), doctor))
    assert statuses(answer) == ["201 Created"] * 3
    other = care_team(id, doctor, managingOrganization=[reference(house)])
    refused = own.transact(
        post(other), post(organization("750000132"), house), post(practitioner("10000000207"), doctor)
    )
    assert refused.status == 403


def test_under_referential_integrity_what_the_bundle_itself_brings_is_there(application: Application) -> None:
    strict = application.under(referential_integrity=True).operator()
    where, whom = _url(), _url()
    role = {"resourceType": "PractitionerRole", "location": [reference(where)]}
    place = {"resourceType": "Location", "name": "Cabinet"}
    answer = strict.transact(
        post(role), post(place, where), post(observation(subject=reference(whom))), post(patient(), whom)
    )
    assert statuses(answer) == ["201 Created"] * 4
    assert strict.transact(post(role | {"location": [reference("Location/nowhere")]})).status == 422
