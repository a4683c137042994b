from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhirserver import jsontext
from fhirserver.errors import InvalidJson


@pytest.mark.parametrize(
    "text",
    [
        "1.0",
        "1.00",
        "0.0000001",
        "1e2",
        "1E+2",
        "-0",
        "-0.0",
        "12345678901234567890.123456789",
        "2" + "0" * 19,
        "100",
        "0.10",
    ],
)
def test_a_number_is_written_digit_for_digit_as_it_was_read(text: str) -> None:
    body = f'{{"value":{text}}}'.encode()
    assert jsontext.dump(jsontext.parse(body)) == body


@pytest.mark.parametrize("text", ["1.0", "7", "-0", "1e2", "-9223372036854775809", "18446744073709551616"])
def test_a_number_alone_is_read_as_within_a_document(text: str) -> None:
    found, same = jsontext.number(text), jsontext.parse(text.encode())
    assert (type(found), found, jsontext.dump(found)) == (type(same), same, text.encode())


def test_a_decimal_is_a_decimal_and_an_integer_an_integer() -> None:
    value = jsontext.parse(b'{"a": 1.50, "b": 2}')
    assert value == {"a": Decimal("1.50"), "b": 2}
    assert isinstance(value["a"], Decimal)
    assert isinstance(value["b"], int)


def test_a_byte_order_mark_is_taken_off() -> None:
    assert jsontext.parse(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b'{"a": 1', "Not JSON"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"x": {"b": 1, "c": 2, "b": 3}}', "'b'"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b'{"a": "\\ud800"}', "Not JSON"),
        (b'{"a": "\x01"}', "Not JSON"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "levels"),
        (b"[" * 200 + b"]" * 200, "levels"),
        (b"[" * 100_000 + b"]" * 100_000, "deep"),
        (b'{"a": ' + b"9" * 5000 + b"}", "beyond"),
        (b'{"a": 1} x', "Not JSON"),
    ],
)
def test_what_is_not_fhir_json_is_refused_with_the_reason(body: bytes, word: str) -> None:
    with pytest.raises(InvalidJson, match=word):
        jsontext.parse(body)


@pytest.mark.parametrize("body", [b"", b"  ", b"[]", b'"text"', b"1", b"null"])
def test_only_an_object_is_a_resource(body: bytes) -> None:
    with pytest.raises(InvalidJson):
        jsontext.parse_object(body)


def test_a_hundred_levels_are_taken() -> None:
    body = b'{"a":' * 99 + b"1" + b"}" * 99
    assert jsontext.dump(jsontext.parse(body)) == body


def test_text_that_is_not_unicode_is_not_written() -> None:
    with pytest.raises(InvalidJson):
        jsontext.dump({"a": "\ud800"})


def test_what_is_not_json_is_not_written() -> None:
    with pytest.raises(InvalidJson):
        jsontext.dump({"a": object()})


_NUMBERS = st.integers(-(2**63), 2**63) | st.decimals(allow_nan=False, allow_infinity=False)
_VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), _VALUES, max_size=5))
def test_what_is_written_reads_back_equal(value: dict[str, object]) -> None:
    try:
        body = jsontext.dump(value)
    except InvalidJson:
        return
    assert jsontext.parse(body) == value
    assert jsontext.dump(jsontext.parse(body)) == body


def test_pretty_text_holds_the_same_value() -> None:
    value = jsontext.parse(b'{"a":[1.50,{"b":null}]}')
    assert jsontext.parse(jsontext.pretty(value)) == value
