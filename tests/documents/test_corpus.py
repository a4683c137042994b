"""Every document of the corpus: the files are what the generator makes, and each converts whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from fhirserver.documents.cda import convert
from fhirserver.errors import InvalidXml, Unprocessable
from tests.documents.corpus import converted, corpus, dangling, errors
from tools.cda import wrong

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "cda"
NAMES = sorted(corpus())

LEFT = {
    "divers": {"regionOfInterest", "id", "statusCode"},
    "entete-complet": {"authorization", "code"},
    "vac": {"statusCode", "routeCode", "approachSiteCode", "doseQuantity", "lotNumberText"},
    "vac-note": {"statusCode", "routeCode", "approachSiteCode", "doseQuantity", "lotNumberText"},
    "ldl-ses": {"effectiveTime", "text", "id"},
    "vsm": {"effectiveTime", "id"},
    "bio-sous-traitance": {"time"},
}
"""The elements in no resource, by document: what R4 has no place for, and unresolvable references."""


def test_the_files_are_what_the_generator_makes() -> None:
    assert {file.stem: file.read_bytes() for file in FOLDER.glob("*.xml")} == corpus()


def test_the_wrong_files_are_what_the_generator_makes() -> None:
    assert {file.stem: file.read_bytes() for file in (FOLDER / "wrong").glob("*.xml")} == wrong.documents()


@pytest.mark.parametrize("name", sorted(wrong.findings()))
def test_a_wrong_document_breaks_its_rule_and_is_told_in_words(name: str) -> None:
    data, rule = wrong.findings()[name]
    conversion = convert(data)
    assert rule in [finding.rule for finding in conversion.findings if finding.severity in ("error", "warning")]
    assert errors(conversion) == []
    assert dangling(conversion) == []


@pytest.mark.parametrize("name", sorted(wrong.refused()))
def test_what_is_no_document_is_refused(name: str) -> None:
    with pytest.raises((InvalidXml, Unprocessable)):
        convert(wrong.refused()[name])


def test_there_are_thirty_documents_of_both_levels() -> None:
    levels = [converted(name).level for name in NAMES]
    assert len(levels) >= 30
    assert levels.count(1) >= 10
    assert levels.count(3) >= 15


def test_no_two_documents_bear_the_same_id() -> None:
    ids = [converted(name).document.unique_id for name in NAMES]
    assert sorted(ids) == sorted(set(ids))


@pytest.mark.parametrize("name", NAMES)
def test_every_resource_is_valid_and_every_reference_resolves(name: str) -> None:
    conversion = converted(name)
    assert errors(conversion) == []
    assert dangling(conversion) == []
    assert [finding for finding in conversion.findings if finding.is_error] == []
    urls = [entry.full_url for entry in conversion.entries]
    assert len(set(urls)) == len(urls)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_in_no_resource_is_named(name: str) -> None:
    left = {each.xpath.rpartition("/")[2].partition("[")[0] for each in converted(name).left}
    assert left == LEFT.get(name, set())


@pytest.mark.parametrize("name", ["vac", "ldl-ses", "entete-complet", "bio-hemogramme"])
def test_a_document_converts_the_same_each_time(name: str) -> None:
    assert convert(corpus()[name]).entries == converted(name).entries


@pytest.mark.parametrize("name", NAMES)
def test_each_has_one_document_reference_one_composition_and_its_own_bytes(name: str) -> None:
    conversion = converted(name)
    (document,) = conversion.of("document")
    assert [each["resourceType"] for each in conversion.of("composition")] == ["Composition"]
    attachment = document["content"][0]["attachment"]
    binary = next(entry.resource for entry in conversion.entries if entry.full_url == attachment["url"])
    assert binary["contentType"] == "text/xml"
    assert attachment["size"] == len(corpus()[name])
    assert document["masterIdentifier"]["value"] == conversion.document.unique_id


@pytest.mark.parametrize("name", NAMES)
def test_provenance_ties_each_derived_resource_to_the_document(name: str) -> None:
    conversion = converted(name)
    (document,) = [entry.full_url for entry in conversion.entries if entry.role == "document"]
    tied = {
        target["reference"]
        for provenance in conversion.of("provenance")
        if any(entity["what"]["reference"] == document for entity in provenance.get("entity", ()))
        for target in provenance["target"]
    }
    assert tied == {entry.full_url for entry in conversion.entries if entry.role == "derived"}
