"""Valid resources with one fault each: refused for that reason, at that place, and for nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.validation.clinic import COLOUR, DEFINITIONS, NEGATION, clinic
from tests.validation.crafted import validator
from tests.validation.samples import SAMPLES, errors
from tests.validation.test_profiles import blood_pressure

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.validation import Validator

DELETE = object()


def put(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Set, or with DELETE remove, what stands at `a.0.b`."""

    def apply(resource: dict[str, Any]) -> None:
        target: Any = resource
        *steps, last = path.split(".")
        for step in steps:
            target = target[int(step)] if step.isdigit() else target[step]
        key: Any = int(last) if last.isdigit() else last
        if value is DELETE:
            del target[key]
        else:
            target[key] = value

    return apply


UUID = "urn:uuid:8d8ac93a-2a35-4d6f-a5d4-3e5ea4e4c1a2"
ABSENT = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
INNER = {
    "resourceType": "Organization",
    "name": "inside",
    "extension": [{"url": "http://example.org/e", "valueReference": {"reference": "#"}}],
}
PAT, OBS, BUN, QUE = "Patient", "Observation", "Bundle", "Questionnaire"
CLI, PRE = "Clinic", "BloodPressure"
MADE = SAMPLES | {CLI: clinic, PRE: blood_pressure}
TINT = {"url": COLOUR, "valueCode": "red"}
NOT = {"url": NEGATION, "valueBoolean": True}
FIRST, SECOND = {"system": "urn:clinic:a", "value": "1"}, {"system": "urn:clinic:b", "value": "2"}
PHONE = {"system": "phone", "value": "1"}
GP, GP_1 = {"reference": "#d"}, "Patient.generalPractitioner[1].reference"

