"""The national health identity beyond the profiles: which rules there are, and that each may be switched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver import settings
from fhirserver.validation import Validator
from fhirserver.validation.ins import Rules, key
from tests.validation.samples import NARRATIVE, errors, observation
from tests.validation.test_french import FRC, ins_patient
from tests.validation.test_single_faults import put

if TYPE_CHECKING:
    from fhirserver.outcome import Issue

OID = "urn:oid:1.2.250.1.213.1.4."
STATUS = "extension.0.extension.0.valueCoding.code"
COMMUNE = "extension.1.valueAddress.extension.0.valueCoding.code"


def patient(number: str = "2850569123084", commune: str = "69123", **members: Any) -> dict[str, Any]:
    """A qualified identity whose number agrees with all its traits; a number of 13 gets its key."""
    resource = ins_patient()
    resource["identifier"] = resource["identifier"][:1]
    put("identifier.0.value", number + (key(number) if len(number) == 13 else ""))(resource)
    put(COMMUNE, commune)(resource)
    return resource | members


def found(issues: list[Issue]) -> list[tuple[str, str | None, str]]:
    return [
        (issue.severity, issue.rule, issue.expression[0])
        for issue in issues
        if issue.rule and issue.rule.startswith("ins-")
    ]


@pytest.fixture(scope="module")
def strict() -> Validator:
    return Validator(ins=Rules(key=True, production=True))


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("1850578006084", "91"),
        ("1234567890122", "12"),
        ("2850569123084", f"{97 - 2850569123084 % 97:02}"),
        ("185052A006084", f"{97 - 1850519006084 % 97:02}"),
        ("185052B006084", f"{97 - 1850518006084 % 97:02}"),
        (f"{97 * 19000000000:013}", "97"),
        (f"{97 * 19000000000 + 96:013}", "01"),
    ],
)
def test_the_key_completes_the_number_and_knows_corsica(number: str, expected: str) -> None:
    assert key(number) == expected


def test_a_number_that_agrees_with_its_person_passes_all_rules(strict: Validator) -> None:
    issues = strict.check(patient())
    assert errors(issues) == []
    assert found(issues) == []


@pytest.mark.parametrize(("number", "commune"), [("285052A004084", "2A004"), ("285052B033084", "2B033")])
def test_a_birth_in_corsica_passes_all_rules(strict: Validator, number: str, commune: str) -> None:
    assert found(strict.check(patient(number, commune))) == []


WHERE = "Patient.identifier[0].value"


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (patient("1850569123084"), ("ins-sex", "Patient.gender")),
        (patient("7850569123084"), ("ins-sex", "Patient.gender")),
        (patient("8850569123084"), None),
        (patient("4850569123084"), None),
        (patient("1850569123084", gender="unknown"), None),
        (patient("2860569123084"), ("ins-birth", "Patient.birthDate")),
        (patient("2850669123084"), ("ins-birth", "Patient.birthDate")),
        (patient("2852069123084"), None),
        (patient("2853569123084"), None),
        (patient("2850669123084", birthDate="1985"), None),
        (patient("2850669123084", _birthDate={"extension": [{"url": FRC + "fr-core-lunar-date"}]}), None),
        (patient("2850578006084"), ("ins-place", "Patient.extension[1]")),
        (patient("2850569123084", "2A004"), ("ins-place", "Patient.extension[1]")),
        (patient("2850520004084", "2A004"), None),
        (patient("2850520004084", "2B005"), ("ins-place", "Patient.extension[1]")),
        (patient("2850569990084"), None),
        (patient("2850578006084", "99999"), None),
        (patient("12345"), ("ins-form", WHERE)),
        (patient("185052C00608400"), ("ins-form", WHERE)),
        (patient("5850569123084"), ("ins-form", WHERE)),
    ],
)
def test_traits_that_disagree_with_the_number_are_warned_of_and_never_refused(
    french: Validator, resource: dict[str, Any], expected: tuple[str, str] | None
) -> None:
    assert found(french.check(resource)) == ([("warning", *expected)] if expected else [])
    off = Validator(french.definitions, profile_set="french", ins=Rules(consistency=False))
    assert found(off.check(resource)) == []


def test_an_old_number_and_a_temporary_one_are_not_compared(french: Validator) -> None:
    resource = patient("1990178006084")
    put("identifier.0.use", "old")(resource)
    assert found(french.check(resource)) == []
    put("identifier.0.use", "official")(resource)
    put("identifier.0.system", OID + "9")(resource)
    assert found(french.check(resource)) == []


@pytest.mark.parametrize("end", ["8", "9", "10", "11"])
def test_a_wrong_key_is_refused_where_that_is_asked(french: Validator, end: str) -> None:
    keyed = Validator(french.definitions, profile_set="core", ins=Rules(key=True, consistency=False))
    number: dict[str, Any] = {"system": OID + end, "value": "2850569123084"}
    listed = [{"system": "urn:oid:1.2.3", "value": "1"}, number]
    resource: dict[str, Any] = {"resourceType": "Patient", "text": NARRATIVE, "identifier": listed}
    where = "Patient.identifier[1].value"
    assert errors(keyed.check(resource)) == [("ins-form", where)]
    number["value"] = "285056912308400"
    assert errors(keyed.check(resource)) == [("ins-key", where)]
    assert f"should be {key('2850569123084')}" in keyed.check(resource)[0].text
    assert found(french.check(resource)) == []
    number["value"] = "2850569123084" + key("2850569123084")
    assert errors(keyed.check(resource)) == []
    del number["value"]
    assert errors(keyed.check(resource)) == [("ins-form", where)]


@pytest.mark.parametrize("end", ["10", "11"])
def test_production_takes_no_test_numbers_wherever_they_stand(strict: Validator, end: str) -> None:
    resource = patient()
    resource["identifier"][0]["system"] = OID + end
    assert ("error", "ins-test", "Patient.identifier[0].system") in found(strict.check(resource))
    result = observation() | {"subject": {"identifier": {"system": OID + end, "value": "1"}}}
    assert errors(strict.check(result)) == [("ins-test", "Observation.subject.identifier.system")]
    assert errors(Validator(strict.definitions).check(result)) == []


@pytest.mark.parametrize("status", ["PROV", "DOUT", "FICT", None])
def test_production_takes_an_ins_only_on_a_validated_identity(strict: Validator, status: str | None) -> None:
    resource = patient()
    put(STATUS, status or "PROV")(resource)
    if status is None:
        put("extension.0", {"url": "http://example.org/e", "valueString": "x"})(resource)
    assert ("error", "ins-status", "Patient.identifier[0]") in found(strict.check(resource))
    assert found(Validator(strict.definitions, profile_set="french").check(resource)) == []
    resource["identifier"][0]["system"] = "urn:oid:1.2.3"
    assert found(strict.check(resource)) == []


def test_patients_inside_other_resources_are_held_to_the_same(strict: Validator) -> None:
    inner = patient()
    put(STATUS, "PROV")(inner)
    entry = {"fullUrl": "http://a.org/fhir/Patient/camille", "resource": inner}
    found_ = errors(strict.check({"resourceType": "Bundle", "type": "collection", "entry": [entry]}))
    assert ("ins-status", "Bundle.entry[0].resource.identifier[0]") in found_


@pytest.mark.parametrize("part", ["extension", "identifier", "birthDate", "gender", "_birthDate"])
@pytest.mark.parametrize("value", [None, 5, [None, 5, {}], {"extension": 5}, "x"])
def test_malformed_identities_yield_issues_only(strict: Validator, part: str, value: Any) -> None:
    strict.check(patient() | {part: value})
    strict.check(patient() | {"identifier": [{"system": OID + "8", "value": value}], "extension": [{"url": value}]})


def test_a_status_of_another_shape_is_none(strict: Validator) -> None:
    resource = patient()
    put("extension.0.extension.0", {"url": "identityStatus", "valueString": "VALI"})(resource)
    assert ("error", "ins-status", "Patient.identifier[0]") in found(strict.check(resource))
    put("extension.0.extension.0", {"url": "other", "valueString": "VALI"})(resource)
    assert ("error", "ins-status", "Patient.identifier[0]") in found(strict.check(resource))


@pytest.mark.parametrize(
    ("environment", "chosen", "genuine"),
    [
        ("development", "auto", False),
        ("production", "auto", True),
        ("development", "on", True),
        ("production", "off", False),
    ],
)
def test_production_decides_unless_told(environment: str, chosen: str, genuine: bool) -> None:
    loaded = settings.load(environ={"FHIRSERVER_ENVIRONMENT": environment, "FHIRSERVER_INS_PRODUCTION": chosen})
    assert loaded.genuine_ins is genuine


def test_the_key_is_not_judged_unless_asked_for(french: Validator) -> None:
    assert errors(french.check(patient("285056912308400"))) == []
    assert settings.load(environ={}).ins_key is False
