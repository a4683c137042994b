"""Strings, tokens, references and URIs."""

from __future__ import annotations

from typing import Any

import pytest

from fhirserver.errors import BadRequest, UnknownParameter
from fhirserver.search import text
from tests.search.finding import finds, query
from tests.search.naive import BASE

LOINC = "http://loinc.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("Éloïse", "eloise"),
        ("E\u0301loi\u0308se", "eloise"),
        ("  Jean-Marie  LE_GALL ", "jean marie le gall"),
        ("O'Neill", "o neill"),
        ("Straße", "strasse"),
        ("ŒUVRE ﬁn", "oeuvre fin"),
        ("İstanbul", "istanbul"),
        ("— « » !", ""),
        ("文", "文"),
    ],
)
def test_text_is_compared_without_case_accents_and_punctuation(written: str, normal: str) -> None:
    assert text.normal(written) == normal
    assert text.normal(normal) == normal


def patient(**members: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", **members}


NAMED = patient(name=[{"family": "D’Été", "given": ["Éloïse", "Anne-Laure"]}])


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("name", "eloise", True),
        ("name", "ÉLO", True),
        ("name", "d ete", True),
        ("given", "anne laure", True),
        ("given", "laure", False),
        ("given:contains", "laure", True),
        ("given:contains", "e-l", True),
        ("given:exact", "Éloïse", True),
        ("given:exact", "Eloise", False),
        ("given:exact", "Élo", False),
        ("family", "eloise", False),
        ("family:exact", "D’Été", True),
        ("name", "paul,eloise", True),
        ("name", "paul\\,eloise", False),
    ],
)
def test_a_name_is_found_by_its_start_its_inside_or_exactly(name: str, value: str, found: bool) -> None:
    assert finds(NAMED, (name, value)) is found


def test_the_written_form_of_a_name_does_not_answer_contains() -> None:
    long = patient(name=[{"family": "Ab" * 90}])
    assert finds(long, ("name:contains", "ba" * 3))
    assert not finds(long, ("name:contains", "0"))
    assert finds(long, ("name:exact", "Ab" * 90))
    assert not finds(long, ("name:exact", "Ab" * 91))


def test_a_string_without_a_letter_is_refused() -> None:
    with pytest.raises(BadRequest, match="letter"):
        query("Patient", ("name", "--"))


def coded(*codings: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "code": {"coding": list(codings), **others}}


@pytest.mark.parametrize(
    ("coding", "value", "found"),
    [
        ({"system": LOINC, "code": "718-7"}, "718-7", True),
        ({"system": LOINC, "code": "718-7"}, f"{LOINC}|718-7", True),
        ({"system": LOINC, "code": "718-7"}, f"{LOINC}|", True),
        ({"system": LOINC, "code": "718-7"}, "|718-7", False),
        ({"system": LOINC, "code": "LA1-2"}, "la1-2", True),
        ({"system": LOINC, "code": "LA1-2"}, f"{LOINC}|la1-2", True),
        ({"system": CATEGORY, "code": "exam"}, "exam", True),
        ({"system": CATEGORY, "code": "exam"}, "EXAM", False),
        ({"system": CATEGORY, "code": "exam"}, f"{CATEGORY}|Exam", False),
        ({"code": "Local"}, "|local", True),
        ({"code": "Local"}, "LOCAL", True),
        ({"system": "urn:a|b", "code": "c"}, "urn:a\\|b|c", True),
        ({"system": "urn:a", "code": "b|c"}, "urn:a|b\\|c", True),
        ({"system": "urn:a", "code": "b|c"}, "urn:a\\|b|c", False),
        ({"system": "-", "code": "x"}, "|x", False),
        ({"system": "-", "code": "x"}, "-|x", True),
        ({"code": "#" + "0" * 32}, "#" + "0" * 32, True),
        ({"system": "urn:only"}, "urn:only|", True),
    ],
)
def test_a_code_is_found_by_what_is_said_of_it(coding: dict[str, Any], value: str, found: bool) -> None:
    assert finds(coded(coding), ("code", value)) is found


@pytest.mark.parametrize("value", ["|", "a|b|c", "||"])
def test_a_token_that_says_nothing_is_refused(value: str) -> None:
    with pytest.raises(BadRequest, match="code"):
        query("Observation", ("code", value))


def test_not_finds_also_what_has_no_value() -> None:
    assert finds({"resourceType": "Observation"}, ("category:not", "laboratory"))
    assert not finds(coded({"code": "a"}, {"code": "b"}), ("code:not", "b"))
    assert finds(coded({"code": "a"}), ("code:not", "b,c"))


