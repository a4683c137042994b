from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from flask import request

from fhirserver.access import Requester
from fhirserver.portal import sealed
from fhirserver.portal.browser import open_session, redirect
from fhirserver.portal.page import allow_forms_to, page
from tests.portal.browser import Browser

if TYPE_CHECKING:
    from tests.application import Application


def test_a_page_has_the_headers_that_keep_other_sites_out(application: Application) -> None:
    home = Browser(application).get("/")
    assert home.status == 200
    policy = home.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert home.headers["cache-control"] == "no-store"
    assert home.headers["x-frame-options"] == "DENY"
    assert home.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<style|style=|<script(?! src=\"/static)|onclick|https?://", home.html)


def test_the_style_is_kept_under_the_hash_of_what_it_holds(application: Application) -> None:
    browser = Browser(application)
    found = re.search(r'href="(/static/[0-9a-f]+/portal.css)"', browser.get("/").html)
    assert found
    style = browser.get(found[1])
    assert (style.status, style.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in style.headers["cache-control"]
    assert browser.get("/static/0000000000000000/portal.css").status == 404
    assert browser.get("/static/0000000000000000/..%2f__init__.py").status == 404


def test_a_form_without_the_token_of_its_browser_is_refused(application: Application) -> None:
    assert Browser(application).post("/connexion", {}).status == 403
    mine, other = Browser(application), Browser(application)
    theirs = other.get("/connexion").form("/connexion").fields["csrf"]
    form = mine.get("/connexion").form("/connexion")
    refused = mine.post("/connexion", form.fields | {"csrf": theirs})
    assert refused.status == 403
    assert "text/html" in refused.headers["content-type"]
    assert mine.post("/connexion", form.fields, Sec_Fetch_Site="cross-site").status == 403
    assert mine.post("/connexion", form.fields).status != 403


def test_an_address_that_leads_nowhere_is_a_page_for_browsers_only(application: Application) -> None:
    browser = Browser(application)
    page = browser.get("/nulle-part", Accept="text/html")
    assert (page.status, "Page introuvable" in page.text) == (404, True)
    assert "style-src 'self'" in page.headers["content-security-policy"]
    for path, accept in (("/nulle-part", "*/*"), ("/fhir/Nothing/x/y/z", "text/html")):
        assert "OperationOutcome" in browser.get(path, Accept=accept).html


def test_a_body_beyond_measure_is_refused(application: Application) -> None:
    assert Browser(application).post("/connexion", {"identifiant": "a" * 100_000}).status == 413


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "https://evil.example", "/\x00", "/\t/evil.example", "", "compte"]
)
def test_the_login_leads_to_paths_of_ours_only(application: Application, path: str) -> None:
    with application.app.test_request_context("/"):
        with pytest.raises(ValueError, match="no path of ours"):
            sealed.seal(path)
        assert sealed.opened(path) == sealed.Onward()


def test_a_path_is_opened_as_it_was_sealed(application: Application) -> None:
    with application.app.test_request_context("/"):
        text = sealed.seal("/oauth/authorize?state=a%20b", "https://app.example")
        assert sealed.opened(text) == ("/oauth/authorize?state=a%20b", ("https://app.example",))
        assert sealed.opened(text[:-2]) == sealed.Onward()
        assert "authorize" not in text


def test_the_token_of_a_form_changes_with_the_session(application: Application) -> None:
    browser = Browser(application)
    before = browser.get("/connexion").form("/connexion").fields["csrf"]
    with application.app.test_request_context("/", environ_base={"REMOTE_ADDR": "127.0.0.1"}):
        who = Requester("patient", "patient/p", patient="p", purpose="PATRQT")
        response = open_session(redirect("/"), who, "account", ("pwd", "otp"), "eidas2")
        assert request.path == "/"
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    browser.client.set_cookie("session", cookie.partition("=")[2].partition(";")[0])
    assert browser.post("/deconnexion", {"csrf": before}).status == 403


def test_cookies_are_bound_to_the_host_where_the_server_is_reached_by_https(application: Application) -> None:
    application.services.__dict__["base"] = "https://fhir.example/fhir"
    try:
        with application.app.test_request_context("/"):
            response = open_session(redirect("/"), Requester("operator", "o"), "a", ("pwd",), "eidas1")
    finally:
        application.services.__dict__["base"] = "http://127.0.0.1:8080/fhir"
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("__Host-session=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


def test_a_form_may_lead_to_the_origin_that_its_page_names(application: Application) -> None:
    with application.app.test_request_context("/"):
        allow_forms_to(("https://app.example/cb?x=1", "com.example.app:/cb", "https://a;b/", "javascript alert"))
        response = application.app.process_response(page("home.html"))
    policy = response.headers["Content-Security-Policy"]
    assert policy.endswith("form-action 'self' com.example.app: https://app.example")
