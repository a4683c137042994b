"""What a server tells of what was done at it."""

from __future__ import annotations

from typing import Any, Final

from tools.conformance.audit.common import EVENTS, READING, RPPS, finds, search
from tools.conformance.building import Part, ask, case, check, refused, says, script, status, variable

OPERATOR, HOLDER, PHYSICIAN, OTHER, EMERGENCY, STRANGER, HOSPITAL, PARENT, ANONYMOUS = range(1, 10)
ROLES: Final = (
    "operator",
    "patient",
    "physician",
    "other-physician",
    "emergency",
    "other-patient",
    "hospital",
    "representative",
    "anonymous",
)
OURS: Final = "patient=${patientId}&entity=Observation/${seen}"
"""What was done to what this run has made."""
BY_PHYSICIAN: Final = f"agent:identifier={RPPS}|${{physicianRpps}}"
BY_OTHER: Final = f"agent:identifier={RPPS}|${{otherPhysicianRpps}}"
_WHO: Final = f"agent.where(requestor = true).who.identifier.where(system = '{RPPS}').value = '${{physicianRpps}}'"


def _observation(key: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "identifier": [{"system": "urn:fhirserver:conformance", "value": f"${{run}}-{key}"}],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": "Patient/${patientId}"},
        "effectiveDateTime": "2026-01-15",
        **more,
    }


def _done(method: str, url: str, origin: int, **more: str) -> Part:
    return ask("", url=url, method=method, origin=origin, **more)


