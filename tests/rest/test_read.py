"""read and vread (https://hl7.org/fhir/R4/http.html#read, #vread)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.records import patient

if TYPE_CHECKING:
    from tests.application import Application, Caller


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    return application.operator()


@pytest.fixture(scope="module")
def twice(operator: Caller) -> str:
    """The id of a patient with two versions."""
    id = operator.create(patient(gender="male"))
    operator.put(f"Patient/{id}", patient(id=id, gender="female"))
    return id


def test_a_read_answers_the_current_version(operator: Caller, twice: str) -> None:
    answer = operator.get(f"Patient/{twice}")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/fhir+json; charset=utf-8"
    assert answer.headers["etag"] == 'W/"2"'
    assert "last-modified" in answer.headers
    assert answer.json["gender"] == "female"


def test_answers_are_kept_by_nobody(operator: Caller, twice: str) -> None:
    answer = operator.get(f"Patient/{twice}")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_what_is_not_here_is_not_found(operator: Caller) -> None:
    answer = operator.get("Patient/never-was")
    assert answer.status == 404
    assert answer.issue["code"] == "not-found"
    assert "etag" not in answer.headers


def test_what_was_deleted_is_gone(operator: Caller) -> None:
    id = operator.create(patient())
    operator.delete(f"Patient/{id}")
    answer = operator.get(f"Patient/{id}")
    assert answer.status == 410
    assert answer.issue["code"] == "deleted"
    assert answer.headers["etag"] == 'W/"2"'
    assert operator.get(f"Patient/{id}/_history/1").status == 200
    assert operator.get(f"Patient/{id}/_history/2").status == 410


def test_every_version_is_read_by_its_number(operator: Caller, twice: str) -> None:
    for version, gender in (("1", "male"), ("2", "female")):
        answer = operator.get(f"Patient/{twice}/_history/{version}")
        assert (answer.status, answer.json["gender"]) == (200, gender)
        assert answer.headers["etag"] == f'W/"{version}"'


@pytest.mark.parametrize("version", ["0", "3", "-1", "01", "1.0", "x", "%D9%A1", "9" * 30, "%2e%2e"])
def test_a_version_that_is_not_is_not_found(operator: Caller, twice: str, version: str) -> None:
    answer = operator.get(f"Patient/{twice}/_history/{version}")
    assert answer.status == 404
    assert answer.issue["code"] == "not-found"


@pytest.mark.parametrize("path", ["Patient/{id}", "Patient/{id}/_history/1", "Patient/{id}/_history", "Patient"])
def test_head_answers_as_get_without_a_body(operator: Caller, twice: str, path: str) -> None:
    path = path.format(id=twice)
    head, get = operator.call("HEAD", path), operator.get(path)
    assert (head.status, head.content) == (200, b"")
    assert head.headers == get.headers


def test_head_of_what_is_not_here_is_not_found(operator: Caller) -> None:
    assert operator.call("HEAD", "Patient/never-was").status == 404


def test_a_reader_may_ask_for_indented_json(operator: Caller, twice: str) -> None:
    plain, pretty = operator.get(f"Patient/{twice}"), operator.get(f"Patient/{twice}?_pretty=true")
    assert pretty.json == plain.json
    assert pretty.content.count(b"\n") > 5 > plain.content.count(b"\n")


def test_a_read_takes_no_parameters(operator: Caller, twice: str) -> None:
    for path in (f"Patient/{twice}", f"Patient/{twice}/_history/1"):
        answer = operator.get(f"{path}?gender=male")
        assert answer.status == 400
        assert "'gender'" in answer.told


@pytest.mark.parametrize("token", [None, "", "not.a.token", "é"])
def test_without_a_valid_token_nothing_is_answered(application: Application, twice: str, token: str | None) -> None:
    caller = application.nobody(token)
    answers = [
        caller.get(f"Patient/{twice}"),
        caller.get("Patient/never-was"),
        caller.get("Patient"),
        caller.get(f"Patient/{twice}/_history"),
        caller.post("Patient", patient()),
        caller.put(f"Patient/{twice}", patient(id=twice)),
        caller.delete(f"Patient/{twice}"),
        caller.transact(),
    ]
    for answer in answers:
        assert answer.status == 401
        assert answer.issue["code"] == "login"
        assert answer.headers["www-authenticate"].startswith('Bearer realm="fhir"')


def test_scopes_narrow_what_a_token_reads(application: Application, twice: str) -> None:
    def reads(*scopes: str) -> bool:
        from fhirserver.access import Requester

        who = Requester("patient", f"patient/{twice}", patient=twice, purpose="PATRQT", scopes=scopes)
        return application.caller(who).get(f"Patient/{twice}").status == 200

    assert reads("patient/Patient.rs")
    assert not reads("patient/Observation.rs")
    assert not reads("system/Patient.rs")
    assert not reads("openid")
