"""What was made of a document is seen only where the document is: at once, in every form, for everyone."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Access, Requester
from fhirserver.errors import NotFound, Unprocessable
from fhirserver.search import Indexer, parse
from fhirserver.spec import Definitions
from fhirserver.store import Store
from tests import records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.store import Transaction

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OPERATOR = Access.system("tests", NOW)
DOCUMENT = "DocumentReference/d"
USER = ("user/*.cruds",)
ALICE = Requester("practitioner", "a", rpps="10000000001", profession="G15_10", organization="750000009", scopes=USER)
BOB = Requester("practitioner", "b", rpps="10000000002", profession="G15_10", organization="750000009", scopes=USER)
HOLDER = Requester("patient", "p", patient="p", scopes=("patient/*.cruds",), purpose="PATRQT")
MOTHER = Requester("representative", "RelatedPerson/m", patient="p", scopes=("patient/*.cruds",), purpose="PATRQT")
LAB = Requester("system", "lab", organization="750000001", client="lab", scopes=("system/*.cruds",))
EVERYONE = (ALICE, BOB, HOLDER, MOTHER, LAB)


class House:
    """A record with a document, and an Observation, an old version of it, a Report and a Binary made of it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.put(records.practitioner("10000000001", id="alice"))
        self.put(records.practitioner("10000000002", id="bob"))
        self.put(records.patient(id="p", birthDate="2020-02-03"))
        self.put(records.care_team("p", "Practitioner/alice", "Practitioner/bob", id="t"))
        self.put(records.document("p", id="d"), LAB)
        self.put(records.observation("p", id="old", status="preliminary"), LAB, DOCUMENT)
        self.put(records.observation("p", id="old"), LAB)
        self.put(records.observation("p", id="plain"))
        self.put({"resourceType": "Binary", "id": "b", "contentType": "text/plain", "data": "QQ=="}, LAB, DOCUMENT)

    def put(self, resource: dict[str, Any], who: Requester | None = None, document: str | None = None) -> None:
        type_, id_ = resource["resourceType"], resource["id"]
        found = self.store.view(OPERATOR).read(type_, id_)
        access = Access.of(who, NOW) if who else OPERATOR
        if found is None or found.deleted:
            self.store.transact(access, lambda tx: tx.create(resource, id_, document=document))
        else:
            self.store.transact(OPERATOR, lambda tx: tx.update(resource, document=document))

    def delete(self, type_: str, id_: str) -> None:
        self.store.transact(OPERATOR, lambda tx: tx.delete(type_, id_))

    def relabel(self, *labels: str, **more: Any) -> None:
        self.put(records.document("p", id="d", labels=labels, **more))

    def sees(self, who: Requester, now: datetime = NOW) -> bool:
        """Whether he sees what was made of the document: all ways to it must agree."""
        view = self.store.view(Access.of(who, now))
        everything = parse(Definitions.core(), "Observation", [("patient", "p"), ("status", "final")])
        across = parse(Definitions.core(), "Observation", [("status", "final")])
        ways = {
            view.read("Observation", "old") is not None,
            view.vread("Observation", "old", 1) is not None,
            view.history("Observation", "old", 5).total == 2,
            view.read("Binary", "b") is not None,
            "old" in {each.id for each in view.search(everything).matches},
            "old" in {each.id for each in view.search(across).matches},
        }
        assert len(ways) == 1, (who.id, ways)
        return ways.pop()

    def who(self, *among: Requester, now: datetime = NOW) -> str:
        """Initials of who sees it."""
        names = (each.id.rpartition("/")[2][0] for each in among or EVERYONE if self.sees(each, now))
        return "".join(names)


@pytest.fixture
def house(embedded_uri: str, database_name: str) -> Iterator[House]:
    definitions = Definitions.core()
    store = Store(embedded_uri, database_name, definitions=definitions, index=Indexer(definitions).index)
    yield House(store)
    store.close()


def test_who_sees_the_document_sees_what_was_made_of_it(house: House) -> None:
    assert house.who() == "abpml"
    assert house.who(Requester("practitioner", "x", rpps="10000000003", profession="G15_10", scopes=USER)) == ""


def test_masking_the_document_hides_what_was_made_of_it_at_once_and_unmasking_shows_it(house: House) -> None:
    house.relabel("MASQUE_PS")
    assert house.who() == "pml"
    house.relabel()
    assert house.who() == "abpml"
    house.relabel("V")
    assert house.who() == "pml"