_TOLD: Final = script(
    "audit-told",
    "What the holder is told of accesses to the record",
    finds("who made it", "TRACE-writes", f"{OURS}&action=C", origin=HOLDER, count=1, that="outcome = '0'"),
    finds("who changed it", "TRACE-writes", f"{OURS}&action=U", origin=HOLDER, count=1, that="outcome = '0'"),
    finds(
        "who deleted something",
        "TRACE-writes",
        "patient=${patientId}&entity=Observation/${gone}&action=D",
        origin=HOLDER,
        count=1,
    ),
    finds("who read it", "TRACE-reads", f"{OURS}&action=R&{BY_PHYSICIAN}", origin=HOLDER, count=1, that=_WHO),
    finds("when it was not read, nothing is told", "TRACE-reads", f"{OURS}&action=D", origin=HOLDER, count=0),
    finds(
        "who searched",
        "TRACE-reads",
        f"patient=${{patientId}}&action=E&{BY_PHYSICIAN}",
        origin=HOLDER,
        that="entity.query.exists()",
    ),
    finds(
        "in whose record",
        "TRACE-reads",
        f"{OURS}&action=R",
        origin=HOLDER,
        that="entity.what.reference.where($this.contains('${patientId}')).exists()",
    ),
    finds(
        "for what purpose",
        "TRACE-purpose",
        f"{OURS}&action=R&{BY_PHYSICIAN}",
        origin=HOLDER,
        that="purposeOfEvent.coding.code = 'TREAT'",
    ),
    finds(
        "that the glass was broken, and why",
        "TRACE-purpose",
        f"{OURS}&action=R&{BY_OTHER}&outcome=0",
        origin=HOLDER,
        count=1,
        that="purposeOfEvent.coding.code = 'BTG' and agent.purposeOfUse.text = 'essai'",
    ),
    finds(
        "the operator, that somebody was refused",
        "TRACE-refused",
        f"entity=Observation/${{seen}}&{BY_OTHER}&outcome=4",
        origin=OPERATOR,
        count=1,
    ),
    finds(
        "who was refused, that he was",
        "TRACE-refused TRACE-own",
        "subtype=read&outcome=4",
        origin=OTHER,
        that="agent.where(requestor = true).who.identifier.value = '${otherPhysicianRpps}'",
    ),
    finds(
        "when",
        "TRACE-content",
        f"{OURS}&date=gt2020-01-01",
        origin=HOLDER,
        that="recorded.exists() and recorded <= now()",
    ),
    finds("not before", "ITI-81", f"{OURS}&date=lt2020-01-01", origin=HOLDER, count=0),
    finds(
        "from where",
        "TRACE-content",
        f"{OURS}&action=R",
        origin=HOLDER,
        that="agent.network.address.exists()",
    ),
    finds("by which server", "TRACE-content", OURS, origin=HOLDER, that="source.observer.exists()"),
    finds(
        "one requestor each time",
        "TRACE-content",
        OURS,
        origin=HOLDER,
        that="agent.where(requestor = true).count() = 1",
    ),
    finds(
        "of which profession",
        "TRACE-content",
        f"{OURS}&{BY_PHYSICIAN}",
        origin=HOLDER,
        that="agent.where(requestor = true).role.coding.exists()",
    ),
    finds("own accesses too", "TRACE-reads", f"{OURS}&action=R&agent=Patient/${{patientId}}", origin=HOLDER, count=1),
    finds("that the trace was read", "TRACE-reads", "patient=${patientId}&subtype=search-type", origin=HOLDER),
    finds(
        "after the pattern of BALP",
        "BALP-patterns",
        f"{OURS}&action=R&outcome=0&{BY_PHYSICIAN}",
        origin=HOLDER,
        that="meta.profile.where($this.endsWith('IHE.BasicAudit.PatientRead')).exists()",
    ),
    finds(
        "of a creation too",
        "BALP-patterns",
        f"{OURS}&action=C",
        origin=HOLDER,
        that="meta.profile.where($this.endsWith('IHE.BasicAudit.PatientCreate')).exists()",
    ),
    finds(
        "of a search too",
        "BALP-patterns",
        f"patient=${{patientId}}&action=E&outcome=0&{BY_PHYSICIAN}",
        origin=HOLDER,
        that="meta.profile.where($this.endsWith('IHE.BasicAudit.PatientQuery')).exists()",
    ),
    fixtures={
        "seen": _observation("seen"),
        "-changed": {**_observation("seen"), "id": "${seen}"},
        "gone": _observation("gone"),
    },
    variables=(variable("seen", "seen", "Observation.id"), variable("gone", "gone", "Observation.id")),
    roles=ROLES,
    setup=(
        _done("put", "Observation/${seen}", OPERATOR, source="changed"),
        status(200),
        _done("delete", "Observation/${gone}", OPERATOR),
        _done("get", "Observation/${seen}", PHYSICIAN),
        status(200),
        ask("search", "Observation", "?patient=${patientId}&code=718-7", origin=PHYSICIAN),
        status(200),
        _done("get", "Observation/${seen}", OTHER),
        status(404),
        _done("get", "Observation/${seen}", EMERGENCY),
        status(200),
        _done("get", "Observation/${seen}", HOLDER),
        status(200),
    ),
)


def _nothing(name: str, origin: int) -> Part:
    return finds(name, "TRACE-holder", "patient=${patientId}&_total=accurate", origin=origin, count=0)


