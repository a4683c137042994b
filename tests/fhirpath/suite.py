"""The official suite: its tests as tuples, and the verdict on one."""

from __future__ import annotations

import functools
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from lxml import etree

from fhirserver import fhirpath, jsontext
from fhirserver.fhirpath import Env, FhirPathError
from tests import corpus

if TYPE_CHECKING:
    from fhirserver.fhirpath import Typed


class Case(NamedTuple):
    """`expected` holds (type or None, text); None when the expression must fail."""

    name: str
    input: str | None
    expression: str
    expected: tuple[tuple[str | None, str], ...] | None
    predicate: bool
    ordered: bool


def cases() -> list[Case]:
    """Every test; a name that comes twice gets a number."""
    found: list[Case] = []
    seen: dict[str, int] = {}
    for node in etree.parse(str(corpus.path("fhirpath") / "tests-fhir-r4.xml")).getroot().iter("test"):
        expression = node.find("expression")
        assert expression is not None
        name = node.get("name", "")
        seen[name] = seen.get(name, 0) + 1
        outputs = tuple((output.get("type"), output.text or "") for output in node.findall("output"))
        found.append(
            Case(
                name if seen[name] == 1 else f"{name}#{seen[name]}",
                node.get("inputfile"),
                expression.text or "",
                None if expression.get("invalid") else outputs,
                node.get("predicate") == "true",
                node.get("ordered") != "false",
            )
        )
    return found


@functools.cache
def resource(name: str) -> dict[str, Any]:
    file = (corpus.path("fhirpath") / "inputs" / name).with_suffix(".json")
    return jsontext.parse_object(file.read_bytes())


def fault(case: Case) -> str | None:
    """What is wrong with the engine's answer to a case, None when it is right."""
    node = resource(case.input or "patient-example.xml")
    try:
        expression = fhirpath.compile(case.expression, node["resourceType"], lenient_as=False, strict=True)
        result = expression.typed(node, env=Env())
    except FhirPathError as error:
        return None if case.expected is None else str(error)
    if case.expected is None:
        return f"should fail, gave {result}"
    if case.predicate:
        return None if bool(result) == (case.expected[0][1] == "true") else f"gave {result}"
    if len(result) != len(case.expected):
        return f"gave {result}"
    expected = list(case.expected)
    if not case.ordered:
        expected.sort(key=lambda pair: pair[1])
        result = sorted(result, key=_text)
    wrong = [item for item, (kind, text) in zip(result, expected, strict=True) if not _is(item, kind, text)]
    return f"gave {wrong}" if wrong else None


def _text(item: Typed) -> str:
    value = item.value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict) and item.type == "Quantity":
        return f"{value['value']} '{value['code']}'"
    return str(value)


def _is(item: Typed, kind: str | None, text: str) -> bool:
    if kind is not None and item.type != kind:
        return False
    text = text.removeprefix("@T") if item.type == "time" else text.removeprefix("@")
    if kind is None and isinstance(item.value, int | Decimal) and not isinstance(item.value, bool):
        return item.value == Decimal(text)
    if item.type == "decimal":
        return bool(item.value == Decimal(text))
    return _text(item) == text
