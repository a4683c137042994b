"""Documents that nobody has seen: the generator's, changed at random. Each converts whole, or is refused with words."""

from __future__ import annotations

import re
from random import Random
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from fhirserver import jsontext
from fhirserver.documents.cda import convert
from fhirserver.errors import FhirError
from tests.documents.corpus import corpus, dangling, errors
from tools.cda.mutations import BENIGN, mutated

if TYPE_CHECKING:
    from fhirserver.documents.cda import Conversion

pytestmark = pytest.mark.no_cover

NAMES = sorted(set(corpus()) - {"latin-1", "utf-16", "auto-presentable"})
SEED = 20260305
STATED = ("code", "extension", "unit", "value")
"""Attributes that say something of their own; a displayName only repeats its code in words."""

JUDGED = {f"/ClinicalDocument/{name}" for name in ("realmCode", "typeId", "templateId[2]", "component/nonXMLBody/text")}
"""Where a word that should not be there is a finding."""


def draw(number: int) -> tuple[str, Random]:
    random = Random(SEED * 100_003 + number)
    return random.choice(NAMES), random


def checked(data: bytes) -> Conversion | None:
    """The conversion, all of it valid; None when the document was refused with words."""
    try:
        conversion = convert(data)
    except FhirError:
        return None
    assert errors(conversion) == []
    assert dangling(conversion) == []
    return conversion


def test_no_change_of_structure_breaks_the_conversion() -> None:
    for number in range(120):
        name, random = draw(number)
        checked(mutated(corpus()[name], random, random.randint(1, 8)))


@pytest.mark.long
def test_no_change_of_structure_breaks_the_conversion_at_length() -> None:
    for number in range(120, 5_000):
        name, random = draw(number)
        checked(mutated(corpus()[name], random, random.randint(1, 12)))


def test_benign_changes_lose_no_statement() -> None:
    for number in range(40):
        name, random = draw(number)
        assert checked(mutated(corpus()[name], random, 3, BENIGN)) is not None


def marked(data: bytes, random: Random) -> tuple[bytes, str, str]:
    """A document with a word of its own in one attribute or text of its body or header, and where it stands."""
    root = etree.fromstring(data)
    places: list[tuple[etree._Element, str]] = []
    for element in root.iter(etree.Element):
        places += [(element, str(name)) for name in element.attrib if name in STATED]
        if element.text and element.text.strip() and len(element.text) < 200:
            places.append((element, ""))
    element, attribute = random.choice(places)
    mark = f"Zq{random.randrange(10**9)}"
    if attribute:
        element.set(attribute, mark)
    else:
        element.text = mark
    path = root.getroottree().getelementpath(element)
    return etree.tostring(root), mark, "/ClinicalDocument/" + re.sub(r"\{urn:hl7-org:v3\}", "", path)


def is_left(conversion: Conversion, path: str) -> bool:
    plain = re.sub(r"\[\d+\]", "", path)
    return any(
        f"{plain}/".startswith(re.sub(r"\[\d+\]|/@.*|/text\(\)", "", each.xpath) + "/") for each in conversion.left
    )


def test_every_word_of_a_document_is_in_a_resource_or_named() -> None:
    for number in range(150):
        name, random = draw(number)
        data, mark, path = marked(corpus()[name], random)
        if path in JUDGED:
            continue
        conversion = convert(data)
        told = b"".join(
            jsontext.dump(entry.resource)
            for entry in conversion.entries
            if entry.resource.get("contentType") != "text/xml"
        ).decode()
        patient = str(conversion.document.patient.resource)
        assert mark in told or mark in patient or is_left(conversion, path), (name, path)
