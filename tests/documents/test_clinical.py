"""Clinical content: what statements become, one by one."""

from __future__ import annotations

from typing import Any

import pytest

from fhirserver.documents.cda import Conversion, convert
from tests.documents.corpus import converted, corpus, errors
from tools.cda import statements as s
from tools.cda.header import BIOLOGIST, Document, author, written
from tools.cda.xml import CIM10, LOINC, SNOMED, code, el, entry, interval, quantity, relation, section


def of_section(*statements: Any, name: tuple[str, str] = ("10164-2", "Histoire"), extra: Any = None) -> Conversion:
    """A document with one section of these statements, converted and valid."""
    made = section(("1.2.3.4",), code("code", name[0], LOINC, name[1]), name[1], "Texte", *map(entry, statements))
    if extra is not None:
        made.insert(3, extra)
    conversion = convert(written(Document(9001, ("34133-9", "Synthèse d'épisode de soins"), "Essai", [made])))
    assert errors(conversion) == []
    return conversion


def only(conversion: Conversion, type: str) -> dict[str, Any]:
    (found,) = conversion.all(type)
    return found


def first_code(concept: dict[str, Any]) -> tuple[str, str]:
    return concept["coding"][0]["system"], concept["coding"][0]["code"]


def test_a_vaccination_has_vaccine_lot_rank_and_kind() -> None:
    given, refused, unknown = converted("vac").all("Immunization")
    assert given["status"] == "completed"
    assert given["vaccineCode"]["coding"][0]["code"] == "64562170"
    assert given["lotNumber"] == "X1234"
    assert given["occurrenceDateTime"] == "2024-03-12"
    assert given["protocolApplied"] == [{"series": "BOOSTER", "doseNumberPositiveInt": 3}]
    assert given["note"] == [{"text": "Bien toléré"}]
    assert given["reaction"] == [{"date": "2024-03-13"}]
    assert refused["status"] == "not-done"
    assert "occurrenceDateTime" not in unknown


def test_a_vaccination_that_is_planned_is_a_recommendation() -> None:
    recommendation = only(converted("vac"), "ImmunizationRecommendation")["recommendation"][0]
    assert recommendation["dateCriterion"][0]["value"] == "2027-03-12"


def test_a_prescription_has_dosage_quantity_substitution_and_reason() -> None:
    conversion = converted("ep-med")
    line = conversion.all("MedicationRequest")[0]
    assert (line["status"], line["intent"]) == ("active", "order")
    assert line["groupIdentifier"]["value"] == conversion.document.unique_id
    dosage = line["dosageInstruction"][0]
    assert dosage["timing"]["repeat"]["boundsPeriod"] == {"start": "2026-03-05", "end": "2026-03-09"}
    assert (dosage["timing"]["repeat"]["period"], dosage["timing"]["repeat"]["periodUnit"]) == (6, "h")
    assert dosage["doseAndRate"] == [{"doseQuantity": {"value": 1, "unit": "comprimé"}}]
    assert dosage["asNeededCodeableConcept"] == {"text": "Si douleur"}
    assert dosage["patientInstruction"] == "Ne pas dépasser 4 g par jour"
    assert line["dispenseRequest"]["numberOfRepeatsAllowed"] == 1
    assert line["dispenseRequest"]["quantity"]["value"] == 16
    assert line["substitution"]["allowedCodeableConcept"]["coding"][0]["code"] == "G"
    (reason,) = line["reasonReference"]
    asthma = next(e.resource for e in conversion.entries if e.full_url == reason["reference"])
    assert asthma["code"]["coding"][0]["code"] == "J45.9"


def test_a_taper_has_its_steps_in_order() -> None:
    taper = converted("ldl-ses").all("MedicationStatement")[0]
    steps = [each for each in taper["dosage"] if "sequence" in each]
    assert [each["sequence"] for each in steps] == [1, 2]
    assert [each["doseAndRate"][0]["doseQuantity"]["value"] for each in steps] == [40, 20]


