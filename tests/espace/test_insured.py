"""Spaces for many: who is known already."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Access
from fhirserver.audit import Chains
from fhirserver.errors import Unavailable, Unprocessable
from fhirserver.espace import insured, opening
from fhirserver.espace.opening import Opening
from fhirserver.espace.space import Actor, Spaces
from fhirserver.spec import Definitions
from fhirserver.store import Store, Transaction
from fhirserver.validation import ins
from tests.database import database_name as database_name
from tests.store.listening import listening
from tests.store.test_plans import assert_indexed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fhirserver.espace.opening import Done
    from fhirserver.store import Stored

ACCESS = Access.system("test", datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def store(embedded_uri: str, database_name: str) -> Iterator[Store]:
    store = Store(embedded_uri, database_name, definitions=Definitions.core())
    yield store
    store.close()


def matricule(number: int) -> str:
    body = f"1800575123{number:03}"
    return body + ins.key(body)


ONE, TWO, THREE = (matricule(each) for each in (1, 2, 3))
HEAD = "matricule,family,given,birthdate,sex"


def opened(store: Store, folder: Path, *numbers: str, name: str = "insured.csv") -> Done:
    return run(store, folder / name, HEAD, *(f"{number},Martin,Ada,1980-05-01,female" for number in numbers))


def run(store: Store, file: Path, *lines: str) -> Done:
    file.write_text("".join(f"{each}\n" for each in lines), "utf-8")
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
    identifier = {"system": ins.NIR, "value": ONE, "use": known.get("use", "official")}
    patient = {"resourceType": "Patient", "birthDate": "1980-05-01", "identifier": [identifier]}
    patient |= {"active": known["active"]} if "active" in known else {}
    store.transact(ACCESS, lambda tx: tx.create(patient, "hospital", fresh=True))
    assert opened(store, tmp_path, ONE) == (1, 0, [])
    there = store.ids(ACCESS, "Patient", "", 10)
    assert len(there) == records
    assert ("hospital" in store.spaces.of(there)) is (records == 1)


def test_nobody_is_announced_twice_whatever_file_names_him(store: Store, tmp_path: Path) -> None:
    assert opened(store, tmp_path, ONE, TWO, ONE) == (2, 1, [])
    assert opened(store, tmp_path, TWO, THREE, name="next.csv") == (1, 1, [])
    assert len(store.ids(ACCESS, "Patient", "", 10)) == 3


def test_each_is_found_by_an_index(store: Store, embedded_uri: str, database_name: str, tmp_path: Path) -> None:
    """However many Patients there are, looking for one costs the same."""
    opened(store, tmp_path, ONE)
    with listening() as pipelines:
        again = Store(embedded_uri, database_name, definitions=Definitions.core())
        opened(again, tmp_path, *(matricule(each) for each in range(30)), name="next.csv")
        again.close()
    assert_indexed(embedded_uri, database_name, pipelines, least=2)
    for _, (seed, *_) in pipelines.seen:
        (terms,) = (value["$in"] if isinstance(value, dict) else [value] for value in seed["$match"].values())
        assert all(each.startswith(f"identifier|{ins.NIR}|") for each in terms), seed


def test_one_whom_the_store_refuses_does_not_take_his_batch_with_him(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = Transaction.create

    def refusing(tx: Transaction, resource: dict[str, Any], *names: Any, **more: Any) -> Stored:
        if resource["identifier"][0]["value"] == THREE:
            raise Unprocessable("not this one")
        return create(tx, resource, *names, **more)

    monkeypatch.setattr(Transaction, "create", refusing)
    done = opened(store, tmp_path, *(matricule(each) for each in range(8)))
    assert done == (7, 0, ["line 5: not this one"])
    assert len(store.ids(ACCESS, "Patient", "", 10)) == 7


def test_a_database_that_does_not_answer_for_a_while_is_waited_for(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first commit arrives, though its answer does not; the second does not."""
    monkeypatch.setattr(opening, "PAUSES", (0.0, 0.0))
    together, calls = Opening._together, list[int]()

    def failing(self: Opening, people: Any) -> Done:
        calls.append(len(people))
        if len(calls) == 1:
            together(self, people)
        if len(calls) < 3:
            raise Unavailable("busy")
        return together(self, people)

    monkeypatch.setattr(Opening, "_together", failing)
    assert opened(store, tmp_path, ONE, TWO) == (0, 2, [])
    assert calls == [2, 2, 2]
    assert len(store.ids(ACCESS, "Patient", "", 10)) == 2
    calls.clear()
    monkeypatch.setattr(opening, "PAUSES", ())
    with pytest.raises(Unavailable):
        opened(store, tmp_path, THREE)


