"""Each French guide accepts what conforms to it, and refuses a single fault where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.validation import Validator
from tests.profiles import samples

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLES: list[Callable[[], dict[str, Any]]] = [
    samples.comprehensive, samples.simplified, samples.submission_set, samples.folder, samples.provide_bundle,
    samples.practitioner, samples.practitioner_role, samples.organization, samples.audit_event, samples.steps,
    samples.weight, samples.cholesterol, samples.allergy, samples.immunization, samples.medication, samples.consent,
]  # fmt: skip
GONE = object()


@pytest.fixture(scope="module")
def french() -> Validator:
    return Validator()


def put(resource: dict[str, Any], path: str, value: object) -> None:
    """Set, or with GONE remove, what lies at a path such as `content.0.attachment.url`."""
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    held: Any = resource
    for step in way:
        held = held[step]
    if value is GONE:
        del held[last]
    elif isinstance(held, list) and last == len(held):
        held.append(value)
    else:
        held[last] = value


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: str(sample.__name__))
def test_what_conforms_is_accepted(sample: Callable[[], dict[str, Any]], french: Validator) -> None:
    outcome = french.validate(sample())
    assert [(issue.rule, issue.expression, issue.text) for issue in outcome.errors] == []


@pytest.mark.parametrize(
    ("sample", "path", "value", "place"),
    [
        (samples.comprehensive, "custodian", GONE, "DocumentReference.custodian"),
        (samples.comprehensive, "masterIdentifier", GONE, "DocumentReference.masterIdentifier"),
        (samples.comprehensive, "docStatus", "final", "DocumentReference.docStatus"),
        (samples.comprehensive, "status", "entered-in-error", "DocumentReference.status"),
        (samples.comprehensive, "author.0.reference", "#p2", "DocumentReference.author[0]"),
        (samples.comprehensive, "content.0.attachment.url", GONE, "DocumentReference.content[0].attachment.url"),
        (samples.comprehensive, "content.0.attachment.data", "AAAA", "DocumentReference.content[0].attachment.data"),
        (samples.comprehensive, "content.0.attachment.hash", GONE, "DocumentReference.content[0].attachment.hash"),
        (samples.comprehensive, "context.period.start", GONE, "DocumentReference.context.period"),
        (samples.comprehensive, "context.related.0.identifier.value", GONE, None),
        (samples.comprehensive, "identifier.0.value", "1", "DocumentReference.identifier[0].value"),
        (samples.simplified, "content.0.attachment.data", GONE, "DocumentReference.content[0].attachment.data"),
        (samples.simplified, "content.0.attachment.url", "Binary/1", "DocumentReference.content[0].attachment.url"),
        (samples.simplified, "status", "superseded", "DocumentReference.status"),
        (samples.simplified, "subject", GONE, "DocumentReference.subject"),
        (samples.submission_set, "extension.1", GONE, "List.extension"),
        (samples.submission_set, "identifier.0.value", "7", "List.identifier[0].value"),
        (samples.submission_set, "code.coding.0.code", "folder", "List.code"),
        (samples.submission_set, "source", GONE, "List.source"),
        (samples.submission_set, "encounter", {"reference": "Encounter/1"}, "List.encounter"),
        (samples.folder, "entry", GONE, "List.entry"),
        (samples.folder, "title", GONE, "List.title"),
        (samples.folder, "source", {"reference": "Device/1"}, "List.source"),
        (samples.provide_bundle, "entry.0", GONE, "Bundle.entry"),
        (samples.provide_bundle, "type", "batch", "Bundle.type"),
        (samples.practitioner, "telecom.0.extension.0.valueCoding.code", "OSM", "Practitioner.telecom[0]"),
        (samples.practitioner, "identifier.0.type", GONE, "Practitioner.identifier[0].type"),
        (samples.organization, "type.0.coding.0.code", "LEGAL-ENTITY", None),
        (samples.audit_event, "period", {"end": samples.NOW}, "AuditEvent.period.start"),
        (samples.audit_event, "agent.0.who", GONE, "AuditEvent.agent[0].who"),
        (samples.audit_event, "subtype.1", {"system": "urn:x", "code": "y"}, "AuditEvent.subtype"),
        (samples.steps, "valueQuantity.code", "1/d", "Observation.value"),
        (samples.steps, "valueQuantity.unit", GONE, "Observation.value"),
        (samples.steps, "code", GONE, "Observation.code"),
        (samples.steps, "code.coding.0.code", "718-7", "Observation.code.coding"),
        (samples.comprehensive, "author.0.reference", "PractitionerRole/1", "DocumentReference.author[0].reference"),
        (samples.weight, "valueQuantity.code", "g", "Observation.value"),
        (samples.cholesterol, "referenceRange.0.high", GONE, "Observation.referenceRange[0].high"),
        (samples.cholesterol, "valueQuantity.unit", "g/L", "Observation.value"),
        (samples.allergy, "code", GONE, "AllergyIntolerance.code"),
        (samples.allergy, "onsetPeriod", {"end": "2021"}, "AllergyIntolerance.onset"),
        (samples.immunization, "protocolApplied.0.series", "PRIMO", "Immunization.protocolApplied[0].series"),
        (samples.medication, "effectivePeriod", GONE, None),
    ],
)
def test_a_single_fault_is_seen(
    sample: Callable[[], dict[str, Any]], path: str, value: object, place: str | None, french: Validator
) -> None:
    """`place` is the beginning of the location of an error; None when the fault leaves the resource acceptable."""
    resource = sample()
    put(resource, path, value)
    errors = french.validate(resource).errors
    if place is None:
        assert [issue.text for issue in errors] == []
    else:
        assert [issue for issue in errors if any(where.startswith(place) for where in issue.expression)] != []


def test_an_immunization_at_an_uncertain_date_is_refused(french: Validator) -> None:
    resource = samples.immunization()
    del resource["occurrenceDateTime"]
    resource["occurrenceString"] = "enfance"
    assert not french.validate(resource).ok


def test_a_medication_taken_at_an_instant_is_refused(french: Validator) -> None:
    resource = samples.medication()
    del resource["effectivePeriod"]
    resource["effectiveDateTime"] = "2026-01-01"
    assert not french.validate(resource).ok
