from __future__ import annotations

import gzip
import lzma
from typing import TYPE_CHECKING

import pytest

from fhirserver.loading.journal import Journal
from fhirserver.loading.sources import Item, Unreadable, files, items
from tests.documents.corpus import corpus

if TYPE_CHECKING:
    from pathlib import Path

TRANSACTION = b'{"resourceType":"Bundle","type":"transaction","entry":[]}'
COLLECTION = (
    b'{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","id":"a"}},{}]}'
)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_transaction_goes_to_the_base_as_it_is(tmp_path: Path) -> None:
    (found,) = items(write(tmp_path / "b.json", TRANSACTION))
    assert isinstance(found, Item)
    assert (found.method, found.path, found.body) == ("POST", "", TRANSACTION)


def test_a_resource_with_an_id_keeps_it_and_one_without_gets_one(tmp_path: Path) -> None:
    lines = b'{"resourceType":"Patient","id":"a","multipleBirthInteger":1}\n\n{"resourceType":"Patient"}\n'
    found = [(each.method, each.path) for each in items(write(tmp_path / "p.ndjson", lines)) if isinstance(each, Item)]
    assert found == [("PUT", "Patient/a"), ("POST", "Patient")]


def test_decimals_keep_their_digits(tmp_path: Path) -> None:
    body = b'{"resourceType":"Observation","id":"o","valueQuantity":{"value":1.50}}'
    (found,) = items(write(tmp_path / "o.json", body))
    assert isinstance(found, Item)
    assert found.body == body


def test_xml_is_sent_as_the_json_it_means(tmp_path: Path) -> None:
    value = '<valueQuantity><value value="1.50"/></valueQuantity>'
    text = f'<Observation xmlns="http://hl7.org/fhir"><id value="o"/>{value}</Observation>'.encode()
    body = b'{"resourceType":"Observation","id":"o","valueQuantity":{"value":1.50}}'
    for path in (write(tmp_path / "o.xml", text), write(tmp_path / "o.xml.gz", gzip.compress(text))):
        (found,) = items(path)
        assert isinstance(found, Item)
        assert (found.method, found.path, found.body) == ("PUT", "Observation/o", body)
    assert len(list(files([tmp_path]))) == 2


def test_a_collection_is_sent_entry_by_entry_and_an_empty_entry_told(tmp_path: Path) -> None:
    first, second = items(write(tmp_path / "c.json", COLLECTION))
    assert isinstance(first, Item)
    assert isinstance(second, Unreadable)
    assert "entry[1]" in second.origin


@pytest.mark.parametrize("packed", ["b.json.gz", "b.json.xz"])
def test_packed_files_are_read(tmp_path: Path, packed: str) -> None:
    pack = gzip.compress if packed.endswith("gz") else lzma.compress
    (found,) = items(write(tmp_path / packed, pack(TRANSACTION)))
    assert isinstance(found, Item)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b"{"),
        ("a.json", b"[]"),
        ("a.json", b"{}"),
        ("a.json.gz", b"no gzip"),
        ("a.json.xz", b"no xz"),
        ("a.xml", b"<a>"),
    ],
)
def test_what_cannot_be_read_is_told_not_raised(tmp_path: Path, name: str, content: bytes) -> None:
    (found,) = items(write(tmp_path / name, content))
    assert isinstance(found, Unreadable)


def test_a_folder_gives_its_known_files_sorted(tmp_path: Path) -> None:
    for name in ("b.json", "a.ndjson.gz", "readme.txt", "c.json.xz"):
        write(tmp_path / name, b"{}")
    assert [each.name for each in files([tmp_path])] == ["a.ndjson.gz", "b.json", "c.json.xz"]
    with pytest.raises(FileNotFoundError):
        list(files([tmp_path / "absent"]))


def test_the_same_resource_twice_is_two_items(tmp_path: Path) -> None:
    one, two = items(write(tmp_path / "p.ndjson", b'{"resourceType":"Patient"}\n' * 2))
    assert isinstance(one, Item)
    assert isinstance(two, Item)
    assert one.key != two.key


def test_a_journal_remembers_and_a_torn_line_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path) as journal:
        journal.add("one")
    with path.open("a") as file:
        file.write("tw")
    with Journal(path) as journal:
        assert "one" in journal
        assert "tw" not in journal
        journal.add("three")
    with Journal(path) as journal:
        assert "three" in journal


def test_a_cda_document_is_sent_as_it_is(tmp_path: Path) -> None:
    for name in ("l1-texte", "utf-16", "latin-1", "auto-presentable"):
        (found,) = items(write(tmp_path / f"{name}.xml", corpus()[name]))
        assert isinstance(found, Item)
        assert (found.method, found.path, found.media) == ("POST", "$cda", "application/hl7-v3+xml")
        assert found.body == corpus()[name]
        assert found.repeatable
