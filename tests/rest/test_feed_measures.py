"""Measures of connected devices: each stored once, whatever is sent how often, and none lost by another."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Requester
from fhirserver.espace.profile import feeding, measuring, tables
from fhirserver.spec.systems import UCUM
from tests.records import patient, reference

if TYPE_CHECKING:
    from tests.application import Answer, Application, Caller

Resource = dict[str, Any]
SYSTEM = "urn:example:device"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def record(application: Application) -> str:
    return application.operator().create(patient(birthDate="2014-05-01"))


@pytest.fixture
def mine(application: Application, record: str) -> Caller:
    return application.patient(record)


def measure(
    record: str, at: str = "2026-01-02T08:00:00+01:00", value: str = "72.5", device: str = "", **more: Any
) -> Resource:
    performer = reference(f"Patient/{record}")
    made = measuring.observation(tables.measures()["poids"], {"poids": value}, at, f"Patient/{record}", performer)
    return made | {"device": {"identifier": {"system": SYSTEM, "value": device or f"d{next(_numbers)}"}}} | more


def feed(caller: Caller, record: str, *resources: Resource, type: str = "collection") -> Answer:
    entries = [{"resource": each} for each in resources]
    return caller.post(f"Patient/{record}/$feed-measures", {"resourceType": "Bundle", "type": type, "entry": entries})


def told(answer: Answer) -> list[int]:
    assert answer.status == 200, answer.json
    return [int(each["response"]["status"][:3]) for each in answer.json["entry"]]


def test_what_is_sent_again_is_stored_once(mine: Caller, record: str) -> None:
    sent = [measure(record, f"2026-01-02T08:0{minute}:00+01:00", device="again") for minute in range(5)]
    first = feed(mine, record, *sent)
    assert told(first) == [201] * 5
    again = feed(mine, record, *sent[2:], measure(record, device="again2"))
    assert told(again) == [200, 200, 200, 201]
    for place, each in enumerate(again.json["entry"][:3], 2):
        assert each["response"]["etag"] == first.json["entry"][place]["response"]["etag"]
    assert mine.get(f"Observation?patient={record}&date=2026-01-02&_summary=count").total == 6
    id_ = first.json["entry"][0]["response"]["location"].split("/")[-3]
    assert mine.get(f"Observation/{id_}").json["meta"]["tag"][0]["code"] == "PATAST"
    assert mine.get(f"Provenance?target=Observation/{id_}").total == 1


def test_the_same_moment_and_amount_are_the_same_however_they_are_written(mine: Caller, record: str) -> None:
    one = measure(record, "2026-01-03T08:00:00+01:00", "72.5", device="same")
    other = measure(record, "2026-01-03T07:00:00.000Z", "72.50", device="same")
    assert told(feed(mine, record, one, other)) == [201, 200]
    assert told(feed(mine, record, other)) == [200]


def test_another_amount_for_the_same_moment_is_refused_and_the_first_stays(mine: Caller, record: str) -> None:
    one, other = (measure(record, value=value, device="differs") for value in ("72.5", "73"))
    assert told(feed(mine, record, one, other)) == [201, 409]
    answer = feed(mine, record, other)
    assert told(answer) == [409]
    assert "another amount" in answer.json["entry"][0]["response"]["outcome"]["issue"][0]["diagnostics"]
    assert told(feed(mine, record, one)) == [200]


def test_other_devices_codes_and_records_do_not_stand_in_the_way(application: Application, record: str) -> None:
    other = application.operator().create(patient())
    one = measure(record, device="mine")
    assert told(feed(application.patient(record), record, one)) == [201]
    assert told(feed(application.patient(record), record, measure(record, device="other"))) == [201]
    assert told(feed(application.patient(other), other, measure(other, device="mine"))) == [201]
    assert told(feed(application.system("750000001"), record, one)) == [201]
    assert told(feed(application.system("750000001"), record, one)) == [200]


def test_what_the_person_deleted_does_not_come_back(mine: Caller, record: str) -> None:
    one = measure(record, device="deleted")
    id_ = feed(mine, record, one).json["entry"][0]["response"]["location"].split("/")[-3]
    assert mine.delete(f"Observation/{id_}").status == 204
    assert told(feed(mine, record, one)) == [410]


BAD: dict[str, Any] = {
    "a code that is no measure": {"code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]}},
    "no device": {"device": {"display": "Balance"}},
    "another patient": {"subject": reference("Patient/other")},
    "a day": {"effectiveDateTime": "2026-01-02"},
    "no zone": {"effectiveDateTime": "2026-01-02T08:00:00"},
    "no moment": {"effectiveDateTime": "yesterday"},
    "the future": {"effectiveDateTime": "2126-01-02T08:00:00Z"},
    "no person": {"valueQuantity": {"value": 7200, "unit": "kg", "system": UCUM, "code": "kg"}},
    "another unit": {"valueQuantity": {"value": 72, "unit": "oz", "system": UCUM, "code": "[oz_av]"}},
    "preliminary": {"status": "preliminary"},
    "no category": {"category": []},
    "another type": {"resourceType": "Condition"},
    "an unknown element": {"weight": 1},
}


def test_one_bad_entry_loses_none_of_the_others(mine: Caller, record: str) -> None:
    bad = [measure(record, device="bad") | each for each in BAD.values()]
    good = [measure(record, f"2026-02-{day:02}T08:00:00Z", device="good") for day in (1, 2)]
    before = mine.get(f"Observation?patient={record}&_summary=count").total
    answer = feed(mine, record, good[0], *bad, good[1])
    assert dict(zip(BAD, told(answer)[1:-1], strict=True)) == dict.fromkeys(BAD, 422)
    assert (told(answer)[0], told(answer)[-1]) == (201, 201)
    assert mine.get(f"Observation?patient={record}&_summary=count").total == before + 2


def test_what_is_no_bundle_of_measures_is_refused_whole(mine: Caller, record: str) -> None:
    path = f"Patient/{record}/$feed-measures"
    assert mine.post(path, measure(record)).status == 400
    assert mine.post(path, {"resourceType": "Bundle", "type": "document"}).status == 400
    assert mine.post(path, {"resourceType": "Bundle", "type": "batch", "entry": {}}).status == 400
    assert mine.post(path, {"resourceType": "Bundle", "type": "batch", "entry": [{}] * 1001}).status == 413
    assert mine.post(f"{path}?x=1", {"resourceType": "Bundle", "type": "batch"}).status == 400
    odd = [{}, {"resource": 1}, {"resource": measure(record), "request": {"method": "PUT", "url": "Observation/1"}}]
    assert told(mine.post(path, {"resourceType": "Bundle", "type": "batch", "entry": odd})) == [422] * 3
    assert mine.post(path, {"resourceType": "Bundle", "type": "batch"}).json["type"] == "batch-response"


def test_another_record_is_unknown_and_scopes_hold(application: Application, record: str) -> None:
    stranger = application.patient(application.operator().create(patient()))
    assert feed(stranger, record, measure(record)).status == 404
    assert feed(stranger, "nobody", measure("nobody")).status == 404
    who = Requester("patient", f"patient/{record}", patient=record, purpose="PATRQT", client="scale")
    writes = application.caller(who, scope="patient/Observation.c")
    sent = measure(record, device="scoped")
    assert told(feed(writes, record, sent)) == [201]
    assert told(feed(writes, record, sent)) == [200]
    assert feed(application.caller(who, scope="patient/Condition.c"), record, sent).status == 403


def test_what_was_hidden_from_the_sender_is_as_if_it_had_never_come(application: Application, record: str) -> None:
    parent, mine = application.representative(record), application.patient(record)
    sent = measure(record, device="secret")
    id_ = feed(parent, record, sent).json["entry"][0]["response"]["location"].split("/")[-3]
    secret = [{"op": "add", "path": "/meta/security", "value": [{"code": "INVISIBLE_REPRESENTANTS_LEGAUX"}]}]
    hidden = mine.call("PATCH", f"Observation/{id_}", secret, {"Content-Type": "application/json-patch+json"})
    assert hidden.status == 200, hidden.json
    other = measure(record, device="secret", value="80")
    assert told(feed(parent, record, other)) == [201]
    assert told(feed(parent, record, other)) == [200]


def test_many_senders_at_once_store_one(application: Application, record: str) -> None:
    sent = [measure(record, f"2026-03-01T08:00:{second:02}Z", device="race") for second in range(5)]
    with ThreadPoolExecutor(4) as pool:
        callers = [application.patient(record) for _ in range(4)]
        answers = list(pool.map(lambda caller: told(feed(caller, record, *sent)), callers))
    assert sorted(itertools.chain.from_iterable(answers)) == [200] * 15 + [201] * 5


def test_amounts_agree_by_value_and_unit() -> None:
    one = {"valueQuantity": {"value": Decimal("1.0"), "code": "kg"}}
    assert feeding.agree(one, {"valueQuantity": {"value": 1, "code": "kg"}})
    assert not feeding.agree(one, {"valueQuantity": {"value": 1, "code": "g"}})
    assert not feeding.agree(one, {"valueQuantity": {"value": 1, "code": "kg", "comparator": "<"}})
    assert not feeding.agree(one, {})


def test_erasure_leaves_neither_measures_nor_provenances_nor_what_they_are_known_by(application: Application) -> None:
    gone, stays = (application.operator().create(patient()) for _ in range(2))
    before = application.counts()
    sent = [measure(gone, f"2026-04-{day:02}T08:00:00Z", device="erased") for day in (1, 2)]
    assert told(feed(application.patient(gone), gone, *sent)) == [201, 201]
    assert told(feed(application.patient(stays), stays, measure(stays, device="erased"))) == [201]
    kept = {id_: application.services.store.claimed(claims(id_)) for id_ in (gone, stays)}
    assert {id_: len(each) for id_, each in kept.items()} == {gone: 2, stays: 1}
    assert application.operator().post(f"Patient/{gone}/$espace-erase", b"").status == 200
    after = application.counts()
    for type_, added in (("Observation", 1), ("Provenance", 1), ("Patient", -1)):
        assert after.get(type_, 0) - before.get(type_, 0) == added, type_
    assert application.services.store.claimed(kept[gone]) == frozenset()
    assert application.services.store.claimed(kept[stays]) == kept[stays]


def claims(record: str) -> set[str]:
    """What the measures that were sent in the test above are known by."""
    found = [measure(record, f"2026-04-{day:02}T08:00:00Z", device="erased") for day in (1, 2)]
    found.append(measure(record, device="erased"))
    known = [feeding.measured(each, f"Patient/{record}", datetime.now(UTC)) for each in found]
    side = (f"patient|{record}",)
    return {f"{record}|measure|{each.id(record, side)}" for each in known if isinstance(each, feeding.Measured)}
