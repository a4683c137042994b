"""The official patch suites: FHIRPath Patch, JSON Patch (RFC 6902) and XML Patch (RFC 5261)."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from lxml import etree

from fhirserver import jsontext, xmltext
from fhirserver.errors import FhirError
from fhirserver.rest.patching import fhirpath_patch, json_patch
from fhirserver.rest.patching.xml_patch import applied
from fhirserver.spec import Definitions
from tests import corpus

XML_EXCEPTIONS = {
    "A.3.  Adding a Prefixed Namespace Declaration": "FHIR XML has no prefixes to declare",
    "A.4.  Adding a Comment Node with the 'pos' Attribute": "comments are not kept in what is stored",
    "A.9.  Replacing a Comment Node": "comments are not kept in what is stored",
    "A.15.  Removing a Comment Node": "comments are not kept in what is stored",
}


@cache
def xml_cases(file: str) -> dict[str, etree._Element]:
    if not corpus.present("patch"):
        return {}
    root = etree.parse(corpus.path("patch") / file).getroot()
    return {f"{case.get('name')}": case for case in root.iter("case")}


@cache
def json_cases() -> list[dict[str, Any]]:
    if not corpus.present("patch"):
        return []
    found: list[dict[str, Any]] = json.loads((corpus.path("patch") / "json-patch-tests.json").read_text("utf-8"))
    return found


def resource(case: etree._Element, name: str) -> dict[str, Any]:
    (holder,) = (each for each in case if each.tag == name)
    return xmltext.parse(etree.tostring(holder[0]), Definitions.core())


@pytest.mark.corpus("patch")
def test_the_suites_are_whole() -> None:
    assert len(xml_cases("fhir-patch-tests.xml")) == 33
    assert len(list(etree.parse(corpus.path("patch") / "xml-patch-tests.xml").iter("case"))) == 29
    assert len(json_cases()) == 16


@pytest.mark.corpus("patch")
@pytest.mark.parametrize("name", list(xml_cases("fhir-patch-tests.xml")) or ["absent"])
def test_fhirpath_patch(name: str) -> None:
    case = xml_cases("fhir-patch-tests.xml")[name]
    before, patch = resource(case, "input"), resource(case, "diff")
    kept = jsontext.dump(before)
    if any(each.tag == "error" for each in case):
        with pytest.raises(FhirError):
            fhirpath_patch(before, patch, Definitions.core())
    else:
        after = fhirpath_patch(before, patch, Definitions.core())
        assert canonical(after) == canonical(resource(case, "output"))
    assert jsontext.dump(before) == kept


@pytest.mark.corpus("patch")
@pytest.mark.parametrize("place", range(len(json_cases()) or 1))
def test_json_patch(place: int) -> None:
    case = json_cases()[place]
    kept = json.dumps(case["doc"])
    if "error" in case:
        with pytest.raises(FhirError):
            json_patch(case["doc"], case["patch"])
    else:
        assert json_patch(case["doc"], case["patch"]) == case["expected"]
    assert json.dumps(case["doc"]) == kept


@pytest.mark.corpus("patch")
@pytest.mark.parametrize("name", list(xml_cases("xml-patch-tests.xml")) or ["absent"])
def test_xml_patch(name: str) -> None:
    case = xml_cases("xml-patch-tests.xml")[name]
    parts = {etree.QName(each).localname: each for each in case if isinstance(each.tag, str)}
    if not len(parts["target"]):
        return  # a resource that is not there is 404 before any patch
    target, patch = (xmltext.Source(etree.tostring(each)).root for each in (parts["target"][0], parts["patch"]))
    if name in XML_EXCEPTIONS or "error" in parts:
        with pytest.raises(FhirError):
            applied(target, patch)
        return
    assert plain(applied(target, patch)) == plain(parts["patched"][0])


def canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: canonical(each) for name, each in sorted(value.items())}
    if isinstance(value, list):
        return [canonical(each) for each in value]
    if isinstance(value, str):
        return re.sub(r"\s*([<>])\s*", r"\1", " ".join(value.split()))
    return str(value) if isinstance(value, Decimal) else value


def plain(element: etree._Element) -> list[Any]:
    children = [plain(each) for each in element if isinstance(each.tag, str)]
    texts = [" ".join((each or "").split()) for each in (element.text, *(child.tail for child in element))]
    return [element.tag, dict(element.attrib), " ".join(filter(None, texts)), children]