def test_labels_of_persons_on_the_document_count_for_what_was_made_of_it(house: House) -> None:
    house.relabel("INVISIBLE_PATIENT")
    assert house.who() == "abl"
    assert house.who(HOLDER, now=datetime(2026, 4, 1, 13, tzinfo=UTC)) == "p"
    house.relabel("INVISIBLE_REPRESENTANTS_LEGAUX")
    assert house.who() == "abpl"


@pytest.mark.parametrize(
    "provision",
    [
        {"class": [{"system": "http://hl7.org/fhir/resource-types", "code": "DocumentReference"}]},
        {"class": [{"system": "http://loinc.org", "code": "11488-4"}]},
        {"data": [{"meaning": "instance", "reference": {"reference": DOCUMENT}}]},
        {"code": [{"coding": [{"system": "http://loinc.org", "code": "11488-4"}]}]},
        {"dataPeriod": {"start": "2025-01-01", "end": "2025-12-31"}, "class": [{"code": "DocumentReference"}]},
    ],
)
def test_a_consent_that_denies_the_document_denies_what_was_made_of_it(house: House, provision: dict[str, Any]) -> None:
    house.put(records.consent("p", "deny", "Practitioner/alice", **provision) | {"id": "c"})
    assert house.who(ALICE, BOB) == "b"
    house.delete("Consent", "c")
    assert house.who(ALICE, BOB) == "ab"


def test_the_matrix_judges_the_type_of_the_document(house: House) -> None:
    dentist = Requester("practitioner", "a", rpps="10000000001", profession="G15_40", scopes=USER)
    assert house.who(dentist) == "a"
    house.relabel(type="68599-0")
    assert house.who(dentist, BOB) == "b"


def test_what_a_deleted_document_left_is_seen_by_nobody_and_comes_back_with_it(house: House) -> None:
    house.delete("DocumentReference", "d")
    assert house.who() == ""
    assert house.store.view(OPERATOR).read("Observation", "old") is not None
    house.relabel("V")
    assert house.who() == "pm"
    house.put(records.document("p", id="d", status="superseded"))
    assert house.who() == "abpm"


def test_what_was_deleted_follows_the_document_too(house: House) -> None:
    house.delete("Observation", "old")
    view = house.store.view(Access.of(ALICE, NOW))
    assert view.vread("Observation", "old", 1) is not None
    house.relabel("MASQUE_PS")
    assert view.read("Observation", "old") is None
    assert view.vread("Observation", "old", 1) is None


def test_an_update_keeps_it_derived_in_the_transaction_that_masks_the_document_too(house: House) -> None:
    def both(tx: Any) -> None:
        assert tx.view.read("Observation", "old") is not None
        tx.update(records.document("p", id="d", labels=("MASQUE_PS",)))
        tx.update(records.observation("p", id="old", note=[{"text": "again"}]))
        tx.create(records.observation("p", id="new"), "new", document=DOCUMENT)

    house.store.transact(OPERATOR, both)
    view = house.store.view(Access.of(ALICE, NOW))
    assert [view.read("Observation", each) is None for each in ("old", "new", "plain")] == [True, True, False]


def test_a_document_and_what_is_made_of_it_are_stored_together(house: House) -> None:
    def both(tx: Any) -> None:
        tx.create(records.document("p", labels=("MASQUE_PS",)), "e", fresh=True)
        tx.create(records.observation("p"), "o", fresh=True, document="DocumentReference/e")
        tx.update(records.document("p", id="e"))
        tx.create(records.observation("p"), "o2", fresh=True, document="DocumentReference/e")

    house.store.transact(OPERATOR, both)
    view = house.store.view(Access.of(ALICE, NOW))
    assert view.read("Observation", "o") is not None
    house.put(records.document("p", id="e", labels=("MASQUE_PS",)))
    assert [view.read("Observation", each) for each in ("o", "o2")] == [None, None]


def test_what_moves_to_another_patient_is_lost_to_what_was_made_of_it(house: House) -> None:
    house.put(records.patient(id="q", birthDate="2020-02-03"))
    house.put(records.document("q", id="d"))
    assert house.who() == ""
    house.put(records.document("q", id="d", description="again"))
    assert house.who() == ""


def test_the_document_may_be_stored_in_the_same_transaction(house: House) -> None:
    def work(tx: Transaction) -> None:
        tx.create(records.document("p", id="e"), "e", fresh=True)
        tx.create(records.observation("p", id="n"), "n", fresh=True, document="DocumentReference/e")

    house.store.transact(Access.of(LAB, NOW), work)
    seen = house.store.view(Access.of(ALICE, NOW)).read
    assert seen("Observation", "n") is not None
    house.put(records.document("p", id="e", labels=("MASQUE_PS",)))  # finds by its mark what was made of it
    assert seen("Observation", "n") is None


