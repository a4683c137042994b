from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fhirserver import jsontext
from fhirserver.conformance import Campaign, Script, ScriptError, ScriptResult, collect
from fhirserver.conformance.operating import Server
from fhirserver.conformance.reports import REPORTS
from fhirserver.spec import Definitions
from tests.conformance.answering import Asked, Told, answering

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "active": True,
    "name": [{"family": "Dupont", "given": ["Anne", "Lou"]}],
}
ROLE = {"system": "urn:fhirserver:conformance:role"}


def script(tmp_path: Path, *actions: dict[str, Any], **more: Any) -> Script:
    """A script of one test with these actions."""
    resource = {
        "resourceType": "TestScript",
        "url": "urn:x",
        "name": "x",
        "status": "active",
        **({"test": [{"name": "t", "action": list(actions)}]} if actions else {}),
        **more,
    }
    file = tmp_path / "suite" / "x.json"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(jsontext.dump(resource))
    return Script(resource, file, "suite")


def read(**more: Any) -> dict[str, Any]:
    return {
        "operation": {
            "type": {"code": "read"},
            "resource": "Patient",
            "params": "/p1",
            "encodeRequestUrl": True,
            **more,
        }
    }


def holds(**criteria: Any) -> dict[str, Any]:
    return {"assert": {"warningOnly": False, **criteria}}


def told(
    made: Script, answer: Callable[[Asked], Told] | None = None, tokens: dict[str, str] | None = None
) -> tuple[ScriptResult, list[Asked]]:
    with answering(answer or (lambda _: Told(200, PATIENT, {"ETag": 'W/"1"'}))) as (base, asked):
        campaign = Campaign({1: Server(base, tokens or {})}, Definitions.core(), lambda *_: [])
        (result,) = campaign.run([made])
    return result, asked


@pytest.mark.parametrize(
    ("criteria", "verdict"),
    [
        ({"response": "okay"}, "pass"),
        ({"response": "created"}, "fail"),
        ({"response": "created", "operator": "notEquals"}, "pass"),
        ({"responseCode": "200,201", "operator": "in"}, "pass"),
        ({"responseCode": "200,201"}, "pass"),
        ({"responseCode": "400"}, "fail"),
        ({"contentType": "json"}, "pass"),
        ({"contentType": "xml"}, "fail"),
        ({"resource": "Patient"}, "pass"),
        ({"resource": "Observation"}, "fail"),
        ({"headerField": "etag"}, "pass"),
        ({"headerField": "ETag", "value": 'W/"1"'}, "pass"),
        ({"headerField": "ETag", "operator": "empty"}, "fail"),
        ({"headerField": "Location", "operator": "empty"}, "pass"),
        ({"expression": "Patient.active"}, "pass"),
        ({"expression": "Patient.name.given.count() = 3"}, "fail"),
        ({"expression": "Patient.name.given", "value": "Anne,Lou"}, "pass"),
        ({"expression": "Patient.name.given.count()", "operator": "greaterThan", "value": "1"}, "pass"),
        ({"expression": "Patient.name.given.count()", "operator": "lessThan", "value": "2"}, "fail"),
        ({"expression": "Patient.name.given", "operator": "in", "value": "Anne, Lou, Max"}, "pass"),
        ({"expression": "Patient.name.given", "operator": "notIn", "value": "Max"}, "pass"),
        ({"expression": "Patient.name.family", "operator": "contains", "value": "pon"}, "pass"),
        ({"expression": "Patient.name.family", "operator": "notContains", "value": "pon"}, "fail"),
        ({"expression": "Patient.gender", "operator": "empty"}, "pass"),
        ({"expression": "Patient.(", "value": "x"}, "fail"),
        ({"path": ".name[0].family", "value": "Dupont"}, "pass"),
        ({"path": "$.name[0].family", "operator": "notEquals", "value": "Dupont"}, "fail"),
        ({"requestMethod": "get"}, "pass"),
        ({"requestURL": "/Patient/p1", "operator": "contains"}, "pass"),
        ({"direction": "request", "headerField": "Accept", "value": "application/fhir+json"}, "pass"),
        ({"response": "nonsense"}, "error"),
        ({"expression": "Patient.active", "operator": "sounds like", "value": "x"}, "error"),
        ({"expression": "Patient.id", "value": "${unknown}"}, "error"),
        ({"label": "nothing to judge"}, "error"),
    ],
)
def test_an_assert_says_what_it_found(tmp_path: Path, criteria: dict[str, Any], verdict: str) -> None:
    result, _ = told(script(tmp_path, read(), holds(**criteria)))
    assert result.tests[0].steps[1].verdict == verdict, result.tests[0].steps[1].text
    assert result.failed == (verdict in ("fail", "error"))


def test_a_warning_does_not_fail_a_test(tmp_path: Path) -> None:
    result, _ = told(script(tmp_path, read(), holds(response="gone", warningOnly=True), holds(response="okay")))
    assert [each.verdict for each in result.tests[0].steps] == ["pass", "warning", "pass"]
    assert result.verdict == "pass"


def test_after_a_failure_the_rest_of_the_test_is_skipped_and_the_next_test_runs(tmp_path: Path) -> None:
    tests = [
        {"name": "a", "action": [read(), holds(response="gone"), read()]},
        {"name": "b", "action": [read(), holds(response="okay")]},
    ]
    result, asked = told(script(tmp_path, test=tests))
    assert [[step.verdict for step in each.steps] for each in result.tests] == [
        ["pass", "fail", "skip"],
        ["pass", "pass"],
    ]
    assert len(asked) == 2


