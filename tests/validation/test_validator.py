"""The room's door: bytes or objects in, an outcome out; languages; what it costs to open."""

from __future__ import annotations

import string
import subprocess
import sys

import pytest

from fhirserver.validation import Outcome, Validator
from fhirserver.validation.messages import LANGUAGES, RULES, text
from fhirserver.validation.sentences import SENTENCES
from tests.validation.crafted import BASE, element, structure, validator
from tests.validation.samples import bundle, errors, patient


def test_bytes_and_objects_are_judged_alike(core: Validator) -> None:
    by_text = core.validate(b'{"resourceType":"Patient","birthDate":"1981-02-29"}')
    by_object = core.validate({"resourceType": "Patient", "birthDate": "1981-02-29"})
    assert by_text.issues == by_object.issues
    assert not by_text.ok
    assert [issue.rule for issue in by_text.errors] == ["calendar"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"a":1,"a":2}', b'{"a":NaN}', b"\xff", b'"x"', b"null"])
def test_what_is_no_json_object_is_one_fatal_issue(core: Validator, body: bytes) -> None:
    outcome = core.validate(body)
    assert [(issue.severity, issue.code) for issue in outcome.issues] == [("fatal", "structure")]
    assert not outcome.ok


def test_an_outcome_is_an_operation_outcome(core: Validator) -> None:
    resource = patient()
    assert core.validate(resource).as_fhir()["issue"][0]["severity"] == "information"
    resource["birthDate"] = "1981-02-29"
    outcome = core.validate(resource).as_fhir()
    assert errors(core.check(outcome)) == []
    assert outcome["issue"][0] == {
        "severity": "error",
        "code": "value",
        "details": {"coding": [{"system": "urn:fhirserver:rule", "code": "calendar"}]},
        "diagnostics": "'1981-02-29' is not a date of the calendar.",
        "expression": ["Patient.birthDate"],
    }


def test_warnings_do_not_spoil_an_outcome(core: Validator) -> None:
    outcome = core.validate({"resourceType": "Patient"})
    assert outcome.ok
    assert [issue.rule for issue in outcome.issues] == ["dom-6"]
    assert Outcome([]).ok


def test_messages_come_in_french(core: Validator) -> None:
    resource = patient()
    resource["gendre"] = "x"
    (issue,) = core.check(resource, language="fr")
    assert issue.text == "Élément inconnu 'gendre' (peut-être 'gender' ?)."
    del resource["gendre"], resource["contact"][0]["name"]
    (issue,) = core.check(resource, language="fr")
    assert issue.text.startswith("La règle pat-1 n'est pas respectée : un contact a un nom")


def test_both_languages_fill_the_same_values() -> None:
    def names(template: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(template) if name}

    for key, rule in RULES.items():
        assert names(rule.en) == names(rule.fr), key
        assert rule.severity in ("error", "warning", "information"), key
    assert LANGUAGES == ("en", "fr")
    assert all(english and french for english, french in SENTENCES.values())
    assert text("string-empty", "de") == RULES["string-empty"].en


def test_long_values_are_cut_in_messages(core: Validator) -> None:
    resource = patient()
    resource["gender"] = "x" * 10_000
    (issue,) = core.check(resource)
    assert len(issue.text) < 400


def test_an_unknown_element_is_told_with_the_one_that_was_meant(core: Validator) -> None:
    resource = patient()
    resource["birthdate"] = "1980-01-01"
    (issue,) = core.check(resource)
    assert "did you mean 'birthDate'?" in issue.text
    resource = patient()
    resource["zzz"] = 1
    (issue,) = core.check(resource)
    assert issue.text == "Unknown element 'zzz'."


def test_arrays_of_primitives_may_hold_null_beside_an_extension(core: Validator) -> None:
    resource = patient()
    absent = {
        "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}]
    }
    resource["name"][0] |= {"given": ["Zoé", None], "_given": [{"id": "g"}, absent]}
    resource["_birthDate"] = {"id": "b"}
    assert errors(core.check(resource)) == []
    resource["name"][0]["_given"] = [None, None]
    assert {rule for rule, _ in errors(core.check(resource))} == {"null-pair", "null"}


@pytest.mark.parametrize("value", ["en", "fr-FR", "zh-Hant-TW", "de-CH-1996", "x-private"])
def test_languages_follow_bcp_47(core: Validator, value: str) -> None:
    resource = patient()
    resource["photo"][0]["contentType"] = "text/plain; charset=utf-8"
    resource["photo"][0]["language"] = value
    assert errors(core.check(resource)) == []


def test_a_uuid_in_capitals_and_a_blank_text_are_frowned_upon(core: Validator) -> None:
    resource = patient()
    resource["identifier"][0] |= {"system": "urn:uuid:8D8AC93A-2A35-4D6F-A5D4-3E5EA4E4C1A2", "value": "  "}
    assert {(issue.severity, issue.rule) for issue in core.check(resource)} == {
        ("warning", "uuid-case"),
        ("warning", "string-blank"),
    }


def test_references_by_urn_lead_to_entries(core: Validator) -> None:
    resource = bundle()
    assert core.check(resource) == []
    resource["entry"][1]["resource"]["subject"]["reference"] = "urn:uuid:11111111-2a35-4d6f-a5d4-3e5ea4e4c1a2"
    (issue,) = core.check(resource)
    assert (issue.severity, issue.rule) == ("warning", "reference-entry")


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/1",
        "Patient/1/_history/2",
        "http://a.org/fhir/Patient/1",
        "https://a.org/x/y/Patient/1/_history/3",
        "Patient?identifier=urn:a|1",
        "urn:oid:1.2.3",
        "http://a.org/whatever",
        "mailto:a@b.org",
        "#",
    ],
)
def test_forms_of_references(core: Validator, reference: str) -> None:
    resource = patient() | {"link": [{"other": {"reference": reference, "display": "x"}, "type": "seealso"}]}
    assert errors(core.check(resource)) == []


def test_documents_and_messages_begin_with_their_own_resource(core: Validator) -> None:
    entry = {"fullUrl": "http://a.org/fhir/Patient/p1", "resource": patient()}
    rules = {issue.rule for issue in core.check({"resourceType": "Bundle", "type": "document", "entry": [entry]})}
    assert rules >= {"bdl-9", "bdl-10", "bdl-11"}
    rules = {issue.rule for issue in core.check({"resourceType": "Bundle", "type": "message", "entry": [entry]})}
    assert rules == {"bdl-12"}
    rules = {
        issue.rule
        for issue in core.check({"resourceType": "Bundle", "type": "collection", "entry": [{"id": "x", "link": []}]})
    }
    assert "bdl-5" in rules


def test_a_place_in_a_bundle_is_told_from_the_bundle_on(core: Validator) -> None:
    resource = bundle()
    resource["entry"][0]["resource"]["contained"][0]["name"] = 5
    assert errors(core.check(resource)) == [("json-type", "Bundle.entry[0].resource.contained[0].name")]


def test_packages_may_be_given_as_a_list(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("package")
    made = validator(folder, structure("p", "Patient", element("Patient.name", min=1)))
    assert made.profile_set == "core"
    assert errors(made.check({"resourceType": "Patient"}, [BASE + "p"])) == [("min", "Patient.name")]


def test_importing_the_room_pulls_in_neither_flask_nor_pymongo() -> None:
    code = (
        "import sys\n"
        "from fhirserver.validation import Validator\n"
        "assert Validator().validate({'resourceType': 'Basic', 'code': {'text': 'x'}}).ok\n"
        "print(sorted({'flask', 'pymongo', 'fhir'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