def test_text_searches_displays_and_texts_of_codes() -> None:
    observation = coded({"code": "x", "display": "Hémoglobine"}, text="Taux d'hémoglobine")
    assert finds(observation, ("code:text", "hemo"))
    assert finds(observation, ("code:text", "taux"))
    assert not finds(observation, ("code:text", "globine"))


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ([("gender", "female")], True),
        ([("gender", "FEMALE")], False),
        ([("gender", "http://hl7.org/fhir/administrative-gender|female")], True),
        ([("gender", "http://hl7.org/fhir/administrative-gender|")], True),
        ([("gender", "urn:other|female")], False),
        ([("gender", "|female")], True),
        ([("active", "true")], True),
        ([("active", "false")], False),
        ([("deceased", "false")], True),
        ([("email", "a@B.fr")], True),
        ([("phone", "06 12 34 56 78")], True),
        ([("phone", "0612345678")], True),
        ([("phone", "a@b.fr")], False),
        ([("telecom", "06.12.34.56.78"), ("telecom", "A@B.FR")], True),
        ([("identifier", "urn:ins|2840")], True),
        ([("identifier:of-type", "http://interopsante.org/fhir/CodeSystem/fr-v2-0203|INS-NIR|2840")], True),
        ([("identifier:of-type", "urn:other|INS-NIR|2840")], False),
    ],
)
def test_codes_contacts_and_identifiers_of_a_patient(params: list[tuple[str, str]], found: bool) -> None:
    kind = {"coding": [{"system": "http://interopsante.org/fhir/CodeSystem/fr-v2-0203", "code": "INS-NIR"}]}
    somebody = patient(
        gender="female",
        active=True,
        telecom=[{"system": "email", "value": "A@b.FR"}, {"system": "phone", "value": "06.12.34.56.78"}],
        identifier=[{"system": "urn:ins", "value": "2840", "type": kind}],
    )
    assert finds(somebody, *params) is found


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("active", "yes", "true or false"),
        ("email", "phone|06", "no system"),
        ("identifier:of-type", "a|b", "system|code|value"),
        ("_id", "a b", "logical id"),
        ("birthdate:missing", "yes", "true or false"),
    ],
)
def test_a_value_that_cannot_be_is_refused(name: str, value: str, text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        query("Patient", (name, value))
    assert text in str(caught.value)
    assert name in str(caught.value)


def about(reference: str | None = None, **others: Any) -> dict[str, Any]:
    subject = others if reference is None else {"reference": reference, **others}
    return {"resourceType": "Observation", "subject": subject}


@pytest.mark.parametrize(
    ("reference", "name", "value", "found"),
    [
        ("Patient/1", "subject", "Patient/1", True),
        ("Patient/1", "subject", "1", True),
        ("Patient/1", "subject", f"{BASE}/Patient/1", True),
        (f"{BASE}/Patient/1", "subject", "Patient/1", True),
        ("Patient/1/_history/2", "subject", "Patient/1", True),
        ("Patient/1/_history/2", "subject", "Patient/1/_history/2", True),
        ("Patient/1/_history/2", "subject", "Patient/1/_history/3", False),
        ("Patient/1", "subject", "Patient/1/_history/2", False),
        ("http://other.org/Patient/1", "subject", "Patient/1", False),
        ("http://other.org/Patient/1", "subject", "http://other.org/Patient/1", True),
        ("Patient/1", "subject:Patient", "1", True),
        ("Patient/1", "subject:Patient", "Patient/1", True),
        ("Group/1", "subject:Patient", "1", False),
        ("Group/1", "subject", "1", True),
        ("Patient/1", "patient", "1", True),
        ("Group/1", "patient", "1", False),
        ("Group/1", "patient", "Group/1", False),
        (
            "urn:uuid:6e1e9a22-0000-4000-8000-000000000001",
            "subject",
            "urn:uuid:6e1e9a22-0000-4000-8000-000000000001",
            True,
        ),
        ("Group/1", "patient:missing", "true", True),
        ("Group/1", "subject:missing", "true", False),
        ("http://other.org/Patient/1", "patient:missing", "true", False),
        ("#contained", "subject:missing", "true", False),
    ],
)
def test_a_reference_is_found_however_it_is_written(reference: str, name: str, value: str, found: bool) -> None:
    assert finds(about(reference), (name, value)) is found


def test_a_reference_is_found_by_its_identifier() -> None:
    observation = about(identifier={"system": "urn:ins", "value": "2840"})
    assert finds(observation, ("subject:identifier", "urn:ins|2840"))
    assert finds(observation, ("subject:identifier", "2840"))
    assert finds(observation, ("patient:identifier", "urn:ins|"))
    assert not finds(observation, ("subject:identifier", "urn:ins|2841"))
    assert not finds(observation, ("subject:missing", "true"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("subject", "a b"),
        ("subject", "#c"),
        ("subject:Patient", "Group/1"),
        ("subject:identifier", "a|b|c"),
        ("subject:identifier", "|"),
    ],
)
def test_a_reference_that_cannot_be_is_refused(name: str, value: str) -> None:
    with pytest.raises(BadRequest, match=name):
        query("Observation", (name, value))


def test_a_resource_in_place_of_a_reference_is_found() -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": "document",
        "entry": [{"resource": {"resourceType": "Composition", "id": "c"}}],
    }
    assert finds(bundle, ("composition", "Composition/c"))


