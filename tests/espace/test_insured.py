"""Spaces for many: who is known already."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Access
from fhirserver.audit import Chains
from fhirserver.espace.insured import Opening
from fhirserver.espace.space import Actor, Spaces
from fhirserver.spec import Definitions
from fhirserver.store import Store
from fhirserver.validation import ins
from tests.database import database_name as database_name
from tests.store.listening import listening
from tests.store.test_plans import assert_indexed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCESS = Access.system("test", datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def store(embedded_uri: str, database_name: str) -> Iterator[Store]:
    store = Store(embedded_uri, database_name, definitions=Definitions.core())
    yield store
    store.close()


def opened(store: Store, folder: Path, *numbers: str, name: str = "insured.csv") -> tuple[int, int, list[str]]:
    file = folder / name
    rows = [f"{number},Martin,Ada,1980-05-01,female\n" for number in numbers]
    file.write_text("matricule,family,given,birthdate,sex\n" + "".join(rows), "ascii")
    chains = Chains()
    return Opening(store, Spaces(store, chains), chains, Actor("operator", ACCESS)).run(file)


@pytest.mark.parametrize(
    ("known", "records"),
    [({"active": True}, 1), ({}, 1), ({"use": "old"}, 1), ({"active": False}, 2)],
    ids=["in use", "does not say", "of a record that was merged", "not in use"],
)
def test_who_came_by_another_way_is_announced_under_his_record(
    store: Store, tmp_path: Path, known: dict[str, Any], records: int
) -> None:
    identifier = {"system": ins.NIR, "value": "180057512312345", "use": known.get("use", "official")}
    patient = {"resourceType": "Patient", "birthDate": "1980-05-01", "identifier": [identifier]}
    patient |= {"active": known["active"]} if "active" in known else {}
    store.transact(ACCESS, lambda tx: tx.create(patient, "hospital", fresh=True))
    assert opened(store, tmp_path, "180057512312345") == (1, 0, [])
    there = store.ids(ACCESS, "Patient", "", 10)
    assert len(there) == records
    assert ("hospital" in store.spaces.of(there)) is (records == 1)


def test_nobody_is_announced_twice_whatever_file_names_him(store: Store, tmp_path: Path) -> None:
    assert opened(store, tmp_path, "180057512312345", "180057512312346", "180057512312345") == (2, 1, [])
    assert opened(store, tmp_path, "180057512312346", "180057512312347", name="next.csv") == (1, 1, [])
    assert len(store.ids(ACCESS, "Patient", "", 10)) == 3


def test_each_is_found_by_an_index(store: Store, embedded_uri: str, database_name: str, tmp_path: Path) -> None:
    """However many Patients there are, looking for one costs the same."""
    opened(store, tmp_path, "180057512312345")
    with listening() as pipelines:
        again = Store(embedded_uri, database_name, definitions=Definitions.core())
        opened(again, tmp_path, "180057512312346", "180057512312347", name="next.csv")
        again.close()
    assert_indexed(embedded_uri, database_name, pipelines, least=2)
    for _, (seed, *_) in pipelines.seen:
        assert all(isinstance(value, str) for value in seed["$match"].values()), seed
