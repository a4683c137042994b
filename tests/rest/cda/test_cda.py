"""CDA documents in: what is stored, for whom, once; and what is refused leaves nothing behind."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver import jsontext
from fhirserver.documents.cda import convert
from tests.documents.corpus import corpus
from tests.records import INS_NIR, care_team, consent, patient, post, practitioner
from tests.rest.cda.case import HOSPITAL, LABORATORY, MASKED, NOT_KNOWN, V2_0203, Case, anew, deposit, person
from tools.cda import wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Application, Caller

COLLECT = {"system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": "collect"}


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