def test_a_document_masked_before_something_is_made_of_it_in_the_same_transaction(house: House) -> None:
    def work(tx: Transaction) -> None:
        tx.create(records.document("p", id="e"), "e")
        tx.update(records.document("p", id="e", labels=("MASQUE_PS",)))
        tx.create(records.observation("p", id="n"), "n", document="DocumentReference/e")

    house.store.transact(OPERATOR, work)
    assert house.store.view(OPERATOR).read("Observation", "n") is not None
    assert house.store.view(Access.of(ALICE, NOW)).read("Observation", "n") is None


def test_nothing_is_made_of_a_document_deleted_in_the_same_transaction(house: House) -> None:
    def work(tx: Transaction) -> None:
        tx.create(records.document("p", id="e"), "e")
        tx.delete("DocumentReference", "e")
        tx.create(records.observation("p", id="n"), "n", document="DocumentReference/e")

    with pytest.raises(NotFound):
        house.store.transact(OPERATOR, work)


def test_what_cannot_be_derived_is_refused(house: House) -> None:
    house.put(records.patient(id="q"))
    with pytest.raises(Unprocessable, match="another patient"):
        house.put(records.observation("q", id="x"), document=DOCUMENT)
    with pytest.raises(Unprocessable, match="another patient"):
        house.put(records.observation("q", id="old"))
    with pytest.raises(NotFound):
        house.put(records.observation("p", id="x"), document="DocumentReference/none")
    with pytest.raises(ValueError, match="Consent"):
        house.put(records.consent("p", "permit") | {"id": "x"}, document=DOCUMENT)
    house.put(records.document("nobody", id="e"))
    with pytest.raises(Unprocessable, match="no record"):
        house.put(records.observation("nobody", id="x"), document="DocumentReference/e")


def test_masking_and_deriving_at_once_leave_nothing_open(house: House) -> None:
    """Each of several rounds: one transaction masks the document while another makes something of it."""
    for number in range(8):
        house.put(records.document("p", id=f"d{number}"))
        house.put(records.observation("p", id=f"f{number}"), document=f"DocumentReference/d{number}")
        barrier = Barrier(2)
        made, masked = records.observation("p", id=f"n{number}"), records.document("p", id=f"d{number}", labels=("V",))

        def derive(made: Any = made, number: int = number, barrier: Barrier = barrier) -> None:
            first = [True]

            def work(tx: Any) -> None:
                tx.create(made, made["id"], document=f"DocumentReference/d{number}")
                if first:
                    first.clear()
                    barrier.wait(60)

            house.store.transact(OPERATOR, work)

        thread = Thread(target=derive)
        thread.start()
        barrier.wait(60)
        house.put(masked)
        thread.join(60)
        view = house.store.view(Access.of(ALICE, NOW))
        assert house.store.view(OPERATOR).read("Observation", f"n{number}") is not None
        assert view.read("Observation", f"n{number}") is None


def test_another_process_knows_of_the_first_resource_that_was_derived(house: House) -> None:
    other = Store(house.store.uri, house.store.name, definitions=Definitions.core())
    view = other.view(Access.of(ALICE, NOW))
    house.put(records.document("p", id="e", labels=("V",)))
    assert view.read("Condition", "c") is None
    condition = {"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/p"}}
    house.put(condition, document="DocumentReference/e")
    assert view.read("Condition", "c") is None
    house.put(records.document("p", id="e"))
    assert view.read("Condition", "c") is not None
    other.close()


def test_what_the_document_is_indexed_by_anew_its_copies_are_too(house: House) -> None:
    code = {"coding": [{"system": "urn:new", "code": "secret"}]}
    house.put(records.consent("p", "deny", "Practitioner/alice", code=[code]) | {"id": "c"})
    assert house.who(ALICE, BOB) == "ab"
    index = Indexer(Definitions.core()).index

    def anew(resource: dict[str, Any], pat: str | None) -> Any:
        found = index(resource)
        return found._replace(t=[*found.t, "event|urn:new|secret", "event||secret"], pat=pat)

    assert house.store.reindex(OPERATOR, "DocumentReference", ["d"], anew).changed == 1
    assert house.who(ALICE, BOB) == "b"
    house.relabel()
    assert house.who(ALICE, BOB) == "ab"
