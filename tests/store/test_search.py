from __future__ import annotations

import base64
import random
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Access, Requester
from fhirserver.search import Query, parse
from fhirserver.spec import Definitions
from fhirserver.store import Store, Transaction
from tests.store.listening import listening

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SYSTEM = Access.system("test", NOW)
HOLDER = Access(Requester(kind="patient", id="p1", patient="p1", scopes=("patient/*.rs",)), NOW)


@pytest.fixture
def whole(embedded_uri: str, database_name: str) -> Iterator[Store]:
    """A store with the server's own definitions, index and access rules."""
    store = Store(embedded_uri, database_name, definitions=Definitions.core())
    yield store
    store.close()


def observation(number: int, patient: str, **members: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"o{number:02}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7" if number % 2 else "8302-2"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": f"2026-01-{number + 1:02}",
        **members,
    }


def fill(store: Store) -> None:
    resources: list[dict[str, Any]] = [
        {"resourceType": "Patient", "id": patient, "birthDate": "1980-05-04"} for patient in ("p1", "p2")
    ]
    resources += [observation(number, "p2" if number >= 20 else "p1") for number in range(30)]
    resources[5]["meta"] = {"security": [{"code": "INVISIBLE_PATIENT"}]}
    store.transact(SYSTEM, lambda tx: [tx.create(resource, resource["id"], fresh=True) for resource in resources])


def query(text: str, type_: str = "Observation", **options: Any) -> Query:
    params = [(name, value) for name, _, value in (pair.partition("=") for pair in text.split("&") if pair)]
    return parse(Definitions.core(), type_, params, **options)


def pages(store: Store, access: Access, asked: Query) -> list[tuple[list[str], int | None]]:
    view, after, found = store.view(access), None, []
    while True:
        page = view.search(asked, after)
        found.append(([match.id for match in page.matches], page.total))
        if page.after is None:
            return found
        after = page.after


def test_a_search_goes_page_by_page_and_says_the_same_total_on_each(whole: Store) -> None:
    fill(whole)
    found = pages(whole, SYSTEM, query("patient=p1&code=http://loinc.org|718-7&_count=4&_total=accurate"))
    assert found == [
        (["o01", "o03", "o05", "o07"], 10),
        (["o09", "o11", "o13", "o15"], 10),
        (["o17", "o19"], 10),
    ]


def test_pages_follow_the_sort(whole: Store) -> None:
    fill(whole)
    found = pages(whole, SYSTEM, query("patient=p1&_sort=-date&_count=15&_total=none"))
    assert found == [
        ([f"o{number:02}" for number in range(19, 4, -1)], None),
        ([f"o{number:02}" for number in range(4, -1, -1)], None),
    ]


def test_a_hidden_resource_is_in_no_page_and_no_total(whole: Store) -> None:
    fill(whole)
    asked = query("patient=p1&_count=100&_total=accurate")
    ((seen, total),) = pages(whole, HOLDER, asked)
    assert ("o03" in seen, len(seen), total) == (False, 19, 19)
    assert whole.view(HOLDER).count(asked) == 19
    assert whole.view(SYSTEM).count(asked) == 20
    everybody = query("_count=100&_total=accurate")
    assert pages(whole, HOLDER, everybody) == pages(whole, HOLDER, asked)


def test_a_page_of_no_matches_still_counts(whole: Store) -> None:
    fill(whole)
    assert pages(whole, SYSTEM, query("patient=p1&_count=0")) == [([], 20)]
    assert pages(whole, SYSTEM, query("patient=nobody&_total=accurate")) == [([], 0)]


def test_a_transaction_finds_what_it_has_just_written(whole: Store) -> None:
    fill(whole)
    asked = query("patient=p1&_total=accurate&_count=50")

    def work(tx: Any) -> tuple[int, int]:
        before = tx.view.search(asked).total
        tx.create(observation(30, "p1", effectiveDateTime="2026-02-01"), "o30")
        return before, tx.view.count(asked)

    assert whole.transact(SYSTEM, work) == (20, 21)


def test_what_was_updated_or_deleted_is_found_by_what_it_says_now(whole: Store) -> None:
    fill(whole)
    whole.transact(SYSTEM, lambda tx: tx.update(observation(1, "p2")))
    whole.transact(SYSTEM, lambda tx: tx.delete("Observation", "o03"))
    ((found, _),) = pages(whole, SYSTEM, query("patient=p1&code=718-7"))
    assert found == [f"o{number:02}" for number in range(5, 20, 2)]


