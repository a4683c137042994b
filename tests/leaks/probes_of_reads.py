"""Probes that read: what is hidden is not told, counted, sorted, reached or included."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pymongo import monitoring

from fhirserver.store import Store
from tests.application import Application
from tests.leaks.probing import SOME, Probe, where
from tests.leaks.world import ABSENT, HIDDEN, NOW
from tests.records import care_team, consent, document, observation, patient, practitioner, reference

if TYPE_CHECKING:
    from tests.leaks.probing import Probing

BY_ID = {"post": "a read has no form by POST"}
HISTORY = {"post": "a history has no form by POST"}
HEADERS = {**BY_ID, "batch": "of the headers, an entry has the conditions alone", "batch-xml": "the same"}


def same_answer(to: Probing) -> None:
    for type, id in SOME:
        assert to.absent(f"{type}/{id}", id).status == 404


def same_work(to: Probing) -> None:
    """The commands that reach the database are the same: nothing is loaded and then hidden. Times: `test_timing`.

    A policy that this process meets for the first time is loaded; so the second round counts.
    """
    sent: list[tuple[str, Any]] = []

    class Commands(monitoring.CommandListener):
        def started(self, event: monitoring.CommandStartedEvent) -> None:
            sent.append((event.command_name, event.command.get(event.command_name)))

        def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...
        def failed(self, event: monitoring.CommandFailedEvent) -> None: ...

    monitoring.register(listener := Commands())
    try:
        kept = to.server.services.store
        store = Store(kept.uri, kept.name, definitions=kept.definitions, index=kept.index)
        server = Application(replace(to.server.services, store=store))
        alice = server.practitioner("10000000001", organization="750000002")
        found = []
        for id in 2 * (ABSENT, "hidden-q1", "hidden-r1", "hidden-r2", "hidden-r3"):
            sent.clear()
            to.ask(alice, f"Observation/{id}")
            found.append(list(sent))
        assert all(each == found[5] for each in found[6:]), found
        store.close()
    finally:
        monitoring._LISTENERS.command_listeners.remove(listener)


def totals(to: Probing) -> None:
    for url in ("Observation?_total=accurate", "Observation?_summary=count",
                "DocumentReference?_total=accurate&_count=1",
                "Patient?_summary=count", "Observation?_count=0", "Consent?_summary=count"):  # fmt: skip
        assert to.same(url).total == to.ask(to.alice, url).total
    assert to.same("Observation?_summary=count").total == 8


def pages(to: Probing) -> None:
    whole = to.pages("Observation?_sort=_id")
    for count in (1, 2, 3):
        found = to.pages(f"Observation?_sort=_id&_count={count}")
        assert [id for page in found for id in page] == whole[0]
        assert {len(page) for page in found[:-1]} == {count}
        assert found[-1]


def others_link(to: Probing) -> None:
    link = to.ask(to.world.operator, "Observation?_count=2").next()
    assert link is not None
    nonsense = to.ask(to.alice, f"Observation?_page={'A' * 200}")
    stolen = to.ask(to.alice, link)
    assert (stolen.status, stolen.value) == (nonsense.status, nonsense.value)
    assert stolen.status == 400


def revoked_between_pages(to: Probing) -> None:
    for n in range(1, 4):
        to.world.operator.store(observation("patient-w", id=f"seen-w{n}"))
    to.world.operator.store(patient(id="patient-w"))
    to.world.operator.store(care_team("patient-w", "Practitioner/alice", id="team-w"))
    first = to.ask(to.alice, "Observation?_sort=-_id&_count=2")
    assert first.ids == ["seen-w3", "seen-w2"]
    denied = to.server.patient("patient-w").create(consent("patient-w", "deny", "Practitioner/alice"))
    link = first.next()
    assert link is not None
    assert to.ask(to.alice, link).ids == ["seen-s3", "seen-s2"]
    to.world.operator.delete(f"Consent/{denied}")
    for place in ("CareTeam/team-w", *(f"Observation/seen-w{n}" for n in range(1, 4)), "Patient/patient-w"):
        to.world.operator.delete(place)


def included(to: Probing) -> None:
    pointed = [reference(f"Observation/{id}") for id in ("hidden-q1", "hidden-r1", "hidden-r2", "seen-p1")]
    for world in to.twins.pair:
        world.operator.store(observation("patient-p", id="link-p7", derivedFrom=pointed))
    told = to.same("Observation?_id=link-p7&_include=Observation:derived-from")
    assert told.ids == ["link-p7", "seen-p1"]
    for world in to.twins.pair:
        world.operator.delete("Observation/link-p7")
    for url in ("Observation?_include=Observation:subject", "Observation?_id=seen-p1&_include=*",
                "Observation?_include=Observation:performer&_total=accurate"):  # fmt: skip
        assert "patient-r" not in to.same(url).text


def revincluded(to: Probing) -> None:
    for url in ("Patient?_revinclude=Observation:subject",
                "Patient?_id=patient-p&_revinclude=DocumentReference:subject",
                "Practitioner?_revinclude=CareTeam:participant&_count=1"):  # fmt: skip
        assert "hidden-" not in to.same(url).text


def iterated(to: Probing) -> None:
    """With wildcards: `test_joins`."""
    for url in (
        "Observation?_id=seen-p1&_include:iterate=Observation:subject&_include:iterate=Patient:link",
        "Observation?_revinclude=Provenance:target",
        "Patient?_revinclude=Observation:subject&_revinclude:iterate=Observation:derived-from",
    ):
        told = to.same(url)
        assert told.status == 200
        assert "hidden-" not in told.text


def chained(to: Probing) -> None:
    for name in ("Moreau", "Mercier"):
        assert to.same(f"Observation?subject:Patient.family={name}").total == 0
        assert to.same(f"Observation?performer:Patient.family={name}").total == 0
    to.absent("Observation?subject:Patient._id=patient-r", "patient-r")


def bisected(to: Probing) -> None:
    for step in (1, 5, 7, 100):
        for op in ("gt", "lt"):
            assert to.same(f"Patient?_has:Observation:performer:value-quantity={op}{step}").total == 0
            assert to.same(f"Patient?_id=patient-r&birthdate={op}1980-02-03").total == 0


def chained_through(to: Probing) -> None:
    for url in ("Observation?performer:Patient.general-practitioner:Practitioner.identifier=1",
                "Encounter?diagnosis:Condition.code=1", "Observation?derived-from:Observation.subject:Patient.family=m",
                "Practitioner?_has:CareTeam:participant:patient.family=mercier"):  # fmt: skip
        assert to.same(url).total == 0


def sorted_by(to: Probing) -> None:
    for key in ("subject", "-subject", "date", "-_lastUpdated", "code"):
        to.pages(f"Observation?_sort={key}&_count=3")
    assert to.pages("Patient?_sort=family&_count=1") == [["patient-s"], ["patient-p"]]
    assert to.same("Observation?_sort=subject.name").status == 400


def complements(to: Probing) -> None:
    for url in ("Observation?performer:missing=true", "Observation?performer:missing=false",
                "Observation?code:not=718-7",
                "Observation?_id:not=seen-p1", "DocumentReference?security-label:missing=false",
                "Patient?family:missing=true", "Patient?_id:not=patient-p"):  # fmt: skip
        assert not [id for id in to.same(url).ids if id.startswith("hidden")]


def since(to: Probing) -> None:
    for url in ("Observation?_lastUpdated=gt2000-01-01", "Observation?_lastUpdated=lt2000-01-01"):
        assert to.same(url).total in (0, 8)
    for url in ("Observation/_history?_since=2000-01-01T00:00:00Z", "_history?_since=2000-01-01T00:00:00Z&_count=200"):
        if not to.form.post:
            assert not [id for id in to.same(url).ids if id.startswith("hidden")]


def old_versions(to: Probing) -> None:
    for type, id in SOME:
        for path in ("/_history", "/_history/1", "/_history/2", "/_history/3"):
            to.absent(f"{type}/{id}{path}", id)
    assert to.ask(to.world.operator, "DocumentReference/hidden-p2/_history/1").status == 200


def deletions(to: Probing) -> None:
    for url in (
        "Observation/_history",
        "DocumentReference/_history?_count=1",
        "_history?_count=500",
        "Patient/_history",
    ):
        told = to.same(url)
        assert not {each.id for each in HIDDEN} & set(told.ids)


def whole_records(to: Probing) -> None:
    told = to.same("Patient/patient-p/$everything?_count=200")
    assert "seen-p1" in told.ids
    assert not any(each.id in told.ids for each in HIDDEN)
    assert to.absent("Patient/patient-r/$everything", "patient-r").status == 404
    if not to.form.post:
        to.absent("Observation/$lastn?patient=patient-r", "patient-r")
        to.absent("Composition/hidden-p1/$document", "hidden-p1")
    to.absent("Patient/patient-r/$who-can-see", "patient-r")
    asked = "$explain-access?requester=rpps|10000000002&profession=G15_10&resource=Observation/hidden-q1"
    to.absent(asked, "hidden-q1")


def documents_in_parts(to: Probing) -> None:
    """A document is whole or none; its narrative is of the Composition, which is judged as any resource."""
    for world in to.twins.pair:
        world.operator.store(_composition("document-p", "Observation/hidden-r1"))
        world.operator.store(_composition("document-q", f"Observation/{ABSENT}"))
    hidden, dangling = (to.same(f"Composition/{id}/$document") for id in ("document-p", "document-q"))
    assert hidden.status == dangling.status == 422
    assert "2160-0" not in hidden.text
    to.absent("Bundle/hidden-r1", "hidden-r1")


def _composition(id: str, entry: str) -> dict[str, Any]:
    return {
        "resourceType": "Composition", "id": id, "status": "final", "date": "2026-01-01", "title": "x",
        "type": {"coding": [{"system": "http://loinc.org", "code": "11488-4"}]},
        "subject": reference("Patient/patient-p"), "author": [reference("Practitioner/alice")],
        "section": [{"title": "x", "entry": [reference(entry)]}],
    }  # fmt: skip


def contained(to: Probing) -> None:
    inner = {"resourceType": "Practitioner", "id": "x", "name": [{"family": "Hiddenname"}]}
    whole = to.world.operator
    whole.store(observation("patient-r", id="hidden-rc", performer=[reference("#x")], contained=[inner]))
    for url in ("Practitioner?name=Hiddenname", "Practitioner?name=Hiddenname&_contained=true",
                "Observation?performer:Practitioner.name=Hiddenname", "Observation?_contained=both",
                "Observation?performer:Practitioner.name:missing=false"):  # fmt: skip
        told = to.same(url)
        assert "hidden" not in told.text.replace("Hiddenname", "")
        assert told.status in (200, 400)
    whole.delete("Observation/hidden-rc")


def binaries(to: Probing) -> None:
    for id in ("hidden-r1", "hidden-p1"):
        assert to.absent(f"Binary/{id}", id).status == 404
    if not to.form.post:
        assert "Qm9uam91cg" not in to.same("Binary/_history").text
    for url in ("DocumentReference?location=Binary/hidden-p1", "Binary?_id=hidden-p1"):
        assert to.absent(url, "hidden-p1").total == 0


def representations(to: Probing) -> None:
    for type, id in SOME[::2]:
        for params in (
            "_summary=true",
            "_elements=id",
            "_summary=count",
            "_pretty=true",
            "_format=xml",
            "_format=json",
        ):
            to.absent(f"{type}/{id}?{params}", id)
        if not to.form.batch:
            to.absent(f"{type}/{id}", id, "HEAD")
    for params in ("_summary=true", "_elements=subject", "_summary=data", "_summary=text"):
        assert "hidden" not in to.same(f"Observation?{params}").text


def memberships(to: Probing) -> None:
    for world in to.twins.pair:
        for id, items in (("list-p", ["Observation/hidden-q1", "Observation/seen-p1"]),):
            world.operator.store({"resourceType": "List", "id": id, "status": "current", "mode": "working",
                                  "subject": reference("Patient/patient-p"),
                                  "entry": [{"item": reference(each)} for each in items]})  # fmt: skip
    group = {"resourceType": "Group", "id": "group-rp", "type": "person", "actual": True,
             "member": [{"entity": reference(f"Patient/patient-{each}")} for each in "rp"]}  # fmt: skip
    codes = {"resourceType": "ValueSet", "id": "hidden-v1", "status": "active", "url": "urn:hidden-v1"}
    to.world.operator.store(group)
    assert to.same("Observation?_list=list-p").ids == ["seen-p1"]
    to.absent("Observation?_list=hidden-q1", "hidden-q1")
    for url in ("Group?member=Patient/patient-r", "Group?_id=group-rp", "Patient?_has:Group:member:actual=true",
                "Group?member:Patient.family=mercier"):  # fmt: skip
        assert to.same(url).total == 0
    to.absent(f"Observation?code:in=ValueSet/{codes['id']}", "hidden-v1")
    to.absent("ValueSet/$expand?url=urn:hidden-v1", "hidden-v1")
    to.world.operator.delete("Group/group-rp")


def compartments(to: Probing) -> None:
    for type in ("Practitioner", "Organization", "ValueSet", "Observation"):
        to.absent(f"Patient/patient-r/{type}", "patient-r")
        told = to.same(f"Patient/patient-p/{type}")
        assert type == "Observation" or told.status in (400, 404) or told.total == 0
    assert to.same("Patient/patient-p/Observation").total == 5


def scopes_in_doubt(to: Probing) -> None:
    for scope in (
        "user/Observation.rs?nonsense=x",
        "user/Observation.rs?code:near=x",
        "user/Observation.rs?_has:x=y",
        "user/x.rs",
    ):
        who = to.server.practitioner("10000000001", organization="750000002", scopes=(scope,))
        for prefer in ("", "handling=lenient"):
            headers = {"Prefer": prefer} if prefer and not to.form.batch else {}
            told = to.ask(who, "Observation", **headers)
            assert told.status in (200, 403)
            assert told.status == 403 or told.total == 0


def misspelled(to: Probing) -> None:
    for url in (
        "Observation?subjet=Patient/patient-p",
        "Observation?code:exactly=1",
        "Patient?_hass:Observation:subject:code=1",
    ):
        assert to.same(url).status == 400


def links_between_patients(to: Probing) -> None:
    """A link lends no access, in either direction."""
    for id, other in (("link-ps", "patient-r"),):
        for world in to.twins.pair:
            world.operator.store(patient(id=id, link=[{"type": "seealso", "other": reference(f"Patient/{other}")}]))
            world.operator.store(care_team(id, "Practitioner/alice", id="team-link"))
    assert to.same("Patient/link-ps/Observation").total == 0
    assert to.same("Observation?patient=link-ps").total == 0
    for url in ("Patient?link=Patient/patient-r&_include=Patient:link", "Patient?link:Patient.family=mercier"):
        assert "Mercier" not in to.same(url).text
    me = to.server.patient("link-ps")
    assert to.ask(me, "Observation?patient=patient-r").total == 0
    for world in to.twins.pair:
        world.operator.delete("CareTeam/team-link")
        world.operator.delete("Patient/link-ps")


def diagnostics(to: Probing) -> None:
    for url in ("AuditEvent?_summary=count", "AuditEvent?entity=Observation/hidden-q1",
                "Provenance?target=Observation/hidden-q1",
                "AuditEvent?patient=patient-r", "Communication?subject=Patient/patient-r"):  # fmt: skip
        assert to.same(url).total == 0
    to.absent("AuditEvent/hidden-p1" if not to.form.post else "AuditEvent?_id=hidden-p1", "hidden-p1")
    assert to.same("Observation?__explain=true").status == 400
    metrics = to.server.app.test_client().get("/metrics").text
    assert not any(each.id in metrics for each in HIDDEN)


def others_jobs(to: Probing) -> None:
    """Work in the background is its owner's: for others there is none. There is no `$reindex` over HTTP."""
    for url in ("$job-status?id=hidden-r1", "$job-file?id=hidden-r1"):
        to.absent(url, "hidden-r1")
    begun = to.world.operator.get("$export", Prefer="respond-async")
    if begun.status == 202:
        place = begun.headers["content-location"].partition("/fhir/")[2]
        stolen = to.ask(to.alice, place)
        never = to.ask(to.alice, place[:-4] + "0000")
        assert (stolen.status, stolen.value) == (never.status, never.value)
    assert to.same("$reindex").status in (400, 404, 405)


