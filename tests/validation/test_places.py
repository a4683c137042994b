"""Locations in the text of a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhirserver import xmltext
from fhirserver.outcome import Issue
from fhirserver.spec import Definitions
from fhirserver.validation import places
from tests.validation.samples import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.validation import Validator

pytestmark = pytest.mark.no_cover

TEXT = """{
  "resourceType": "Patient",
  "name": [{"given": ["a",
      "b"], "_given": [null, {"extension": [{"url": "\\u0078\\""}]}]},
    {"fam\\u0069ly": "é", "text": "}, {[\\\\"}],
  "deceasedBoolean": true,
  "_birthDate": {"extension": [
     {"url": "u"}]}, "odd": [[1, 2], [{"a": 3}]]
}"""


@pytest.mark.parametrize(
    ("expression", "line", "begins"),
    [
        ("Patient", 1, "{"),
        ("Patient.name", 3, '"name"'),
        ("Patient.name[0]", 3, '{"given"'),
        ("Patient.name[0].given", 3, '"given"'),
        ("Patient.name[0].given[1]", 4, '"b"'),
        ("Patient.name[0].given[1].extension[0].url", 4, '"url": "\\u0078'),
        ("Patient.name[1]", 5, '{"fam'),
        ("Patient.name[1].family", 5, '"fam\\u0069ly"'),
        ("Patient.name[1].text", 5, '"text"'),
        ("Patient.deceased", 6, '"deceasedBoolean"'),
        ("Patient.birthDate", 7, '"_birthDate"'),
        ("Patient.birthDate.extension[0].url", 8, '"url"'),
        ("Patient.odd[0]", 8, "[1, 2]"),
        ("Patient.gender", 1, "{"),
        ("Patient.name[0].period.start", 3, '{"given"'),
        ("Patient.name[7].given", 3, '"name"'),
        ("Resource", 1, "{"),
    ],
)
def test_a_location_is_found_in_json(expression: str, line: int, begins: str) -> None:
    (issue,) = places.placed([Issue("error", "value", "t", (expression,))], TEXT.encode())
    assert issue.line == line
    assert issue.column is not None
    assert TEXT.splitlines()[line - 1][issue.column - 1 :].startswith(begins)


def test_a_byte_order_mark_takes_no_column() -> None:
    body = b'\xef\xbb\xbf{"resourceType": "Patient", "x": 1}'
    (issue,) = places.placed([Issue("error", "value", "t", ("Patient.x",))], body)
    assert (issue.line, issue.column) == (1, 29)


def test_an_issue_without_location_keeps_what_it_has() -> None:
    issues = [Issue("fatal", "structure", "t", line=3, column=4)]
    assert places.placed(issues, b"not JSON at all {{{") == issues
    told = places.placed([*issues, Issue("error", "value", "t", ("Patient",))], b'{"a": 1}')
    assert [(issue.line, issue.column) for issue in told] == [(3, 4), (1, 1)]


def steps(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Each location with the JSON text that begins there."""
    for key, member in value.items():
        yield f"{place}.{key}", json.dumps(key) + ":"
        for index, item in enumerate(member if isinstance(member, list) else ()):
            yield f"{place}.{key}[{index}]", json.dumps(item)[:1]
            if isinstance(item, dict):
                yield from steps(item, f"{place}.{key}[{index}]")
        if isinstance(member, dict):
            yield from steps(member, f"{place}.{key}")


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("indent", [None, 0, 2])
def test_every_place_of_a_resource_is_found(name: str, indent: int | None) -> None:
    resource = SAMPLES[name]()
    text = json.dumps(resource, indent=indent)
    lines = text.split("\n")
    listed = list(steps(resource, name))
    issues = places.placed([Issue("error", "value", "t", (place,)) for place, _ in listed], text.encode())
    for (place, begins), issue in zip(listed, issues, strict=True):
        assert issue.line is not None
        assert issue.column is not None
        assert lines[issue.line - 1][issue.column - 1 :].startswith(begins), place


MEMBERS = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@settings(max_examples=40)
@given(st.dictionaries(st.text(), MEMBERS), st.text())
def test_any_json_has_a_place_for_any_location(resource: dict[str, Any], location: str) -> None:
    text = json.dumps(resource).encode()
    (issue,) = places.placed([Issue("error", "value", "t", (location,))], text)
    assert issue.line == 1


XML = """<?xml version="1.0"?>
<Patient xmlns="http://hl7.org/fhir">
  <text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml">x</div></text>
  <contained><Organization><id value="o"/><name value="n"/></Organization></contained>
  <name><family value="é"/><given value="a"/><given value="b"><extension url="u"><valueCode value="x"/></extension>
    </given></name>
  <name><text value="&amp;"/></name>
  <deceasedBoolean value="true"/>
</Patient>
"""


@pytest.mark.parametrize(
    ("expression", "line", "begins"),
    [
        ("Patient", 2, "<Patient"),
        ("Patient.text.div", 3, "<div"),
        ("Patient.contained[0]", 4, "<contained"),
        ("Patient.contained[0].name", 4, "<name"),
        ("Patient.name", 5, "<name"),
        ("Patient.name[0].given[1]", 5, '<given value="b"'),
        ("Patient.name[0].given[1].extension[0].url", 5, "<extension"),
        ("Patient.name[0].given[1].extension[0].value", 5, "<valueCode"),
        ("Patient.name[1].text", 7, "<text"),
        ("Patient.deceased", 8, "<deceasedBoolean"),
        ("Patient.gender", 2, "<Patient"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_location_is_found_in_xml(expression: str, line: int, begins: str, encoding: str) -> None:
    body = XML.encode(encoding)
    assert xmltext.parse(body, Definitions.core())["resourceType"] == "Patient"
    (issue,) = places.placed([Issue("error", "value", "t", (expression,))], body, xml=True)
    assert issue.line == line
    assert issue.column is not None
    assert XML.splitlines()[line - 1][issue.column - 1 :].startswith(begins)


def test_namespace_prefixes_change_no_place() -> None:
    body = b'<f:Patient xmlns:f="http://hl7.org/fhir"><f:active value="true"/></f:Patient>'
    (issue,) = places.placed([Issue("error", "value", "t", ("Patient.active",))], body, xml=True)
    assert (issue.line, issue.column) == (1, 42)


def test_what_the_validator_finds_has_its_place(core: Validator) -> None:
    entry = b'{"resource": {"resourceType": "Patient",\n "gender": "x"}}'
    body = b'{"resourceType": "Bundle", "type": "collection", "entry": [\n' + entry + b"]}"
    issues = core.validate(body).issues
    found = {issue.rule: (issue.line, issue.column) for issue in places.placed(issues, body)}
    assert found["code"] == (3, 2)
