"""The server in this process behind real HTTP, with accounts, and somebody at its pages."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from fhirserver.auth import DEVELOPMENT_ISSUER, TokenVerifier
from tests.application import Application
from tests.auth import flow
from tests.portal.browser import Browser
from tests.portal.people import Person, first_step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUICK = {"password_memory": 64, "password_passes": 1}


class _Silent(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Nothing."""


@contextmanager
def served(application: Application) -> Iterator[Application]:
    """The server, reached by HTTP at its base."""
    http = make_server("127.0.0.1", 0, application.app, threaded=True, request_handler=_Silent)
    origin = f"http://127.0.0.1:{http.server_port}"
    services = application.services
    verifier = TokenVerifier(services.keys, issuer=DEVELOPMENT_ISSUER, audience=DEVELOPMENT_ISSUER, development=True,
                             also={origin: frozenset({f"{origin}/fhir"})}, grants=services.grants)  # fmt: skip
    found = Application(replace(services, base=f"{origin}/fhir", verifier=verifier))
    http.app = found.app
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    try:
        yield found
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


@pytest.fixture(scope="module")
def house(applications: Callable[..., Any]) -> Iterator[Application]:
    with applications(**QUICK) as application, served(application) as found:
        flow.registered(found, redirect_uris=["http://127.0.0.1/smart-app", "http://127.0.0.1/app"])
        yield found


def decided(house: Application, who: Person, url: str, decision: str) -> str:
    """Where the browser ends up after login and consent."""
    browser = Browser(house)
    path = urlsplit(url)._replace(scheme="", netloc="").geturl()
    second = first_step(browser, who.login, path=path)
    screen = browser.send(second, "/connexion/code", code=who.code)
    assert "Autoriser" in screen.text
    return browser.send(screen, "/oauth/decision", decision=decision).headers["location"]
