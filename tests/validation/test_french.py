"""FR Core 2.2.0: its own examples, and single faults in an INS patient, by the published definitions and by ours."""

from __future__ import annotations

import io
import json
import re
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.spec import Definitions, Package
from fhirserver.validation import Validator
from tests import corpus
from tests.validation.samples import NARRATIVE, errors
from tests.validation.test_single_faults import DELETE, put

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.outcome import Issue

FRC = "https://hl7.fr/ig/fhir/core/StructureDefinition/"
FRS = "https://hl7.fr/ig/fhir/core/CodeSystem/"
V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
INS = FRC + "fr-core-patient-ins"


def ins_patient() -> dict[str, Any]:
    """A qualified identity with all that the profile knows."""
    return {
        "resourceType": "Patient",
        "id": "camille",
        "meta": {"profile": [INS]},
        "text": dict(NARRATIVE),
        "extension": [
            {
                "url": FRC + "fr-core-identity-reliability",
                "extension": [
                    {"url": "identityStatus", "valueCoding": {"system": FRS + "fr-core-cs-v2-0445", "code": "VALI"}},
                    {
                        "url": "validationMode",
                        "valueCoding": {"system": FRS + "fr-core-cs-mode-validation-identity", "code": "CN"},
                    },
                    {"url": "validationDate", "valueDate": "2024-02-29"},
                ],
            },
            {
                "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
                "valueAddress": {
                    "city": "Lyon",
                    "extension": [
                        {
                            "url": FRC + "fr-core-address-insee-code",
                            "valueCoding": {
                                "system": "https://mos.esante.gouv.fr/NOS/TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM",
                                "code": "69123",
                            },
                        }
                    ],
                },
            },
        ],
        "identifier": [
            {
                "use": "official",
                "type": {"coding": [{"system": FRS + "fr-core-cs-v2-0203", "code": "INS-NIR"}]},
                "system": "urn:oid:1.2.250.1.213.1.4.8",
                "value": "285057800608491",
            },
            {
                "use": "secondary",
                "type": {
                    "coding": [
                        {
                            "system": FRS + "fr-core-cs-v2-0203",
                            "code": "INS-C",
                            "display": "Identifiant National de Santé Calculé",
                        }
                    ]
                },
                "system": "urn:oid:1.2.250.1.213.1.4.2",
                "value": "0411886319605719371016",
            },
        ],
        "name": [
            {
                "use": "official",
                "family": "Moreau",
                "given": ["Camille"],
                "extension": [{"url": FRC + "fr-core-patient-birth-list-given-name", "valueString": "Camille Rose"}],
            },
            {"use": "usual", "family": "Petit", "given": ["Rose"]},
        ],
        "telecom": [{"system": "phone", "value": "0600000000"}],
        "gender": "female",
        "birthDate": "1985-05-10",
        "address": [{"city": "Lyon", "postalCode": "69003"}],
    }


def nss(system: str = "urn:oid:1.2.250.1.213.1.4.13") -> dict[str, Any]:
    """A social security number, without `use`."""
    return {"type": {"coding": [{"system": V2_0203, "code": "NH"}]}, "system": system, "value": "185057800608491"}


