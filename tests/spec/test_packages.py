from __future__ import annotations

import gc
import json
import os
import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.spec import BadPackage, Definitions, Package
from fhirserver.spec.archive import write
from fhirserver.spec.definitions import built_in
from fhirserver.spec.files import Published
from tests import corpus
from tests.spec.conformance import BASE, code_system, folder, tgz, value_set

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = json.dumps({"name": "org.example", "version": "1.2.3"}).encode()


def _published(path: Path, *resources: dict[str, Any]) -> Path:
    members = {"package/package.json": MANIFEST, "package/.index.json": b'{"files": []}'}
    members |= {f"package/{number}.json": json.dumps(item).encode() for number, item in enumerate(resources)}
    members |= {"package/example/x.json": b"not read", "package/notes.txt": b"not read"}
    return tgz(path, members)


def test_the_core_package_names_itself_and_its_resources() -> None:
    core = Package.core()
    assert (core.name, core.version) == ("hl7.fhir.r4.core", "4.0.1")
    assert repr(core) == "Package('hl7.fhir.r4.core', '4.0.1')"
    assert len(core.entries("StructureDefinition")) == 655
    assert len(core.entries("SearchParameter")) == 1400
    assert len(core.entries()) == 4566


def test_an_entry_tells_what_an_index_knows() -> None:
    (entry,) = Package.core().by_url("http://hl7.org/fhir/StructureDefinition/bp")
    assert entry[1:] == (
        *("StructureDefinition", "http://hl7.org/fhir/StructureDefinition/bp", "4.0.1"),
        *("bp", "Observation", "resource", "constraint"),
    )


def test_a_folder_is_a_package(tmp_path: Path) -> None:
    package = folder(tmp_path / "own" / "deep", [value_set("a"), code_system("b"), {"note": 1}])
    package = Package.from_folder(tmp_path / "own", version="7")
    assert (package.name, package.version) == ("own", "7")
    assert [entry.id for entry in package.entries()] == ["a", "b"]
    assert [entry.id for entry in package.entries("CodeSystem")] == ["b"]
    assert package.by_url(f"{BASE}/ValueSet/a", "CodeSystem") == []
    assert package.fact("package") is None


def test_decimals_keep_their_digits(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"resourceType": "Basic", "url": "urn:x", "value": 1.00}')
    package = Package.from_folder(tmp_path)
    loaded = package.load(package.by_url("urn:x")[0])
    assert loaded["value"] == Decimal("1.00")
    assert str(loaded["value"]) == "1.00"


def test_a_file_that_is_not_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(BadPackage, match=r"broken\.json is not JSON"):
        Package.from_folder(tmp_path).entries()


def test_a_resource_that_is_not_fhir_json_is_named_when_loaded(tmp_path: Path) -> None:
    (tmp_path / "twice.json").write_text('{"resourceType": "Basic", "url": "urn:x", "id": "a", "id": "b"}')
    package = Package.from_folder(tmp_path)
    with pytest.raises(BadPackage, match=r"twice\.json: The key 'id' appears twice"):
        package.load(package.by_url("urn:x")[0])


def test_a_published_file_is_a_package(tmp_path: Path) -> None:
    path = _published(tmp_path / "x.tgz", value_set("a"), code_system("b"), {"resourceType": "Basic"})
    package = Package.from_tgz(path)
    assert (package.name, package.version) == ("org.example", "1.2.3")
    assert [entry.id for entry in package.entries()] == ["a", "b"]
    assert package.load(package.by_url(f"{BASE}/CodeSystem/b")[0]) == code_system("b")
    assert package.by_url("urn:nothing") == []
    assert package.fact("package") is None


def test_a_published_file_gives_its_descriptor_back(tmp_path: Path) -> None:
    source = Published(_published(tmp_path / "x.tgz", value_set("a")))
    descriptor = source._unpacked[0]
    os.fstat(descriptor)
    del source
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


@pytest.mark.parametrize(
    "body", [b"", b"not a tar", b"\x1f\x8b\x08\x00" + b"\x00" * 40], ids=["empty", "text", "damaged gzip"]
)
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "x.tgz"
    path.write_bytes(body)
    with pytest.raises(BadPackage, match="is not a FHIR package"):
        Package.from_tgz(path)


@pytest.mark.parametrize("manifest", [None, b"[]", b"{}"])
def test_an_archive_without_a_manifest_is_refused(tmp_path: Path, manifest: bytes | None) -> None:
    members = {"package/x.json": b"{}"} | ({"package/package.json": manifest} if manifest else {})
    with pytest.raises(BadPackage, match=r"no package/package\.json with a name"):
        Package.from_tgz(tgz(tmp_path / "x.tgz", members))


def test_an_archive_is_written_and_read(tmp_path: Path) -> None:
    described = {"name": "n", "version": "v"}
    write(tmp_path / "x.sqlite", [value_set("a"), value_set("a", version="2")], {"package": described})
    package = Package.from_archive(tmp_path / "x.sqlite")
    assert (package.name, package.version) == ("n", "v")
    assert [package.load(entry).get("version") for entry in package.by_url(f"{BASE}/ValueSet/a")] == [None, "2"]
    assert package.fact("nothing") is None


def test_an_archive_keeps_the_digits_of_decimals() -> None:
    defs = Definitions([Package.core()])
    structure = defs.structure("http://hl7.org/fhir/StructureDefinition/ldlcholesterol")
    assert structure is not None
    high = next(item for item in structure["snapshot"]["element"] if item["id"] == "Observation.referenceRange.high")
    assert str(high["fixedQuantity"]["value"]) == "3.0"
    assert isinstance(high["fixedQuantity"]["value"], Decimal)


def test_threads_share_an_archive() -> None:
    defs = Definitions([Package.core()])
    names: list[str] = []

    def read(part: int) -> None:
        for name in defs.resource_types[part::4]:
            structure = defs.structure(name)
            assert structure is not None
            names.append(structure["type"] + str(len(defs.search_parameters(name))) + defs.type(name).name)

    threads = [threading.Thread(target=read, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 146


def test_the_built_in_packages_are_those_of_the_checkout() -> None:
    assert [package.name for package in built_in()] == ["profiles", "terminology"]


@pytest.mark.corpus("fr-core")
def test_a_published_guide_is_read() -> None:
    package = Package.from_tgz(corpus.path("fr-core"))
    assert (package.name, package.version) == ("hl7.fhir.fr.core", "2.2.0")
    assert len(package.entries("StructureDefinition")) == 64
    (entry,) = package.by_url("https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient")
    assert package.load(entry)["type"] == "Patient"
