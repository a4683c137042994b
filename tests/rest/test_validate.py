from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Access

if TYPE_CHECKING:
    from tests.application import Answer, Application, Caller

INS = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient-ins"
SOUND = {"resourceType": "Patient", "birthDate": "1980-02-29"}
BROKEN = {"resourceType": "Patient", "birthDate": "1981-02-29"}


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    return application.operator()


def errors(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer
    assert answer.json["resourceType"] == "OperationOutcome"
    return [each for each in answer.json["issue"] if each["severity"] in ("error", "fatal")]


def given(resource: Any, **values: str) -> dict[str, Any]:
    listed: list[dict[str, Any]] = [{"name": "resource", "resource": resource}]
    types = {"mode": "valueCode", "profile": "valueUri"}
    return {
        "resourceType": "Parameters",
        "parameter": listed + [{"name": name, types[name]: value} for name, value in values.items()],
    }


def test_all_issues_come_with_status_200_and_nothing_is_stored(application: Application, operator: Caller) -> None:
    before = application.counts()
    assert errors(operator.post("Patient/$validate", SOUND)) == []
    (found,) = errors(operator.post("Patient/$validate", BROKEN))
    assert found["expression"] == ["Patient.birthDate"]
    assert errors(operator.post("Patient/$validate", given(BROKEN)))[0] == found
    assert application.counts() == before


def test_a_profile_is_held_to_besides_those_claimed(operator: Caller) -> None:
    asked = errors(operator.post(f"Patient/$validate?profile={INS}", SOUND))
    assert len(asked) > 1
    assert errors(operator.post("Patient/$validate", given(SOUND, profile=INS))) == asked
    claimed = {**SOUND, "meta": {"profile": [INS]}}
    assert {str(each["expression"]) for each in errors(operator.post("Patient/$validate", claimed))} == {
        str(each["expression"]) for each in asked
    }


def test_a_profile_that_is_not_known_is_an_error(operator: Caller) -> None:
    (found,) = errors(operator.post("Patient/$validate?profile=urn:test:none", SOUND))
    assert "urn:test:none" in found["diagnostics"]


def test_texts_come_in_the_language_of_the_reader(operator: Caller) -> None:
    answer = operator.post("Patient/$validate", BROKEN, Accept_Language="fr")
    assert errors(answer) != errors(operator.post("Patient/$validate", BROKEN))


def test_the_resource_must_be_the_one_that_the_url_names(operator: Caller) -> None:
    id = operator.create(SOUND)
    assert errors(operator.post("Observation/$validate", SOUND))[0]["expression"] == ["resourceType"]
    assert errors(operator.post(f"Patient/{id}/$validate", SOUND))[0]["expression"] == ["Patient.id"]
    assert errors(operator.post(f"Patient/{id}/$validate", {**SOUND, "id": id})) == []
    assert errors(operator.post("Patient/$validate", given({"resourceType": "Nothing"})))


def test_an_instance_is_validated_as_it_is_stored(operator: Caller) -> None:
    id = operator.create(SOUND)
    assert errors(operator.get(f"Patient/{id}/$validate")) == []
    assert errors(operator.get(f"Patient/{id}/$validate?profile={INS}"))
    assert errors(operator.get(f"Patient/{id}/$validate?mode=delete")) == []
    assert errors(operator.post(f"Patient/{id}/$validate?mode=update", {**SOUND, "id": id})) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("Patient/$validate?mode=update", "instance"),
        ("Patient/$validate?mode=delete", "instance"),
        ("Patient/$validate?mode=wish", "wish"),
        ("Patient/$validate?colour=red", "colour"),
        ("Patient/{id}/$validate?mode=create", "on the type"),
    ],
)
def test_modes_fit_the_level(operator: Caller, path: str, text: str) -> None:
    answer = operator.post(path.format(id=operator.create(SOUND)), SOUND)
    assert answer.status == 400
    assert text in answer.told


def test_a_resource_is_needed(operator: Caller) -> None:
    assert operator.post("Patient/$validate?mode=create", None).status == 400
    assert operator.post("Patient/$validate", b"{").status == 400


def test_a_consent_is_held_to_what_access_understands(operator: Caller) -> None:
    scope = {"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}
    consent = {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [scope]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "policyRule": {"text": "x"},
        "provision": {"type": "deny"},
    }
    validated = operator.post("Consent/$validate", consent)
    written = operator.post("Consent", consent)
    assert bool(errors(validated)) is (written.status == 422)


def test_a_hidden_instance_answers_like_one_that_does_not_exist(application: Application, operator: Caller) -> None:
    id = operator.create(SOUND)
    stranger = application.patient("somebody-else")
    for mode in ("", "?mode=delete"):
        hidden = stranger.get(f"Patient/{id}/$validate{mode}")
        absent = stranger.get(f"Patient/none/$validate{mode}")
        assert hidden.status == absent.status == 404
        assert hidden.told.replace(id, "none") == absent.told


def test_references_to_hidden_targets_are_not_followed(application: Application, operator: Caller) -> None:
    id = operator.create(SOUND)
    stranger = application.patient("somebody-else")

    def asked(target: str) -> str:
        coverage = {"resourceType": "Basic", "code": {"text": "x"}, "subject": {"reference": f"Patient/{target}"}}
        return stranger.post("Basic/$validate", coverage).content.decode()

    assert asked(id).replace(id, "none") == asked("none")


def test_it_is_traced(application: Application, operator: Caller) -> None:
    id = operator.create(SOUND)
    operator.get(f"Patient/{id}/$validate")
    last = list(application.services.store.traces(Access.system("test")))[-1]
    assert (last["what"], last["query"]) == ("operation", "Patient/$validate")
    assert last["entities"][0] == {"r": f"Patient/{id}", "v": 1, "p": id}
