"""Documents of other hands: the generator's, spelled otherwise, and with all that CDA R2 lets one add."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from lxml import etree

from fhirserver.documents.cda import PATIENT, convert
from fhirserver.rest.documents.cda_actors import resolved
from tests.documents.accounting import unaccounted
from tests.documents.corpus import corpus, dangling, validator
from tools.cda.habits import HABITS, written_otherwise
from tools.cda.habits.pieces import put
from tools.cda.habits.statements import comment
from tools.cda.spellings import SPELLINGS, respelled
from tools.cda.xml import V3, el

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.documents.cda import Conversion

pytestmark = pytest.mark.no_cover

NAMES = sorted(set(corpus()) - {"latin-1", "utf-16", "auto-presentable"})


def plain(value: Any) -> Any:
    """A value without order: of elements of different names, CDA says none."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in sorted(value.items()) if name not in ("hash", "size")}
    if isinstance(value, list):
        return sorted((plain(each) for each in value), key=str)
    return value


def told(data: bytes) -> dict[str, Any]:
    """All resources by their URL, but the document's own bytes."""
    entries = convert(data).entries
    return {each.full_url: plain(each.resource) for each in entries if each.resource.get("contentType") != "text/xml"}


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda each: each.__name__)
def test_however_a_document_is_spelled_it_says_the_same(
    spelling: Callable[[etree._Element, Random], bytes],
) -> None:
    for number, name in enumerate(NAMES):
        if spelling.__name__ == "anchors" and b"renderMultiMedia" in corpus()[name]:
            continue  # the place of an image shows its anchor
        assert told(respelled(corpus()[name], Random(number), spelling)) == told(corpus()[name]), name


def checked(data: bytes, before: list[str]) -> list[str]:
    """What is wrong with a conversion: what neither a resource nor the account names, and what validation refuses."""
    conversion = convert(data)
    known = {PATIENT: "Patient/p"}
    known |= {
        each.full_url: f"{each.resource['resourceType']}/{each.full_url[len('urn:uuid:') :]}"
        for each in conversion.entries
    }
    invalid = [
        str(issue)
        for each in conversion.entries
        for issue in validator().validate(resolved(each.resource, known)).issues
        if issue.is_error
    ]
    values = {each.rpartition(" = ")[2] for each in before}
    return invalid + dangling(conversion) + [
        each for each in unaccounted(data, conversion) if each.rpartition(" = ")[2] not in values
    ]  # fmt: skip


def drawn(number: int) -> tuple[str, list[str]]:
    random = Random(number)
    name = random.choice(NAMES)
    before = unaccounted(corpus()[name], convert(corpus()[name]))
    return name, checked(written_otherwise(corpus()[name], random, random.randint(1, 6)), before)


def test_whatever_other_hands_add_is_in_a_resource_or_named() -> None:
    for number in range(300):
        name, wrong = drawn(number)
        assert wrong == [], (number, name)


@pytest.mark.long
def test_whatever_other_hands_add_is_in_a_resource_or_named_at_length() -> None:
    for number in range(300, 20_000):
        name, wrong = drawn(number)
        assert wrong == [], (number, name)


def test_each_habit_changes_documents() -> None:
    for habit in HABITS:
        assert any(
            written_otherwise(corpus()[name], Random(3), 1, (habit,)) != written_otherwise(corpus()[name], Random(3), 0)
            for name in NAMES
        ), habit.__name__


def changed(name: str, path: str, *children: etree._Element) -> Conversion:
    """What becomes of a document with children more at a path of HL7 v3 names."""
    root = etree.fromstring(corpus()[name])
    place = root.find(".//" + "/".join(f"{{{V3}}}{step}" for step in path.split("/")))
    assert place is not None
    put(place, *children)
    return convert(etree.tostring(root))


def left(conversion: Conversion) -> list[str]:
    return [each.xpath.rpartition("/entry")[2] for each in conversion.left]


def myself(tag: str) -> etree._Element:
    """The patient in a role."""
    return el(tag, el("id", root="1.2.250.1.213.1.4.10", extension="279035121518989"))


