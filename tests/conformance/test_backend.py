"""The role `system`: a token by a signed assertion, and the variables by which scripts try assertions."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver import jsontext
from fhirserver.conformance.backend import Backend, BackendError, new_key, public
from fhirserver.conformance.operating import Server
from fhirserver.conformance.running import Run, Surroundings
from fhirserver.conformance.wire import Wire
from fhirserver.spec import Definitions
from tests.conformance.answering import Told, answering
from tests.conformance.test_running import script
from tests.serving import COMMAND

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conformance.conftest import Prepared


def line(prepared: Prepared, *more: str) -> subprocess.CompletedProcess[str]:
    words = [COMMAND, "conformance", "run", "--base", prepared.server.base, "--suite", "smart", *more]
    return subprocess.run(words, check=False, capture_output=True, text=True)


def test_a_client_and_its_key_give_the_role_its_token_and_no_report_has_it(prepared: Prepared, tmp_path: Path) -> None:
    told = jsontext.parse_object(prepared.file.read_bytes())
    key, roles, report = tmp_path / "key.json", tmp_path / "roles.json", tmp_path / "report.html"
    key.write_bytes(jsontext.dump(told["client"]["key"]))
    roles.write_bytes(jsontext.dump({name: each for name, each in told.items() if name != "client"}))
    shown = ("--roles", str(roles), "--report", "html", "--output", str(report))
    without = line(prepared, *shown)
    assert "SKIP smart/smart-backend: no token was given for: system" in without.stdout
    done = line(prepared, *shown, "--client", told["client"]["id"], "--key", str(key))
    assert (done.returncode, "SKIP" in done.stdout) == (0, False), done.stdout + done.stderr
    text = report.read_text()
    assert told["client"]["key"]["d"] not in text
    assert "client_assertion" not in text or "eyJ" not in text.partition("client_assertion")[2][:200]


def test_a_client_that_proves_nothing_is_told_why(prepared: Prepared, tmp_path: Path) -> None:
    told = jsontext.parse_object(prepared.file.read_bytes())
    key = tmp_path / "key.json"
    key.write_bytes(jsontext.dump(new_key()))
    shown = ("--roles", str(prepared.file), "--client", told["client"]["id"])
    assert "--client ID and --key FILE go together" in line(prepared, *shown).stderr
    refused = line(prepared, *shown, "--key", str(key))
    assert refused.returncode != 0
    assert "the token endpoint gave no token: 400 " in refused.stderr or "401" in refused.stderr
    key.write_text(json.dumps({"kty": "EC", "crv": "P-384"}))
    assert "the key is no private JWK" in line(prepared, *shown, "--key", str(key)).stderr


def test_an_assertion_is_new_each_time_that_a_script_uses_it(tmp_path: Path) -> None:
    key = new_key()
    assert "d" in key
    assert "d" not in public(key)

    def sent(value: str) -> dict[str, Any]:
        header = {"field": "X-Said", "value": value}
        return {"operation": {"url": "x", "method": "get", "encodeRequestUrl": True, "requestHeader": [header]}}

    def answer(_: object) -> Told:
        return Told(200, {"resourceType": "Basic", "token_endpoint": "http://x/token"})

    with answering(answer) as (base, asked):
        made = Backend("me", key).variables(base)
        around = Surroundings({1: Server(base, {})}, made, Definitions.core(), lambda *_: [], Wire(), lambda: False)
        Run(script(tmp_path, sent("${assertion}"), sent("${assertion}"), sent("${client}")), around).run()
    first, second, client = (each.headers["x-said"] for each in asked if "x-said" in each.headers)
    assert (first != second, first.count("."), client) == (True, 2, "me")


@pytest.mark.parametrize("key", [{}, {"kty": "RSA"}, {"kty": "oct", "k": "AA"}])
def test_what_is_no_private_key_is_refused(key: dict[str, Any]) -> None:
    with pytest.raises(BackendError, match="no private JWK"):
        Backend("me", key)