def test_broken_off_between_a_batch_and_its_journal_nobody_is_announced_twice(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after SIGKILL at any moment: the batch is there and the journal does not say so, or neither is."""
    monkeypatch.setattr(opening, "AT_ONCE", 2)
    numbers = [matricule(each) for each in range(5)]
    kept = opening._keep

    def killed(journal: Path, told: dict[str, Any]) -> None:
        if told["rows"] == 4:
            raise KeyboardInterrupt
        kept(journal, told)

    monkeypatch.setattr(opening, "_keep", killed)
    with pytest.raises(KeyboardInterrupt):
        opened(store, tmp_path, *numbers)
    monkeypatch.setattr(opening, "_keep", kept)
    assert opened(store, tmp_path, *numbers) == (1, 2, [])
    there = store.ids(ACCESS, "Patient", "", 10)
    assert len(there) == 5
    assert all(len(row["log"]) == 1 for row in store.spaces.of(there).values())
    traced = [each["p"] for trace in store.traces(ACCESS) for each in trace["entities"]]
    assert sorted(traced) == sorted(there)


def test_each_row_that_cannot_be_is_told_by_its_line_and_the_others_are_announced(store: Store, tmp_path: Path) -> None:
    good = "Martin,Ada,1980-05-01,female"
    rows = {
        f"{ONE},{good}": "",
        f"{ONE[:13]},{good}": "matricule is a number of 13 characters",
        f"{ONE[:13]}00,{good}": f"matricule has the key 00 where its 13 characters have {ONE[13:]}",
        f"{TWO},Martin,Ada,19800501,female": "birthdate is a date such as",
        f"{TWO},Martin,Ada,2026-01-02,female": "not in the future",
        f"{TWO},Martin,Ada,1780-01-02,female": "not before 1850",
        f"{TWO},Martin,Ada,1980-05-01,F": "sex is male or female",
        f"{TWO},Martin,,1980-05-01,female": "given is missing",
        f"{TWO},{'x' * 201},Ada,1980-05-01,female": "family is longer than 200 characters",
        f"{TWO},Mar\x07tin,Ada,1980-05-01,female": "family holds a line break or another control",
        f"{TWO},{good},1,2": "more values than there are columns",
        f'{TWO},"Mar\ntin",Ada,1980-05-01,female': "is a quotation mark missing?",
        f"{ONE},Martin,Ada,1981-05-01,female": "known already, of somebody born on another day",
        f"{THREE},{good}": "",
    }
    file, line, wanted = tmp_path / "insured.csv", 2, []
    for text, fault in rows.items():
        wanted += [(line, fault)] if fault else []
        line += text.count("\n") + 1
    done = run(store, file, HEAD, *rows)
    assert (done.announced, done.known) == (2, 0)
    told = dict(each.split(": ", 1) for each in done.faults)
    assert sorted(told) == sorted(f"line {line}" for line, _ in wanted)
    for line, fault in wanted:
        assert fault in told[f"line {line}"]
    assert (tmp_path / "insured.csv.refused").read_text("utf-8").splitlines() == done.faults
    done = run(store, tmp_path / "next.csv", HEAD, f"{ONE},Martin,Ada,1990-05-01,female")
    assert done == (0, 0, ["line 2: the number is known already, of somebody born on another day"])


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("birthplace", "\u0667\u0665\u0660\u0665\u0666", "five characters"),
        ("birthplace", "7505", "five characters"),
        ("family", "Mar\x85tin", "control character"),
    ],
)
def test_digits_of_other_scripts_and_hidden_characters_are_told(name: str, value: str, fault: str) -> None:
    told = dict(zip(HEAD.split(","), (ONE, "Martin", "Ada", "1980-05-01", "female"), strict=True))
    with pytest.raises(ValueError, match=fault):
        insured.person(insured.Row(2, told | {name: value}), ACCESS.now)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_a_file_as_spreadsheets_write_it(tmp_path: Path, separator: str, encoding: str) -> None:
    values = [ONE, "Lefèvre", "Zoé Anne", "1980-05-01", "female"]
    file = tmp_path / "insured.csv"
    file.write_text("".join(separator.join(each) + "\r\n" for each in (HEAD.title().split(","), values)), encoding)
    (row,) = insured.rows(file)
    if encoding == "cp1252":
        with pytest.raises(ValueError, match="family is not UTF-8"):
            insured.person(row, ACCESS.now)
    else:
        patient = insured.person(row, ACCESS.now).patient
        assert patient["name"] == [{"use": "official", "family": "Lefèvre", "given": ["Zoé", "Anne"]}]
