from __future__ import annotations

import pytest

from fhirserver.errors import BadRequest, NotAcceptable, UnsupportedMediaType
from fhirserver.rest import negotiate


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "",
        "*/*",
        "application/*",
        "application/fhir+json",
        "application/json",
        "application/fhir+json; fhirVersion=4.0",
        "application/fhir+xml;q=0.9, application/fhir+json;q=0.1",
        "text/html, */*;q=0.1",
    ],
)
def test_json_is_answered_to_whoever_takes_it(accept: str | None) -> None:
    negotiate.require_json_answer(accept, None)


@pytest.mark.parametrize(
    "accept",
    ["application/fhir+xml", "text/html", "application/fhir+json;q=0", "application/fhir+json; fhirVersion=3.0"],
)
def test_other_media_types_are_not_acceptable(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        negotiate.require_json_answer(accept, None)


def test_the_format_parameter_overrules_the_header() -> None:
    for text in ("json", "application/json", "application/fhir+json", "application/fhir json"):
        negotiate.require_json_answer("application/fhir+xml", text)
    for text in ("xml", "html", ""):
        with pytest.raises(NotAcceptable):
            negotiate.require_json_answer("application/fhir+json", text)


@pytest.mark.parametrize("content_type", ["application/fhir+json", "application/json; charset=utf-8", "text/json"])
def test_json_bodies_are_taken(content_type: str) -> None:
    negotiate.require_json_body(content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/fhir+xml",
        "application/json; charset=latin-1",
        "application/json;fhirVersion=5.0",
    ],
)
def test_other_bodies_are_not(content_type: str | None) -> None:
    with pytest.raises(UnsupportedMediaType):
        negotiate.require_json_body(content_type)


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
    assert negotiate.prefer(header) == (returns, lenient)


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