_KEPT: Final = script(
    "audit-whose",
    "Who is told nothing of it, and that nobody changes it",
    case(
        "the holder reads one",
        "TRACE-holder",
        ask("", url="AuditEvent/${event}", origin=HOLDER),
        status(200),
        says("AuditEvent.id", "${event}"),
    ),
    case(
        "it is a valid AuditEvent",
        "BALP-patterns",
        ask("", url="AuditEvent/${event}", origin=HOLDER),
        check("R4", validateProfileId="r4"),
    ),
    case(
        "in XML too",
        "TRACE-holder R4-formats",
        ask("", url="AuditEvent/${event}", origin=HOLDER, accept="xml"),
        status(200),
        check("its action", path="/f:AuditEvent/f:action/@value", operator="equals", value="R"),
    ),
    _nothing("another person finds nothing", STRANGER),
    _nothing("a minor's representative finds nothing of somebody else", PARENT),
    *(
        case(name, "TRACE-holder ACCESS-absent", ask("", url="AuditEvent/${event}", origin=origin), status(404))
        for name, origin in (
            ("another person does not read it", STRANGER),
            ("a minor's representative does not read it", PARENT),
            ("a hospital does not read it", HOSPITAL),
            ("a physician does not read what another one did", OTHER),
        )
    ),
    finds(
        "a professional finds the own acts",
        "TRACE-own",
        OURS,
        origin=PHYSICIAN,
        that=_WHO,
    ),
    finds("a professional finds nothing of others", "TRACE-own", OURS, origin=OTHER, count=0),
    finds("a system finds nothing of others", "TRACE-own", OURS, origin=HOSPITAL, count=0),
    finds(
        "not by who did it",
        "TRACE-own",
        f"{BY_PHYSICIAN}&entity=Observation/${{seen}}",
        origin=OTHER,
        count=0,
    ),
    case(
        "totals tell nothing",
        "TRACE-holder ACCESS-total",
        *search("patient=${patientId}&_summary=count", STRANGER),
        says("Bundle.total", "0"),
    ),
    case(
        "nobody without a token",
        "TRACE-holder ACCESS-token",
        ask("search", "AuditEvent", "?patient=${patientId}", origin=ANONYMOUS),
        status(401),
    ),
    case(
        "in the holder's compartment",
        "TRACE-holder",
        ask("", url="Patient/${patientId}/AuditEvent?entity=Observation/${seen}", origin=HOLDER),
        status(200),
        says(f"{EVENTS}.exists()"),
    ),
    case(
        "not in another's",
        "TRACE-holder",
        ask("", url="Patient/${otherPatientId}/AuditEvent?entity=Observation/${seen}", origin=HOLDER),
        status(200, 403, 404),
        says("AuditEvent.empty()"),
        says(f"{EVENTS}.empty()"),
    ),
    *(
        case(f"{name} is refused", "TRACE-unchanged R4-outcome", action, *refused(403, 404, 405))
        for name, action in (
            ("a change by the operator", _done("put", "AuditEvent/${event}", OPERATOR, source="forged")),
            ("a change by the holder", _done("put", "AuditEvent/${event}", HOLDER, source="forged")),
            ("a change by who did it", _done("put", "AuditEvent/${event}", PHYSICIAN, source="forged")),
            ("a deletion by the operator", _done("delete", "AuditEvent/${event}", OPERATOR)),
            ("a deletion by the holder", _done("delete", "AuditEvent/${event}", HOLDER)),
            (
                "a patch by the operator",
                ask(
                    "",
                    url="AuditEvent/${event}",
                    method="patch",
                    origin=OPERATOR,
                    source="patch",
                    content="application/json-patch+json",
                ),
            ),
        )
    ),
    case(
        "it is still there as it was",
        "TRACE-unchanged",
        ask("", url="AuditEvent/${event}", origin=HOLDER),
        says("AuditEvent.action", "R"),
        says("AuditEvent.meta.versionId", "1"),
    ),
    fixtures={
        "seen": _observation("whose"),
        "-forged": {
            "resourceType": "AuditEvent",
            "id": "${event}",
            "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"},
            "subtype": [{"system": READING, "code": "read"}],
            "action": "R",
            "recorded": "2026-01-15T08:00:00Z",
            "agent": [{"requestor": True, "name": "nobody"}],
            "source": {"observer": {"display": "nobody"}},
        },
        "-patch": [{"op": "replace", "path": "/action", "value": "C"}],
    },
    variables=(
        variable("seen", "seen", "Observation.id"),
        variable("event", "found", f"{EVENTS}.first().id"),
    ),
    profiles={"r4": "http://hl7.org/fhir/StructureDefinition/AuditEvent"},
    roles=ROLES,
    setup=(
        _done("get", "Observation/${seen}", PHYSICIAN),
        status(200),
        ask("search", "AuditEvent", f"?{OURS}&action=R&{BY_PHYSICIAN}", origin=HOLDER, response="found"),
        status(200),
        says(f"{EVENTS}.count()", "1"),
    ),
)
TRACING: Final = (_TOLD, _KEPT)