def test_fixtures_are_created_and_deleted_and_their_ids_known(tmp_path: Path) -> None:
    fixture = {"id": "f", "autocreate": True, "autodelete": True, "resource": {"reference": "#contained"}}
    contained = {**PATIENT, "id": "contained", "identifier": [{"value": "${run}"}]}
    made = script(
        tmp_path,
        {"operation": {"type": {"code": "read"}, "targetId": "f", "encodeRequestUrl": True}},
        {
            "operation": {
                "type": {"code": "search"},
                "resource": "Patient",
                "params": "?_id=${id}",
                "encodeRequestUrl": True,
            }
        },
        fixture=[fixture],
        contained=[contained],
        variable=[{"name": "id", "expression": "id", "sourceId": "f"}],
    )

    def answer(asked: Asked) -> Told:
        created = {"Location": "http://x/fhir/Patient/77/_history/1"}
        return Told(201, PATIENT, created) if asked.method == "POST" else Told(200, PATIENT)

    result, asked = told(made, answer)
    assert not result.failed
    assert [(each.method, each.path) for each in asked] == [
        ("POST", "/fhir/Patient"),
        ("GET", "/fhir/Patient/77"),
        ("GET", "/fhir/Patient?_id=77"),
        ("DELETE", "/fhir/Patient/77"),
    ]
    sent = jsontext.parse_object(asked[0].body)
    assert "id" not in sent
    assert len(sent["identifier"][0]["value"]) == 8


def test_a_failed_setup_skips_the_tests_and_clears_away(tmp_path: Path) -> None:
    made = script(
        tmp_path,
        read(),
        setup={"action": [read(), holds(response="created")]},
        teardown={
            "action": [
                {
                    "operation": {
                        "type": {"code": "delete"},
                        "resource": "Patient",
                        "params": "/p1",
                        "encodeRequestUrl": True,
                    }
                }
            ]
        },
    )
    result, asked = told(made)
    assert result.failed
    assert result.tests[0].verdict == "skip"
    assert [each.method for each in asked] == ["GET", "DELETE"]


def test_each_origin_bears_the_token_of_its_role(tmp_path: Path) -> None:
    origins = [
        {"index": n, "profile": {**ROLE, "code": code}} for n, code in ((1, "patient"), (2, "anonymous"), (3, "lab"))
    ]
    made = script(tmp_path, read(), read(origin=2), read(origin=3), origin=origins)
    _, asked = told(made, tokens={"patient": "one", "lab": "two"})
    assert [each.headers.get("authorization") for each in asked] == ["Bearer one", None, "Bearer two"]
    skipped, asked = told(made, tokens={"patient": "one"})
    assert "lab" in skipped.skipped
    assert asked == []


def test_what_cannot_be_run_is_named(tmp_path: Path) -> None:
    made = script(tmp_path, read(destination=2), destination=[{"index": 2, "profile": {"code": "FHIR-Server"}}])
    assert "2" in told(made)[0].skipped
    result, _ = told(script(tmp_path, read(sourceId="nothing")))
    assert "nothing" in result.tests[0].steps[0].text
    outside = {"id": "f", "autocreate": False, "autodelete": False, "resource": {"reference": "../../../../etc/passwd"}}
    result, _ = told(script(tmp_path, read(sourceId="f"), fixture=[outside]))
    assert "not beside" in result.tests[0].steps[0].text
    with pytest.raises(ScriptError, match="does not exist"):
        list(collect([tmp_path / "absent"], Definitions.core()))
    (tmp_path / "p.json").write_bytes(jsontext.dump(PATIENT))
    with pytest.raises(ScriptError, match="Patient"):
        list(collect([tmp_path / "p.json"], Definitions.core()))


def test_a_server_that_is_away_is_an_error_of_the_step(tmp_path: Path) -> None:
    campaign = Campaign({1: Server("http://127.0.0.1:9/fhir", {})}, Definitions.core(), lambda *_: [])
    (result,) = campaign.run([script(tmp_path, read())])
    assert result.tests[0].steps[0].verdict == "error"


def test_minimum_and_comparison_with_another_source(tmp_path: Path) -> None:
    least = {"resourceType": "Patient", "id": "least", "name": [{"given": ["Lou"]}]}
    more = {"resourceType": "Patient", "id": "more", "name": [{"given": ["Max"]}]}
    fixtures = [
        {"id": each, "autocreate": False, "autodelete": False, "resource": {"reference": f"#{each}"}}
        for each in ("least", "more")
    ]
    compared = {"compareToSourceId": "first", "compareToSourceExpression": "Patient.name.family"}
    made = script(
        tmp_path,
        read(responseId="first"),
        holds(minimumId="least"),
        holds(expression="Patient.name.family", **compared),
        holds(minimumId="more"),
        fixture=fixtures,
        contained=[least, more],
    )
    result, _ = told(made)
    assert [each.verdict for each in result.tests[0].steps] == ["pass", "pass", "pass", "fail"]
    assert "name[0] is missing" in result.tests[0].steps[3].text


@pytest.mark.parametrize("report", sorted(REPORTS))
def test_a_report_tells_what_failed_and_no_secret(tmp_path: Path, report: str) -> None:
    made = script(
        tmp_path,
        read(),
        holds(response="gone", description="it is <gone>"),
        origin=[{"index": 1, "profile": {**ROLE, "code": "patient"}}],
    )
    form = "token=very-secret&client_assertion=very-secret"
    secret = {"resourceType": "Parameters", "access_token": "very-secret", "form": form}
    result, _ = told(made, lambda _: Told(200, secret), {"patient": "very-secret"})
    content = REPORTS[report]([result], "http://x/fhir").decode()
    assert "gone" in content
    assert "<gone>" not in content or report in ("json", "testreport")
    assert "very-secret" not in content