FAULTS: list[tuple[str, str, Any, str, str]] = [
    # members
    (PAT, "brithDate", "1980-01-01", "unknown-element", "Patient.brithDate"),
    (PAT, "name.0.familyname", "x", "unknown-element", "Patient.name[0].familyname"),
    (PAT, "contact.0.name.surname", "x", "unknown-element", "Patient.contact[0].name.surname"),
    (PAT, "_name", {"id": "x"}, "pair-complex", "Patient.name"),
    (PAT, "deceasedInteger", 1, "unknown-choice", "Patient.deceasedInteger"),
    (OBS, "valueReference", {"reference": "Patient/p1"}, "unknown-choice", "Observation.valueReference"),
    (PAT, "deceasedDateTime", "2020", "choice", "Patient.deceased"),
    (OBS, "valueString", "x", "choice", "Observation.value"),
    (OBS, "_valueString", {"extension": [ABSENT]}, "choice", "Observation.value"),
    (PAT, "resourceType", "Pacient", "resource-unknown", "Pacient"),
    (PAT, "resourceType", DELETE, "resource-type", "Resource"),
    (PAT, "resourceType", "DomainResource", "resource-unknown", "DomainResource"),
    (PAT, "contained.0.resourceType", "Organisation", "resource-unknown", "Patient.contained[0]"),
    # JSON shapes
    (PAT, "name", {"family": "x"}, "array", "Patient.name"),
    (PAT, "name.0.given", "x", "array", "Patient.name[0].given"),
    (PAT, "maritalStatus", [{"text": "x"}], "single", "Patient.maritalStatus"),
    (PAT, "birthDate", ["1980-01-01"], "single", "Patient.birthDate"),
    (PAT, "name", [], "empty-array", "Patient.name"),
    (PAT, "name.0.given", [], "empty-array", "Patient.name[0].given"),
    (PAT, "maritalStatus", {}, "empty-object", "Patient.maritalStatus"),
    (PAT, "contact.0", {}, "empty-object", "Patient.contact[0]"),
    (PAT, "birthDate", None, "null", "Patient.birthDate"),
    (PAT, "maritalStatus", None, "null", "Patient.maritalStatus"),
    (PAT, "name", None, "null", "Patient.name"),
    (PAT, "name.0.given.1", None, "null-pair", "Patient.name[0].given[1]"),
    (PAT, "name.0", None, "null", "Patient.name[0]"),
    (PAT, "name.0", "Durand", "object", "Patient.name[0]"),
    (PAT, "name.0._given", [{"id": "a"}], "pair-length", "Patient.name[0].given"),
    (PAT, "_birthDate", [{"id": "a"}], "single", "Patient.birthDate"),
    (PAT, "_birthDate", {"value": "x"}, "unknown-element", "Patient.birthDate.value"),
    (PAT, "_multipleBirthBoolean", {"extension": [ABSENT]}, "choice", "Patient.multipleBirth"),
    (BUN, "entry.0.resource", "x", "object", "Bundle.entry[0].resource"),
    (PAT, "maritalStatus", {"id": "x"}, "ele-1", "Patient.maritalStatus"),
    # cardinality
    (OBS, "status", DELETE, "min", "Observation.status"),
    (OBS, "code", DELETE, "min", "Observation.code"),
    (PAT, "link.0.type", DELETE, "min", "Patient.link[0].type"),
    (PAT, "communication.0", {"preferred": True}, "min", "Patient.communication[0].language"),
    (BUN, "entry.0.request.url", DELETE, "min", "Bundle.entry[0].request.url"),
    (PAT, "text.status", DELETE, "min", "Patient.text.status"),
    # primitives
    (PAT, "active", "true", "json-type", "Patient.active"),
    (PAT, "active", 1, "json-type", "Patient.active"),
    (PAT, "birthDate", 1980, "json-type", "Patient.birthDate"),
    (PAT, "multipleBirthInteger", "2", "json-type", "Patient.multipleBirth"),
    (PAT, "multipleBirthInteger", True, "json-type", "Patient.multipleBirth"),
    (PAT, "multipleBirthInteger", 2.5, "format", "Patient.multipleBirth"),
    (PAT, "multipleBirthInteger", 2147483648, "range", "Patient.multipleBirth"),
    (PAT, "telecom.0.rank", 0, "range", "Patient.telecom[0].rank"),
    (PAT, "photo.0.size", -1, "range", "Patient.photo[0].size"),
    (OBS, "valueQuantity.value", "13.4", "json-type", "Observation.value.value"),
    (OBS, "valueQuantity.value", float("inf"), "json-type", "Observation.value.value"),
    (PAT, "birthDate", "1981-02-29", "calendar", "Patient.birthDate"),
    (PAT, "birthDate", "1900-02-29", "calendar", "Patient.birthDate"),
    (PAT, "birthDate", "1980-04-31", "calendar", "Patient.birthDate"),
    (PAT, "birthDate", "1980-13-01", "format", "Patient.birthDate"),
    (PAT, "birthDate", "29/02/1980", "format", "Patient.birthDate"),
    (PAT, "birthDate", "0000-01-01", "format", "Patient.birthDate"),
    (PAT, "birthDate", "1980-02-29T00:00:00Z", "format", "Patient.birthDate"),
    (PAT, "birthDate", "1980-02-29\n", "format", "Patient.birthDate"),
    (OBS, "effectiveDateTime", "2024-01-31T10:00:00", "format", "Observation.effective"),
    (OBS, "effectiveDateTime", "2024-01-31T25:00:00Z", "format", "Observation.effective"),
    (OBS, "effectiveDateTime", "2023-02-29T10:00:00Z", "calendar", "Observation.effective"),
    (OBS, "issued", "2024-01-31", "format", "Observation.issued"),
    (PAT, "id", "p_1", "format", "Patient.id"),
    (PAT, "id", "a" * 65, "format", "Patient.id"),
    (PAT, "identifier.0.system", "urn:oid:1.02.3", "urn-form", "Patient.identifier[0].system"),
    (PAT, "identifier.0.system", "urn:uuid:123", "urn-form", "Patient.identifier[0].system"),
    (PAT, "identifier.0.system", "a b", "format", "Patient.identifier[0].system"),
    (PAT, "identifier.0.value", "", "string-empty", "Patient.identifier[0].value"),
    (PAT, "identifier.0.value", "a\u0000b", "string-control", "Patient.identifier[0].value"),
    (PAT, "identifier.0.value", "x" * 1048577, "string-long", "Patient.identifier[0].value"),
    (PAT, "identifier.0.value", 42, "json-type", "Patient.identifier[0].value"),
    (PAT, "photo.0.data", "AAE", "base64", "Patient.photo[0].data"),
    (PAT, "photo.0.data", "A-E_", "base64", "Patient.photo[0].data"),
    (PAT, "photo.0.data", 5, "json-type", "Patient.photo[0].data"),
    (PAT, "meta.tag.0.code", " a", "format", "Patient.meta.tag[0].code"),
    (PAT, "meta.tag.0.code", "a  b", "format", "Patient.meta.tag[0].code"),
    # codes
    (PAT, "gender", "femme", "code", "Patient.gender"),
    (PAT, "gender", "Female", "code", "Patient.gender"),
    (PAT, "name.0.use", "birth", "code", "Patient.name[0].use"),
    (OBS, "status", "done", "code", "Observation.status"),
    (PAT, "photo.0.contentType", "png", "code", "Patient.photo[0].contentType"),
    (QUE, "status", "final", "code", "Questionnaire.status"),
    # references
    (OBS, "subject.reference", "Organization/1", "reference-target", "Observation.subject.reference"),
    (OBS, "subject.reference", "http://a.org/fhir/Encounter/1", "reference-target", "Observation.subject.reference"),
    (OBS, "subject", {"type": "Encounter", "display": "x"}, "reference-target", "Observation.subject"),
    (OBS, "subject.type", "Device", "reference-type", "Observation.subject.type"),
    (OBS, "subject.reference", "p1", "reference-format", "Observation.subject.reference"),
    (OBS, "subject.reference", "Patient/p_1", "reference-format", "Observation.subject.reference"),
    (PAT, "generalPractitioner", [{"reference": "#p1"}], "ref-1", "Patient.generalPractitioner[0].reference"),
    (
        BUN,
        "entry.1.resource.performer",
        [{"reference": "Location/1"}],
        "reference-target",
        "Bundle.entry[1].resource.performer[0].reference",
    ),
    (
        BUN,
        "entry.1.resource.encounter",
        {"reference": UUID},
        "reference-target",
        "Bundle.entry[1].resource.encounter.reference",
    ),
    # contained
    (PAT, "contained.0.contained", [INNER], "dom-2", "Patient"),
    (PAT, "managingOrganization.reference", "Organization/1", "dom-3", "Patient"),
    (PAT, "contained.0.meta", {"versionId": "1"}, "dom-4", "Patient"),
    (PAT, "contained.0.meta", {"security": [{"code": "R"}]}, "dom-5", "Patient"),
    # invariants
    (PAT, "address.0.period.end", "2000", "per-1", "Patient.address[0].period"),
    (PAT, "telecom.0.system", DELETE, "cpt-2", "Patient.telecom[0]"),
    (PAT, "photo.0.contentType", DELETE, "att-1", "Patient.photo[0]"),
    (PAT, "contact.0.name", DELETE, "pat-1", "Patient.contact[0]"),
    (OBS, "valueQuantity.system", DELETE, "qty-3", "Observation.value"),
    (OBS, "dataAbsentReason", {"text": "lost"}, "obs-6", "Observation"),
    (OBS, "component.0.code", {"coding": [{"system": "http://loinc.org", "code": "718-7"}]}, "obs-7", "Observation"),
    (OBS, "referenceRange.0", {"appliesTo": [{"text": "x"}]}, "obs-3", "Observation.referenceRange[0]"),
    (QUE, "item.0.item.0.linkId", "1", "que-2", "Questionnaire"),
    (QUE, "item.0.item.0.answerValueSet", "http://example.org/vs", "que-4", "Questionnaire.item[0].item[0]"),
    (QUE, "item.0.item", DELETE, "que-1", "Questionnaire.item[0]"),
    # extensions
    (PAT, "extension", [{"url": "http://example.org/e"}], "ext-1", "Patient.extension[0]"),
    (PAT, "extension", [{"valueString": "x"}], "min", "Patient.extension[0].url"),
    (PAT, "extension", [{"url": "e", "valueString": "x"}], "extension-relative", "Patient.extension[0].url"),
    (
        PAT,
        "extension",
        [{"url": "http://example.org/e", "valueString": "x", "valueCode": "y"}],
        "choice",
        "Patient.extension[0].value",
    ),
    (
        PAT,
        "extension",
        [{"url": "http://example.org/e", "valueThing": "x"}],
        "unknown-choice",
        "Patient.extension[0].valueThing",
    ),
    (
        PAT,
        "modifierExtension",
        [{"url": "http://example.org/e", "valueString": "x"}],
        "modifier-unknown",
        "Patient.modifierExtension[0]",
    ),
    (
        PAT,
        "extension",
        [{"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueString": "Lyon"}],
        "type",
        "Patient.extension[0].value",
    ),
    (
        PAT,
        "modifierExtension",
        [{"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": {"city": "Lyon"}}],
        "extension-plain",
        "Patient.modifierExtension[0]",
    ),
    # narrative
    (
        PAT,
        "text.div",
        '<div xmlns="http://www.w3.org/1999/xhtml"><script>x</script></div>',
        "txt-1",
        "Patient.text.div",
    ),
    (
        PAT,
        "text.div",
        '<div xmlns="http://www.w3.org/1999/xhtml"><p onclick="x">y</p></div>',
        "txt-1",
        "Patient.text.div",
    ),
    (PAT, "text.div", '<div xmlns="http://www.w3.org/1999/xhtml"> </div>', "txt-2", "Patient.text.div"),
    (PAT, "text.div", "<div>no namespace</div>", "xhtml-root", "Patient.text.div"),
    (PAT, "text.div", '<div xmlns="http://www.w3.org/1999/xhtml"><p>open</div>', "xhtml-syntax", "Patient.text.div"),
    (PAT, "text.div", 5, "json-type", "Patient.text.div"),
    # Bundles
    (BUN, "total", 2, "bdl-1", "Bundle"),
    (BUN, "entry.0.search", {"mode": "match"}, "bdl-2", "Bundle"),
    (BUN, "entry.0.request", DELETE, "bdl-3", "Bundle"),
    (BUN, "entry.0.response", {"status": "201"}, "bdl-4", "Bundle"),
    (
        BUN,
        "entry.0",
        {"request": {"method": "DELETE", "url": "Patient/1"}, "fullUrl": "http://a.org/Patient/1/_history/2"},
        "bdl-8",
        "Bundle.entry[0]",
    ),
    (BUN, "entry.1.fullUrl", UUID, "bdl-7", "Bundle"),
    (BUN, "entry.0.fullUrl", "http://a.org/fhir/Patient/other", "full-url", "Bundle.entry[0].fullUrl"),
    (BUN, "entry.0.fullUrl", "Patient/p1", "full-url-absolute", "Bundle.entry[0].fullUrl"),
    (BUN, "entry.0.resource.gender", "x", "code", "Bundle.entry[0].resource.gender"),
    # profiles: counts, values, types
    (CLI, "active", DELETE, "min", "Patient.active"),
    (CLI, "active", False, "fixed", "Patient.active"),
    (CLI, "photo", [{"title": "x"}], "max", "Patient.photo"),
    (CLI, "address", [{"city": "a"}, {"city": "b"}, {"city": "c"}], "max", "Patient.address"),
    (CLI, "contact.0.gender", DELETE, "min", "Patient.contact[0].gender"),
    (CLI, "birthDate", "1899-12-31", "min-value", "Patient.birthDate"),
    (CLI, "birthDate", "2100-01-02", "max-value", "Patient.birthDate"),
    (CLI, "maritalStatus.coding.0.code", "S", "pattern", "Patient.maritalStatus"),
    (CLI, "maritalStatus.coding", DELETE, "pattern", "Patient.maritalStatus"),
    (CLI, "name.0.family", DELETE, "min", "Patient.name[0].family"),
    (CLI, "name.0.text", "x", "max", "Patient.name[0].text"),
    (CLI, "address.0", {"country": "BE"}, "type-profile", "Patient.address[0]"),
    (CLI, "communication.0.language.coding.0.code", "en", "code", "Patient.communication[0].language"),
    (CLI, "communication.0.language", {"text": "x"}, "code-absent", "Patient.communication[0].language"),
    (CLI, "meta.profile.0", "http://hl7.org/fhir/StructureDefinition/bp", "profile-type", "Patient"),
    # slices
    (CLI, "identifier.0", DELETE, "slice-min", "Patient.identifier"),
    (CLI, "identifier", DELETE, "slice-min", "Patient.identifier"),
    (CLI, "identifier.1.system", "urn:clinic:a", "slice-max", "Patient.identifier"),
    (CLI, "identifier.1.system", "urn:clinic:c", "slice-closed", "Patient.identifier[1]"),
    (CLI, "identifier.0.value", "1234567", "max-length", "Patient.identifier[0].value"),
    (CLI, "identifier.0.value", DELETE, "min", "Patient.identifier[0].value"),
    (CLI, "telecom.0.system", "fax", "slice-min", "Patient.telecom"),
    (CLI, "extension", [TINT, TINT], "slice-max", "Patient.extension"),
    (CLI, "identifier", [SECOND, FIRST], "slice-order", "Patient.identifier[1]"),
    (CLI, "telecom", [{"system": "email", "value": "a"}, PHONE], "slice-end", "Patient.telecom[1]"),
    # references of profiles
    (CLI, "contained.0.active", DELETE, "reference-profile", "Patient.generalPractitioner[0].reference"),
    (CLI, "generalPractitioner", [GP, {"reference": "Practitioner/1"}], "aggregation", GP_1),
    (CLI, "generalPractitioner", [GP, {"reference": "#x"}], "ref-1", GP_1),
    # extensions of guides
    (CLI, "extension.0", {"url": COLOUR, "valueString": "x"}, "type", "Patient.extension[0].value"),
    (CLI, "extension.0", NOT, "extension-modifier", "Patient.extension[0]"),
    (CLI, "contact.0.extension", [TINT], "extension-context", "Patient.contact[0].extension[0]"),
    (CLI, "name.0.use", "usual", "extension-context", "Patient.name[0].extension[0]"),
    (CLI, "_birthDate", {"extension": [TINT]}, "extension-context", "Patient.birthDate.extension[0]"),
    (CLI, "modifierExtension.0", TINT, "extension-plain", "Patient.modifierExtension[0]"),
    (CLI, "contact.0.modifierExtension", [NOT], "extension-context", "Patient.contact[0].modifierExtension[0]"),
    (CLI, "modifierExtension.0", {"url": NEGATION, "valueString": "x"}, "type", "Patient.modifierExtension[0].value"),
    # profiles of R4: blood pressure
    (PRE, "category.0.coding.0.code", "laboratory", "slice-min", "Observation.category"),
    (PRE, "code.coding.0.code", "8867-4", "slice-min", "Observation.code.coding"),
    (PRE, "subject", DELETE, "min", "Observation.subject"),
    (PRE, "subject.reference", "Group/1", "reference-target", "Observation.subject.reference"),
    (PRE, "effectiveDateTime", "2012-09", "vs-1", "Observation.effective"),
    (PRE, "component.0.valueQuantity", DELETE, "vs-3", "Observation.component[0]"),
    (PRE, "component.1.valueQuantity.code", "cm", "fixed", "Observation.component[1].value.code"),
    (PRE, "component.1.valueQuantity.unit", DELETE, "min", "Observation.component[1].value.unit"),
    (PRE, "valueQuantity", {"value": 1}, "slice-max", "Observation.value"),
]


@pytest.fixture(scope="module")
def guided(tmp_path_factory: pytest.TempPathFactory) -> Validator:
    """R4 and the clinic's guide."""
    return validator(tmp_path_factory.mktemp("clinic"), *DEFINITIONS)


@pytest.mark.parametrize("name", MADE)
def test_the_samples_are_valid(guided: Validator, name: str) -> None:
    assert errors(guided.check(MADE[name]())) == []


@pytest.mark.parametrize(
    ("name", "path", "value", "rule", "location"),
    FAULTS,
    ids=[f"{fault[3]}-{fault[0]}.{fault[1]}" for fault in FAULTS],
)
def test_a_single_fault_is_refused_for_its_own_reason(
    guided: Validator, name: str, path: str, value: Any, rule: str, location: str
) -> None:
    resource = MADE[name]()
    put(path, value)(resource)
    assert errors(guided.check(resource)) == [(rule, location)]


def test_the_table_covers_enough() -> None:
    assert len(FAULTS) >= 150
    assert len({fault[3] for fault in FAULTS}) >= 80
