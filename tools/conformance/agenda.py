"""Shared agendas (FR Core, GAP): schedules, slots, appointments, held to their profiles, found, and booked once."""

from __future__ import annotations

from typing import Any, Final

from tools.conformance.building import MATCHES, Part, Wrong, ask, case, check, refused, says, script, status, variable

SYSTEM: Final = "urn:fhirserver:conformance"
OURS: Final = f"identifier={SYSTEM}|${{run}}"
FRC: Final = "https://hl7.fr/ig/fhir/core/StructureDefinition"
OPERATOR, PHYSICIAN, HOLDER, OTHER, NOBODY = range(1, 6)
_SPECIALTY: Final = [
    {
        "coding": [
            {
                "system": "https://mos.esante.gouv.fr/NOS/TRE_R38-SpecialiteOrdinale/FHIR/TRE-R38-SpecialiteOrdinale",
                "code": "SM26",
            }
        ]
    }
]
_SERVICE: Final = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/service-type", "code": "124"}]}
_START, _END = "2027-03-01T09:00:00+01:00", "2027-03-01T09:20:00+01:00"


def _of(type: str, profile: str, **more: Any) -> Part:
    return {
        "resourceType": type,
        "meta": {"profile": [f"{FRC}/{profile}"]},
        "identifier": [{"system": SYSTEM, "value": "${run}"}],
        **more,
    }


def _schedule(**more: Any) -> Part:
    kind = [{"url": "serviceType", "valueCodeableConcept": _SERVICE}]
    kind.append({"url": "duration", "valueDuration": _minutes(20)})
    return _of(
        "Schedule",
        "fr-core-schedule",
        extension=[{"url": f"{FRC}/fr-core-service-type-duration", "extension": kind}],
        active=True,
        specialty=_SPECIALTY,
        actor=[{"reference": "Practitioner/${physicianId}"}],
        planningHorizon={"start": "2027-03-01", "end": "2027-03-31"},
        **more,
    )


def _minutes(count: int) -> Part:
    return {"value": count, "unit": "min", "system": "http://unitsofmeasure.org", "code": "min"}


def _slot(start: str = _START, end: str = _END, **more: Any) -> Part:
    return _of(
        "Slot",
        "fr-core-slot",
        **{
            "serviceType": [_SERVICE],
            "specialty": _SPECIALTY,
            "schedule": {"reference": "Schedule/${schedule}"},
            "status": "free",
            "start": start,
            "end": end,
            **more,
        },
    )


def _appointment(**more: Any) -> Part:
    made = {
        "status": "booked",
        "serviceType": [_SERVICE],
        "specialty": _SPECIALTY,
        "priority": 5,
        "description": "Consultation ${run}",
        "start": _START,
        "end": _END,
        "created": "2027-02-01",
        "slot": [{"reference": "Slot/${slot}"}],
        "participant": [
            {"actor": {"reference": "Patient/${patientId}"}, "status": "accepted"},
            {"actor": {"reference": "Practitioner/${physicianId}"}, "status": "accepted"},
        ],
        **more,
    }
    return _of("Appointment", "fr-core-appointment", **{name: each for name, each in made.items() if each is not None})


_WORLD: Final[dict[str, Any]] = {
    "schedule": _schedule(),
    "slot": _slot(),
    "taken": _slot("2027-03-02T09:00:00+01:00", "2027-03-02T09:20:00+01:00", status="busy"),
    "appointment": _appointment(),
}


def _script(name: str, title: str, *tests: Part, **more: Any) -> Part:
    fixtures = {**_WORLD, **more.pop("fixtures", {})}
    named = tuple(variable(each, each, "id") for each in fixtures if not each.startswith("-"))
    roles = ("operator", "physician", "patient", "other-patient", "anonymous")
    variables = (*named, *more.pop("variables", ()))
    return script(f"agenda-{name}", title, *tests, roles=roles, fixtures=fixtures, variables=variables, **more)


def _find(type: str, name: str, criteria: str, count: int = 1) -> Part:
    return case(
        name,
        "AGENDA-search",
        ask("search", type, f"?{OURS}&{criteria}"),
        status(200),
        says(f"{MATCHES}.ofType({type}).count()", str(count)),
    )


