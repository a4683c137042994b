"""`/docs`, `/health` and `/metrics`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fhirserver.rest.routes import ROUTES
from tests.records import patient

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.application import Application


def page(application: Application, path: str) -> TestResponse:
    return application.app.test_client().get(path)


def test_every_route_is_described_and_no_other(application: Application) -> None:
    document = page(application, "/docs/openapi.json").json
    assert document is not None
    described = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
        if method != "parameters"
    }
    assert described == {(each.method, "/fhir" + re.sub(r"<(\w+)>", r"{\1}", each.path)) for each in ROUTES}
    for operations in document["paths"].values():
        for name, operation in operations.items():
            assert name == "parameters" or operation["responses"]


def test_only_open_routes_are_described_without_a_token(application: Application) -> None:
    document = page(application, "/docs/openapi.json").json
    assert document is not None
    open_paths = {path for path, each in document["paths"].items() if each.get("get", {}).get("security") == []}
    assert open_paths == {"/fhir/metadata", "/fhir/$versions", "/fhir/.well-known/smart-configuration"}


def test_the_page_asks_no_third_party(application: Application) -> None:
    html = page(application, "/docs/").text
    links = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert links
    assert [each for each in links if each.startswith(("http", "//"))] == []
    for each in links:
        if each.startswith("/docs/assets/"):
            found = page(application, each)
            assert found.status_code == 200
            found.close()


def test_the_assets_are_no_way_out_of_their_folder(application: Application) -> None:
    for path in ("/docs/assets/../../../pyproject.toml", "/docs/assets/%2e%2e/%2e%2e/x", "/docs/assets//etc/passwd"):
        assert page(application, path).status_code == 404


def test_urls_are_built_from_the_rules_that_paths_are_matched_by(application: Application) -> None:
    app = application.app
    with app.test_request_context():
        assert app.url_for("fhir.read", type="Patient", id="a b", x="é") == "/fhir/Patient/a%20b?x=%C3%A9"
        for rule in app.url_map.iter_rules():
            values: dict[str, Any] = {name: "1" for name in rule.arguments if name not in (rule.defaults or {})}
            assert app.url_map.bind("127.0.0.1").match(
                app.url_for(rule.endpoint, **values), next(iter(rule.methods or ()))
            )


def test_health_names_the_instance(application: Application) -> None:
    answer = page(application, "/health")
    assert answer.status_code == 200
    assert answer.json == {"status": "ok", "instance": application.services.instance}


def test_metrics_count_requests_and_name_no_person(application: Application) -> None:
    id = application.operator().create(patient(name=[{"family": "Ravel"}]))
    application.operator().get(f"Patient/{id}")
    application.operator().search("Patient", family="ravel")
    text = page(application, "/metrics").text
    assert 'fhirserver_requests_total{endpoint="fhir.read",method="GET",status="200"}' in text
    assert id not in text
    assert "ravel" not in text.lower()


def test_metrics_keep_no_word_that_a_client_sends_as_method(application: Application) -> None:
    assert application.nobody().call("M284027505600134", "Patient").status == 405
    text = page(application, "/metrics").text
    assert "284027505600134" not in text
    assert 'method="other"' in text