def test_a_problem_has_status_certainty_severity_and_times() -> None:
    active, past, refuted = converted("ldl-ses").all("Condition")[:3]
    assert active["clinicalStatus"]["coding"][0]["code"] == "active"
    assert active["verificationStatus"]["coding"][0]["code"] == "confirmed"
    assert active["severity"]["coding"][0]["code"] == "M"
    assert active["onsetDateTime"] == "2010-06"
    assert (past["clinicalStatus"]["coding"][0]["code"], past["abatementDateTime"]) == ("resolved", "2018-04-01")
    assert refuted["verificationStatus"]["coding"][0]["code"] == "refuted"


def test_an_allergy_has_agent_reaction_and_criticality() -> None:
    drug, food = converted("ldl-ses").all("AllergyIntolerance")
    assert (drug["type"], drug["category"], drug["criticality"]) == ("allergy", ["medication"], "high")
    assert first_code(drug["code"]) == ("http://www.whocc.no/atc", "J01CA04")
    (reaction,) = drug["reaction"]
    assert first_code(reaction["manifestation"][0])[1] == "L50.0"
    assert reaction["severity"] == "severe"
    assert drug["clinicalStatus"]["coding"][0]["code"] == "active"
    assert food["category"] == ["food"]


def test_vital_signs_are_members_of_their_panel() -> None:
    conversion = converted("signes-vitaux")
    panel = next(each for each in conversion.all("Observation") if "hasMember" in each)
    values = {
        each["code"]["coding"][0]["code"]: each["valueQuantity"]["value"]
        for each in conversion.all("Observation")
        if "valueQuantity" in each
    }
    assert len(panel["hasMember"]) == 5
    assert str(values["29463-7"]) == "63.50"
    assert all(each["category"][0]["coding"][0]["code"] == "vital-signs" for each in conversion.all("Observation"))


def test_a_relative_and_what_she_had() -> None:
    history = only(converted("vsm"), "FamilyMemberHistory")
    assert history["relationship"]["coding"][0]["code"] == "MTH"
    assert [each["code"]["coding"][0]["code"] for each in history["condition"]] == ["J45.9", "E11.9"]


def test_acts_done_wanted_and_visits() -> None:
    conversion = converted("ldl-ses")
    done = only(conversion, "Procedure")
    assert (done["status"], done["code"]["coding"][0]["code"]) == ("completed", "HHFA001")
    assert done["bodySite"][0]["coding"][0]["code"] == "66754008"
    assert len(done["reasonReference"]) == 1
    wanted = only(conversion, "ServiceRequest")
    assert (wanted["status"], wanted["intent"]) == ("active", "order")
    assert len(conversion.all("Encounter")) == 2


def test_an_imaging_study_has_its_dicom_identifiers() -> None:
    study = only(converted("img-cr"), "ImagingStudy")
    assert study["identifier"][0] == {"system": "urn:dicom:uid", "value": "urn:oid:1.2.250.1.59.40211.99.1"}
    (series,) = study["series"]
    assert (series["uid"], series["modality"]["code"]) == ("1.2.250.1.59.40211.99.1.1", "CT")
    assert [each["uid"][-1] for each in series["instance"]] == ["1", "2"]
    assert study["procedureCode"][0]["coding"][0]["code"] == "ZBQK002"


def test_the_study_of_the_header_alone_is_an_imaging_study() -> None:
    study = only(converted("img-kos"), "ImagingStudy")
    assert study["identifier"][0]["value"] == "urn:oid:1.2.250.1.59.40211.99.1"
    assert study["started"] == "2026-03-05T09:10:00+01:00"


def test_a_dispensing_names_its_prescription() -> None:
    conversion = converted("edisp-med")
    dispense = only(conversion, "MedicationDispense")
    assert dispense["type"]["coding"][0]["code"] == "FFC"
    (asked,) = dispense["authorizingPrescription"]
    assert (
        next(e.resource for e in conversion.entries if e.full_url == asked["reference"])["resourceType"]
        == "MedicationRequest"
    )