def emergencies(to: Probing) -> None:
    """Only of whom the request names, with a purpose, a reason and an end; notices: `tests/rest/test_notices.py`."""
    doctor = to.server.practitioner("10000000009", purpose="BTG")
    to.world.operator.store(practitioner("10000000009", id="over"))
    ended = consent("patient-r", "permit", "Practitioner/over", period={"end": "2020"}) | {"id": "ended-r"}
    to.world.operator.store(ended)
    assert to.ask(doctor, "Observation").total == 0
    assert to.ask(doctor, where("Observation", patient="patient-r", _sort="_id")).ids == ["hidden-r1", "hidden-r3"]
    assert to.ask(to.server.practitioner("10000000001", purpose="BTG"), "Observation?patient=patient-q").total == 0
    assert to.ask(to.server.practitioner("10000000009"), "Observation?patient=patient-r").total == 0
    assert to.ask(doctor, "DocumentReference?patient=patient-p&security-label=V").total == 0
    for place in ("Consent/ended-r", "Practitioner/over"):
        to.world.operator.delete(place)


def announced_in_time(to: Probing) -> None:
    later = to.server.at(NOW + timedelta(days=40)).patient("patient-p")
    assert to.ask(to.world.patient("p"), "DocumentReference?_id=unseen-pa").total == 0
    assert to.ask(later, "DocumentReference?_id=unseen-pa").total == 1
    assert document("patient-p")["status"] == "current"