def test_a_canonical_is_found_with_and_without_its_version() -> None:
    response = {"resourceType": "QuestionnaireResponse", "questionnaire": f"{BASE}/Questionnaire/q|1.0"}
    assert finds(response, ("questionnaire", f"{BASE}/Questionnaire/q"))
    assert finds(response, ("questionnaire", f"{BASE}/Questionnaire/q|1.0"))
    assert not finds(response, ("questionnaire", f"{BASE}/Questionnaire/q|2.0"))
    assert finds({"resourceType": "Patient", "meta": {"profile": ["urn:p|1"]}}, ("_profile", "urn:p"))


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("url", "http://a.org/x/y", True),
        ("url", "http://a.org/x", False),
        ("url", "http://A.org/x/y", False),
        ("url:below", "http://a.org/x", True),
        ("url:below", "http://a.org/x/", True),
        ("url:below", "http://a.org/x/y", True),
        ("url:below", "http://a.org/xx", False),
        ("url:above", "http://a.org/x/y/z", True),
        ("url:above", "http://a.org/x/y", True),
        ("url:above", "http://a.org/x/yz", False),
    ],
)
def test_a_url_is_found_exactly_or_by_its_path(name: str, value: str, found: bool) -> None:
    assert finds({"resourceType": "ValueSet", "url": "http://a.org/x/y"}, (name, value)) is found


def test_only_urls_lie_above_and_below() -> None:
    with pytest.raises(BadRequest, match="url:below"):
        query("ValueSet", ("url:below", "urn:oid:1.2"))


COMPOSED: dict[str, Any] = {
    "resourceType": "Observation",
    "code": {"coding": [{"system": LOINC, "code": "85354-9"}]},
    "component": [
        {"code": {"coding": [{"system": LOINC, "code": "8480-6"}]}, "valueQuantity": {"value": 140, "unit": "mmHg"}},
        {"code": {"coding": [{"system": LOINC, "code": "8462-4"}]}, "valueQuantity": {"value": 90, "unit": "mmHg"}},
    ],
}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (f"{LOINC}|8480-6$gt130", True),
        (f"{LOINC}|8462-4$gt130", False),
        ("8462-4$lt100||mmHg", True),
        ("8462-4$ne90", False),
        ("8480-6$ne90", True),
        ("8462-4$gt130,8480-6$140", True),
    ],
)
def test_a_composite_joins_values_of_one_component(value: str, found: bool) -> None:
    assert finds(COMPOSED, ("component-code-value-quantity", value)) is found
    assert finds(COMPOSED, ("combo-code-value-quantity", value)) is found


@pytest.mark.parametrize("value", ["8480-6", "8480-6$", "$5", "a$5$6"])
def test_a_composite_needs_all_its_parts(value: str) -> None:
    with pytest.raises(BadRequest, match="2 parts"):
        query("Observation", ("code-value-quantity", value))


def test_composites_of_dates_texts_codes_and_references() -> None:
    observation = {**coded({"system": LOINC, "code": "a"}), "valueDateTime": "2024-05"}
    assert finds(observation, ("code-value-date", "a$2024"))
    assert finds({**coded({"code": "a"}), "valueString": "Été"}, ("code-value-string", "a$ete"))
    concept = {"coding": [{"system": LOINC, "code": "b"}]}
    assert finds({**coded({"code": "a"}), "valueCodeableConcept": concept}, ("code-value-concept", f"a${LOINC}|"))
    document = {
        "resourceType": "DocumentReference",
        "relatesTo": [{"code": "replaces", "target": {"reference": "DocumentReference/1"}}],
    }
    assert finds(document, ("relationship", "replaces$DocumentReference/1"))
    assert not finds(document, ("relationship", "appends$DocumentReference/1"))
    assert not finds(document, ("relationship:missing", "true"))
    group = {
        "resourceType": "Group",
        "characteristic": [{"code": {"coding": [{"code": "a"}]}, "valueBoolean": True, "exclude": False}],
    }
    assert finds(group, ("characteristic-value", "a$true"))
    sequence = {
        "resourceType": "MolecularSequence",
        "referenceSeq": {"chromosome": {"coding": [{"code": "1"}]}, "windowStart": 5, "windowEnd": 9},
        "variant": [{"start": 6, "end": 7}],
    }
    assert finds(sequence, ("chromosome-variant-coordinate", "1$6$7"))
    assert finds(sequence, ("chromosome-window-coordinate", "1$lt6$gt8"))
    assert not finds(sequence, ("chromosome-window-coordinate", "1$lt5$gt8"))


@pytest.mark.parametrize(
    ("resource_type", "name", "text"),
    [
        ("Patient", "gender:exact", ":exact"),
        ("Patient", "name:not", ":not"),
        ("Observation", "code:in:x", ":in:x"),
        ("Observation", "value-string:in", ":in"),
        ("Observation", "subject:Spaceship", "Spaceship"),
        ("Observation", "date:exact", ":missing"),
        ("Observation", "code:", "code"),
    ],
)
def test_a_modifier_that_is_not_for_the_type_is_refused(resource_type: str, name: str, text: str) -> None:
    with pytest.raises(UnknownParameter) as caught:
        query(resource_type, (name, "x"))
    assert text in str(caught.value)
