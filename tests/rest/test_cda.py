"""CDA documents in: what is stored, for whom, once; and what is refused leaves nothing behind."""

from __future__ import annotations

import itertools
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from fhirserver import jsontext
from fhirserver.access import Access
from fhirserver.documents.cda import convert
from tests.documents.corpus import corpus
from tests.records import INS_NIR, care_team, consent, patient, post, practitioner
from tools.cda import wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.application import Answer, Application, Caller

CDA = {"Content-Type": "application/hl7-v3+xml"}
LABORATORY, HOSPITAL = "750000001", "130000002"
HEMOGRAM = "bio-hemogramme"
NUMBERS = itertools.count(10000)


def person(document: str = HEMOGRAM, **changes: Any) -> dict[str, Any]:
    """The Patient of a document of the corpus, as its header names them."""
    found = convert(corpus()[document]).document.patient.resource
    kept = {name: found[name] for name in ("resourceType", "identifier", "name", "gender", "birthDate", "extension")}
    kept["identifier"] = [
        {"system": each["system"], "value": each["value"], "use": "official"}
        for each in found["identifier"]
        if each["system"].startswith("urn:oid:1.2.250.1.213.1.4.")
    ]
    return {**kept, "active": True, **changes}


def anew(data: bytes, root: str) -> bytes:
    """The document under another unique id."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return anew(data.decode("utf-16").encode(), root).decode().encode("utf-16")
    return re.sub(rb'(<(?:\w+:)?id root=")[^"]+(")', rb"\g<1>" + root.encode() + rb"\2", data, count=1)


class Case(NamedTuple):
    """Somebody of whom the corpus tells, under a matricule and with documents of their own."""

    number: int

    def document(self, name: str = HEMOGRAM) -> bytes:
        data = corpus()[name]
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return self._own(data.decode("utf-16").encode()).decode().encode("utf-16")
        return self._own(data)

    def person(self, **changes: Any) -> dict[str, Any]:
        found: dict[str, Any] = jsontext.parse_object(self._own(jsontext.dump(person())))
        return {name: value for name, value in {**found, **changes}.items() if value is not None}

    def names(self, waiting: Mapping[str, Any]) -> bool:
        """Whether a document that waits is one of these."""
        return f"1.2.250.1.213.99.7.{self.number}." in waiting["uniqueId"]

    def _own(self, data: bytes) -> bytes:
        data = data.replace(b"279035121518989", b"2790351215%05d" % self.number)
        return data.replace(b"1.2.250.1.213.99.7.", b"1.2.250.1.213.99.7.%d." % self.number)


@pytest.fixture(scope="module")
def server(applications: Callable[..., Any]) -> Iterator[Application]:
    with applications(profiles="french") as opened:
        yield opened


@pytest.fixture
def case() -> Case:
    return Case(next(NUMBERS))


@pytest.fixture
def record(server: Application, case: Case) -> str:
    return server.operator().create(case.person())


@pytest.fixture
def lab(server: Application) -> Caller:
    return server.system(LABORATORY, "lab")


def deposit(caller: Caller, data: bytes, query: str = "", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return caller.call("POST", f"$cda{query}", data, CDA | named)


def test_a_report_becomes_a_document_and_results_that_are_found_at_once(
    server: Application, record: str, lab: Caller, case: Case
) -> None:
    answer = deposit(lab, case.document())
    assert answer.status == 201, answer.content
    assert answer.headers["location"].endswith(f"/DocumentReference/{answer.id}/_history/1")
    assert answer.json["subject"] == {"reference": f"Patient/{record}"}
    holder = server.patient(record)
    found = holder.search("Observation", ("code", "http://loinc.org|718-7"), patient=record, _sort="-date")
    values = [each["resource"]["valueQuantity"]["value"] for each in found.json["entry"]]
    assert len(values) == 2, "the result, and the one before that the report repeats"
    assert holder.search("Composition", patient=record).ids
    (binary,) = [each["attachment"]["url"] for each in answer.json["content"]]
    assert holder.get(binary).status == 200
    assert b"urn:uuid:" not in re.sub(rb'"value":"[^"]*"', b"", answer.content)


@pytest.mark.parametrize("name", sorted(corpus()))
def test_every_document_of_the_corpus_is_taken(crowd: Application, name: str) -> None:
    root = f"1.2.250.1.213.99.8.{1 + sorted(corpus()).index(name)}"
    answer = deposit(crowd.system(LABORATORY), anew(corpus()[name], root))
    assert answer.status == 201, answer.content
    assert answer.json["masterIdentifier"]["value"] == f"urn:oid:{root}"


@pytest.fixture(scope="module")
def crowd(applications: Callable[..., Any]) -> Iterator[Application]:
    """A server that has a record of everybody in the corpus."""
    with applications(profiles="french") as opened:
        for name in corpus():
            opened.operator().post("Patient", person(name))
        yield opened


class TestOnce:
    def test_the_same_document_again_is_the_same_document(
        self, server: Application, record: str, lab: Caller, case: Case
    ) -> None:
        first = deposit(lab, case.document())
        before = server.counts()
        again = deposit(lab, case.document())
        assert (again.status, again.id) == (200, first.id)
        assert server.counts() == before

    def test_other_content_under_the_same_unique_id_is_refused(
        self, server: Application, record: str, lab: Caller, case: Case
    ) -> None:
        assert deposit(lab, case.document()).status == 201
        before = server.counts()
        other = deposit(lab, case.document().replace(b"</ClinicalDocument>", b" </ClinicalDocument>"))
        assert (other.status, other.issue["code"]) == (409, "duplicate")
        assert server.counts() == before

    def test_of_many_at_once_one_stores_it(self, server: Application, record: str, case: Case) -> None:
        def once(_: int) -> int:
            return deposit(server.system(LABORATORY, "lab"), case.document("l1-texte")).status

        other = anew(case.document("l1-texte"), f"1.2.250.1.213.99.8.{case.number}")
        assert deposit(server.system(LABORATORY, "lab"), other).status == 201, "the actors are known from now on"
        with ThreadPoolExecutor(8) as pool:
            statuses = sorted(pool.map(once, range(32)))
        assert statuses == [200] * 31 + [201]
        holder = server.patient(record)
        assert len(holder.search("DocumentReference", patient=record).ids) == 2

    def test_an_actor_is_here_once_however_many_documents_name_it(
        self, server: Application, record: str, lab: Caller, case: Case
    ) -> None:
        assert deposit(lab, case.document()).status == 201
        before = server.counts()
        assert deposit(lab, anew(case.document(), f"1.2.250.1.213.99.8.{case.number}")).status == 201
        after = server.counts()
        for type in ("Practitioner", "PractitionerRole", "Organization", "Location"):
            assert after[type] == before[type], type

    def test_an_actor_whom_the_directory_knows_by_number_is_not_added(
        self, server: Application, record: str, case: Case
    ) -> None:
        letter = case.document("l1-texte")
        named = next(each for each in convert(letter).all("Practitioner") if "rpps" in str(each))
        number = next(each for each in named["identifier"] if "rpps" in str(each))
        fresh = {**number, "value": f"810{case.number:08}"}
        known = server.operator().create({"resourceType": "Practitioner", "identifier": [fresh]})
        letter = letter.replace(number["value"].encode(), fresh["value"].encode())
        assert deposit(server.system(HOSPITAL, "hospital"), letter).status == 201
        assert known in server.operator().get(f"DocumentReference?patient={record}").content.decode()

    def test_another_depositor_learns_nothing_of_a_hidden_document(
        self, server: Application, record: str, case: Case
    ) -> None:
        assert deposit(server.system(LABORATORY, "lab"), case.document()).status == 201
        other = case.document().replace(b"</ClinicalDocument>", b" </ClinicalDocument>")
        assert deposit(server.system(HOSPITAL, "hospital"), other).status == 201


def test_a_masked_document_takes_its_results_out_of_sight(
    server: Application, record: str, lab: Caller, case: Case
) -> None:
    physician = server.practitioner("10000000999")
    named = practitioner("10000000999", name=[{"family": "LEROY"}])
    named["identifier"][0]["type"] = {"coding": [{"system": V2_0203, "code": "RPPS"}]}
    known = server.operator().create(named)
    server.patient(record).create(care_team(record, f"Practitioner/{known}"))
    document = deposit(lab, case.document()).json
    assert physician.search("Observation", patient=record).total
    patch = [{"op": "add", "path": "/securityLabel/-", "value": {"coding": [MASKED]}}]
    sent = server.patient(record).call(
        "PATCH",
        f"DocumentReference/{document['id']}",
        jsontext.dump(patch),
        {"Content-Type": "application/json-patch+json"},
    )
    assert sent.status == 200, sent.content
    for type in ("DocumentReference", "Observation", "Composition", "Provenance", "Encounter"):
        assert physician.search(type, patient=record).total == 0, type
    assert physician.get(document["content"][0]["attachment"]["url"]).status == 404
    assert server.patient(record).search("Observation", patient=record).total


V2_0203 = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203"
MASKED = {
    "system": "https://mos.esante.gouv.fr/NOS/TRE_A07-StatusVisibiliteDocument/FHIR/TRE-A07-StatusVisibiliteDocument",
    "code": "MASQUE_PS",
}


class TestReplacement:
    def test_the_old_one_is_superseded_and_what_was_derived_from_it_is_gone(
        self, server: Application, record: str, case: Case
    ) -> None:
        hospital, holder = server.system(HOSPITAL, "hospital"), server.patient(record)
        first = deposit(hospital, case.document("ldl-ses"))
        assert first.status == 201, first.content
        before = set(holder.search("Condition", patient=record).ids)
        second = deposit(hospital, case.document("ldl-ses-v2"))
        assert second.status == 201, second.content
        old = holder.get(f"DocumentReference/{first.id}").json
        assert (old["status"], old["meta"]["versionId"]) == ("superseded", "2")
        (relation,) = second.json["relatesTo"]
        assert relation["target"]["reference"] == f"DocumentReference/{first.id}"
        after = set(holder.search("Condition", patient=record).ids)
        assert before
        assert not before & after
        assert holder.get(old["content"][0]["attachment"]["url"]).status == 200
        whole = holder.get(f"DocumentReference/{first.id}/$document")
        assert whole.status == 200, whole.json
        assert before <= {each["resource"]["id"] for each in whole.json["entry"]}

    def test_one_that_is_another_depositors_is_left_alone(self, server: Application, record: str, case: Case) -> None:
        first = deposit(server.system(HOSPITAL, "hospital"), case.document("ldl-ses"))
        second = deposit(server.system("990000009", "other"), case.document("ldl-ses-v2"))
        assert second.status == 201
        assert server.operator().get(f"DocumentReference/{first.id}").json["status"] == "current"
        assert "reference" not in second.json["relatesTo"][0]["target"]

    def test_one_that_comes_after_what_replaces_it_is_superseded_from_the_start(
        self, server: Application, record: str, case: Case
    ) -> None:
        hospital, holder = server.system(HOSPITAL, "hospital"), server.patient(record)
        assert deposit(hospital, case.document("ldl-ses-v2")).status == 201
        before = holder.search("Condition", patient=record).ids
        late = deposit(hospital, case.document("ldl-ses"))
        assert (late.status, late.json["status"]) == (201, "superseded")
        assert holder.search("Condition", patient=record).ids == before

    def test_one_that_was_replaced_is_not_replaced_again(self, server: Application, record: str, case: Case) -> None:
        hospital = server.system(HOSPITAL, "hospital")
        assert deposit(hospital, case.document("ldl-ses")).status == 201
        assert deposit(hospital, case.document("ldl-ses-v2")).status == 201
        before = server.counts()
        assert deposit(hospital, anew(case.document("ldl-ses-v2"), f"1.2.250.1.213.99.8.{case.number}")).status == 409
        assert server.counts() == before

    def test_a_document_that_is_set_aside_takes_its_results_along(
        self, server: Application, record: str, case: Case
    ) -> None:
        lab = server.system(LABORATORY, "lab")
        document = deposit(lab, case.document()).json
        assert server.patient(record).search("Observation", patient=record).ids
        assert lab.put(f"DocumentReference/{document['id']}", document | {"status": "superseded"}).status == 200
        assert server.patient(record).search("Observation", patient=record).ids == []


MATTERS: dict[str, dict[str, Any]] = {
    "another matricule": {"identifier": [{"system": "urn:oid:1.2.250.1.213.1.4.10", "value": "279035121518990"}]},
    "another OID": {"identifier": [{"system": "urn:oid:1.2.250.1.213.1.4.8", "value": "NUMBER"}]},
    "an old number": {"identifier": [{"system": "urn:oid:1.2.250.1.213.1.4.10", "value": "NUMBER", "use": "old"}]},
    "another family": {"name": [{"use": "official", "family": "LOUP", "given": ["ANNE"]}]},
    "another given name": {"name": [{"use": "official", "family": "RENARD", "given": ["MARIE"]}]},
    "another sex": {"gender": "male"},
    "another day of birth": {"birthDate": "1979-03-16"},
    "no day of birth": {"birthDate": None},
    "not active": {"active": False},
}


class TestIdentity:
    @pytest.mark.parametrize("matter", MATTERS)
    def test_one_trait_that_disagrees_keeps_a_document_out(self, core: Application, matter: str, case: Case) -> None:
        changed = jsontext.dump(case.person(**MATTERS[matter])).replace(b"NUMBER", b"2790351215%05d" % case.number)
        core.operator().create(jsontext.parse_object(changed))
        answer = deposit(core.system(LABORATORY, "lab"), case.document())
        assert answer.status == 422
        assert answer.issue["expression"] == ["/ClinicalDocument/recordTarget"]
        assert answer.told == NOT_KNOWN
        assert core.counts().get("DocumentReference", 0) == 0

    def test_names_agree_whatever_their_accents(self, server: Application, case: Case) -> None:
        names = case.person()["name"]
        names[0]["family"], names[0]["given"] = "Renârd", ["Anne"]
        server.operator().create(case.person(name=names))
        assert deposit(server.system(LABORATORY, "lab"), case.document()).status == 201

    def test_a_document_without_an_ins_says_so(self, server: Application, record: str, case: Case) -> None:
        bare = case.document().replace(b"1.2.250.1.213.1.4.10", b"1.2.250.1.213.99.1")
        answer = deposit(server.system(LABORATORY, "lab"), bare)
        assert answer.status == 422
        assert "INS" in answer.told

    def test_persons_and_their_representatives_deposit_no_cda(
        self, server: Application, record: str, case: Case
    ) -> None:
        assert deposit(server.patient(record), case.document()).status == 403
        assert deposit(server.representative(record), case.document()).status == 403

    def test_a_closed_or_opposed_record_takes_nothing(self, server: Application, record: str, case: Case) -> None:
        server.patient(record).create(
            consent(record, "deny", "Organization/x", action=[{"coding": [COLLECT]}])
            | {"provision": {"type": "deny", "action": [{"coding": [COLLECT]}]}}
        )
        before = server.counts()
        assert deposit(server.system(LABORATORY, "lab"), case.document()).status == 403
        assert server.counts() == before


COLLECT = {"system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": "collect"}
NOT_KNOWN = (
    "The identity of the patient could not be established: OID, matricule, birth name, first given name, sex, date and "
    "place of birth must all agree with one open record."
)


@pytest.fixture(scope="module")
def core(applications: Callable[..., Any]) -> Iterator[Application]:
    with applications() as opened:
        yield opened


class TestNumbers:
    @pytest.mark.parametrize("last", ["8", "9"])
    def test_of_many_at_once_one_patient_bears_an_ins(self, core: Application, last: str) -> None:
        number = {"system": f"urn:oid:1.2.250.1.213.1.4.{last}", "value": "185057800608491"}

        def once(_: int) -> int:
            return core.operator().post("Patient", patient(identifier=[number])).status

        with ThreadPoolExecutor(8) as pool:
            statuses = sorted(pool.map(once, range(16)))
        assert statuses == [201] + [409] * 15

    def test_neither_update_transaction_patch_nor_condition_gives_a_number_twice(self, core: Application) -> None:
        operator = core.operator()
        number = {"system": INS_NIR, "value": "285057800608492"}
        operator.create(patient(identifier=[number]))
        other = operator.create(patient())
        assert operator.put(f"Patient/{other}", patient(id=other, identifier=[number])).status == 409
        again = patient(identifier=[number])
        assert operator.transact(post(again)).status == 409
        assert operator.post("Patient", again, If_None_Exist="identifier=urn:x|none").status == 409
        twins = patient(identifier=[{"system": INS_NIR, "value": "285057800608493"}])
        assert operator.transact(post(twins), post(twins)).status == 409
        patch = [{"op": "add", "path": "/identifier", "value": [number]}]
        sent = operator.call(
            "PATCH", f"Patient/{other}", jsontext.dump(patch), {"Content-Type": "application/json-patch+json"}
        )
        assert sent.status == 409

    def test_what_is_old_or_not_active_does_not_count(self, core: Application) -> None:
        operator, number = core.operator(), {"system": INS_NIR, "value": "285057800608494"}
        operator.create(patient(identifier=[number | {"use": "old"}]))
        shut = operator.create(patient(identifier=[number]) | {"active": False})
        first = operator.create(patient(identifier=[number]))
        assert operator.put(f"Patient/{shut}", patient(id=shut, identifier=[number])).status == 409
        stored = patient(id=first, identifier=[number], gender="female")
        assert operator.put(f"Patient/{first}", stored).status == 200


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


class TestBadInput:
    @pytest.mark.parametrize("name", sorted(wrong.documents()))
    def test_a_wrong_document_is_refused_and_leaves_nothing_or_is_kept_and_told(
        self, core: Application, name: str
    ) -> None:
        before = core.counts()
        answer = deposit(core.system(LABORATORY, "lab"), wrong.documents()[name])
        assert answer.status in (400, 422), answer.content
        assert answer.json["resourceType"] == "OperationOutcome"
        assert core.counts() == before

    def test_findings_name_their_rule_and_place_and_a_lenient_mode_stores_with_them(
        self, server: Application, record: str, case: Case
    ) -> None:
        lab = server.system(LABORATORY, "lab")
        untitled = re.sub(rb"<title.*?</title>", b"", case.document())
        refused = deposit(lab, untitled)
        assert refused.status == 422
        assert refused.issue["expression"][0].startswith("/ClinicalDocument")
        assert refused.issue["details"]["coding"][0]["code"]
        kept = deposit(lab, untitled, "?mode=lenient", Prefer="return=OperationOutcome")
        assert kept.status == 201
        assert {each["severity"] for each in kept.json["issue"]} <= {"warning", "information"}
        assert deposit(lab, case.document(), "?mode=some").status == 400

    def test_the_media_type_is_one_of_cda(self, server: Application, record: str, case: Case) -> None:
        lab = server.system(LABORATORY, "lab")
        for media in ("application/fhir+json", "application/pdf", ""):
            assert lab.call("POST", "$cda", case.document(), {"Content-Type": media}).status == 415
        assert lab.call("POST", "$cda", case.document(), {"Content-Type": "text/xml"}).status == 201

    def test_a_cda_document_posted_as_binary_is_taken_in_and_a_binary_in_xml_is_a_binary(
        self, server: Application, record: str, case: Case
    ) -> None:
        lab = server.system(LABORATORY, "lab")
        answer = lab.call("POST", "Binary", case.document("utf-16"), {"Content-Type": "text/xml"})
        assert (answer.status, answer.json["resourceType"]) == (201, "DocumentReference")
        xml = b'<Binary xmlns="http://hl7.org/fhir"><contentType value="text/plain"/><data value="YQ=="/></Binary>'
        plain = lab.call("POST", "Binary", xml, {"Content-Type": "application/xml"})
        assert (plain.status, plain.json["resourceType"]) == (201, "Binary")