PROBES = (
    Probe(1, "a hidden id and one that never was", same_answer, BY_ID),
    Probe(2, "what the database is asked", same_work, BY_ID),
    Probe(3, "totals", totals),
    Probe(4, "pages", pages),
    Probe(5, "another's page link", others_link),
    Probe(6, "a Consent revoked between pages", revoked_between_pages),
    Probe(7, "_include", included),
    Probe(8, "_revinclude", revincluded),
    Probe(9, "_include:iterate", iterated),
    Probe(10, "a chain to what is hidden", chained),
    Probe(11, "a bisection by _has", bisected),
    Probe(12, "a chain through what is hidden", chained_through),
    Probe(13, "the order", sorted_by),
    Probe(14, ":missing and :not", complements),
    Probe(15, "_lastUpdated and _since", since),
    Probe(16, "older versions", old_versions, HISTORY),
    Probe(17, "histories of types, deletions", deletions, HISTORY),
    Probe(18, "$everything and its like", whole_records),
    Probe(19, "documents with hidden parts", documents_in_parts, {"post": "$document is by GET"}),
    Probe(20, "contained resources", contained),
    Probe(21, "Binary by a guessed id", binaries, BY_ID),
    Probe(30, "every representation", representations, BY_ID),
    Probe(31, "lists, groups and value sets", memberships),
    Probe(32, "compartments", compartments),
    Probe(33, "scopes that cannot be read", scopes_in_doubt),
    Probe(34, "misspelled parameters", misspelled),
    Probe(36, "time-bound rules", announced_in_time),
    Probe(40, "links between patients", links_between_patients),
    Probe(42, "traces, diagnostics, metrics", diagnostics),
    Probe(43, "others' work in the background", others_jobs, {"post": "the status is by GET"}),
    Probe(44, "breaking the glass", emergencies),
)  # fmt: skip
