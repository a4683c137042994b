"""Bytes to a document: encodings, wrappings, and all that is refused before anything is read."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from fhirserver.documents.cda import convert
from fhirserver.errors import InvalidXml
from tests.documents.corpus import converted, corpus
from tools.cda.header import DOCTOR, WHEN, Document, author, pdf, written
from tools.cda.mutations import prefixed
from tools.cda.rich import encoded
from tools.cda.statements import problem
from tools.cda.xml import LOINC, code, el, entry, section

LEVEL1 = corpus()["l1-compte-rendu"]
BODY = LEVEL1[LEVEL1.index(b"<ClinicalDocument") :]


def test_latin_1_and_utf_16_say_the_same_as_utf_8() -> None:
    for name in ("iso-8859-1", "utf-16", "windows-1252"):
        found = convert(encoded(LEVEL1, name))
        assert found.document.patient == converted("l1-compte-rendu").document.patient
        assert found.document.code == converted("l1-compte-rendu").document.code


def test_the_prefix_of_the_namespace_does_not_matter() -> None:
    for name in ("ldl-ses", "bio-hemogramme"):
        same = convert(prefixed(corpus()[name]))
        assert [entry.resource["resourceType"] for entry in same.entries] == [
            entry.resource["resourceType"] for entry in converted(name).entries
        ]
        assert same.left == converted(name).left


def test_an_auto_presentable_document_is_found_and_its_stylesheet_is_not_run() -> None:
    conversion = converted("auto-presentable")
    assert conversion.auto_presentable
    assert conversion.document.title == "Lettre à l’arrivée"
    assert "cda-stylesheet" in [finding.rule for finding in conversion.findings]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not xml",
        b"<a/>",
        b'<ClinicalDocument xmlns="urn:autre"/>',
        LEVEL1[:-30],
        b'<!DOCTYPE x [<!ENTITY a "b">]>' + BODY,
        b'<?xml version="1.0"?><!DOCTYPE x SYSTEM "file:///etc/passwd">' + BODY,
        b'<!DOCTYPE x [<!ENTITY a "&b;&b;"><!ENTITY b "c">]>' + BODY.replace(b"PARIS", b"&a;"),
        BODY.replace(b"PARIS", b"&a;"),
        LEVEL1.replace(b"UTF-8", b"UTF-7", 1),
        LEVEL1.replace(b"UTF-8", b"EBCDIC-FR", 1),
        LEVEL1.replace(b"PARIS", b"PARIS \xe9"),
        LEVEL1.decode().encode("utf-16-le"),
        b'<?xml version="1.0" encoding="UTF-16"?>' + BODY,
        BODY.replace(b"<component>", b"<component>" + b"<a>" * 200, 1).replace(
            b"</component>", b"</a>" * 200 + b"</component>", 1
        ),
        b'<s:stylesheet xmlns:s="http://www.w3.org/1999/XSL/Transform" version="1.0"/>',
        b'<s:stylesheet xmlns:s="http://www.w3.org/1999/XSL/Transform">' + BODY + BODY + b"</s:stylesheet>",
    ],
)
def test_what_is_unsafe_or_no_cda_is_refused_with_words(data: bytes) -> None:
    with pytest.raises(InvalidXml) as caught:
        convert(data)
    assert caught.value.text


def test_a_schema_location_is_neither_fetched_nor_left() -> None:
    named = BODY.replace(
        b"<ClinicalDocument", b'<ClinicalDocument xsi:schemaLocation="urn:hl7-org:v3 http://192.0.2.1/x.xsd"', 1
    )
    assert convert(named).left == ()


def test_an_include_is_inert() -> None:
    included = BODY.replace(
        b"<title>", b'<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/><title>', 1
    )
    conversion = convert(included)
    assert [each.xpath for each in conversion.left] == ["/ClinicalDocument/{http://www.w3.org/2001/XInclude}include"]
    assert "root:" not in str(conversion.entries)


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (b"JVBERi0x", b"JVBERi0#", "cda-base64"),
        (b"JVBERi0x", b"AAAAAAAA", "cda-not-pdf"),
        (b'representation="B64">', b'representation="B64" integrityCheck="AAAA">', "cda-integrity"),
        (b'representation="B64">', b'representation="B64" compression="DF">', "cda-compression"),
        (b'mediaType="application/pdf"', b'mediaType="pdf"', "cda-content"),
    ],
)
def test_a_body_that_is_not_what_it_says_is_a_finding(old: bytes, new: bytes, rule: str) -> None:
    assert old in LEVEL1
    assert rule in [finding.rule for finding in convert(LEVEL1.replace(old, new, 1)).findings]


def test_a_body_elsewhere_is_not_fetched() -> None:
    start, end = LEVEL1.index(b"<text "), LEVEL1.index(b"</text>")
    moved = (
        LEVEL1[:start] + b'<text mediaType="application/pdf"><reference value="http://192.0.2.1/x.pdf"/>' + LEVEL1[end:]
    )
    conversion = convert(moved)
    assert "cda-body-reference" in [finding.rule for finding in conversion.findings]
    assert len(conversion.all("Binary")) == 1


def test_many_entries_take_time_in_proportion() -> None:
    """Four times as many siblings: a square would take sixteen times as long."""
    few, many = (_timed(number) for number in (300, 1200))
    assert many < 12 * few


def _timed(number: int) -> float:
    problems = [entry(problem(str(each), ("J45", "Asthme"), "x", period=("2020", None))) for each in range(number)]
    made = section(("1.2.3",), code("code", "10164-2", LOINC, "Histoire"), "Histoire", "Texte", *problems)
    data = written(Document(9002, ("34133-9", "Synthèse"), "Longue", [made]))
    best = 1e9
    for _ in range(3):
        start = time.process_time()
        convert(data)
        best = min(best, time.process_time() - start)
    return best


def test_an_element_of_many_attributes_is_refused_before_it_is_read() -> None:
    many = " ".join(f'a{number}="1"' for number in range(50_000)).encode()
    with pytest.raises(InvalidXml, match="64 attributes"):
        convert(corpus()["l1-texte"].replace(b"<title>", b"<title " + many + b">", 1))


def test_a_document_of_millions_of_elements_is_refused_before_it_is_read() -> None:
    began = time.process_time()
    with pytest.raises(InvalidXml, match="400000 tags"):
        convert(corpus()["l1-texte"].replace(b"<title>", b"<a/>" * 2_000_000 + b"<title>", 1))
    assert time.process_time() - began < 20


def test_a_long_narrative_that_many_entries_refer_to_is_not_multiplied() -> None:
    words, many = "x" * 100_000, 400
    narrative = [el("paragraph", el("content", words, ID="long"))]
    said = [
        entry(el("observation", el("code", el("originalText", el("reference", value="#long")), code=str(number))))
        for number in range(many)
    ]
    made = section((), code("code", "8716-3", LOINC, "x"), "x", narrative, *said)
    conversion = convert(written(Document(9003, ("34133-9", "Synthèse"), "Longue", [made])))
    texts = [each["code"].get("text") for each in conversion.all("Observation")]
    assert len(texts) == many
    assert texts[0] == words
    assert sum(len(text or "") for text in texts) <= 8 * 1024 * 1024
    assert any(each.xpath.endswith("originalText/reference") for each in conversion.left)


def test_those_who_answer_for_everything_within_are_not_multiplied() -> None:
    many = b"".join(
        b'<performer><assignedEntity><id root="1.2.3" extension="%d"/></assignedEntity></performer>' % number
        for number in range(50)
    )
    conversion = convert(corpus()["bio-hemogramme"].replace(b"<statusCode", many + b"<statusCode", 1))
    assert max(len(each.get("performer", ())) for each in conversion.all("Observation")) < 30
    assert any(each.xpath.endswith("/performer[50]") for each in conversion.left)


def test_an_actor_of_a_thousand_names_is_not_believed() -> None:
    extra = [author(replace(DOCTOR, family=f"NOM{number}"), None, WHEN) for number in range(60)]
    conversion = convert(written(Document(9003, ("34133-9", "Synthèse"), "Essai", pdf("x"), header=extra)))
    assert max(len(each["name"]) for each in conversion.all("Practitioner")) <= 25
    assert "conflict" in [each.why for each in conversion.left]


def test_every_binary_is_seen_as_its_document_is() -> None:
    conversion = convert(LEVEL1)
    (document,) = [each.full_url for each in conversion.entries if each.role == "document"]
    assert [each["securityContext"] for each in conversion.of("binary")] == [{"reference": document}] * 2
