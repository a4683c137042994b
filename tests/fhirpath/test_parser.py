from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhirserver import fhirpath
from fhirserver.fhirpath import FhirPathError, nodes
from fhirserver.fhirpath.lexer import MAX_LENGTH
from fhirserver.fhirpath.parser import MAX_DEPTH, parse
from fhirserver.fhirpath.quantity import Quantity


def test_operators_bind_as_the_specification_lists_them() -> None:
    tree = parse("a implies b or c and d in e = f < g | h is i + j * -k.l")
    path = []
    while isinstance(tree, nodes.Binary | nodes.Many | nodes.TypeTest | nodes.Unary):
        path.append(tree.operator)
        tree = (
            tree.operands[-1]
            if isinstance(tree, nodes.Many)
            else tree.right
            if isinstance(tree, nodes.Binary)
            else tree.operand
        )
    assert path[:7] == ["implies", "or", "and", "in", "=", "<", "|"]


def test_literals_are_python_values() -> None:
    def value(text: str) -> object:
        node = parse(text)
        assert isinstance(node, nodes.Literal)
        return node.value

    assert value("1") == 1
    assert str(value("1.50")) == "1.50"
    assert value("'a\\u00e9\\n\\''") == "aé\n'"
    assert value("'\\ud83d\\ude00'") == "😀"
    assert value("true") is True
    assert value("{}") is None
    assert value("4 days") == Quantity(Decimal(4), "days")
    assert value("4 'mg'") == Quantity(Decimal(4), "mg")
    assert str(value("@2020-02-29T10:11:12.5-03:30")) == "2020-02-29T10:11:12.5-03:30"
    assert str(value("@T10:11")) == "10:11"


def test_keywords_are_names_where_a_name_belongs() -> None:
    node, names = parse("contains.is.as.in.div.mod"), []
    while isinstance(node, nodes.Member):
        names.append(node.name)
        node = node.source
    assert isinstance(node, nodes.Name)
    assert [node.name, *reversed(names)] == ["contains", "is", "as", "in", "div", "mod"]
    assert fhirpath.compile("expansion.repeat(contains).code", "ValueSet")(
        {"resourceType": "ValueSet", "expansion": {"contains": [{"code": "a", "contains": [{"code": "b"}]}]}}
    ) == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("name.", 5),
        ("name given", 5),
        ("name.where(", 11),
        ("name[0", 6),
        ("(1 + 2", 6),
        ("1 +", 3),
        ("#", 0),
        ("'open", 0),
        ("2 /* open", 3),
        ("@2020-13-01", 0),
        ("@T25", 0),
        ("@2020-01-01T24:00", 0),
        ("'\\x'", 0),
        ("'\\ud83d'", 0),
        ("{1}", 1),
        ("a.$this", 2),
        ("a is 1", 5),
        ("1" * 41, 0),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_position(text: str, position: int) -> None:
    with pytest.raises(FhirPathError) as caught:
        parse(text)
    assert caught.value.position == position
    assert str(position) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "(" * (MAX_DEPTH + 1) + "1" + ")" * (MAX_DEPTH + 1),
        "name" + ".where(true)" * (MAX_DEPTH + 1),
        "1" + " + 1" * (MAX_DEPTH + 1),
        "-" * (MAX_DEPTH + 1) + "1",
        "exists(" * (MAX_DEPTH + 1) + "true" + ")" * (MAX_DEPTH + 1),
        "x" * (MAX_LENGTH + 1),
    ],
)
def test_nesting_and_length_have_limits(text: str) -> None:
    with pytest.raises(FhirPathError):
        fhirpath.compile(text, "Patient")


def test_long_runs_of_one_operator_are_no_nesting() -> None:
    assert fhirpath.compile(" or ".join(["false"] * 1000) + " or true", "Patient")({}) == [True]
    assert len(fhirpath.compile(" | ".join(map(str, range(1000))), "Patient")({})) == 1000


def test_the_deepest_expression_allowed_runs() -> None:
    deep = MAX_DEPTH - 2
    text = "name.where($this" + ".where($this" * (deep - 1) + ".exists()" + ")" * deep
    assert fhirpath.compile(text, "Patient")({"resourceType": "Patient", "name": [{"family": "x"}]})


@given(st.text(alphabet="ab.()[]{}|&+-*/<>=!~'`%@$,12 T:Zisandor\\\n", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        fhirpath.compile(text, "Patient")({"resourceType": "Patient"})
    except FhirPathError:
        return
