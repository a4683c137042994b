"""capabilities and SMART configuration: what is listed works, what works is listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver.rest.operations.table import OPERATIONS, Operation
from fhirserver.rest.routes import ROUTES
from tests.application import BASE
from tests.records import patient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from tests.application import Application, Caller


UNLISTED = {"versions", "job-status", "job-cancel", "job-file"}
"""`$versions` is listed by itself; a requester is told where his jobs are."""


def _offered(statement: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Type and definition of each operation of the types."""
    for resource in statement["rest"][0]["resource"]:
        for each in resource.get("operation", ()):
            yield resource["type"], each["definition"]


def _operations(statement: dict[str, Any]) -> list[dict[str, str]]:
    return [{"definition": definition} for _, definition in _offered(statement)]


NOT_ALIKE = ("DocumentReference", "AuditEvent")  # tests/rest/test_document_changes.py; what was recorded stays


@pytest.fixture(scope="module")
def statement(application: Application) -> dict[str, Any]:
    answer = application.nobody().get("metadata")
    assert answer.status == 200
    found: dict[str, Any] = answer.json
    return found


@pytest.fixture(scope="module")
def operator(application: Application) -> Caller:
    return application.operator()


def test_the_statement_needs_no_token_and_conforms(application: Application, statement: dict[str, Any]) -> None:
    assert statement["fhirVersion"] == "4.0.1"
    assert statement["implementation"]["url"] == BASE
    issues = application.services.validator.check(statement)
    assert [issue for issue in issues if issue.is_error] == []
    assert application.nobody().call("HEAD", "metadata").content == b""


def test_every_resource_type_is_offered_alike(application: Application, statement: dict[str, Any]) -> None:
    resources = statement["rest"][0]["resource"]
    assert [each["type"] for each in resources] == list(application.services.definitions.resource_types)
    assert len(resources) == 146
    assert {str(each["interaction"]) for each in resources if each["type"] not in NOT_ALIKE} == {
        str(resources[0]["interaction"])
    }


def test_every_listed_interaction_works(operator: Caller, statement: dict[str, Any]) -> None:
    made = operator.post("Basic", {"resourceType": "Basic", "code": {"text": "x"}})
    id = made.id
    works = {
        "create": made.status == 201,
        "read": operator.get(f"Basic/{id}").status == 200,
        "vread": operator.get(f"Basic/{id}/_history/1").status == 200,
        "update": operator.put(f"Basic/{id}", {"resourceType": "Basic", "id": id, "code": {"text": "y"}}).status == 200,
        "patch": operator.call(
            "PATCH",
            f"Basic/{id}",
            [{"op": "replace", "path": "/code/text", "value": "z"}],
            {"Content-Type": "application/json-patch+json"},
        ).status
        == 200,
        "history-instance": operator.get(f"Basic/{id}/_history").status == 200,
        "history-type": operator.get("Basic/_history").ids.count(id) == 3,
        "search-type": operator.search("Basic").total == 1,
        "delete": operator.delete(f"Basic/{id}").status == 204,
    }
    (listed,) = (each for each in statement["rest"][0]["resource"] if each["type"] == "Basic")
    assert works == {each["code"]: True for each in listed["interaction"]}
    of_all = [each["code"] for each in statement["rest"][0]["interaction"]]
    assert of_all == ["transaction", "batch", "history-system", "search-system"]
    assert operator.get("?_type=Basic,Flag").status == 200


def test_every_route_is_listed(statement: dict[str, Any]) -> None:
    rest = statement["rest"][0]
    of_type = {each["code"] for each in rest["resource"][0]["interaction"]}
    of_all = {each["code"] for each in rest["interaction"]}
    operations = {each["definition"] for each in (*rest["operation"], *_operations(statement))}
    for route in ROUTES:
        if route.interaction == "operation":
            listed = route.definition in operations or route.name in UNLISTED
        else:
            listed = route.interaction in of_type | of_all | {"capabilities", ""}
        assert listed, route


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.type}-{each.name}")
def test_every_listed_operation_is_there_and_nowhere_else(
    operator: Caller, statement: dict[str, Any], operation: Operation
) -> None:
    rest = statement["rest"][0]
    known = {each["name"]: each["definition"] for each in rest["operation"]}
    assert (known.get(operation.name) == operation.definition) is bool(operation.system)
    type = operation.type or "Basic"
    listed = [each for name, each in _offered(statement) if name == type]
    assert (operation.definition in listed) is bool(operation.methods or operation.instance)
    offered = {(method, path) for _, method, path in operation.paths()}
    for method in ("GET", "POST"):
        for path in (f"/{type}/${operation.name}", f"/{type}/<id>/${operation.name}", f"/${operation.name}"):
            answer = operator.call(method, path[1:].replace("<id>", "never-was"), {} if method == "POST" else None)
            there = answer.status < 500 and "is nothing at this path" not in answer.content.decode()
            there = there and "is not offered on" not in answer.content.decode() and answer.status != 405
            others = (method, path) in {(each.method, each.path.replace("<type>", type)) for each in ROUTES}
            assert there is ((method, path.replace(type, operation.type or "<type>")) in offered or others), (
                method,
                path,
            )


def test_what_is_not_listed_does_not_work(operator: Caller) -> None:
    id = operator.create(patient())
    assert operator.get(f"Patient/{id}/$export").status == 404
    assert operator.get(f"Patient/{id}/Organization").status == 404
    for method, path in (("PATCH", ""), ("DELETE", ""), ("PUT", "_history"), ("POST", f"Patient/{id}"), ("TRACE", "")):
        assert operator.call(method, path).status in (404, 405), (method, path)


@pytest.mark.parametrize("type", ["Patient", "Observation", "Encounter"])
def test_every_listed_include_works(operator: Caller, statement: dict[str, Any], type: str) -> None:
    (listed,) = (each for each in statement["rest"][0]["resource"] if each["type"] == type)
    assert listed["searchInclude"]
    for name in listed["searchInclude"]:
        assert operator.search(type, ("_include", name), _id="none").status == 200, name
    for start in range(0, len(listed["searchRevInclude"]), 20):
        names = [("_revinclude", name) for name in listed["searchRevInclude"][start : start + 20]]
        assert operator.search(type, *names, _id="none").status == 200, names


@pytest.mark.parametrize("type", ["Patient", "Observation", "DocumentReference", "Consent", "Location", "Bundle"])
def test_every_listed_search_parameter_is_understood_and_sortable_or_says_so(
    operator: Caller, statement: dict[str, Any], type: str
) -> None:
    (listed,) = (each for each in statement["rest"][0]["resource"] if each["type"] == type)
    for parameter in listed["searchParam"]:
        answer = operator.search(type, (f"{parameter['name']}:missing", "true"))
        assert answer.status == 200 or "missing" in answer.told, parameter
        assert "has no search parameter" not in answer.content.decode()


def test_text_and_filter_searches_are_listed(statement: dict[str, Any]) -> None:
    for each in statement["rest"][0]["resource"]:
        assert {"_filter", "_content"} <= {parameter["name"] for parameter in each["searchParam"]}


def test_the_smart_configuration_promises_no_endpoint_that_is_not_there(application: Application) -> None:
    answer = application.nobody().get(".well-known/smart-configuration")
    assert answer.status == 200
    endpoints = {value for name, value in answer.json.items() if name.endswith("_endpoint")}
    rules = {str(rule).partition("/<")[0] for rule in application.app.url_map.iter_rules()}
    assert {each.removeprefix("http://127.0.0.1:8080") for each in endpoints} <= rules
    assert "permission-v2" in answer.json["capabilities"]