def test_the_patient_may_measure_and_take_a_sample_himself() -> None:
    conversion = changed("bio-hemogramme", "act", el("author", el("time", value="20260301"), myself("assignedAuthor")))
    assert {"reference": PATIENT} in [
        {"reference": each["reference"]} for each in conversion.all("Observation")[0]["performer"]
    ]
    conversion = changed("bio-hemogramme", "act/entryRelationship/procedure", el("performer", myself("assignedEntity")))
    assert any("procedure/performer" in each for each in left(conversion))  # a collector is a professional in R4


def test_who_has_an_ins_of_another_person_is_not_the_patient() -> None:
    other = el("participantRole", el("id", root="1.2.250.1.213.1.4.8", extension="1"), classCode="PAT")
    conversion = changed(
        "signes-vitaux", "entry/organizer/component/observation", el("participant", other, typeCode="DEV")
    )
    assert [each["patient"] for each in conversion.all("RelatedPerson")] == [{"reference": PATIENT}]


def test_the_id_of_a_role_that_is_nothing_but_an_organization_is_left() -> None:
    who = el(
        "assignedEntity", el("id", root="1.2.3", extension="Zq1"), el("representedOrganization", el("name", "Zq2"))
    )
    conversion = changed("signes-vitaux", "entry/organizer/component/observation", el("performer", who))
    assert any(each.endswith("performer/assignedEntity/id") for each in left(conversion))
    assert any(each.get("name") == "Zq2" for each in conversion.all("Organization"))


def test_a_person_in_the_place_of_a_device_is_no_device() -> None:
    who = el("participantRole", el("id", root="1.2.3", extension="Zq1"), el("playingEntity", el("name", "Zq2")))
    conversion = changed("bio-hemogramme", "component/observation", el("participant", who, typeCode="DEV"))
    devices = {each.full_url for each in conversion.entries if each.resource["resourceType"] == "Device"}
    assert {each["device"]["reference"] for each in conversion.all("Observation") if "device" in each} <= devices


@pytest.mark.parametrize(("low", "high", "runs"), [
    ("20260305", "20260301", False), ("20260305", "2026", True), ("202603", "20260301", True),
    ("20260305120000+0100", "20260305113000+0000", True), ("20260305120000+0100", "20260305100000+0000", False),
])  # fmt: skip
def test_a_period_that_ends_before_it_starts_has_no_end(low: str, high: str, runs: bool) -> None:
    when = el("effectiveTime", el("low", value=low), el("high", value=high))
    root = etree.fromstring(corpus()["crop"])
    procedure = root.find(f".//{{{V3}}}procedure")
    assert procedure is not None
    for each in procedure.findall(f"{{{V3}}}effectiveTime"):
        procedure.remove(each)
    put(procedure, when)
    conversion = convert(etree.tostring(root))
    done = conversion.all("Procedure")[0]
    assert ("end" in done["performedPeriod"]) is runs
    assert any(each.endswith("effectiveTime/high") for each in left(conversion)) is not runs


def test_what_a_reference_to_another_entry_says_besides_is_left() -> None:
    conversion = changed(
        "edisp-med", "entry/supply/entryRelationship/act", el("subject", el("relatedSubject", el("code", code="Zq")))
    )
    assert any(each.endswith("act/subject") for each in left(conversion))


def test_the_document_replaced_is_named_among_others() -> None:
    related = [
        el("relatedDocument", el("parentDocument", el("id", root=f"1.2.250.1.999.{number}")), typeCode=kind)
        for number, kind in enumerate(("XFRM", "RPLC", "APND"))
    ]
    root = etree.fromstring(corpus()["l1-texte"])
    place = root.find(f"{{{V3}}}componentOf")
    assert place is not None
    for each in related:
        place.addprevious(each)
    conversion = convert(etree.tostring(root), mode="lenient")
    assert conversion.document.replaces == "urn:oid:1.2.250.1.999.1"
    assert [each.xpath[-18:] for each in conversion.left] == ["relatedDocument[1]", "relatedDocument[3]"]


def test_a_comment_on_what_becomes_nothing_is_left() -> None:
    said = el("organizer", el("statusCode", code="completed"), el("component", comment(Random(1))), classCode="CLUSTER")
    conversion = changed("crop", "section", el("entry", said))
    assert any("/organizer/component/act" in each for each in left(conversion))