_PROFILES: Final = _script(
    "profiles",
    "Schedules, slots and appointments as FR Core has them",
    *(
        case(
            f"{type} is stored as it was sent",
            "AGENDA-profiles",
            ask("read", target=key),
            status(200),
            check("all of it", minimumId=key),
            check("its profile", validateProfileId=key),
        )
        for type, key in (("Schedule", "schedule"), ("Slot", "slot"), ("Appointment", "appointment"))
    ),
    profiles={key: f"{FRC}/fr-core-{key}" for key in ("schedule", "slot", "appointment")},
)
_WRONG: Final = {
    "schedule-type": ("a Schedule with a serviceType of R4", _schedule(serviceType=[_SERVICE])),
    "schedule-categories": ("a Schedule of two categories", _schedule(serviceCategory=[{"text": "a"}, {"text": "b"}])),
    "schedule-actor": ("a Schedule of nobody", {k: each for k, each in _schedule().items() if k != "actor"}),
    "slot-specialty": ("a Slot of a specialty that there is not", _slot(specialty=[{"coding": [{"code": "X"}]}])),
    "slot-categories": ("a Slot of two categories", _slot(serviceCategory=[{"text": "a"}, {"text": "b"}])),
    "slot-status": ("a Slot of a status that there is not", _slot(status="perhaps")),
    "slot-schedule": ("a Slot without a Schedule", {k: each for k, each in _slot().items() if k != "schedule"}),
    "slot-end": ("a Slot without an end", {k: each for k, each in _slot().items() if k != "end"}),
    "no-participant": ("an Appointment of nobody", _appointment(participant=None)),
    "nobody": ("an Appointment with a participant who is nobody", _appointment(participant=[{"status": "accepted"}])),
    "no-end": ("an Appointment that begins and does not end", _appointment(end=None)),
    "no-time": ("an Appointment that is booked for no time", _appointment(start=None, end=None)),
    "reason": ("an Appointment with a reason why it is cancelled, and booked",
               _appointment(cancelationReason={"text": "a"})),
    "specialty": ("an Appointment of a specialty that there is not",
                  _appointment(specialty=[{"coding": [{"code": "X"}]}])),
}  # fmt: skip
_REFUSED: Final = _script(
    "refused",
    "What is none",
    *(
        case(text, "AGENDA-refused R4-outcome", ask("", url=each["resourceType"], method="post", source=key),
             *refused(400, 422))
        for key, (text, each) in _WRONG.items()
    ),
    fixtures={f"-{key}": Wrong(each) for key, (_, each) in _WRONG.items()},
)  # fmt: skip
_SEARCHING: Final = _script(
    "search",
    "Schedules, slots and appointments are found",
    _find("Schedule", "schedules of somebody", "actor=Practitioner/${physicianId}"),
    _find("Schedule", "not of somebody else", "actor=Practitioner/${otherPhysicianId}", 0),
    _find("Schedule", "schedules in use", "active=true"),
    _find("Schedule", "schedules for a time", "date=ge2027-03-15"),
    _find("Schedule", "not for another", "date=gt2027-04-15", 0),
    _find("Schedule", "schedules by specialty", "specialty=SM26"),
    _find("Slot", "free slots", "status=free"),
    _find("Slot", "slots that are taken", "status=busy"),
    _find("Slot", "slots of a schedule", "schedule=Schedule/${schedule}", 2),
    _find("Slot", "slots between two days", "start=ge2027-03-01&start=lt2027-03-02"),
    _find("Slot", "slots in zones that differ", "start=2027-03-01T08:00:00Z"),
    _find("Slot", "slots by service", "service-type=124", 2),
    _find("Slot", "slots by specialty", "specialty=SM26", 2),
    _find("Slot", "slots of whose schedule somebody is the actor", "schedule.actor=Practitioner/${physicianId}", 2),
    _find("Appointment", "appointments of a patient", "patient=Patient/${patientId}"),
    _find("Appointment", "not of another", "patient=Patient/${otherPatientId}", 0),
    _find("Appointment", "appointments of a professional", "actor=Practitioner/${physicianId}"),
    _find("Appointment", "appointments on a day", "date=2027-03-01"),
    _find("Appointment", "not on another", "date=gt2027-03-02", 0),
    _find("Appointment", "appointments by status", "status=booked"),
    _find("Appointment", "appointments of a slot", "slot=Slot/${slot}"),
    _find("Appointment", "appointments by service", "service-type=124"),
    _find("Appointment", "appointments by specialty", "specialty=SM26"),
    _find("Appointment", "appointments by words", "description=Consultation"),
    _find("Appointment", "appointments by when they were made", "created=2027-02"),
    _find("Appointment", "appointments by start", "start=ge2027-03-01"),
    _find("Appointment", "appointments by priority", "priority=5"),
    case(
        "a slot with its schedule",
        "AGENDA-search R4-search-include",
        ask("search", "Slot", "?_id=${slot}&_include=Slot:schedule"),
        says("Bundle.entry.resource.ofType(Schedule).id", "${schedule}"),
    ),
    case(
        "a schedule with its slots",
        "AGENDA-search R4-search-include",
        ask("search", "Schedule", "?_id=${schedule}&_revinclude=Slot:schedule"),
        says("Bundle.entry.resource.ofType(Slot).count()", "2"),
    ),
    case(
        "an appointment with its slot",
        "AGENDA-search R4-search-include",
        ask("search", "Appointment", "?_id=${appointment}&_include=Appointment:slot"),
        says("Bundle.entry.resource.ofType(Slot).id", "${slot}"),
    ),
)
_BOOKING: Final = _script(
    "booking",
    "A slot is booked once, an appointment changes",
    case(
        "who read the slot as it is books it",
        "AGENDA-booking R4-if-match",
        ask("read", target="slot", response="read"),
        ask("", url="Slot/${slot}", method="put", source="busy", headers={"If-Match": "${version}"}),
        status(200),
        ask("read", target="slot"),
        says("Slot.status", "busy"),
    ),
    case(
        "who read it as it was does not",
        "AGENDA-booking R4-if-match",
        ask("read", target="slot", response="read"),
        ask("", url="Slot/${slot}", method="put", source="free", headers={"If-Match": "${version}"}),
        status(200),
        ask("", url="Slot/${slot}", method="put", source="busy", headers={"If-Match": "${version}"}),
        status(412, 409),
        ask("read", target="slot"),
        says("Slot.status", "free"),
    ),
    case(
        "an appointment is cancelled",
        "AGENDA-booking R4-patch",
        ask("", url="Appointment/${appointment}", method="patch", source="cancel",
            content="application/json-patch+json"),
        status(200, 204),
        ask("search", "Appointment", f"?{OURS}&status=cancelled"),
        says(f"{MATCHES}.count()", "1"),
    ),
    case(
        "what it was is in its history",
        "AGENDA-booking R4-history",
        ask("", url="Appointment/${appointment}/_history/1"),
        status(200),
        says("Appointment.status", "booked"),
    ),
    fixtures={
        "-busy": {**_slot(status="busy"), "id": "${slot}"},
        "-free": {**_slot(), "id": "${slot}"},
        "-cancel": [{"op": "replace", "path": "/status", "value": "cancelled"}],
    },
    variables=(variable("version", "read", header="ETag"),),
)  # fmt: skip
_SEEN: Final = _script(
    "seen",
    "Who sees an appointment",
    case("the patient", "AGENDA-seen ACCESS-holder",
         ask("", url="Appointment/${appointment}", origin=HOLDER), status(200)),
    case("nobody else", "AGENDA-seen ACCESS-absent",
         ask("", url="Appointment/${appointment}", origin=OTHER), status(404)),
    case("nobody without a token", "AGENDA-seen ACCESS-token",
         ask("", url="Appointment/${appointment}", origin=NOBODY), status(401)),
    case("the patient finds it", "AGENDA-seen ACCESS-search",
         ask("search", "Appointment", f"?{OURS}", origin=HOLDER), says(f"{MATCHES}.count()", "1")),
    case("another finds nothing", "AGENDA-seen ACCESS-search",
         ask("search", "Appointment", f"?{OURS}&_total=accurate", origin=OTHER), says("Bundle.total", "0")),
    case("who looks for a free slot does not learn who has it", "AGENDA-seen ACCESS-include",
         ask("search", "Slot", "?_id=${slot}&_revinclude=Appointment:slot", origin=OTHER), status(200),
         says("Bundle.entry.resource.ofType(Appointment).empty()")),
    case("not by _has either", "AGENDA-seen ACCESS-chain",
         ask("search", "Slot", "?_id=${slot}&_has:Appointment:slot:patient=Patient/${patientId}", origin=OTHER),
         status(200), says("Bundle.entry.empty()")),
)  # fmt: skip
SCRIPTS: Final = (_PROFILES, _REFUSED, _SEARCHING, _BOOKING, _SEEN)
