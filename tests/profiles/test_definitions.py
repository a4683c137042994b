"""The definitions hang together: names, references, snapshots, codes."""

from __future__ import annotations

from collections import Counter

import pytest

from fhirserver.spec import Definitions
from tests.profiles import repository

FRC = "https://hl7.fr/ig/fhir/core/StructureDefinition/"
FRV = "https://hl7.fr/ig/fhir/core/ValueSet/"
FRS = "https://hl7.fr/ig/fhir/core/CodeSystem/"
INS = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient-ins"


@pytest.fixture(scope="module")
def french() -> Definitions:
    return Definitions.french()


def test_a_file_is_named_after_its_resource() -> None:
    for path in repository.files():
        resource = repository.read(path)
        assert path.name == f"{resource['resourceType']}-{resource['id']}.json"
        folder = "terminology" if resource["resourceType"] in ("CodeSystem", "ValueSet") else "profiles"
        assert path.parent.name == folder


def test_every_canonical_is_unique() -> None:
    counts = Counter(repository.canonical(repository.read(path)) for path in repository.files())
    assert [url for url, count in counts.items() if count > 1] == []


def test_every_canonical_that_is_named_resolves_or_is_explained(french: Definitions) -> None:
    lost = [item for item in repository.named() if french.find(item.canonical) is None]
    assert [item for item in lost if repository.elsewhere(item.canonical) is None] == []


def test_no_explanation_is_stale(french: Definitions) -> None:
    lost = {repository.elsewhere(item.canonical) for item in repository.named() if not french.find(item.canonical)}
    held_in_part = {"http://snomed.info/sct"}
    assert set(repository.ELSEWHERE) - lost <= held_in_part


def test_every_version_that_is_named_is_the_one_that_answers(french: Definitions) -> None:
    wrong = []
    for item in repository.named():
        found = french.find(item.canonical)
        _, _, version = item.canonical.partition("|")
        if version and found is not None and found["version"] != version:
            wrong.append((item, found["version"]))
    assert wrong == []


@pytest.mark.parametrize("profile", repository.profiles(), ids=lambda profile: str(profile["id"]))
def test_the_snapshot_generates(profile: dict[str, object], french: Definitions) -> None:
    structure = french.structure(repository.canonical(profile))
    assert structure is not None
    elements = structure["snapshot"]["element"]
    ids = [element["id"] for element in elements]
    assert len(set(ids)) == len(ids)
    assert elements[0]["path"] == profile["type"]
    differential = profile["differential"]
    assert isinstance(differential, dict)
    assert {element["id"] for element in differential["element"]} <= set(ids)


def test_an_extension_fixes_its_url() -> None:
    for profile in repository.profiles():
        if profile["type"] == "Extension":
            urls = [item for item in profile["differential"]["element"] if item["id"] == "Extension.url"]
            assert [item["fixedUri"] for item in urls] == [profile["url"]]
            assert profile["context"]


@pytest.mark.parametrize("version", ["", "|2.2.0"])
def test_the_ins_profile_answers_with_and_without_version(version: str, french: Definitions) -> None:
    structure = french.structure(INS + version)
    assert structure is not None
    assert structure["version"] == "2.2.0"


def test_the_ins_invariants_are_there_with_their_severity(french: Definitions) -> None:
    structure = french.structure(INS)
    assert structure is not None
    rules = {rule["key"]: rule for rule in structure["snapshot"]["element"][0]["constraint"]}
    assert [rules[f"fr-core-{n}"]["severity"] for n in (1, 2, 3)] == ["error", "error", "warning"]
    for oid in ("4.8", "4.9", "4.10", "4.11"):
        assert f"'urn:oid:1.2.250.1.213.1.{oid}'" in rules["fr-core-1"]["expression"]
    assert "identifier.where(use = 'official').count() = 1" in rules["fr-core-2"]["expression"]
    assert "!= '99999'" in rules["fr-core-3"]["expression"]


