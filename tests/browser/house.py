"""What the pages are tried on: a served server with the demo family, e-mail, Pro Santé Connect, and the example app."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import pyotp

from examples.app.__main__ import App
from examples.pacs import Pacs, demo
from examples.providers.provider import CLIENTS
from examples.providers.serve import Server as Providers
from examples.providers.serve import running as providers_running
from fhirserver.auth.keys import SigningKey
from tests.mail.server import Box, smtp_server
from tests.portal.people import PASSWORD
from tests.serving import COMMAND, Served, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import ThreadingHTTPServer

S = TypeVar("S", bound="ThreadingHTTPServer")
CLAIRE = ("29/02/1984", "284027505600134")
MARC = ("02/11/1981", "181117505600221")
LEA = ("21/06/2015", "215067505600347")
"""Of the demo family: what proves who they are."""


@dataclass
class House:
    """`root`: the server without `/fhir`; `token`: an operator's; `operator`: the authenticator app of another one."""

    running: Served
    root: str
    token: str
    box: Box
    providers: Providers
    app: App
    operator: pyotp.TOTP

    @property
    def origins(self) -> set[str]:
        """Where browsers may ask for something."""
        return {self.root, self.app.home, self.providers.base}

    def code(self, matricule: str, **also: str) -> str:
        """A provisional code for who has this number, or for the representative of the RelatedPerson."""
        about = {"patient": self.found(f"Patient?identifier={matricule}"), "send": "letter"}
        return str(self.call("POST", "/accounts/api/invitations", about | also)["code"])

    def found(self, search: str) -> str:
        """The id of the one resource that a search leads to."""
        (entry,) = self.running.call("GET", search, self.token).json["entry"]
        return str(entry["resource"]["id"])

    def call(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """A request of the operator, outside of FHIR."""
        parts = urlsplit(self.root)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=300)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body), headers)
        answer = connection.getresponse()
        told: dict[str, Any] = json.loads(answer.read())
        connection.close()
        assert answer.status < 300, told
        return told

    def reference(self) -> None:
        """The example app stands in the catalogue."""
        fiche = {
            "publisher": "Éditions du Tensiomètre",
            "purpose": "Suivre ses mesures au quotidien.",
            "categories": ["mesures"],
            "hosting": {"host": "Hébergeur Exemple", "hds": True},
        }
        client = f"/catalogue/api/clients/{self.app.smart.client}"
        self.call("PUT", client, {"catalogue": fiche})
        self.call("POST", f"{client}/decisions", {"status": "referenced"})


@contextmanager
def opened(folder: Path) -> Iterator[House]:
    with ExitStack() as stack:
        box = stack.enter_context(smtp_server(Box()))
        providers = stack.enter_context(providers_running())
        secret = folder / "secret"
        secret.write_text(CLIENTS["fhirserver"])
        environ = {
            "FHIRSERVER_SMTP_HOST": "127.0.0.1",
            "FHIRSERVER_SMTP_PORT": str(box.port),
            "FHIRSERVER_SMTP_SECURITY": "none",
            "FHIRSERVER_SMTP_FROM": "espace@sante.example",
            "FHIRSERVER_PASSWORD_MEMORY": "64",
            "FHIRSERVER_PSC_ISSUER": providers.psc.issuer,
            "FHIRSERVER_PSC_CLIENT_ID": "fhirserver",
            "FHIRSERVER_PSC_SECRET_FILE": str(secret),
            "FHIRSERVER_FRANCECONNECT_ISSUER": providers.franceconnect.issuer,
            "FHIRSERVER_FRANCECONNECT_CLIENT_ID": "fhirserver",
            "FHIRSERVER_FRANCECONNECT_SECRET_FILE": str(secret),
            "FHIRSERVER_DICOMWEB_URL": stack.enter_context(answering(Pacs(0, demo()))).url,
        }
        operator = _operator(folder, environ)
        running = stack.enter_context(
            serve(folder / "data", "--host", "localhost", "--workers", "1", "--demo", environ=environ)
        )
        app = stack.enter_context(answering(App(0, running.base)))
        root = running.base.removesuffix("/fhir")
        house = House(running, root, running.token("--operator"), box, providers, app, operator)
        house.reference()
        yield house


def _operator(folder: Path, environ: dict[str, str]) -> pyotp.TOTP:
    """The account of the operator `revue`."""
    SigningKey.in_folder(folder / "data", create=True)
    (folder / "password").write_text(PASSWORD)
    line = [COMMAND, "account", "add", "--operator", "revue", "--password-file", str(folder / "password")]
    line += ["--data", str(folder / "data")]
    done = subprocess.run(line, env={**os.environ, **environ}, capture_output=True, text=True, check=True, timeout=300)
    totp = pyotp.parse_uri(re.findall(r"otpauth://\S+", done.stdout)[0])
    assert isinstance(totp, pyotp.TOTP)
    return totp


@contextmanager
def answering(server: S) -> Iterator[S]:
    """The server, in a thread."""
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def installed(folder: Path) -> Path:
    """What `package.json` names, in `node_modules` of a new folder."""
    here = Path(__file__).parent
    for name in ("package.json", "package-lock.json", ".npmrc"):
        (folder / name).write_bytes((here / name).read_bytes())
    line = ["npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False, timeout=3000)
    assert done.returncode == 0, done.stderr
    return folder / "node_modules"