PATIENT = "Patient"
UNITS = re.compile(r"Observation\.component\[\d+\]\.value").fullmatch
GIVEN = {"url": FRC + "fr-core-patient-birth-list-given-name", "valueString": "Rose"}
FAULTS: list[tuple[str, Any, list[tuple[str, str]]]] = [
    ("gender", DELETE, [("min", "Patient.gender")]),
    ("gender", "other", [("code", "Patient.gender")]),
    ("birthDate", DELETE, [("min", "Patient.birthDate")]),
    ("name", DELETE, [("min", "Patient.name")]),
    ("name.0", {"use": "nickname", "text": "x"}, [("slice-min", "Patient.name")]),
    ("name.0.family", DELETE, [("min", "Patient.name[0].family")]),
    ("name.0.given", DELETE, [("min", "Patient.name[0].given")]),
    ("name.0.given", ["Camille", "Rose"], [("max", "Patient.name[0].given")]),
    ("name.0.extension", DELETE, [("min", "Patient.name[0].extension")]),
    (
        "name.0.extension",
        [{"url": "http://example.org/other", "valueString": "x"}],
        [("slice-min", "Patient.name[0].extension")],
    ),
    (
        "name.0.extension.0",
        {"url": FRC + "fr-core-patient-birth-list-given-name", "valueCode": "x"},
        [("type", "Patient.name[0].extension[0].value")],
    ),
    (
        "name.1",
        {"use": "official", "family": "Petit", "given": ["Rose"], "extension": [GIVEN]},
        [("slice-max", "Patient.name")],
    ),
    ("extension.1.valueAddress.extension", DELETE, [("min", "Patient.extension[1].value.extension")]),
    ("extension.1.valueAddress", DELETE, [("ext-1", "Patient.extension[1]"), ("min", "Patient.extension[1].value")]),
    ("extension.1", {"url": "http://example.org/e", "valueString": "x"}, [("slice-min", "Patient.extension")]),
    (
        "extension.0.extension.1.valueCoding.code",
        "TC",
        [("code", "Patient.extension[0].extension[1].value")],
    ),
    ("extension.0.extension.2.valueDate", "2023-02-29", [("calendar", "Patient.extension[0].extension[2].value")]),
    (
        "extension.0.extension.2",
        {"url": "validationDate", "valueString": "hier"},
        [("type", "Patient.extension[0].extension[2].value")],
    ),
    (
        "identifier.0.use",
        "usual",
        [("code", "Patient.identifier[0].use"), ("fr-core-1", PATIENT), ("fr-core-2", PATIENT)],
    ),
    (
        "identifier.0.use",
        DELETE,
        [("min", "Patient.identifier[0].use"), ("fr-core-1", PATIENT), ("fr-core-2", PATIENT)],
    ),
    (
        "identifier.0.system",
        "urn:oid:1.2.250.1.213.1.4.9",
        [("pattern", "Patient.identifier[0].system")],
    ),
    ("identifier.0.value", DELETE, [("min", "Patient.identifier[0].value")]),
    ("identifier.1.use", "official", [("pattern", "Patient.identifier[1].use"), ("fr-core-2", PATIENT)]),
    ("identifier.1.system", "urn:oid:1.2.3", [("pattern", "Patient.identifier[1].system")]),
    ("identifier.0.type", DELETE, [("fr-core-1", PATIENT)]),
    (
        "managingOrganization",
        {"reference": "Patient/x"},
        [("reference-target", "Patient.managingOrganization.reference")],
    ),
]


@pytest.fixture(scope="module")
def published() -> Validator:
    return Validator(Definitions([Package.from_tgz(corpus.path("fr-core")), Package.core()]))


def examples() -> dict[str, dict[str, Any]]:
    """The example resources inside the published package."""
    found = {}
    with tarfile.open(corpus.path("fr-core")) as archive:
        for member in archive:
            if member.name.startswith("package/example/") and (file := archive.extractfile(member)):
                found[member.name.rpartition("/")[2]] = json.load(io.TextIOWrapper(file, "utf-8"))
    return found


def verdict(issues: list[Issue]) -> set[tuple[str | None, str]]:
    return set(errors(issues))


def test_a_qualified_identity_is_accepted(french: Validator) -> None:
    assert errors(french.check(ins_patient())) == []


@pytest.mark.parametrize(("path", "value", "expected"), FAULTS, ids=[f"{row[0]}-{row[2][0][0]}" for row in FAULTS])
def test_a_fault_in_an_ins_patient_is_refused_for_its_own_reason(
    french: Validator, path: str, value: Any, expected: list[tuple[str, str]]
) -> None:
    resource = ins_patient()
    put(path, value)(resource)
    found = french.check(resource)
    assert verdict(found) == set(expected)


@pytest.mark.parametrize(
    ("path", "value"), [row[:2] for row in FAULTS], ids=[f"{row[0]}-{row[2][0][0]}" for row in FAULTS]
)
@pytest.mark.corpus("fr-core")
def test_the_published_definitions_refuse_the_same(
    french: Validator, published: Validator, path: str, value: Any
) -> None:
    resource = ins_patient()
    put(path, value)(resource)
    assert verdict(published.check(resource)) == verdict(french.check(resource))