@pytest.mark.parametrize(
    ("slice_name", "oid"),
    [("INS-NIR", "4.8"), ("INS-NIA", "4.9"), ("INS-NIR-TEST", "4.10"), ("INS-NIR-DEMO", "4.11"), ("NSS-NIR", "4.13"),
     ("NSS-NIA", "4.14"), ("INS-C", "4.2")],
)  # fmt: skip
def test_each_national_identifier_has_its_oid(slice_name: str, oid: str, french: Definitions) -> None:
    structure = french.structure(INS)
    assert structure is not None
    by_id = {element["id"]: element for element in structure["snapshot"]["element"]}
    system = by_id[f"Patient.identifier:{slice_name}.system"]
    assert system["patternUri"] == f"urn:oid:1.2.250.1.213.1.{oid}"
    assert system["min"] == 1


def test_the_room_invariants_keep_the_address_they_are_published_with(french: Definitions) -> None:
    """Upstream tests an extension URL that nothing uses: reported in the documentation, not corrected here."""
    structure = french.structure(FRC + "fr-core-location")
    assert structure is not None
    expressions = [rule["expression"] for rule in structure["snapshot"]["element"][0]["constraint"]]
    assert sum("http://fhir.fr/StructureDefinition/" in text for text in expressions) == 2


@pytest.mark.parametrize(
    ("value_set", "codes"),
    [
        (FRV + "fr-core-vs-patient-gender", {"male", "female", "unknown"}),
        (FRV + "fr-core-vs-mode-validation-identity-ins", {"PA", "CN", "AN", "LE"}),
        (FRV + "fr-core-vs-identity-method-collection", {"SM", "CV", "INSI", "CB", "RFID"}),
        (FRV + "fr-core-vs-patient-identifier-use-ins", {"official", "old"}),
        (FRV + "fr-core-vs-patient-identifier-use-pi", {"usual", "temp", "secondary", "old"}),
        (
            "https://mos.esante.gouv.fr/NOS/JDV_J08-XdsConfidentialityCode-CISIS/FHIR/JDV-J08-XdsConfidentialityCode-CISIS",
            {"N", "R", "V", "INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX", "MASQUE_PS"},
        ),
    ],
)
def test_a_value_set_has_the_codes_of_its_guide(value_set: str, codes: set[str], french: Definitions) -> None:
    found = french.codes(value_set)
    assert found is not None
    assert set().union(*found.values()) == codes


def test_the_communes_are_not_enumerable_here(french: Definitions) -> None:
    assert french.codes(FRV + "fr-core-vs-insee-code") is None


def test_the_identity_statuses_are_those_of_fr_core(french: Definitions) -> None:
    found = french.codes(FRV + "fr-core-vs-identity-reliability")
    assert found is not None
    assert found[FRS + "fr-core-cs-v2-0445"] >= {"VIDE", "PROV", "VALI", "DOUT", "FICT", "USUR"}
    assert len(found[FRS + "fr-core-cs-v2-0445"]) == 21


def test_drafts_are_marked(french: Definitions) -> None:
    for name in ("consent", "allergy-intolerance", "immunization", "medication-statement"):
        structure = french.structure(f"{FRC}fr-core-{name}")
        assert structure is not None
        assert structure["status"] == "draft"


@pytest.mark.parametrize(
    ("resource_type", "code"),
    [("DocumentReference", "isArchived"), ("List", "isArchived"), ("DocumentReference", "period-start"),
     ("DocumentReference", "period-end"), ("DocumentReference", "creation"), ("List", "designationType"),
     ("List", "sourceId"), ("List", "authorOrg"), ("AuditEvent", "period-start"), ("Appointment", "created"),
     ("Appointment", "description"), ("Appointment", "priority"), ("Appointment", "start")],
)  # fmt: skip
def test_the_french_search_parameters_are_served(resource_type: str, code: str, french: Definitions) -> None:
    assert code in french.search_parameters(resource_type)
    assert code not in Definitions.core().search_parameters(resource_type)


def test_no_french_search_parameter_narrows_one_of_r4(french: Definitions) -> None:
    own = {
        (base, parameter["code"]) for parameter in repository.of_type("SearchParameter") for base in parameter["base"]
    }
    core = Definitions.core()
    assert [pair for pair in own if pair[1] in core.search_parameters(pair[0])] == []
    assert own
