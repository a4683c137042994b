"""Biology reports (CR-BIO 2024.01): each kind of statement becomes the resource that is searched for it."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fhirserver.documents.cda import convert
from fhirserver.documents.cda.conversion import PATIENT, Conversion
from fhirserver.errors import FhirError
from fhirserver.validation import Validator
from tests.documents.accounting import lost
from tools.cda.header import written
from tools.cda.mutations import mutated, prefixed
from tools.cda.reports import DOCUMENTS

if TYPE_CHECKING:
    from collections.abc import Mapping

Resource = dict[str, Any]
DATA: Mapping[str, bytes] = {name: written(document) for name, document in DOCUMENTS.items()}
VALIDATOR = Validator()
LOINC = "http://loinc.org"
TRANSLATION = "http://hl7.org/fhir/StructureDefinition/iso21090-PQ-translation"
SEQUEL = "http://hl7.org/fhir/StructureDefinition/observation-sequelTo"


def read(name: str) -> Conversion:
    return convert(DATA[name])


def target(conversion: Conversion, reference: Resource) -> Resource:
    return next(entry.resource for entry in conversion.entries if entry.full_url == reference["reference"])


def coded(conversion: Conversion, code: str, index: int = 0) -> Resource:
    """The Observation of a code; of several, the one at a place."""
    found = [
        each
        for each in conversion.all("Observation")
        if any(coding.get("code") == code for coding in each["code"].get("coding", ()))
    ]
    return found[index]


def errors(conversion: Conversion) -> list[str]:
    return [
        f"{entry.resource['resourceType']}: {issue.text} {issue.expression}"
        for entry in conversion.entries
        for issue in VALIDATOR.check(entry.resource)
        if issue.is_error
    ]


@pytest.mark.parametrize("name", DATA)
def test_every_report_of_the_corpus_converts_whole(name: str) -> None:
    conversion = read(name)
    assert [finding.text for finding in conversion.findings if finding.is_error] == []
    assert errors(conversion) == []
    assert lost(DATA[name], conversion) == []
    assert [each.xpath for each in conversion.left if not each.xpath.endswith("/time")] == []
    assert read(name) == conversion


def test_a_chapter_is_a_report_of_all_its_results() -> None:
    conversion = read("bio-hemogramme")
    (report,) = conversion.all("DiagnosticReport")
    assert report["code"]["coding"][0]["code"] == "18723-7"
    assert report["status"] == "final"
    assert report["issued"] == "2026-03-05T10:15:00+01:00"
    (battery,) = [target(conversion, each) for each in report["result"]]
    assert len(battery["hasMember"]) == 13
    assert battery["note"] == [{"text": "Hyperleucocytose à contrôler."}]
    laboratory = target(conversion, target(conversion, report["performer"][0])["organization"])
    assert laboratory["identifier"][0]["value"] == "690000029"
    (copy,) = report["presentedForm"]
    assert target(conversion, {"reference": copy["url"]})["contentType"] == "application/pdf"


def test_a_result_can_be_searched_by_what_it_says() -> None:
    conversion = read("bio-hemogramme")
    found = coded(conversion, "718-7")
    assert found["status"] == "final"
    assert found["subject"] == {"reference": PATIENT}
    assert [concept["coding"][0]["code"] for concept in found["category"]] == ["laboratory", "18723-7"]
    assert found["code"]["text"] == "Hémoglobine"
    assert found["effectiveDateTime"] == "2026-03-05T09:30:00+01:00"
    assert str(found["valueQuantity"]["value"]) == "13.40"
    assert found["valueQuantity"]["code"] == "g/dL"
    assert found["interpretation"][0]["coding"][0]["code"] == "N"
    assert str(found["referenceRange"][0]["low"]["value"]) == "11.5"
    assert target(conversion, found["specimen"])["receivedTime"] == "2026-03-05T08:15:00+01:00"


def test_a_previous_result_stands_by_itself_and_takes_nothing_of_the_present_one() -> None:
    conversion = read("bio-hemogramme")
    found = coded(conversion, "718-7")
    (link,) = found["extension"]
    assert link["url"] == SEQUEL
    former = target(conversion, link["valueReference"])
    assert former["effectiveDateTime"] == "2025-12-04T09:00:00+01:00"
    assert former["valueQuantity"]["value"] == Decimal("13.1")
    assert former["code"]["coding"] == found["code"]["coding"]
    assert not {"specimen", "performer", "referenceRange"} & former.keys()
    (report,) = conversion.all("DiagnosticReport")
    assert link["valueReference"] not in report["result"]


def test_a_value_in_two_units_keeps_both() -> None:
    found = coded(read("bio-biochimie"), "14749-6")["valueQuantity"]
    assert (str(found["value"]), found["code"]) == ("5.10", "mmol/L")
    (other,) = found["extension"]
    assert other["url"] == TRANSLATION
    assert (str(other["valueQuantity"]["value"]), other["valueQuantity"]["code"]) == ("0.92", "g/L")


def test_two_principal_values_of_a_result_keep_both() -> None:
    single = b'<translation value="0.92" code="g/L" codeSystem="2.16.840.1.113883.6.8" displayName="g/L"/>'
    data = DATA["bio-biochimie"]
    start = data.index(single)
    end = data.index(b"</value>", start) + len(b"</value>")
    changed = data[:start] + b'</value><value xsi:type="PQ" value="0.92" unit="g/L"/>' + data[end:]
    found = coded(convert(changed), "14749-6")["valueQuantity"]
    assert found["extension"][0]["valueQuantity"]["code"] == "g/L"


def test_sub_chapters_are_categories_of_their_results() -> None:
    conversion = read("bio-biochimie")
    (report,) = conversion.all("DiagnosticReport")
    assert report["code"]["coding"][0]["display"] == "Biochimie"
    assert len(report["result"]) == 3
    displays = [concept["coding"][0].get("display") for concept in coded(conversion, "2951-2")["category"][1:]]
    assert displays == ["Biochimie", "Ionogramme", "Ionogramme"]
    (composition,) = conversion.all("Composition")
    assert len(composition["section"][0]["section"]) == 3


def test_isolates_have_their_germ_their_source_and_their_antibiogram() -> None:
    conversion = read("bio-microbiologie")
    (report,) = conversion.all("DiagnosticReport")
    _, coli, proteus = [target(conversion, each) for each in report["result"]]
    assert coli["valueCodeableConcept"]["coding"][0]["display"] == "Escherichia coli"
    assert proteus["code"]["coding"][0]["code"] == "6463-4"
    germ = target(conversion, coli["specimen"])
    assert germ["identifier"][0]["value"] == "I1"
    assert target(conversion, germ["parent"][0])["identifier"][0]["value"] == "U1"
    count, antibiogram = [target(conversion, each) for each in coli["hasMember"]]
    assert (count["valueQuantity"]["comparator"], count["valueQuantity"]["code"]) == (">=", "{CFU}/mL")
    verdicts = [target(conversion, each) for each in antibiogram["hasMember"]]
    assert [each["interpretation"][0]["coding"][0]["code"] for each in verdicts] == ["R", "I", "S", "S"]
    assert all(each["specimen"] == coli["specimen"] for each in verdicts)
    assert report["conclusion"] == "Infection urinaire à deux germes."


VALUES = [
    ("5196-1", "valueString"),
    ("8014-7", "valueQuantity"),
    ("22587-0", "valueCodeableConcept"),
    ("5292-8", "valueRatio"),
    ("19080-1", "valueQuantity"),
    ("2857-1", "valueRange"),
    ("6301-6", "valueQuantity"),
    ("882-1", "valueCodeableConcept"),
    ("10331-7", "valueBoolean"),
    ("30525-0", "valueInteger"),
    ("8665-2", "valueDateTime"),
    ("49049-9", "valuePeriod"),
    ("5778-6", "dataAbsentReason"),
    ("2887-8", "valueQuantity"),
]


@pytest.mark.parametrize(("code", "name"), VALUES)
def test_each_type_of_value_has_its_element(code: str, name: str) -> None:
    found = coded(read("bio-types-de-valeurs"), code)
    assert [key for key in found if key.startswith(("value", "dataAbsent"))] == [name]


def test_who_answers_for_a_result_is_who_the_nearest_statement_names() -> None:
    conversion = read("bio-sous-traitance")
    inside, outside = coded(conversion, "3016-3"), coded(conversion, "3024-7")

    def of(resource: Resource, function: str | None) -> list[Resource]:
        found = []
        for each in resource["performer"]:
            codes = [x["valueCodeableConcept"]["coding"][0]["code"] for x in each.get("extension", ())]
            if codes == ([function] if function else []):
                found.append(target(conversion, each))
        return found

    names = [target(conversion, of(each, None)[0]["organization"])["name"] for each in (inside, outside)]
    assert names == ["Laboratoire du Confluent", "Laboratoire de référence des Batignolles"]
    assert len(of(inside, "RESP")) == len(of(outside, "RESP")) == 1
    assert (len(of(inside, "AUTHEN")), len(of(outside, "AUTHEN"))) == (0, 1)
    assert "device" not in inside
    assert target(conversion, outside["device"])["deviceName"][0]["name"] == "Analyseur 12"


def test_what_is_not_done_yet_or_given_up_says_so() -> None:
    conversion = read("bio-partiel")
    (report,) = conversion.all("DiagnosticReport")
    assert report["status"] == "partial"
    waiting, given_up = coded(conversion, "2857-1"), coded(conversion, "2823-3")
    assert waiting["dataAbsentReason"]["coding"][0]["code"] == "temp-unknown"
    assert given_up["status"] == "cancelled"
    masked = next(each for each in conversion.all("Observation") if "coding" not in each["code"])
    assert masked["code"]["extension"][0]["valueCode"] == "masked"


def test_codes_that_wait_for_one_of_loinc_are_kept() -> None:
    conversion = read("bio-codes-en-attente")
    assert coded(conversion, "X-0123")["code"]["coding"][0]["system"] == "urn:oid:1.2.250.1.213.1.1.4.369"
    assert coded(conversion, "DM-7")["code"]["text"] == "Dosage maison"
    both = coded(conversion, "718-7")
    assert [coding["code"] for coding in both["code"]["coding"]] == ["718-7", "HB"]
    assert both["method"]["coding"][0]["system"] == "urn:oid:1.2.250.1.213.2.3.5"


def test_images_are_media_of_the_result_or_of_the_report() -> None:
    conversion = read("bio-image")
    (report,) = conversion.all("DiagnosticReport")
    curve = target(conversion, coded(conversion, "24351-9")["derivedFrom"][0])
    assert curve["content"]["contentType"] == "image/png"
    assert target(conversion, report["media"][0]["link"])["resourceType"] == "Media"


def test_ranges_of_reference_tell_for_whom_and_where_they_are_open() -> None:
    conversion = read("bio-intervalles")
    iron, protein, nitrites = (coded(conversion, code)["referenceRange"][0] for code in ("14798-3", "1988-5", "5802-4"))
    assert iron["age"]["low"]["code"] == "a"
    assert protein["text"] == "< 5 mg/L"
    assert protein["appliesTo"][0]["coding"][0]["code"] == "F"
    assert nitrites["text"] == "Absence"


def test_a_corrected_report_names_the_one_it_replaces() -> None:
    assert read("bio-rectifie").document.replaces == read("bio-partiel").document.unique_id


def test_an_act_outside_any_chapter_has_a_report_of_its_own() -> None:
    data = DATA["bio-hemogramme"]
    for root in (b"1.3.6.1.4.1.19376.1.3.3.2.1", b"1.2.250.1.213.1.1.2.70"):
        data = data.replace(b'<templateId root="%s"/>' % root, b"")
    (report,) = convert(data).all("DiagnosticReport")
    assert len(report["result"]) == 1


def test_times_that_are_not_said_are_those_of_the_specimen() -> None:
    conversion = read("bio-hemogramme")
    assert conversion.all("DiagnosticReport")[0]["effectiveDateTime"] == "2026-03-05T07:10:00+01:00"
    assert coded(read("bio-partiel"), "2823-3")["effectiveDateTime"] == "2026-03-05T07:10:00+01:00"
    unknown = b'<statusCode code="aborted"/><effectiveTime nullFlavor="UNK"/>'
    changed = convert(DATA["bio-partiel"].replace(b'<statusCode code="aborted"/>', unknown))
    assert "effectiveDateTime" not in coded(changed, "2823-3")


def test_templates_may_stand_on_the_entry_instead_of_its_act() -> None:
    data = DATA["bio-hemogramme"]
    for root in (b"1.3.6.1.4.1.19376.1.3.3.2.1", b"1.2.250.1.213.1.1.2.70", b"1.2.250.1.213.1.1.3.21"):
        data = data.replace(b'<templateId root="%s"/>' % root, b"")
    mark = b'<templateId root="1.3.6.1.4.1.19376.1.3.1"/>'
    data = (
        data.replace(mark, b"")
        .replace(b'<entry typeCode="DRIV">', b"<entry>", 1)
        .replace(b"<entry>", b"<entry>" + mark, 1)
    )
    (report,) = convert(data).all("DiagnosticReport")
    assert len(report["result"]) == 1


def test_words_stand_for_what_has_no_code() -> None:
    data = DATA["bio-types-de-valeurs"].replace(
        b'<value xsi:type="ST">N\xc3\xa9gatif</value>',
        b'<value xsi:type="CD"><originalText><reference value="#v-5196-1"/></originalText></value>',
    )
    assert coded(convert(data), "5196-1")["valueCodeableConcept"] == {"text": "Antigène HBs"}


def test_what_a_masked_chapter_says_bears_its_label() -> None:
    label = b'<confidentialityCode code="R" codeSystem="2.16.840.1.113883.5.25"/><title>'
    conversion = convert(DATA["bio-soixante"].replace(b"<title>Coagulation", label + b"Coagulation"))
    for kind in ("DiagnosticReport", "Observation", "Specimen"):
        marked = [each for each in conversion.all(kind) if "security" in each.get("meta", {})]
        assert 0 < len(marked) < len(conversion.all(kind))
    (report,) = [each for each in conversion.all("DiagnosticReport") if "meta" in each]
    assert report["code"]["coding"][0]["code"] == "18720-3"
    assert report["meta"]["security"][0]["code"] == "R"


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(set(DATA) - {"bio-soixante"})), st.integers(0, 2**32), st.integers(1, 12))
@example("bio-microbiologie", 1, 12)
def test_a_report_of_any_structure_converts_and_loses_nothing(name: str, seed: int, count: int) -> None:
    random = Random(seed)
    data = mutated(DATA[name], random, count)
    held(prefixed(data) if random.random() < 0.3 else data)


def held(data: bytes) -> None:
    """Whatever a document looks like: it converts or is refused with words; what is in no resource is named."""
    try:
        conversion = convert(data, mode="lenient")
    except FhirError:
        return
    assert errors(conversion) == []
    assert lost(data, conversion) == []
    known = {entry.full_url for entry in conversion.entries} | {PATIENT}
    assert set(_references([entry.resource for entry in conversion.entries])) <= known


def _references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [found for each in value for found in _references(each)]
    if isinstance(value, dict):
        url = value.get("reference")
        own = [url] if isinstance(url, str) and not url.startswith("#") else []
        return own + [found for each in value.values() for found in _references(each)]
    return []


@pytest.mark.long
def test_thousands_of_structures_convert_and_lose_nothing() -> None:
    for seed in range(3000):
        random = Random(seed)
        held(mutated(DATA[random.choice(sorted(DATA))], random, random.randrange(1, 40)))
