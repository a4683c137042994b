from __future__ import annotations

import pytest

from fhirserver.errors import BadRequest, NotAcceptable, UnsupportedMediaType
from fhirserver.rest import negotiate

JSON, XML = negotiate.FHIR_JSON, negotiate.FHIR_XML


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "",
        "*/*",
        "application/*",
        "text/*",
        "application/fhir+json",
        "application/json",
        "text/json",
        "application/fhir+json; fhirVersion=4.0",
        "application/fhir+xml;q=0.1, application/fhir+json;q=0.9",
        "application/fhir+xml, application/fhir+json",
        "application/xml;q=0.5, */*;q=0.5",
        "text/html, */*;q=0.1",
        "application/fhir+xml; fhirVersion=3.0, application/json;q=0.1",
        "application/fhir+xml;q=0, */*",
    ],
)
def test_json_is_answered_to_whoever_prefers_it_or_does_not_care(accept: str | None) -> None:
    assert negotiate.answer_type(accept, None) == JSON


@pytest.mark.parametrize(
    "accept",
    [
        "application/fhir+xml",
        "application/xml",
        "text/xml",
        "Application/FHIR+XML; charset=utf-8",
        "application/fhir+xml; fhirVersion=4.0",
        "application/fhir+xml;q=0.9, application/fhir+json;q=0.1",
        "application/xml, */*;q=0.5",
        "application/fhir+json;q=0, */*",
        "application/fhir+json; fhirVersion=5.0, application/fhir+xml;q=0.1",
        "text/html, application/fhir+xml, */*;q=0.1",
        "text/html, application/xml",
    ],
)
def test_xml_is_answered_to_whoever_prefers_it(accept: str) -> None:
    assert negotiate.answer_type(accept, None) == XML


def test_a_browser_gets_json() -> None:
    firefox = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    assert negotiate.answer_type(firefox, None) == JSON
    assert (
        negotiate.answer_type("text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8", None)
        == JSON
    )


@pytest.mark.parametrize(
    "accept",
    ["text/html", "application/fhir+json;q=0", "application/fhir+json; fhirVersion=3.0", "*/*;q=0", "text/turtle"],
)
def test_other_media_types_are_not_acceptable(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        negotiate.answer_type(accept, None)


def test_the_format_parameter_overrules_the_header() -> None:
    for text in ("json", "application/json", "application/fhir+json", "application/fhir json", "JSON"):
        assert negotiate.answer_type("application/fhir+xml", text) == JSON
    for text in ("xml", "text/xml", "application/fhir+xml", "application/fhir xml", "application/xml; fhirVersion=4.0"):
        assert negotiate.answer_type("text/html", text) == XML
    for text in ("html", "", "ttl", "application/fhir+xml; fhirVersion=5.0"):
        with pytest.raises(NotAcceptable):
            negotiate.answer_type("application/fhir+json", text)


@pytest.mark.parametrize(
    ("content_type", "media"),
    [
        ("application/fhir+json", JSON),
        ("application/json; charset=utf-8", JSON),
        ("text/json", JSON),
        ("application/fhir+xml", XML),
        ("application/xml; charset=UTF-8", XML),
        ("text/xml; charset=utf-16", XML),
        ("application/fhir+xml; fhirVersion=4.0", XML),
    ],
)
def test_json_and_xml_bodies_are_taken(content_type: str, media: str) -> None:
    assert negotiate.body_type(content_type) == media


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/xhtml+xml",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/fhir+xml; charset=utf-7",
        "application/json;fhirVersion=5.0",
    ],
)
def test_other_bodies_are_not(content_type: str | None) -> None:
    with pytest.raises(UnsupportedMediaType):
        negotiate.body_type(content_type)


@pytest.mark.parametrize(
    ("header", "returns", "lenient"),
    [
        (None, None, False),
        ("return=minimal", "minimal", False),
        ("return=OperationOutcome, handling=lenient", "OperationOutcome", True),
        ('respond-async; return="representation"', "representation", False),
        ("return=everything; handling=strict", None, False),
        ("return=minimal, return=representation", "minimal", False),
    ],
)
def test_preferences(header: str | None, returns: str | None, lenient: bool) -> None:
    found = negotiate.prefer(header)
    assert (found.returns, found.lenient) == (returns, lenient)
    assert found.asynchronous == ("respond-async" in (header or ""))


def test_if_match_names_one_version() -> None:
    assert negotiate.if_match(None) is None
    assert negotiate.if_match('W/"3"') == 3
    assert negotiate.if_match('"12"') == 12
    for header in ("", "3", "*", 'W/"a"', 'W/"1", W/"2"', 'W/"0"', f'W/"{"9" * 40}"'):
        with pytest.raises(BadRequest):
            negotiate.if_match(header)


def test_if_none_match_names_versions() -> None:
    assert negotiate.none_match('W/"1", W/"3"', 3)
    assert negotiate.none_match("*", 3)
    assert not negotiate.none_match('W/"2"', 3)
    assert not negotiate.none_match(None, 3)
