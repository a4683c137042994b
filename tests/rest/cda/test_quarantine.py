"""CDA documents whose patient is not established yet: they wait, and are stored or thrown away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.access import Access
from tests.rest.cda.case import HOSPITAL, LABORATORY, NOT_KNOWN, Case, deposit

if TYPE_CHECKING:
    from tests.application import Answer, Application, Caller


class TestQuarantine:
    def test_a_document_waits_for_its_patient_and_is_stored_when_there_is_one(
        self, server: Application, case: Case
    ) -> None:
        lab = server.system(LABORATORY, "lab")
        before = server.counts()
        held = deposit(lab, case.document(), "?quarantine=true")
        assert held.status == 202
        assert server.counts() == before
        assert deposit(lab, case.document(), "?quarantine=true").headers["location"] == held.headers["location"]
        (waiting,) = [each for each in told(lab.get("$quarantine")) if case.names(each)]
        assert (waiting["status"], waiting["reason"]) == ("held", NOT_KNOWN)
        assert "why" not in waiting
        (seen,) = told(server.operator().get(f"$quarantine?id={waiting['id']}"))
        assert seen["why"] == "0 active records have the INS"
        assert resolve(lab, waiting["id"], "retry").status == 422
        id = server.operator().create(case.person())
        done = resolve(lab, waiting["id"], "retry")
        assert done.status == 201, done.content
        (found,) = server.patient(id).search("DocumentReference", patient=id).ids
        assert f"/DocumentReference/{found}/" in done.headers["location"]
        (waiting,) = told(lab.get(f"$quarantine?id={waiting['id']}"))
        assert (waiting["status"], waiting["document"]) == ("released", {"reference": f"DocumentReference/{found}"})
        assert resolve(lab, waiting["id"], "retry").status == 409

    def test_nobody_else_sees_what_waits(self, server: Application, record: str, case: Case) -> None:
        stranger = case.document().replace(b"RENARD", b"LOUP")
        held = deposit(server.system(LABORATORY, "lab"), stranger, "?quarantine=true")
        id = held.headers["location"].rpartition("=")[2]
        other = server.system(HOSPITAL, "hospital")
        assert told(other.get("$quarantine")) == []
        assert other.get(f"$quarantine?id={id}").status == 404
        assert resolve(other, id, "reject").status == 404
        assert server.patient(record).get("$quarantine").status == 403
        assert server.patient(record).search("DocumentReference", patient=record).ids == []

    def test_the_operator_says_whose_it_is_and_the_depositor_remains_the_depositor(
        self, server: Application, record: str, case: Case
    ) -> None:
        lab = server.system(LABORATORY, "lab")
        held = deposit(lab, case.document().replace(b"RENARD", b"LOUP"), "?quarantine=true")
        id = held.headers["location"].rpartition("=")[2]
        assert resolve(lab, id, "assign", patient=f"Patient/{record}").status == 403
        assert resolve(server.operator(), id, "assign", patient="Patient/none").status == 400
        done = resolve(server.operator(), id, "assign", patient=f"Patient/{record}")
        assert done.status == 201, done.content
        traces = list(server.services.store.traces(Access.system("test")))
        (trace,) = [each for each in traces if each["status"] == 201 and _kinds(each, record) == ["Encounter"]]
        assert trace["who"]["kind"] == "operator"
        path = done.headers["location"].partition("/fhir/")[2].partition("/_history")[0]
        document = lab.get(path).json
        assert lab.put(path, document | {"status": "superseded"}).status == 200

    def test_a_rejected_one_is_not_kept(self, server: Application, case: Case) -> None:
        lab = server.system(LABORATORY, "lab")
        id = deposit(lab, case.document(), "?quarantine=true").headers["location"].rpartition("=")[2]
        assert resolve(lab, id, "reject", reason="sent by mistake").status == 200
        assert server.services.store.files.owned(f"quarantine/{id}") == []
        assert told(lab.get(f"$quarantine?id={id}"))[0]["rejection"] == "sent by mistake"
        assert [each for each in told(lab.get("$quarantine?status=held")) if case.names(each)] == []
        assert resolve(lab, id, "retry").status == 409


def _kinds(trace: dict[str, Any], record: str) -> list[str]:
    """`Encounter`, when the trace tells of a document that entered the record."""
    found = [each["r"].partition("/")[0] for each in trace.get("entities", ()) if each.get("p") == record]
    return [each for each in found if each == "Encounter"]


def told(answer: Answer) -> list[dict[str, Any]]:
    """The documents of a listing, each part by its name."""
    assert answer.status == 200, answer.content
    found = []
    for each in answer.json.get("parameter", ()):
        parts = {part["name"]: next(value for name, value in part.items() if name != "name") for part in each["part"]}
        found.append(parts)
    return found


def resolve(caller: Caller, id: str, action: str, **more: str) -> Answer:
    given = {"id": id, "action": action, **more}
    body = {"resourceType": "Parameters", "parameter": [{"name": n, "valueString": v} for n, v in given.items()]}
    return caller.post("$quarantine-resolve", body)
