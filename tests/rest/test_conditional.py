"""Conditional create, update and delete, and conditional references (https://hl7.org/fhir/R4/http.html#ccreate)."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Requester
from tests.application import BASE
from tests.records import ask, observation, patient, post, reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.application import Answer, Application, Caller

SYSTEM = "urn:oid:1.2.3"


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    return application.operator()


@pytest.fixture
def value() -> str:
    """An identifier that nothing bears yet."""
    return uuid.uuid4().hex


def known(value: str, **more: Any) -> dict[str, Any]:
    return patient(identifier=[{"system": SYSTEM, "value": value}], **more)


def criteria(value: str) -> str:
    return f"identifier={SYSTEM}|{value}"


def count(caller: Caller, value: str) -> int:
    return caller.search("Patient", identifier=f"{SYSTEM}|{value}", _summary="count").total


class TestCreate:
    def test_it_stores_when_nothing_matches_and_answers_what_matches(self, operator: Caller, value: str) -> None:
        made = operator.post("Patient", known(value), If_None_Exist=criteria(value))
        assert made.status == 201
        again = operator.post("Patient", known(value, gender="male"), If_None_Exist=criteria(value))
        assert again.status == 200
        assert again.json == made.json
        assert again.headers["location"] == f"{BASE}/Patient/{made.id}/_history/1"
        assert again.headers["etag"] == 'W/"1"'
        assert count(operator, value) == 1

    def test_several_matches_store_nothing(self, operator: Caller, value: str) -> None:
        operator.create(known(value))
        operator.create(known(value))
        answer = operator.post("Patient", known(value), If_None_Exist=criteria(value))
        assert answer.status == 412
        assert answer.issue["code"] == "multiple-matches"
        assert count(operator, value) == 2

    def test_a_deleted_resource_does_not_match(self, operator: Caller, value: str) -> None:
        operator.delete(f"Patient/{operator.create(known(value))}")
        assert operator.post("Patient", known(value), If_None_Exist=criteria(value)).status == 201

    @pytest.mark.parametrize("text", ["", "?", "identifier", "identifier=", "nonsense=1", "_count=1", "identifer=x"])
    def test_what_is_no_criterion_is_refused(self, application: Application, operator: Caller, text: str) -> None:
        before = application.counts()
        assert operator.call("POST", "Patient", patient(), {"If-None-Exist": text or " "}).status == 400
        assert application.counts() == before

    def test_criteria_may_begin_with_the_type_and_are_percent_encoded(self, operator: Caller, value: str) -> None:
        operator.create(known(value))
        for text in (f"Patient?{criteria(value)}", f"?{criteria(value)}", f"identifier=urn%3Aoid%3A1.2.3%7C{value}"):
            assert operator.post("Patient", known(value), If_None_Exist=text).status == 200

    def test_thirty_two_at_once_make_one_resource(self, application: Application, value: str) -> None:
        def call(_: int) -> Answer:
            return application.operator().post("Patient", known(value), If_None_Exist=criteria(value))

        with ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(call, range(32)))
        assert sorted(each.status for each in answers) == [200] * 31 + [201]
        assert len({each.id for each in answers}) == 1
        assert count(application.operator(), value) == 1

    def test_criteria_written_differently_about_one_identifier_make_one_resource(
        self, application: Application, value: str
    ) -> None:
        """By create and update, alone and in transactions, by criteria that are not the same text."""

        def call(n: int) -> Answer:
            caller = application.operator()
            if n % 3 == 0:
                return caller.post("Patient", known(value), If_None_Exist=f"identifier={value}&active=true")
            if n % 3 == 1:
                return caller.put(f"Patient?{criteria(value)}", known(value))
            entry = post(known(value))
            entry["request"]["ifNoneExist"] = criteria(value)
            return caller.transact(entry)

        with ThreadPoolExecutor(12) as pool:
            statuses = [each.status for each in pool.map(call, range(12))]
        assert set(statuses) <= {200, 201}
        assert count(application.operator(), value) == 1

    def test_a_token_that_may_not_search_sets_no_condition(self, application: Application, value: str) -> None:
        hospital = Requester("system", "client/x", client="x", organization="750000009", scopes=("system/Patient.c",))
        answer = application.caller(hospital).post("Patient", known(value), If_None_Exist=criteria(value))
        assert answer.status == 403
        assert count(application.operator(), value) == 0


class TestUpdate:
    def test_one_match_is_updated(self, operator: Caller, value: str) -> None:
        id = operator.create(known(value))
        answer = operator.put(f"Patient?{criteria(value)}", known(value, gender="other"))
        assert (answer.status, answer.id, answer.json["meta"]["versionId"]) == (200, id, "2")
        assert operator.get(f"Patient/{id}").json["gender"] == "other"

    def test_no_match_creates(self, operator: Caller, value: str) -> None:
        answer = operator.put(f"Patient?{criteria(value)}", known(value))
        assert answer.status == 201
        assert count(operator, value) == 1

    def test_several_matches_change_nothing(self, operator: Caller, value: str) -> None:
        for _ in range(2):
            operator.create(known(value))
        assert operator.put(f"Patient?{criteria(value)}", known(value)).status == 412

    def test_an_id_must_be_that_of_the_match(self, operator: Caller, value: str) -> None:
        id = operator.create(known(value))
        assert operator.put(f"Patient?{criteria(value)}", known(value, id="other")).status == 400
        assert operator.put(f"Patient?{criteria(value)}", known(value, id=id)).status == 200

    def test_a_resource_that_does_not_match_is_not_overwritten(self, operator: Caller, value: str) -> None:
        id = operator.create(patient())
        assert operator.put(f"Patient?{criteria(value)}", known(value, id=id)).status == 409
        assert operator.get(f"Patient/{id}").headers["etag"] == 'W/"1"'

    def test_an_id_of_nothing_is_the_operators_to_choose(
        self, application: Application, operator: Caller, value: str
    ) -> None:
        hospital = application.system("750000001")
        free = f"free-{value}"
        assert hospital.put(f"Patient?{criteria(value)}", known(value, id=free)).status == 405
        assert operator.put(f"Patient?{criteria(value)}", known(value, id=free)).status == 201

    def test_if_match_holds(self, operator: Caller, value: str) -> None:
        assert operator.put(f"Patient?{criteria(value)}", known(value), If_Match='W/"1"').status == 412
        operator.create(known(value))
        assert operator.put(f"Patient?{criteria(value)}", known(value), If_Match='W/"2"').status == 412
        assert operator.put(f"Patient?{criteria(value)}", known(value), If_Match='W/"1"').status == 200

    def test_without_criteria_nothing_is_meant(self, operator: Caller) -> None:
        for path, status in (("Patient", 412), ("Patient?_sort=name", 400), ("Patient?nam=x", 400)):
            assert operator.put(path, patient()).status == status


class TestDelete:
    def test_one_match_is_deleted_and_none_is_no_error(self, operator: Caller, value: str) -> None:
        id = operator.create(known(value))
        answer = operator.delete(f"Patient?{criteria(value)}")
        assert (answer.status, answer.headers["etag"]) == (204, 'W/"2"')
        assert operator.get(f"Patient/{id}").status == 410
        assert operator.delete(f"Patient?{criteria(value)}").status == 204

    def test_several_matches_are_deleted_only_by_setting(
        self, application: Application, operator: Caller, value: str
    ) -> None:
        for _ in range(3):
            operator.create(known(value))
        assert operator.delete(f"Patient?{criteria(value)}").status == 412
        assert count(operator, value) == 3
        several = application.under(conditional_delete="multiple")
        assert several.operator().delete(f"Patient?{criteria(value)}").status == 204
        assert count(operator, value) == 0

    def test_metadata_says_which(self, application: Application) -> None:
        for setting in ("single", "multiple"):
            statement = application.under(conditional_delete=setting).nobody().get("metadata").json
            said = {each["type"]: each["conditionalDelete"] for each in statement["rest"][0]["resource"]}
            assert {said.pop("DocumentReference"), said.pop("AuditEvent")} == {"not-supported"}
            assert set(said.values()) == {setting}

    def test_if_match_holds(self, operator: Caller, value: str) -> None:
        operator.create(known(value))
        assert operator.delete(f"Patient?{criteria(value)}", If_Match='W/"2"').status == 412
        assert operator.delete(f"Patient?{criteria(value)}", If_Match='W/"1"').status == 204


class TestInTransactions:
    def test_what_is_there_already_is_referred_to(self, operator: Caller, value: str) -> None:
        id = operator.create(known(value))
        url = "urn:uuid:7f3c1a52-0f0f-4d8c-9d38-0c1a5e9a4b01"
        entry = post(known(value), url)
        entry["request"]["ifNoneExist"] = criteria(value)
        answer = operator.transact(post(observation(subject=reference(url))), entry)
        made, found = answer.json["entry"]
        assert (made["response"]["status"], found["response"]["status"]) == ("201 Created", "200 OK")
        assert found["response"]["location"] == f"Patient/{id}/_history/1"
        path = made["response"]["location"]
        assert operator.get(path).json["subject"] == {"reference": f"Patient/{id}"}

    def test_two_entries_that_look_for_the_same_make_one(self, operator: Caller, value: str) -> None:
        urls = [f"urn:uuid:7f3c1a52-0f0f-4d8c-9d38-0c1a5e9a4b0{n}" for n in (1, 2)]
        entries = [post(known(value), url) for url in urls]
        for each in entries:
            each["request"]["ifNoneExist"] = criteria(value)
        answer = operator.transact(*entries, *(post(observation(subject=reference(url))) for url in urls))
        assert [each["response"]["status"][:3] for each in answer.json["entry"]] == ["201", "200", "201", "201"]
        assert count(operator, value) == 1
        (id,) = operator.search("Patient", identifier=value).ids
        assert operator.search("Observation", subject=f"Patient/{id}").total == 2

    def test_a_conditional_reference_leads_to_the_one_that_matches(self, operator: Caller, value: str) -> None:
        id = operator.create(known(value))
        seen = observation(subject=reference(f"Patient?{criteria(value)}"))
        answer = operator.transact(post(seen), post(seen))
        for each in answer.json["entry"]:
            assert operator.get(each["response"]["location"]).json["subject"] == {"reference": f"Patient/{id}"}

    @pytest.mark.parametrize("named", ["identifier", "ifNoneExist", "url"])
    def test_a_conditional_reference_leads_to_what_the_bundle_stores(
        self, operator: Caller, value: str, named: str
    ) -> None:
        """Conditional references come last (https://hl7.org/fhir/R4/http.html#trules)."""
        where = criteria(value) if named == "identifier" else f"{criteria(value)}&active=true"
        entry = post(known(value))
        if named == "ifNoneExist":
            entry["request"]["ifNoneExist"] = where
        elif named == "url":
            entry["request"] = {"method": "PUT", "url": f"Patient?{where}"}
        seen = post(observation(subject=reference(f"Patient?{where}")))
        first, second = (
            operator.transact(seen, entry),
            operator.transact(seen, *([] if named == "identifier" else [entry])),
        )
        (id,) = operator.search("Patient", identifier=value).ids
        for answer in (first, second):
            place = answer.json["entry"][0]["response"]["location"]
            assert operator.get(place).json["subject"] == {"reference": f"Patient/{id}"}

    def test_a_conditional_reference_counts_what_the_bundle_stores_and_deletes(
        self, operator: Caller, value: str
    ) -> None:
        seen = post(observation(subject=reference(f"Patient?{criteria(value)}")))
        assert operator.transact(seen, post(known(value)), post(known(value))).status == 412
        id = operator.create(known(value))
        assert operator.transact(seen, post(known(value))).status == 412
        assert operator.transact(seen, ask("DELETE", f"Patient/{id}")).status == 412
        answer = operator.transact(seen, post(known(value)), ask("DELETE", f"Patient/{id}"))
        place, made = (each["response"]["location"].partition("/_history")[0] for each in answer.json["entry"][:2])
        assert operator.get(place).json["subject"] == {"reference": made}

    @pytest.mark.parametrize("first", ["POST", "PUT"])
    def test_criteria_that_nothing_matches_are_stored_by_once(self, operator: Caller, value: str, first: str) -> None:
        update = {"resource": known(value), "request": {"method": "PUT", "url": f"Patient?{criteria(value)}"}}
        create = post(known(value))
        create["request"]["ifNoneExist"] = criteria(value)
        answer = operator.transact(create if first == "POST" else update, update)
        assert answer.status == 400
        assert "Bundle.entry[1]" in answer.told
        assert count(operator, value) == 0

    def test_a_conditional_reference_to_none_or_several_stores_nothing(
        self, application: Application, operator: Caller, value: str
    ) -> None:
        seen = observation(subject=reference(f"Patient?{criteria(value)}"))
        before = application.counts()
        refused = operator.transact(post(patient()), post(seen))
        assert refused.status == 412
        assert "Bundle.entry[1]" in refused.told
        assert application.counts() == before
        for _ in range(2):
            operator.create(known(value))
        assert operator.transact(post(seen)).status == 412
        wrong = observation(subject=reference("Patient?identifer=x"))
        assert operator.transact(post(wrong)).status == 400

    def test_updates_and_deletes_by_criteria(self, operator: Caller, value: str) -> None:
        first, second = operator.create(known(value)), operator.create(known(f"{value}-2"))
        entry = {
            "fullUrl": "urn:uuid:7f3c1a52-0f0f-4d8c-9d38-0c1a5e9a4b01",
            "resource": known(value, gender="other"),
            "request": {"method": "PUT", "url": f"Patient?{criteria(value)}", "ifMatch": 'W/"1"'},
        }
        seen = post(observation(subject=reference(str(entry["fullUrl"]))))
        answer = operator.transact(seen, entry, ask("DELETE", f"Patient?{criteria(value)}-2"))
        assert [each["response"]["status"][:3] for each in answer.json["entry"]] == ["201", "200", "204"]
        assert operator.get(f"Patient/{first}").json["gender"] == "other"
        assert operator.get(f"Patient/{second}").status == 410
        assert operator.search("Observation", subject=f"Patient/{first}").total == 1

    def test_one_resource_is_written_once_however_it_is_named(self, operator: Caller, value: str) -> None:
        id = operator.create(known(value))
        by_criteria = {"resource": known(value), "request": {"method": "PUT", "url": f"Patient?{criteria(value)}"}}
        answer = operator.transact(by_criteria, ask("DELETE", f"Patient/{id}"))
        assert answer.status == 400
        assert operator.get(f"Patient/{id}").status == 200


class TestWhatIsHidden:
    """Probes: conditions that match what the requester does not see are as unmatched; nothing tells."""

    @pytest.fixture
    def hidden(self, application: Application, value: str) -> tuple[Caller, Caller, str]:
        """Who sees nothing of a stored Patient, who sees it, and its id."""
        maker, other = application.system("750000001", "maker"), application.system("750000002", "other")
        return other, maker, maker.create(known(value))

    def test_a_conditional_create_stores_as_if_nothing_were_there(
        self, hidden: tuple[Caller, Caller, str], value: str
    ) -> None:
        other, maker, id = hidden
        answer = other.post("Patient", known(value), If_None_Exist=criteria(value))
        assert answer.status == 201
        assert answer.id != id
        assert other.post("Patient", known(value), If_None_Exist=criteria(value)).status == 200
        assert maker.get(f"Patient/{id}").headers["etag"] == 'W/"1"'

    @pytest.mark.parametrize(
        "write",
        [
            lambda caller, where: caller.put(f"Patient?{where}", patient()),
            lambda caller, where: caller.put(f"Patient?{where}", patient(id="no-such-id")),
            lambda caller, where: caller.put(f"Patient?{where}", patient(), If_Match='W/"1"'),
            lambda caller, where: caller.delete(f"Patient?{where}"),
            lambda caller, where: caller.delete(f"Patient?{where}", If_Match='W/"7"'),
            lambda caller, where: caller.transact(post(observation(subject=reference(f"Patient?{where}")))),
            lambda caller, where: caller.transact(ask("DELETE", f"Patient?{where}")),
        ],
    )
    def test_a_write_by_criteria_is_answered_as_for_nothing(
        self, hidden: tuple[Caller, Caller, str], value: str, write: Callable[[Caller, str], Answer]
    ) -> None:
        other, maker, id = hidden
        about_hidden, about_nothing = write(other, criteria(value)), write(other, criteria("0" * len(value)))
        assert about_hidden.status == about_nothing.status
        if about_hidden.status >= 400:
            assert about_hidden.told.replace(value, "0" * len(value)) == about_nothing.told
        assert id not in str(about_hidden)
        assert maker.get(f"Patient/{id}").headers["etag"] == 'W/"1"'

    def test_the_id_of_a_hidden_resource_is_as_a_free_one(self, hidden: tuple[Caller, Caller, str], value: str) -> None:
        other, _, id = hidden
        answers = [other.put("Patient?identifier=nothing", patient(id=each)) for each in (id, "0" * len(id))]
        assert answers[0].status == answers[1].status == 405
        assert answers[0].content == answers[1].content