def test_decimals_are_searched_exactly(whole: Store) -> None:
    quantity = {"value": 0.1, "unit": "g", "system": "http://unitsofmeasure.org", "code": "g"}
    whole.transact(SYSTEM, lambda tx: tx.create(observation(1, "p1", valueQuantity=quantity), "o01"))
    ((found, _),) = pages(whole, SYSTEM, query("value-quantity=0.1|http://unitsofmeasure.org|g"))
    assert found == ["o01"]
    assert pages(whole, SYSTEM, query("value-quantity=gt0.15"))[0][0] == []


def test_a_consent_counts_from_the_transaction_that_stores_it(whole: Store) -> None:
    doctor = Access(
        Requester(
            kind="practitioner",
            id="Practitioner/d1",
            rpps="10001112225",
            profession="G15_10",
            organization="750000001",
            scopes=("user/*.rs",),
        ),
        NOW,
    )
    fill(whole)
    consent = {
        "resourceType": "Consent",
        "id": "c1",
        "status": "active",
        "scope": {"coding": [{"code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": "Patient/p1"},
        "provision": {
            "type": "permit",
            "actor": [
                {
                    "role": {"coding": [{"code": "IRCP"}]},
                    "reference": {"identifier": {"system": "urn:oid:1.2.250.1.71.4.2.1", "value": "810001112225"}},
                }
            ],
        },
    }
    view, asked = whole.view(doctor), query("patient=p1&_count=0")
    assert view.search(asked).total == 0
    whole.transact(SYSTEM, lambda tx: tx.create(consent, "c1"))
    permitted = view.search(asked).total
    whole.transact(SYSTEM, lambda tx: tx.update({**consent, "status": "inactive"}))
    assert (permitted or 0) > 0
    assert view.search(asked).total == 0
    assert view.read("Observation", "o00") is None


def test_the_steps_of_a_search_read_a_policy_once_and_no_patient_whose_id_is_told(
    whole: Store, embedded_uri: str, database_name: str
) -> None:
    fill(whole)
    with listening() as listener:
        watched = Store(embedded_uri, database_name, definitions=Definitions.core())
    has = "_id=p1&_has:Observation:patient:code=718-7"
    chain = "patient=p1&subject:Patient.birthdate=1980-05-04&_count=2"
    for asked, found, steps in (
        (query(has, "Patient"), ["p1"], ["Observation", "Observation", "Patient"]),
        (query(chain), ["o00", "o01"], ["Observation", "Patient", "Patient", "Observation"]),
    ):
        watched.view(HOLDER).search(asked)
        listener.reads.clear()
        assert [match.id for match in watched.view(HOLDER).search(asked).matches] == found
        assert [each["find"] for each in listener.reads if "find" in each] == ["policy"]
        assert [each["aggregate"] for each in listener.reads if "aggregate" in each] == steps
    watched.close()


def test_a_chain_within_a_record_leads_to_the_ids_of_what_refers(whole: Store) -> None:
    fill(whole)
    whole.transact(SYSTEM, lambda tx: tx.create({"resourceType": "Practitioner", "id": "d1", "active": True}, "d1"))
    theirs = [{"reference": "Practitioner/d1"}]
    for number in (2, 5, 7, 21):
        changed = observation(number, "p2" if number >= 20 else "p1", performer=theirs)
        whole.transact(SYSTEM, partial(Transaction.update, resource=changed))
    for text, expected in (
        ("performer:Practitioner.active=true", ["o02", "o05", "o07"]),
        ("performer:Practitioner.active=true&code=718-7", ["o05", "o07"]),
        ("performer:Practitioner.active=false", []),
    ):
        ((found, total),) = pages(whole, SYSTEM, query(f"patient=p1&{text}&_total=accurate"))
        assert (found, total) == (expected, len(expected))
    ((found, _),) = pages(whole, HOLDER, query("patient=p1&performer:Practitioner.active=true"))
    assert found == ["o02", "o05", "o07"]


def test_a_page_that_fits_into_no_one_document_is_answered_all_the_same(whole: Store) -> None:
    def letter(number: int) -> dict[str, Any]:
        data = base64.b64encode(random.Random(number).randbytes(700_000)).decode()
        return observation(number, "p1", note=[{"text": data}])

    for resource in map(letter, range(24)):
        whole.transact(SYSTEM, partial(Transaction.create, resource=resource, id_=resource["id"], fresh=True))
    page = whole.view(SYSTEM).search(query("patient=p1&_count=24&_total=accurate"))
    assert len(page.matches) == page.total == 24
    assert sum(len(match.body) for match in page.matches) > 16_000_000
