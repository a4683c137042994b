#!/usr/bin/env python3
"""The software of a hospital acts for a professional: login at Pro Santé Connect (simulated), token exchange over
mutual TLS, and a read with the token, which is bound to the certificate. Prints each step, stops where one fails.

The whole installation for trying it, made and ended by this program: simulated providers, a server on a new database, a
proxy that ends TLS, certificates of an authority of its own.

    python -m examples.exchange
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from examples import proxy
from examples.certificates import SUBJECT, authority, issued
from examples.providers import serve
from examples.providers.provider import CLIENTS

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
CALLBACK = "http://127.0.0.1:1/retour"


class Answer(NamedTuple):
    status: int
    body: Any


class Software:
    """Speaks to a server by TLS; `certificate`: what it shows there."""

    def __init__(self, base: str, authorities: Path, certificate: Path | None = None) -> None:
        self.base = urlsplit(base)
        self.context = ssl.create_default_context(cafile=str(authorities))
        if certificate is not None:
            self.context.load_cert_chain(certificate)

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPSConnection(self.base.netloc, timeout=60, context=self.context)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        return Answer(answer.status, json.loads(content) if content else None)

    def form(self, path: str, **fields: str) -> Answer:
        return self.call("POST", path, urlencode(fields).encode(), Content_Type="application/x-www-form-urlencoded")

    def read(self, path: str, token: str, **headers: str) -> Answer:
        return self.call("GET", path, None, Authorization=f"Bearer {token}", Accept="application/fhir+json", **headers)


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def logged_in(provider: str, who: str) -> str:
    """The access token of Pro Santé Connect that the software gets for a professional who logs in."""
    asked = {"client_id": "logiciel", "redirect_uri": CALLBACK, "response_type": "code", "state": "s"}
    opener = build_opener(_Stay)
    try:
        opener.open(f"{provider}/authorize?{urlencode({**asked, 'login_hint': who})}", timeout=10)
        raise AssertionError("the provider did not send the browser back")
    except OSError as redirect:
        location = redirect.headers["Location"]  # type: ignore[attr-defined]
    code = dict(parse_qsl(urlsplit(location).query))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "client_id": "logiciel"}
    body = urlencode({**form, "client_secret": CLIENTS["logiciel"]}).encode()
    with opener.open(Request(f"{provider}/token", body), timeout=10) as answer:
        return str(json.loads(answer.read())["access_token"])


def step(text: str, answer: Answer, expected: int) -> Any:
    print(f"{'ok  ' if answer.status == expected else 'FAIL'} {answer.status} {text}", flush=True)
    if answer.status != expected:
        sys.exit(f"expected {expected}: {answer.body}")
    return answer.body


def dance(base: str, provider: str, folder: Path) -> None:
    """All steps, against a server behind a proxy at `base`."""
    pair = issued()
    own, other = pair.stored(folder / "own.pem"), issued("CN=autre,C=FR").stored(folder / "other.pem")
    software, thief, bare = (Software(base, folder / "authority.pem", each) for each in (own, other, None))
    wanted = {
        "client_name": "Logiciel de l’hôpital",
        "grant_types": [EXCHANGE],
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_subject_dn": SUBJECT,
        "scope": "user/Patient.rs user/Practitioner.rs",
    }
    made = software.call("POST", "/oauth/register", json.dumps(wanted).encode(), Content_Type="application/json")
    client = step("the software is registered", made, 201)["client_id"]
    subject = logged_in(provider, "infirmier")
    form = {"grant_type": EXCHANGE, "client_id": client, "subject_token": subject, "subject_token_type": ACCESS_TOKEN}
    given = step("the professional's token is exchanged", software.form("/oauth/token", **form), 200)
    token = given["access_token"]
    print(f"     {given['scope']}, for {given['expires_in']} seconds")
    step("the software reads with it", software.read("/fhir/Practitioner", token), 200)
    step("a thief with another certificate does not", thief.read("/fhir/Practitioner", token), 401)
    told = thief.read("/fhir/Practitioner", token, Client_Cert=pair.header["Client-Cert"])
    step("nor does one who tells the certificate himself", told, 401)
    step("nor does one without", bare.read("/fhir/Practitioner", token), 401)
    step("another certificate exchanges nothing", thief.form("/oauth/token", **form), 400)
    step("no certificate exchanges nothing", bare.form("/oauth/token", **form), 400)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="exchange-")))
        providers = stack.enter_context(serve.running())
        authority().stored(folder / "authority.pem")
        (folder / "secret").write_text(CLIENTS["fhirserver"])
        port, outside = free_port(), free_port()
        environment = {
            "FHIRSERVER_BASE_URL": f"https://127.0.0.1:{outside}/fhir",
            "FHIRSERVER_PSC_ISSUER": providers.psc.issuer,
            "FHIRSERVER_PSC_CLIENT_ID": "fhirserver",
            "FHIRSERVER_PSC_SECRET_FILE": str(folder / "secret"),
            "FHIRSERVER_TRUSTED_PROXIES": "127.0.0.1",
            "FHIRSERVER_CLIENT_CERT_HEADER": "Client-Cert",
            "FHIRSERVER_CLIENT_CERT_AUTHORITIES": str(folder / "authority.pem"),
        }
        line = [str(Path(sys.executable).parent / "fhirserver"), "serve", "--embedded", str(folder / "data")]
        server = subprocess.Popen(
            [*line, "--port", str(port)], stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
        )
        stack.callback(server.wait)
        stack.callback(server.terminate)
        if not server.stdout or not server.stdout.readline().startswith("ready"):
            sys.exit("the server did not start")
        certificate = issued("CN=127.0.0.1", server=True).stored(folder / "server.pem")
        base = stack.enter_context(
            proxy.running(f"http://127.0.0.1:{port}", str(certificate), str(folder / "authority.pem"), outside)
        )
        dance(base, providers.psc.issuer, folder)


if __name__ == "__main__":
    main()
