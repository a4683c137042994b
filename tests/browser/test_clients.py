"""The SMART clients that others wrote, where they are used: in a browser, and beside one."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import pytest
from fhirclient.client import FHIRClient
from fhirclient.models.observation import Observation

from tests.browser.house import answering
from tests.browser.visit import visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.house import House
    from tests.browser.visit import Visit

pytestmark = pytest.mark.program("chromium")

PAGE = Path(__file__).with_name("smart.html")
SCOPE = "openid fhirUser offline_access launch/patient patient/*.rs"


class Site(ThreadingHTTPServer):
    """One page at every address, and a script."""

    daemon_threads = True

    def __init__(self, page: bytes, script: bytes = b"") -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.page, self.script = page, script
        self.origin = f"http://127.0.0.1:{self.server_port}"


class _Answering(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        script = urlsplit(self.path).path.endswith(".js")
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if script else "text/html")
        self.end_headers()
        self.wfile.write(self.server.script if script else self.server.page)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def _registered(house: House, redirect: str) -> str:
    """The id of a public client."""
    metadata = {
        "client_name": "Une autre application",
        "redirect_uris": [redirect],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
        "scope": SCOPE,
    }
    return str(house.call("POST", "/oauth/register", metadata)["client_id"])


def _enters(visit: Visit, house: House) -> None:
    visit.page.goto(house.root)
    visit.press("Entrer comme Claire EXEMPLE, dans son espace")


@pytest.mark.program("node", "npm")
def test_fhirclient_in_javascript_launches_searches_renews_and_revokes_in_a_page(
    chromium: Browser, house: House, modules: Path
) -> None:
    script = (modules / "fhirclient" / "build" / "fhir-client.js").read_bytes()
    with (
        answering(Site(PAGE.read_bytes(), script)) as site,
        visiting(chromium, {*house.origins, site.origin}) as visit,
    ):
        _enters(visit, house)
        client = _registered(house, f"{site.origin}/app")
        query = urlencode({"iss": house.running.base, "clientId": client, "scope": SCOPE})
        visit.page.goto(f"{site.origin}/?{query}")
        visit.page.get_by_role("heading", name="Autoriser Une autre application ?").wait_for()
        visit.press("Tout autoriser")
        visit.page.locator("#told:not(:empty)").wait_for()
        told = json.loads(visit.page.locator("#told").inner_text())
        held = house.running.call("GET", f"Observation?patient={told['patient']}", house.token).json["total"]
        visit.complaints = [each for each in visit.complaints if "401" not in each]
    assert told == {
        "patient": house.found("Patient?identifier=284027505600134"),
        "user": f"Patient/{told['patient']}",
        "total": [held, held],
        "renewed": True,
        "ended": [200, 401],
    }


def test_fhirclient_in_python_launches_with_a_browser(chromium: Browser, house: House) -> None:
    with (
        answering(Site(b"<!doctype html><link rel=icon href=data:,><main>Retour</main>")) as site,
        visiting(chromium, {*house.origins, site.origin}) as visit,
    ):
        _enters(visit, house)
        client = _registered(house, f"{site.origin}/app")
        settings = {"app_id": client, "api_base": house.running.base, "redirect_uri": f"{site.origin}/app"}
        app = FHIRClient(settings=settings | {"scope": SCOPE})
        visit.page.goto(app.authorize_url)
        visit.press("Tout autoriser")
        assert visit.page.url.startswith(f"{site.origin}/app?")
        app.handle_callback(visit.page.url)
        assert app.patient.name[0].family == "EXEMPLE"
        found = list(Observation.where({}).perform_resources_iter(app.server))
        assert {each.subject.reference for each in found} == {f"Patient/{app.patient_id}"}
