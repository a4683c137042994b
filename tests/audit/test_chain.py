from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from fhirserver.audit import Chains, verify
from fhirserver.errors import NotFound, Unavailable

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def stored(chains: Chains, count: int) -> list[dict[str, Any]]:
    records = []
    for number in range(count):
        with chains.place() as place:
            records.append(place.link({"at": NOW, "what": "read", "number": number}))
    return records


def test_a_whole_chain_has_no_fault() -> None:
    assert list(verify(stored(Chains(), 5))) == []


def test_records_that_are_stored_together_go_on_in_one_chain() -> None:
    chains = Chains()
    records = stored(chains, 2)
    with chains.place() as place:
        records += place.link_all([{"at": NOW, "what": "read", "number": number} for number in range(3)])
    records += stored(chains, 1)
    assert [each["n"] for each in records] == list(range(6))
    assert list(verify(records)) == []
    del records[3]
    assert list(verify(records))


def test_a_record_reads_back_from_the_database_without_its_zone() -> None:
    records = [{**each, "at": each["at"].replace(tzinfo=None)} for each in stored(Chains(), 3)]
    assert list(verify(records)) == []


@pytest.mark.parametrize("key", ["what", "number", "at"])
def test_a_changed_record_is_found(key: str) -> None:
    records = stored(Chains(), 4)
    records[2][key] = datetime(2020, 1, 1, tzinfo=UTC) if key == "at" else "other"
    assert [fault.n for fault in verify(records)] == [2]


def test_a_removed_record_is_found() -> None:
    records = stored(Chains(), 4)
    assert [fault.text for fault in verify([*records[:1], *records[2:]])] == ["1 records are missing before record 2"]


def test_a_removed_first_record_is_found() -> None:
    assert list(verify(stored(Chains(), 3)[1:]))


def test_a_record_replaced_together_with_its_hash_breaks_the_next() -> None:
    chains = Chains()
    records = stored(chains, 3)
    with Chains().place() as place:
        forged = place.link({"at": NOW, "what": "read", "number": 1})
    forged.update(chain=records[1]["chain"], n=1, prev=records[1]["prev"], _id=records[1]["_id"])
    assert list(verify([records[0], forged, records[2]]))


def test_a_place_is_not_taken_by_a_refused_write() -> None:
    chains = Chains()
    stored(chains, 1)

    def refused() -> None:
        with chains.place() as place:
            place.link({"at": NOW, "what": "update"})
            raise NotFound("absent")

    with pytest.raises(NotFound):
        refused()
    assert stored(chains, 1)[0]["n"] == 1


def test_a_new_chain_begins_when_it_is_open_whether_a_record_was_stored() -> None:
    chains = Chains()
    first = stored(chains, 2)[-1]

    def lost() -> None:
        with chains.place() as place:
            place.link({"at": NOW, "what": "update"})
            raise Unavailable("the database is away")

    with pytest.raises(Unavailable):
        lost()
    after = stored(chains, 1)[0]
    assert after["chain"] != first["chain"]
    assert after["n"] == 0


def test_each_thread_has_its_own_chain() -> None:
    chains, found = Chains(), []
    threads = [threading.Thread(target=lambda: found.append(stored(chains, 2))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({records[0]["chain"] for records in found}) == 3
    assert all(list(verify(records)) == [] for records in found)
