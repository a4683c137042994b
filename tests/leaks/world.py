"""Patients, professionals and what is hidden from whom; and what "hidden answers as absent" means, byte by byte.

p   Alice is in the care team; some documents are masked
q   Alice would be in the care team, but a Consent denies her by name
r   nobody but the person and the hospital
m   a minor, with a representative
a   an adult whose representative once was one
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.records import RPPS, care_team, consent, document, observation, patient, practitioner, put, reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.application import Answer, Application, Caller

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALICE, BOB, CAROL = "10000000001", "10000000002", "10000000003"
HOSPITAL, CLINIC = "750000001", "750000002"
ABSENT = "absent-00"
"""An id that nothing has, as long as each hidden one: lengths are compared too."""


class Hidden(NamedTuple):
    type: str
    id: str


HIDDEN = (
    Hidden("Observation", "hidden-q1"),  # of whom denies Alice
    Hidden("Observation", "hidden-r1"),  # of whom she has nothing to do with
    Hidden("Observation", "hidden-r2"),  # the same, deleted
    Hidden("Observation", "hidden-r3"),  # the same, of three versions
    Hidden("Observation", "hidden-pr"),  # of p and r at once
    Hidden("Patient", "patient-q"),
    Hidden("Patient", "patient-r"),
    Hidden("DocumentReference", "hidden-p1"),  # masked from the start
    Hidden("DocumentReference", "hidden-p2"),  # masked later
    Hidden("DocumentReference", "hidden-p3"),  # very restricted
    Hidden("Observation", "hidden-p4"),  # masked, then deleted
    Hidden("Binary", "hidden-r1"),  # of whom she has nothing to do with
    Hidden("Binary", "hidden-p1"),  # of a masked document
    Hidden("Consent", "hidden-p1"),  # whom p blocks is not her business
    Hidden("CareTeam", "hidden-r1"),
    Hidden("AuditEvent", "hidden-p1"),
    Hidden("Communication", "hidden-p6"),  # a message between p and somebody else
    Hidden("Binary", "hidden-p6"),  # what is attached to it
    Hidden("Appointment", "hidden-p6"),  # with somebody else
)


def resources() -> list[dict[str, Any]]:
    """All that is stored, in order; several with one id are versions."""
    data = {"contentType": "text/plain", "data": "Qm9uam91cg=="}
    agent = {"requestor": True, "who": reference("Practitioner/bob")}
    audit = {
        "resourceType": "AuditEvent", "id": "hidden-p1", "recorded": "2026-01-01T00:00:00Z", "agent": [agent],
        "type": {"code": "rest"}, "source": {"observer": {"display": "x"}},
        "entity": [{"what": reference("Patient/patient-p")}],
    }  # fmt: skip
    names = {"patient-p": "Martin", "patient-q": "Moreau", "patient-r": "Mercier", "patient-s": "Marchand"}
    return [
        practitioner(ALICE, id="alice"),
        practitioner(BOB, id="bob"),
        *(patient(id=id, name=[{"family": name}], birthDate="1980-02-03") for id, name in names.items()),
        patient(id="patient-m", birthDate="2019-05-05"),
        patient(id="patient-a", birthDate="1999-05-05"),
        *(care_team(f"patient-{each}", "Practitioner/alice", id=f"team-{each}") for each in "pqs"),
        care_team("patient-r", "Practitioner/bob", id="hidden-r1"),
        consent("patient-q", "deny", "Practitioner/alice") | {"id": "consent-q"},
        consent("patient-p", "deny", "Practitioner/bob") | {"id": "hidden-p1"},
        *(observation("patient-p", id=f"seen-p{n}", effectiveDateTime=f"2024-05-0{n}") for n in range(1, 6)),
        *(observation("patient-s", id=f"seen-s{n}", effectiveDateTime=f"2024-05-0{n}") for n in range(1, 4)),
        *(observation("patient-q", id=f"hidden-q{n}", effectiveDateTime=f"2024-05-0{n}") for n in range(1, 4)),
        *(observation("patient-r", id=f"hidden-r{n}", code="2160-0") for n in range(1, 4)),
        *(observation("patient-r", id="hidden-r3", code=code) for code in ("2161-0", "2162-0")),
        observation("patient-p", id="hidden-pr", performer=[reference("Patient/patient-r")]),
        document("patient-p", id="seen-p1"),
        document("patient-p", id="hidden-p1", labels=("MASQUE_PS",)),
        document("patient-p", id="hidden-p2"),
        document("patient-p", id="hidden-p2", labels=("MASQUE_PS",)),
        document("patient-p", id="hidden-p3", labels=("V",)),
        observation("patient-p", id="hidden-p4", meta={"security": [{"code": "MASQUE_PS"}]}),
        document("patient-p", id="unseen-pa", labels=("INVISIBLE_PATIENT",)),
        document("patient-m", id="unseen-ma", labels=("INVISIBLE_REPRESENTANTS_LEGAUX",)),
        document("patient-m", id="seen-m1"),
        document("patient-a", id="unseen-a1"),
        {"resourceType": "Binary", "id": "hidden-r1", "securityContext": reference("Patient/patient-r"), **data},
        {"resourceType": "Binary", "id": "hidden-p1",
         "securityContext": reference("DocumentReference/hidden-p1"), **data},
        audit,
        *_between("patient-p", data),
    ]  # fmt: skip


def _between(patient: str, data: dict[str, Any]) -> list[dict[str, Any]]:
    """A message, what is attached to it, and an appointment, of a patient and a professional who is not Alice."""
    message = {"system": "urn:fhirserver:message", "code": "message"}
    carol = {"identifier": {"system": RPPS, "value": CAROL}}
    tags = [message, {"system": "urn:fhirserver:participant", "code": f"rpps|{CAROL}"}]
    actors = [{"actor": each, "status": "accepted"} for each in (reference(f"Patient/{patient}"), carol)]
    return [
        {
            "resourceType": "Communication", "id": "hidden-p6", "status": "completed", "sent": "2026-01-02T08:00:00Z",
            "category": [{"coding": [message]}], "payload": [{"contentString": "Bonjour"}],
            "subject": reference(f"Patient/{patient}"), "sender": carol, "recipient": [reference(f"Patient/{patient}")],
        },
        {"resourceType": "Binary", "id": "hidden-p6", "meta": {"tag": tags},
         "securityContext": reference(f"Patient/{patient}"), **data},
        {"resourceType": "Appointment", "id": "hidden-p6", "status": "booked", "start": "2026-04-01T08:00:00Z",
         "end": "2026-04-01T08:30:00Z", "participant": actors},
    ]  # fmt: skip


DELETED = ("Observation/hidden-r2", "Observation/hidden-p4")


class World:
    """The stored world at a fixed time, and its callers."""

    def __init__(self, application: Application, keep: Callable[[dict[str, Any]], bool] = lambda _: True) -> None:
        self.application = application.at(NOW)
        self.operator = self.application.operator()
        self.store([each for each in resources() if keep(each)])
        for place in DELETED:
            self.operator.delete(place)
        self.alice = self.application.practitioner(ALICE, organization=CLINIC)
        self.bob = self.application.practitioner(BOB, organization=CLINIC)
        self.hospital = self.application.system(HOSPITAL)

    def store(self, found: list[dict[str, Any]]) -> None:
        """In as few transactions as there are versions of one resource."""
        first: list[dict[str, Any]] = []
        later: list[dict[str, Any]] = []
        places: set[str] = set()
        for each in found:
            place = f"{each['resourceType']}/{each['id']}"
            (later if place in places else first).append(each)
            places.add(place)
        answer = self.operator.transact(*map(put, first))
        assert answer.status == 200, answer
        if later:
            self.store(later)

    def patient(self, letter: str) -> Caller:
        return self.application.patient(f"patient-{letter}")

    def representative(self, letter: str) -> Caller:
        return self.application.representative(f"patient-{letter}")


def alike(hidden: Answer, absent: Answer, id: str, other: str = ABSENT) -> None:
    """Holds that two answers are one, but for the id that each was asked for."""
    assert hidden.status == absent.status, (hidden, absent)
    assert generic(hidden, id) == generic(absent, other)


def generic(answer: Answer, id: str) -> tuple[int, dict[str, str], bytes]:
    """An answer without the id that was asked for, and without what a page link holds."""
    headers = {name: value.replace(id, "ID") for name, value in answer.headers.items() if name != "x-request-id"}
    body = answer.content.replace(id.encode(), b"ID")
    if b"_page=" in body:
        body = re.sub(rb"_page=[\w-]+", b"_page=LINK", body)
        headers.pop("content-length", None)
    return answer.status, headers, body