@pytest.mark.corpus("fr-core")
def test_the_examples_of_fr_core_are_valid_by_the_published_definitions_and_by_ours(
    french: Validator, published: Validator
) -> None:
    found = examples()
    assert len(found) == 31
    for name, resource in found.items():
        assert errors(published.check(resource)) == [], name
        assert errors(french.check(resource)) == [], name


def test_the_profile_that_asks_is_told(french: Validator) -> None:
    resource = ins_patient()
    del resource["gender"]
    (issue,) = (issue for issue in french.check(resource) if issue.is_error)
    assert (issue.code, issue.profile) == ("required", INS)


def test_a_validated_identity_born_nowhere_known_is_a_warning(french: Validator) -> None:
    resource = ins_patient()
    put("extension.1.valueAddress.extension.0.valueCoding.code", "99999")(resource)
    found = {issue.rule: issue.severity for issue in french.check(resource)}
    assert found["fr-core-3"] == "warning"


@pytest.mark.parametrize(("system", "piece"), [("13", "NSS-NIR"), ("14", "NSS-NIA")])
def test_a_number_that_fits_two_slices_is_accepted_by_the_one_that_it_meets(
    french: Validator, system: str, piece: str
) -> None:
    resource = ins_patient()
    resource["meta"]["profile"] = [FRC + "fr-core-patient"]
    resource["identifier"] = [nss(f"urn:oid:1.2.250.1.213.1.4.{system}") | {"use": "official"}]
    issues = french.check(resource)
    assert errors(issues) == []
    (told,) = (issue for issue in issues if issue.rule == "slice-several")
    assert told.severity == "information"
    assert f"'{piece}' accepts it" in told.text
    assert told.expression == ("Patient.identifier[0]",)


def test_a_number_that_fits_two_slices_and_meets_neither_is_refused_once(french: Validator) -> None:
    resource = ins_patient()
    resource["meta"]["profile"] = [FRC + "fr-core-patient"]
    resource["identifier"] = [nss()]
    assert verdict(french.check(resource)) == {("min", "Patient.identifier[0].use")}


def test_each_of_two_numbers_may_have_its_own_slice(french: Validator) -> None:
    resource = ins_patient()
    resource["meta"]["profile"] = [FRC + "fr-core-patient"]
    resource["identifier"] = [nss(f"urn:oid:1.2.250.1.213.1.4.{end}") | {"use": "official"} for end in (13, 14)]
    assert errors(french.check(resource)) == []


def test_a_patient_without_profile_is_held_to_the_french_default(french: Validator) -> None:
    found = french.check({"resourceType": "Patient", "text": NARRATIVE, "name": [{"family": "x"}]})
    assert verdict(found) == verdict(
        french.check(
            {"resourceType": "Patient", "text": NARRATIVE, "name": [{"family": "x"}]}, (FRC + "fr-core-patient",)
        )
    )
    assert Validator(profile_set="core").check({"resourceType": "Patient", "text": NARRATIVE}) == []


@pytest.mark.corpus("fr-core")
def test_both_definitions_judge_each_example_alike_with_any_member_left_out_or_changed(
    french: Validator, published: Validator
) -> None:
    """Ours may only refuse more: codes whose system the published package leaves to others, and units of components.

    The published snapshots bind these by `extensible`, although vitalsigns, which they derive from, says `required`.
    """
    judged = refused = 0
    for name, resource in examples().items():
        for mutant in mutants(resource):
            theirs, ours = published.check(mutant), french.check(mutant)
            unchecked = {issue.expression[0] for issue in theirs if issue.rule == "code-unchecked"}
            more = verdict(ours) - verdict(theirs)
            assert verdict(theirs) <= verdict(ours), (name, mutant)
            assert [each for each in more if each[1] not in unchecked and not UNITS(each[1])] == [], (name, mutant)
            refused += bool(verdict(ours))
            judged += 1
    assert judged > 1600
    assert refused > 600


def mutants(value: Any) -> Iterator[Any]:
    """Copies with one member removed, one item repeated, or one text changed, at every place below."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("resourceType", "text", "meta"):
                continue
            yield {name: each for name, each in value.items() if name != key}
            for below in mutants(item):
                yield {**value, key: below}
    elif isinstance(value, list):
        yield [*value, value[0]]
        for index, item in enumerate(value):
            for below in mutants(item):
                yield [*value[:index], below, *value[index + 1 :]]
    elif isinstance(value, str):
        yield value + "x"
