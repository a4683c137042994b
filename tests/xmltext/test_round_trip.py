"""JSON to XML and back gives the same value, digit for digit and, in narratives, character for character."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhirserver import jsontext, xmltext
from fhirserver.errors import InvalidXml, NotAcceptable
from fhirserver.spec import Definitions
from tests import corpus

pytestmark = pytest.mark.no_cover

CORE = Definitions.core()
_FORBIDDEN = [*(chr(code) for code in range(0x20) if chr(code) not in "\t\n\r"), "\ufffe", "\uffff"]
_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=_FORBIDDEN), min_size=1, max_size=30)
_DECIMALS = st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
_EXTENSIONS = st.fixed_dictionaries(
    {"extension": st.lists(st.fixed_dictionaries({"url": _TEXTS, "valueCode": _TEXTS}), min_size=1, max_size=2)}
)


def there_and_back(value: dict[str, Any]) -> dict[str, Any]:
    """Through XML, plain and pretty, which must agree."""
    found = xmltext.parse(xmltext.dump(value, CORE), CORE)
    assert canonical(xmltext.parse(xmltext.dump(value, CORE, pretty=True), CORE)) == canonical(found)
    return found


def canonical(value: Any) -> Any:
    """A value in which numbers are their digits and the order of members does not count."""
    if isinstance(value, dict):
        return {name: canonical(each) for name, each in sorted(value.items())}
    if isinstance(value, list):
        return [canonical(each) for each in value]
    return value if isinstance(value, str | bool | None) else jsontext.dump(value)


@pytest.mark.corpus("examples-r4")
def test_every_official_example_is_the_same_after_a_round_trip() -> None:
    files = sorted(corpus.path("examples-r4").glob("*.json"))
    assert len(files) > 300
    for file in files:
        value = jsontext.parse_object(file.read_bytes())
        assert canonical(there_and_back(value)) == canonical(value), file.name


@pytest.mark.corpus("synthea")
def test_a_whole_record_is_the_same_after_a_round_trip() -> None:
    for file in sorted(corpus.path("synthea").glob("*.json.gz"))[:2]:
        value = jsontext.parse_object(gzip.decompress(file.read_bytes()))
        assert canonical(there_and_back(value)) == canonical(value), file.name


@pytest.mark.corpus("fhirpath")
def test_official_xml_means_the_json_beside_it() -> None:
    files = {file.stem: file for file in (corpus.path("fhirpath") / "inputs").glob("*.xml")}
    misordered = files.pop("observation-example").read_bytes()
    assert len(files) >= 6
    for file in files.values():
        found = xmltext.parse(file.read_bytes(), CORE)
        assert meant(found) == meant(jsontext.parse_object(file.with_suffix(".json").read_bytes())), file
    with pytest.raises(InvalidXml, match="'extension' must come before 'status'"):
        xmltext.parse(misordered, CORE)


def meant(value: dict[str, Any]) -> Any:
    """The JSON copies have bare quotation marks in the narrative, the only difference."""
    narrative = value.get("text", {})
    if "div" in narrative:
        narrative["div"] = narrative["div"].replace("&quot;", '"')
    return canonical(value)


@settings(deadline=None)
@given(_TEXTS)
def test_any_text_survives(text: str) -> None:
    value = {"resourceType": "Patient", "name": [{"family": text, "given": [text, text]}]}
    assert there_and_back(value) == value


@settings(deadline=None)
@given(st.text(st.sampled_from([*_FORBIDDEN, "a", "é"]), min_size=1, max_size=5), st.booleans())
def test_a_character_that_xml_has_not_is_refused_by_its_number_and_place(text: str, narrative: bool) -> None:
    if set(text) <= {"a", "é"}:
        return
    value: dict[str, Any] = {"resourceType": "Patient", "name": [{"family": text}]}
    if narrative:
        value = {"resourceType": "Patient", "text": {"div": f'<div xmlns="http://www.w3.org/1999/xhtml">{text}</div>'}}
    with pytest.raises(NotAcceptable, match=r"Patient\.(name\.family|text\.div) .* U\+[0-9A-F]{4}\. Ask for JSON"):
        xmltext.dump(value, CORE)


@settings(deadline=None, max_examples=300)
@given(_DECIMALS)
def test_any_decimal_keeps_its_digits(digits: str) -> None:
    body = b'{"resourceType":"Observation","valueQuantity":{"value":%s}}' % digits.encode()
    value = jsontext.parse(body)
    assert f'value="{digits}"'.encode() in xmltext.dump(value, CORE)
    assert jsontext.dump(there_and_back(value)) == body


@settings(deadline=None)
@given(st.integers(-(2**31), 2**31 - 1), st.booleans())
def test_integers_and_booleans_are_typed_by_their_element(number: int, flag: bool) -> None:
    value = {"resourceType": "Patient", "active": flag, "multipleBirthInteger": number}
    assert there_and_back(value) == value
    assert type(there_and_back(value)["active"]) is bool


@settings(deadline=None)
@given(st.lists(st.tuples(st.none() | _TEXTS, st.none() | _EXTENSIONS).filter(any), min_size=1, max_size=5))
def test_repeated_primitives_keep_their_ids_and_extensions_at_their_places(
    given: list[tuple[str | None, dict[str, Any] | None]],
) -> None:
    name: dict[str, Any] = {"family": "x"}
    if any(value is not None for value, _ in given):
        name["given"] = [value for value, _ in given]
    if any(extra is not None for _, extra in given):
        name["_given"] = [extra for _, extra in given]
    value = {"resourceType": "Patient", "name": [name]}
    assert there_and_back(value) == value