def test_an_unknown_template_is_read_by_its_class_and_reported() -> None:
    conversion = converted("divers")
    transport = next(each for each in conversion.all("Procedure") if each["code"]["coding"][0]["code"] == "T-1")
    assert transport["note"] == [{"text": "Ambulance"}]
    assert "cda-template-unknown" in [finding.rule for finding in conversion.findings]
    assert only(conversion, "DeviceUseStatement")["timingPeriod"] == {"start": "2020-01-01"}


def test_a_section_of_another_author_says_so() -> None:
    conversion = converted("ldl-ses")
    opinion = conversion.of("composition")[0]["section"][-1]
    anaemia = next(each for each in conversion.all("Condition") if each["code"]["coding"][0]["code"] == "D64.9")
    assert opinion["author"] == [anaemia["recorder"]]
    assert anaemia["recorder"] != conversion.document.authors[0]
    sources = [each for each in conversion.of("provenance") if "entity" in each]
    assert len(sources) == 2


def test_an_entry_of_another_author_says_so() -> None:
    mine = s.problem("1", ("J45", "Asthme"), "x", period=("2020", None))
    theirs = s.problem("2", ("D64.9", "Anémie"), "x", author(BIOLOGIST, None, "20260101"), period=("2020", None))
    conversion = of_section(mine, theirs)
    asthma, anaemia = conversion.all("Condition")
    assert asthma["recorder"] == conversion.document.authors[0]
    biologist = conversion.all("Practitioner")[-1]
    assert biologist["identifier"][0]["value"] == BIOLOGIST.rpps
    said = {each["occurredDateTime"] for each in conversion.of("provenance") if "entity" in each}
    assert said == {"2026-03-05T10:15:00+01:00", "2026-01-01"}
    assert anaemia["recorder"] not in conversion.document.authors


def test_an_empty_section_says_that_it_is() -> None:
    empty = converted("vsm").of("composition")[0]["section"][-1]
    assert empty["emptyReason"]["coding"][0]["code"] == "unavailable"


def test_the_confidentiality_of_a_section_is_borne_by_what_is_derived_from_it() -> None:
    label = code("confidentialityCode", "R", "2.16.840.1.113883.5.25", "Restreint")
    conversion = of_section(s.problem("P", ("F32.9", "Dépression"), "x", period=("2020", None)), extra=label)
    assert only(conversion, "Condition")["meta"]["security"][0]["code"] == "R"
    assert "meta" not in conversion.all("Encounter")[0]


@pytest.mark.parametrize("mood", ["INT", "RQO", "PRP", "PRMS", "ARQ"])
@pytest.mark.parametrize("name", ["observation", "procedure", "act", "encounter"])
def test_what_is_wanted_is_a_request(mood: str, name: str) -> None:
    wanted = el(
        name, s.identity("1"), code("code", "1-8", LOINC, "Examen"), s.done("active"), classCode="OBS", moodCode=mood
    )
    assert only(of_section(wanted), "ServiceRequest")["code"]["coding"][0]["code"] == "1-8"


def test_what_is_aimed_at_is_a_goal() -> None:
    aimed = s.observation("1", ("29463-7", "Poids"), quantity("value", "70", "kg"), "2026")
    aimed.set("moodCode", "GOL")
    (target,) = only(of_section(aimed), "Goal")["target"]
    assert (target["detailQuantity"]["value"], target["dueDate"]) == (70, "2026")


def test_a_definition_is_left() -> None:
    defined = s.procedure("1", ("1", "1.2.3", "X"), "x", "2026", mood="DEF")
    conversion = of_section(defined)
    assert not conversion.all("Procedure")
    assert "mood" in [each.why for each in conversion.left]


def test_an_observation_takes_its_category_from_its_section() -> None:
    seen = s.observation("1", ("72166-2", "Tabac"), code("value", "77176002", SNOMED, "Fumeur", type="CD"), "2026")
    found = only(of_section(seen, name=("29762-2", "Mode de vie")), "Observation")
    assert found["category"][0]["coding"][0]["code"] == "social-history"


