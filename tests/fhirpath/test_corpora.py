"""R4's own expressions over official examples: none raises, and no rule of severity error is broken."""

from __future__ import annotations

import functools
import json
import tarfile
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import pytest

from fhirserver import fhirpath, jsontext
from fhirserver.spec import Definitions
from tests import corpus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BROKEN: Final = {
    ("blood-tubes-supply", "Narrative.div", "txt-1"): "its div holds white space only, which htmlChecks() refuses",
    ("blood-tubes-supply", "Narrative.div", "txt-2"): "its div holds white space only",
}
"""Rules of severity error that official examples break."""

pytestmark = [pytest.mark.corpus("r4-core"), pytest.mark.corpus("examples-r4"), pytest.mark.no_cover]


@functools.cache
def examples() -> Mapping[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for file in sorted(corpus.path("examples-r4").glob("*.json")):
        resource = jsontext.parse_object(file.read_bytes())
        found[resource["resourceType"]].append(resource)
    return found


@functools.cache
def package(prefix: str) -> list[dict[str, Any]]:
    found = []
    with tarfile.open(corpus.path("r4-core")) as archive:
        for member in archive:
            if member.name.rpartition("/")[2].startswith(prefix):
                file = archive.extractfile(member)
                assert file is not None
                found.append(json.load(file))
    return found


@functools.cache
def constraints() -> Mapping[str, list[tuple[str, str, str]]]:
    """Type or path of a backbone -> key, severity and expression of its rules."""
    found: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for structure in package("StructureDefinition-"):
        if structure.get("derivation", "specialization") != "specialization" or "snapshot" not in structure:
            continue
        for element in structure["snapshot"]["element"]:
            at_home = [
                (rule["key"], rule["severity"], rule["expression"])
                for rule in element.get("constraint", ())
                if "expression" in rule
            ]
            found[element["path"]] += at_home
    return found


def test_no_search_parameter_raises() -> None:
    evaluated = 0
    everything = [resource for listed in examples().values() for resource in listed[:2]]
    for parameter in package("SearchParameter-"):
        if "expression" not in parameter:
            continue
        for base in parameter["base"]:
            resources = everything if base in ("Resource", "DomainResource") else examples().get(base, ())
            expression = fhirpath.compile(parameter["expression"], base)
            for resource in resources:
                assert [item.value for item in expression.typed(resource) if item.value is not None] == expression(
                    resource
                )
                evaluated += 1
    assert evaluated > 5000


def nodes(value: Any, kind: str, definitions: Definitions) -> Iterator[tuple[str, Any, str, Any]]:
    """Every element under a resource: declared path, node, type, `_` object."""
    yield kind, value, kind, None
    for name, property_ in definitions.type(kind).properties.items():
        path = f"{kind}.{property_.element}{'[x]' if property_.choice else ''}"
        listed = value.get(name)
        for child in listed if isinstance(listed, list) else [] if listed is None else [listed]:
            inner = child["resourceType"] if property_.type == "Resource" else property_.type
            yield path, child, inner, None
            if isinstance(child, dict):
                yield from nodes(child, inner, definitions)


@pytest.mark.parametrize("resource_type", sorted(examples()) if corpus.present("examples-r4") else [])
def test_no_invariant_raises_and_examples_break_none_of_severity_error(resource_type: str) -> None:
    definitions = Definitions.core()
    broken: set[tuple[str, str, str]] = set()
    for resource in examples()[resource_type]:
        for path, node, kind, extra in nodes(resource, resource_type, definitions):
            for key, severity, text in constraints().get(path, ()):
                rule = fhirpath.compile(text, kind)
                if rule.test(node, extra=extra, resource=resource) is False and severity == "error":
                    broken.add((resource.get("id", ""), path, key))
    listed = {each for each in BROKEN if any(each[0] == resource.get("id") for resource in examples()[resource_type])}
    assert broken == listed
