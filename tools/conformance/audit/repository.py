"""ITI-20 and ITI-81 (RESTful ATNA): events that other systems record, and what they are found by."""

from __future__ import annotations

from typing import Any, Final

from tools.conformance.audit.common import KINDS, READING, finds
from tools.conformance.building import Part, Wrong, ask, case, check, refused, says, script, status, variable

HOSPITAL, HOLDER, STRANGER, LABORATORY, PHYSICIAN, OPERATOR, ANONYMOUS = range(1, 8)
ROLES: Final = ("hospital", "patient", "other-patient", "laboratory", "physician", "operator", "anonymous")
OURS: Final = "altid=${run}"


def event(**more: Any) -> dict[str, Any]:
    """What a viewer of images records of somebody who looked."""
    return {
        "resourceType": "AuditEvent",
        "type": {"system": KINDS, "code": "rest"},
        "subtype": [{"system": READING, "code": "vread"}],
        "action": "R",
        "period": {"start": "2026-01-15T07:59:00Z", "end": "2026-01-15T08:00:00Z"},
        "recorded": "2026-01-15T08:00:00Z",
        "outcome": "0",
        "agent": [
            {
                "requestor": True,
                "altId": "${run}",
                "name": "Manipulatrice ${run}",
                "network": {"address": "192.0.2.77", "type": "2"},
            }
        ],
        "source": {
            "observer": {
                "type": "Device",
                "identifier": {"system": "urn:fhirserver:conformance", "value": "${run}-pacs"},
            }
        },
        "entity": [
            {
                "what": {"reference": "Patient/${patientId}"},
                "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-entity-type", "code": "1"},
                "role": {"system": "http://terminology.hl7.org/CodeSystem/object-role", "code": "1"},
            }
        ],
        **more,
    }


def _without(name: str) -> Wrong:
    return Wrong({key: value for key, value in event().items() if key != name})


def _found(name: str, criteria: str, count: int = 1, *, origin: int = HOLDER, **more: str) -> Part:
    return finds(name, "ITI-81", f"{OURS}&{criteria}", origin=origin, count=count, **more)


_RECORDED: Final = script(
    "audit-repository",
    "Events of other systems are recorded and found",
    case(
        "what was recorded is read as it was sent",
        "ITI-20",
        ask("read", target="event", origin=HOSPITAL),
        status(200),
        check("all of it", minimumId="event"),
    ),
    case(
        "several in a batch",
        "ITI-20 R4-batch",
        ask("batch", source="batch", origin=HOSPITAL),
        status(200),
        says("Bundle.entry.response.status.all($this.startsWith('201'))"),
        says("Bundle.entry.count()", "2"),
    ),
    *(
        case(
            f"without {text} it is refused",
            "ITI-20 R4-outcome",
            ask("create", "AuditEvent", source=key),
            *refused(400, 422),
        )
        for key, text in (
            ("type", "its type"),
            ("recorded", "its time"),
            ("agent", "an agent"),
            ("source", "its source"),
        )
    ),
    case(
        "a code that is none is refused",
        "ITI-20 R4-outcome",
        ask("create", "AuditEvent", source="miscoded"),
        *refused(400, 422),
    ),
    *(
        case(
            f"{name} records nothing",
            "ITI-20-who R4-outcome",
            ask("create", "AuditEvent", source="event", origin=origin),
            *refused(*codes),
        )
        for name, origin, codes in (
            ("the person", HOLDER, (403,)),
            ("a professional", PHYSICIAN, (403,)),
            ("nobody", ANONYMOUS, (401,)),
        )
    ),
    *(
        case(
            f"{name} is refused",
            "TRACE-unchanged R4-outcome",
            ask("", url="AuditEvent/${event}", method=method, origin=origin, **more),
            *refused(403, 404, 405),
        )
        for name, method, origin, more in (
            ("a change by who recorded it", "put", HOSPITAL, {"source": "changed"}),
            ("a deletion by who recorded it", "delete", HOSPITAL, {}),
            ("a deletion by the operator", "delete", OPERATOR, {}),
        )
    ),
    _found("by the system's name for the user", "_total=accurate", origin=HOSPITAL),
    _found("by the person whose record it is", "patient=${patientId}"),
    _found("not in another's record", "patient=${otherPatientId}", 0),
    _found("by its time", "date=2026-01-15"),
    _found("by a span of time", "date=ge2026-01-15T08:00:00Z&date=lt2026-01-15T08:01:00Z"),
    _found("not after it", "date=gt2026-01-16", 0),
    _found("by its type", f"type={KINDS}|rest"),
    _found("not by another type", "type=http://dicom.nema.org/resources/ontology/DCM|110114", 0),
    _found("by its subtype", f"subtype={READING}|vread"),
    _found("not by another subtype", f"subtype={READING}|create", 0),
    _found("by what was done", "action=R"),
    _found("not by something else", "action=D", 0),
    _found("by how it ended", "outcome=0"),
    _found("not by another end", "outcome=8", 0),
    _found("by the name of the user", "agent-name=Manipulatrice"),
    _found("not by another name", "agent-name=Personne", 0),
    _found("by the address", "address=192.0.2.77"),
    _found("not by another address", "address=192.0.2.78", 0),
    _found("by what was looked at", "entity=Patient/${patientId}"),
    _found("by the type of that", "entity-type=http://terminology.hl7.org/CodeSystem/audit-entity-type|1"),
    _found("by its role", "entity-role=http://terminology.hl7.org/CodeSystem/object-role|1"),
    _found("by who tells it", "source:identifier=urn:fhirserver:conformance|${run}-pacs"),
    _found("by POST", "action=R", method="post"),
    _found("several together", "date=2026-01-15&type=rest&action=R&outcome=0&patient=${patientId}"),
    _found("among the accesses to the record", "patient=${patientId}&action=R,E"),
    _found("not by another system", "action=R", 0, origin=LABORATORY),
    _found("not by a professional", "action=R", 0, origin=PHYSICIAN),
    _found("not by another person", "action=R", 0, origin=STRANGER),
    *(
        case(
            f"{name} does not read it",
            "TRACE-holder ACCESS-absent",
            ask("", url="AuditEvent/${event}", origin=origin),
            status(404),
        )
        for name, origin in (
            ("another person", STRANGER),
            ("another system", LABORATORY),
            ("a professional", PHYSICIAN),
        )
    ),
    case(
        "nor by who sends no token",
        "ITI-81 ACCESS-token",
        ask("search", "AuditEvent", f"?{OURS}", origin=ANONYMOUS),
        status(401),
    ),
    fixtures={
        "-event": event(),
        "-changed": {**event(outcome="8"), "id": "${event}"},
        "-batch": {
            "resourceType": "Bundle",
            "type": "batch",
            "entry": [
                {
                    "resource": event(agent=[{"requestor": True, "altId": "${run}-batch"}]),
                    "request": {"method": "POST", "url": "AuditEvent"},
                }
            ]
            * 2,
        },
        **{f"-{each}": _without(each) for each in ("type", "recorded", "agent", "source")},
        "-miscoded": Wrong(event(action="X")),
    },
    variables=(variable("event", "event", "AuditEvent.id"),),
    roles=ROLES,
    setup=(ask("create", "AuditEvent", source="event", origin=HOSPITAL), status(201)),
)
REPOSITORY: Final = (_RECORDED,)
