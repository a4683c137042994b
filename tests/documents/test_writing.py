"""A FHIR biology report written as CDA: the header rules are kept, and it reads back into the same resources."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhirserver import jsontext
from fhirserver.documents.cda import PATIENT, convert
from fhirserver.documents.cda.writing import as_bundle, write
from fhirserver.documents.cda.writing.account import missing
from fhirserver.documents.cda.writing.report import Resources
from fhirserver.errors import Unprocessable
from fhirserver.validation import Validator
from tools.cda.header import written
from tools.cda.reports import DOCUMENTS

if TYPE_CHECKING:
    from fhirserver.documents.cda.conversion import Conversion

Resource = dict[str, Any]
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
LABORATORY = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}
CHAPTER = {"coding": [{"system": LOINC, "code": "18719-5", "display": "Biochimie"}]}
WHEN = "2026-03-05T09:30:00+01:00"


def resources(conversion: Conversion) -> Resources:
    return Resources((entry.full_url, entry.resource) for entry in conversion.entries)


def bundle(conversion: Conversion) -> Resource:
    patient = (PATIENT, conversion.document.patient.resource)
    return as_bundle([patient, *((entry.full_url, entry.resource) for entry in conversion.entries)])


def shape(value: Any, held: Resources, trail: tuple[str, ...] = ()) -> Any:
    """A resource with what it refers to in place of references, ids left out: equal when the resources are."""
    if isinstance(value, list):
        return [shape(each, held, trail) for each in value]
    if isinstance(value, Decimal):
        return jsontext.dump(value).decode()
    if not isinstance(value, dict):
        return value
    found = {key: shape(inner, held, trail) for key, inner in value.items()
             if key not in ("id", "subject", "reference", "url", "identifier", "securityContext")}  # fmt: skip
    if "identifier" in value:
        listed = value["identifier"] if isinstance(value["identifier"], list) else [value["identifier"]]
        found["identifier"] = [(each.get("system"), each.get("value")) for each in listed]
    url = value.get("reference", value.get("url"))
    target = held.resolve({"reference": url}) if isinstance(url, str) and url not in trail else None
    found["to"] = shape(target, held, (*trail, url)) if target is not None and isinstance(url, str) else None
    if target is None and "url" in value:
        found["url"] = url
    return found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_report_that_was_read_is_written_and_read_back_the_same(name: str) -> None:
    first = convert(written(DOCUMENTS[name]))
    made = write(bundle(first))
    again = convert(made.data)
    assert made.left == ()
    assert again.left == ()
    assert [finding for finding in again.findings if finding.is_error] == []
    here, there = resources(first), resources(again)
    for one, other in zip(here.all("DiagnosticReport"), there.all("DiagnosticReport"), strict=True):
        assert shape(other, there) == shape(one, here)


def patient() -> Resource:
    return {
        "resourceType": "Patient",
        "id": "p1",
        "identifier": [{"use": "official", "system": "urn:oid:1.2.250.1.213.1.4.10", "value": "279035121518989"}],
        "name": [{"use": "official", "family": "RENARD", "given": ["ANNE"]}],
        "gender": "female",
        "birthDate": "1979-03-15",
        "extension": [
            {
                "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
                "valueAddress": {
                    "extension": [
                        {
                            "url": "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code",
                            "valueCoding": {
                                "system": "https://mos.esante.gouv.fr/NOS/TRE_R13-Commune/FHIR/TRE-R13-Commune",
                                "code": "51215",
                            },
                        }
                    ]
                },
            }
        ],
    }


def laboratory() -> Resource:
    return {
        "resourceType": "Organization",
        "id": "lab",
        "identifier": [{"system": "https://finess.esante.gouv.fr", "value": "690000029"}],
        "name": "Laboratoire du Confluent",
    }


def biologist() -> Resource:
    return {
        "resourceType": "Practitioner",
        "id": "bio",
        "identifier": [{"system": "https://rpps.esante.gouv.fr", "value": "10007654321"}],
        "name": [{"family": "TESSIER", "given": ["HUGO"]}],
    }


def observation(number: int, **more: Any) -> Resource:
    return {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": "final",
        "category": [{"coding": [LABORATORY]}, CHAPTER],
        "code": {"coding": [{"system": LOINC, "code": "2951-2"}], "text": "Sodium"},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": WHEN,
        "performer": [{"reference": "Organization/lab"}, validator()],
        **more,
    }


def validator() -> Resource:
    coding = {"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "AUTHEN"}
    url = "http://hl7.org/fhir/StructureDefinition/event-performerFunction"
    return {
        "extension": [{"url": url, "valueCodeableConcept": {"coding": [coding]}}],
        "reference": "Practitioner/bio",
    }


def report(results: list[Resource], *others: Resource, **more: Any) -> Resource:
    made = {
        "resourceType": "DiagnosticReport",
        "id": "r1",
        "status": "final",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "LAB"}]}],
        "code": CHAPTER,
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": WHEN,
        "issued": "2026-03-05T10:15:00+01:00",
        "performer": [{"reference": "Organization/lab"}],
        "resultsInterpreter": [{"reference": "Practitioner/bio"}],
        "result": [{"reference": f"Observation/{each['id']}"} for each in results],
        **more,
    }
    listed = [made, patient(), laboratory(), biologist(), *results, *others]
    return as_bundle([(f"https://lab.example/fhir/{each['resourceType']}/{each['id']}", each) for each in listed])


def quantity(value: str, code: str = "mmol/L") -> Resource:
    return {"value": jsontext.number(value), "unit": code, "system": UCUM, "code": code}


def test_a_laboratory_without_cda_feeds_the_record() -> None:
    held = observation(1, valueQuantity=quantity("139.0"), referenceRange=[{"low": quantity("136")}])
    specimen = {
        "resourceType": "Specimen",
        "id": "s1",
        "identifier": [{"system": "urn:oid:1.2.3", "value": "T1"}],
        "subject": {"reference": "Patient/p1"},
        "collection": {"collectedDateTime": "2026-03-05T07:10:00+01:00"},
    }
    held["specimen"] = {"reference": "Specimen/s1"}
    source = report([held], specimen, specimen=[{"reference": "Specimen/s1"}])
    made = write(source)
    found = convert(made.data)
    assert [finding.text for finding in found.findings if finding.is_error] == []
    assert (made.left, found.left) == ((), ())
    assert found.document.patient.identifiers == (("urn:oid:1.2.250.1.213.1.4.10", "279035121518989"),)
    assert found.document.patient.birth_place == "51215"
    (result,) = found.all("Observation")
    assert str(result["valueQuantity"]["value"]) == "139.0"
    assert found.document.code is not None
    assert found.document.code["coding"][0]["code"] == "11502-2"
    assert write(source).data == made.data
    checker = Validator()
    assert [issue for each in found.entries for issue in checker.check(each.resource) if issue.is_error] == []


numbers = st.decimals(-10000, 10000, places=3).map(str)
units = st.sampled_from(["mmol/L", "g/L", "10*9/L", "%", "[iU]/mL", "1"])
quantities = st.builds(quantity, numbers, units).map(
    lambda held: {key: each for key, each in held.items() if (key, each) != ("unit", "1")}
)
words = st.text("abcdefé àç<>&\"'0", min_size=1, max_size=20).map(lambda text: " ".join(text.split())).filter(bool)
concepts = st.builds(
    lambda code, text: {
        "coding": [{"system": "http://snomed.info/sct", "code": code}],
        **({"text": text} if text else {}),
    },
    st.sampled_from(["260373001", "112283007"]),
    st.none() | words,
)
values = st.one_of(
    st.builds(lambda held: {"valueQuantity": held}, quantities),
    st.builds(
        lambda held, sign: {"valueQuantity": {**held, "comparator": sign}},
        quantities,
        st.sampled_from(["<", "<=", ">", ">="]),
    ),
    st.tuples(quantities, quantities)
    .filter(lambda ends: ends[0].get("unit") != ends[1].get("unit") or ends[0]["value"] <= ends[1]["value"])  # rng-2
    .map(lambda ends: {"valueRange": {"low": ends[0], "high": ends[1]}}),
    st.builds(lambda a, b: {"valueRatio": {"numerator": a, "denominator": b}}, quantities, quantities),
    st.builds(lambda held: {"valueCodeableConcept": held}, concepts),
    st.builds(lambda text: {"valueString": text}, words),
    st.booleans().map(lambda held: {"valueBoolean": held}),
    st.integers(-1000, 1000).map(lambda held: {"valueInteger": held}),
    st.just({"valueDateTime": "2026-03-01"}),
    st.just({"valuePeriod": {"start": "2026-03-01", "end": "2026-03-02T10:00:00+01:00"}}),
)
extras = st.fixed_dictionaries(
    {},
    optional={
        "interpretation": st.lists(concepts, min_size=1, max_size=2),
        "method": concepts,
        "bodySite": concepts,
        "note": st.lists(st.builds(lambda text: {"text": text}, words), min_size=1, max_size=2),
        "referenceRange": st.lists(
            st.builds(
                lambda low, text: {"low": low, **({"text": text} if text else {})}, quantities, st.none() | words
            ),
            min_size=1,
            max_size=2,
        ),
        "identifier": st.just([{"system": "urn:oid:1.2.3", "value": "7"}]),
        "status": st.sampled_from(["final", "cancelled"]),
        "performer": st.just([{"reference": "Practitioner/bio"}, validator()]),
    },
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(values, extras, st.integers(0, 2)), min_size=1, max_size=4))
def test_any_report_reads_back_the_same(drawn: list[tuple[Resource, Resource, int]]) -> None:
    tops: list[Resource] = []
    inner: list[Resource] = []
    for value, extra, count in drawn:
        members = [observation(100 + len(inner) + place, **value) for place in range(count)]
        links = [{"reference": f"Observation/{each['id']}"} for each in members]
        tops.append(observation(len(tops), **({"hasMember": links} if links else {**value, **extra})))
        inner += members
    source = report(tops, *inner)
    made = write(source)
    assert made.left == ()
    here = Resources((each["fullUrl"], each["resource"]) for each in source["entry"])
    there = resources(convert(made.data))
    added = missing(there.all("DiagnosticReport")[0], there.resolve, here.all("DiagnosticReport")[0], here.resolve)
    assert [path for path in added if ".identifier.type." not in path] == []


def test_results_of_several_specimens_keep_each_its_own() -> None:
    taken = [
        {
            "resourceType": "Specimen",
            "id": name,
            "identifier": [{"system": "urn:oid:1.2.3", "value": name}],
            "subject": {"reference": "Patient/p1"},
        }
        for name in ("blood", "urine")
    ]
    germ = {
        "resourceType": "Specimen",
        "id": "germ",
        "identifier": [{"system": "urn:oid:1.2.4", "value": "I1"}],
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-EntityClass", "code": "MIC"}]},
        "subject": {"reference": "Patient/p1"},
        "parent": [{"reference": "Specimen/urine"}],
    }
    count = observation(3, valueInteger=7, specimen={"reference": "Specimen/germ"})
    results = [
        observation(1, valueString="vu", specimen={"reference": "Specimen/blood"}),
        observation(
            2,
            valueCodeableConcept={"text": "Escherichia coli"},
            specimen={"reference": "Specimen/germ"},
            hasMember=[{"reference": "Observation/o3"}],
        ),
        observation(4, valueString="seul"),
    ]
    links = [{"reference": f"Specimen/{each['id']}"} for each in taken]
    made = write(report(results, count, germ, *taken, specimen=links))
    assert made.left == ()
    there = convert(made.data)
    held = resources(there)
    told = [
        [each["value"] for each in (held.resolve(result.get("specimen", {})) or {}).get("identifier", ())]
        for result in there.all("Observation")
    ]
    assert told == [["blood"], ["I1"], ["I1"], []]
    assert len(there.all("Specimen")) == 3


def test_contained_resources_and_versions_are_followed() -> None:
    held = observation(1, valueString="vu", specimen={"reference": "#s"})
    held["contained"] = [{"resourceType": "Specimen", "id": "s", "type": {"text": "sang"}}]
    source = report([held])
    source["entry"][0]["resource"]["result"] = [{"reference": "Observation/o1/_history/3"}]
    made = write(source)
    assert made.left == ()
    assert convert(made.data).all("Specimen")[0]["type"]["text"] == "sang"


def test_a_result_that_is_not_there_is_named() -> None:
    source = report([observation(1, valueString="vu")])
    source["entry"][0]["resource"]["result"].append({"reference": "Observation/404"})
    assert write(source).left == ("DiagnosticReport.result.reference",)


def test_a_document_that_would_break_header_rules_is_refused_with_them() -> None:
    source = report([observation(1, valueString="vu")])
    del source["entry"][1]["resource"]["extension"]
    with pytest.raises(Unprocessable) as refused:
        write(source)
    assert "birthplace" in refused.value.issues[0].text
    assert write(source, mode="lenient").data


def test_what_a_document_cannot_say_is_named() -> None:
    part = {"code": {"text": "part"}, "valueString": "x"}
    made = write(report([observation(1, valueString="vu", component=[part])]))
    assert made.left == (
        "DiagnosticReport.result.resolve().component.code.text",
        "DiagnosticReport.result.resolve().component.valueString",
    )


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("Patient", "Patient"),
        ("Organization", "laboratory"),
        ("Practitioner", "answers for the report"),
        ("DiagnosticReport", "nothing to write"),
    ],
)
def test_a_report_that_lacks_what_a_document_must_say_is_refused_with_words(gone: str, said: str) -> None:
    source = report([observation(1, valueString="vu")])
    source["entry"] = [each for each in source["entry"] if each["resource"]["resourceType"] != gone]
    with pytest.raises(Unprocessable, match=said):
        write(source)


def test_members_that_go_round_in_circles_end() -> None:
    first, second = observation(1), observation(2)
    first["hasMember"] = [{"reference": "Observation/o2"}]
    second["hasMember"] = [{"reference": "Observation/o1"}]
    assert write(report([first], second)).data


def test_a_correction_replaces_the_document_before() -> None:
    source = report([observation(1, valueString="vu")])
    made = write(source, replaces="urn:oid:1.2.3.4", version=2, set_id="urn:oid:1.2.3^7")
    header = convert(made.data).document
    assert (header.replaces, header.version, header.set_id) == ("urn:oid:1.2.3.4", 2, "urn:oid:1.2.3^7")
