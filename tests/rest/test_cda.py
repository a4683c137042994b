"""CDA documents in: what is stored, for whom, once; and what is refused leaves nothing behind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.documents.cda import convert
from tests.documents.corpus import corpus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Answer, Application, Caller

CDA = {"Content-Type": "application/hl7-v3+xml"}
LABORATORY, HOSPITAL = "750000001", "130000002"
HEMOGRAM = "bio-hemogramme"


def person(name: str = HEMOGRAM, **changes: Any) -> dict[str, Any]:
    """The Patient of a document of the corpus, as its header names them."""
    found = convert(corpus()[name]).document.patient.resource
    kept = {name: found[name] for name in ("resourceType", "identifier", "name", "gender", "birthDate", "extension")}
    kept["identifier"] = [
        {"system": each["system"], "value": each["value"], "use": "official"}
        for each in found["identifier"]
        if each["system"].startswith("urn:oid:1.2.250.1.213.1.4.")
    ]
    return {**kept, "active": True, **changes}


def anew(data: bytes, root: str) -> bytes:
    """The document under another unique id."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return anew(data.decode("utf-16").encode(), root).decode().encode("utf-16")
    return re.sub(rb'(<(?:\w+:)?id root=")[^"]+(")', rb"\g<1>" + root.encode() + rb"\2", data, count=1)


@pytest.fixture
def server(applications: Callable[..., Any]) -> Iterator[Application]:
    with applications(profiles="french") as opened:
        yield opened


@pytest.fixture
def record(server: Application) -> str:
    return server.operator().create(person())


@pytest.fixture
def lab(server: Application) -> Caller:
    return server.system(LABORATORY, "lab")


def deposit(caller: Caller, data: bytes, query: str = "", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return caller.call("POST", f"$cda{query}", data, CDA | named)


def test_a_report_becomes_a_document_and_results_that_are_found_at_once(
    server: Application, record: str, lab: Caller
) -> None:
    answer = deposit(lab, corpus()[HEMOGRAM])
    assert answer.status == 201, answer.content
    assert answer.headers["location"].endswith(f"/DocumentReference/{answer.id}/_history/1")
    assert answer.json["subject"] == {"reference": f"Patient/{record}"}
    holder = server.patient(record)
    found = holder.search("Observation", ("code", "http://loinc.org|718-7"), patient=record, _sort="-date")
    values = [each["resource"]["valueQuantity"]["value"] for each in found.json["entry"]]
    assert len(values) == 2, "the result, and the one before that the report repeats"
    assert holder.search("Composition", patient=record).ids
    (binary,) = [each["attachment"]["url"] for each in answer.json["content"]]
    assert holder.get(binary).status == 200
    assert b"urn:uuid:" not in re.sub(rb'"value":"[^"]*"', b"", answer.content)


@pytest.mark.parametrize("name", sorted(corpus()))
def test_every_document_of_the_corpus_is_taken(crowd: Application, name: str) -> None:
    root = f"1.2.250.1.213.99.8.{1 + sorted(corpus()).index(name)}"
    answer = deposit(crowd.system(LABORATORY), anew(corpus()[name], root))
    assert answer.status == 201, answer.content
    assert answer.json["masterIdentifier"]["value"] == f"urn:oid:{root}"


@pytest.fixture(scope="module")
def crowd(applications: Callable[..., Any]) -> Iterator[Application]:
    """A server that has a record of everybody in the corpus."""
    with applications(profiles="french") as opened:
        for name in corpus():
            opened.operator().post("Patient", person(name))
        yield opened