def test_a_negated_observation_is_negative() -> None:
    seen = s.observation("1", ("72166-2", "Tabac"), None, "2026")
    seen.set("negationInd", "true")
    assert only(of_section(seen), "Observation")["valueBoolean"] is False


def test_times_that_an_expression_combines_are_one_timing() -> None:
    parts = [
        el("comp", el("event", code="CM"), type="EIVL_TS"),
        el("comp", el("event", code="CV"), type="EIVL_TS", operator="I"),
    ]
    taken = s.treatment(
        "1",
        s.product("1", "X"),
        "x",
        period=("2026", None),
        times=[el("effectiveTime", *parts, type="SXPR_TS", operator="A")],
    )
    dosage = only(of_section(taken), "MedicationStatement")["dosage"][0]
    assert dosage["timing"]["repeat"]["when"] == ["CM", "CV"]


def test_a_dose_whose_limits_are_reversed_is_left() -> None:
    taken = s.treatment("1", s.product("1", "X"), "x", period=("2026", None), amount=s.dose("4", "2", "mg"))
    conversion = of_section(taken)
    assert "doseRange" not in str(conversion.all("MedicationStatement"))
    assert any(each.xpath.endswith("doseQuantity/high") for each in conversion.left)


def test_a_reference_to_what_is_not_there_is_left() -> None:
    taken = s.treatment("1", s.product("1", "X"), "x", relation("RSON", s.pointer("NOWHERE")), period=("2026", None))
    assert "reference" in [each.why for each in of_section(taken).left]


def test_a_status_that_nobody_knows_is_left() -> None:
    odd = s.problem("1", ("J45", "Asthme"), "x", relation("REFR", s.state(("999", "Étrange"))), period=("2020", None))
    conversion = of_section(odd)
    assert "value" in [each.why for each in conversion.left]
    assert "clinicalStatus" not in only(conversion, "Condition")


def test_a_comment_of_its_own_is_an_observation() -> None:
    assert only(of_section(s.comment("À revoir")), "Observation")["valueString"] == "À revoir"


def test_statements_within_statements_that_say_nothing_come_through() -> None:
    inner = s.problem("1", ("J45", "Asthme"), "x", period=("2020", None))
    group = el("organizer", el("component", inner), classCode="CLUSTER", moodCode="EVN")
    wrapped = el("act", el("entryRelationship", group, typeCode="COMP"), classCode="ACT", moodCode="EVN")
    assert only(of_section(wrapped), "Condition")["code"]["coding"][0]["code"] == "J45"


def test_nothing_that_a_document_says_twice_is_lost() -> None:
    seen = el(
        "observation", s.identity("1"), code("code", "8302-2", LOINC, "Taille"), s.done(),
        interval("effectiveTime", "2026"),
        quantity("value", "172", "cm"), code("interpretationCode", "N", "2.16.840.1.113883.5.83", "Normal"),
        code("methodCode", "258104002", SNOMED, "Mesuré"), code("targetSiteCode", "38266002", SNOMED, "Corps entier"),
        code("targetSiteCode", "R69", CIM10, "Autre"), classCode="OBS", moodCode="EVN",
    )  # fmt: skip
    found = only(of_section(seen), "Observation")
    assert [each["code"] for each in found["bodySite"]["coding"]] == ["38266002", "R69"]
    assert found["interpretation"][0]["coding"][0]["code"] == "N"


def test_the_corpus_has_every_type_that_the_room_can_derive() -> None:
    types = {entry.resource["resourceType"] for name in corpus() for entry in converted(name).entries}
    assert types >= {
        "AllergyIntolerance", "Binary", "Composition", "Condition", "Device", "DeviceUseStatement", "DiagnosticReport",
        "DocumentReference", "Encounter", "FamilyMemberHistory", "ImagingStudy", "Immunization",
        "ImmunizationRecommendation", "Location", "Media", "MedicationDispense", "MedicationRequest",
        "MedicationStatement", "Observation", "Organization", "Practitioner", "PractitionerRole", "Procedure",
        "Provenance", "RelatedPerson", "ServiceRequest", "Specimen",
    }  # fmt: skip
