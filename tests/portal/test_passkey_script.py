from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from webauthn.helpers import base64url_to_bytes

from fhirserver.auth.accounts import factors
from fhirserver.auth.accounts.factors import Site
from fhirserver.portal import assets
from tests.portal.people import Authenticator

SITE = Site("http://localhost:8080")
PAGE = Path(__file__).with_name("passkey_page.cjs")


def run(kind: str, options: str, answer: str | None) -> Any:
    """What the script does with the options, where the browser gives this answer."""
    script = assets._all()["passkey.js"].content.decode()
    given: dict[str, Any] = {"script": script, "kind": kind, "asked": json.loads(options), "answer": None}
    if answer is not None:
        told = json.loads(answer)
        raw = {name: base64url_to_bytes(value).hex() for name, value in told["response"].items()}
        given |= {"answer": raw, "id": told["id"], "rawId": base64url_to_bytes(told["rawId"]).hex()}
    done = subprocess.run(
        ["node", str(PAGE)], input=json.dumps(given), capture_output=True, text=True, check=True, timeout=300
    )
    return json.loads(done.stdout)


@pytest.mark.program("node")
def test_what_the_script_sends_is_taken_when_a_passkey_is_made_and_when_it_is_used() -> None:
    key = Authenticator("http://localhost:8080", "localhost")
    options, challenge = factors.passkey_options(SITE, "account-1", "claire", ())
    did = run("create", options, key.create(options))
    assert (did["challenge"], did["user"]) == (base64url_to_bytes(challenge).hex(), b"account-1".hex())
    assert not did["hidden"]
    assert not did["prevented"]
    made = factors.passkey_made(SITE, challenge, did["sent"], "Ma clé")
    assert made is not None
    question, challenge = factors.passkey_question(SITE, [made])
    answer = key.get(question)
    did = run("get", question, answer)
    assert did["allowed"] == [key.id.hex()]
    sent, meant = json.loads(did["sent"]), json.loads(answer)
    assert {name: sent[name] for name in meant} == meant


@pytest.mark.program("node")
def test_what_the_browser_refuses_is_told_on_the_page() -> None:
    question, _ = factors.passkey_question(SITE, [])
    assert "n’a pas pu" in run("get", question, None)["error"]
