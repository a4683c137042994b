from __future__ import annotations

import base64
import hmac
import json
import stat
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from joserfc.jwk import RSAKey

from fhirserver.access import Delegate, Requester
from fhirserver.auth import DEVELOPMENT_ISSUER, SigningKey, TokenVerifier, development_claims, sign
from fhirserver.auth.keys import KEY_FILE, KeyFileError
from fhirserver.errors import Unauthenticated

if TYPE_CHECKING:
    from pathlib import Path

KEY = SigningKey(RSAKey.generate_key(2048))
PHYSICIAN = Requester(
    kind="practitioner",
    id="practitioner/10000000018",
    rpps="10000000018",
    profession="G15_10",
    organization="750000001",
)


def verifier(*, development: bool = True) -> TokenVerifier:
    return TokenVerifier(KEY, issuer=DEVELOPMENT_ISSUER, audience=DEVELOPMENT_ISSUER, development=development)


def claims(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**development_claims(PHYSICIAN), **changes}.items() if value is not None}


def test_a_token_gives_back_its_requester_with_all_that_its_kind_may_hold() -> None:
    found = verifier().requester(f"Bearer {sign(claims(), KEY)}")
    assert (found.rpps, found.profession, found.organization) == ("10000000018", "G15_10", "750000001")
    assert found.scopes == ("user/*.cruds",)
    assert found.purpose == "TREAT"


def test_a_token_names_the_professional_and_who_acts_in_his_place() -> None:
    staff = replace(PHYSICIAN, delegate=Delegate("secretary-7", None, "Anne Petit"))
    told = development_claims(staff)
    assert told["act"] == {"sub": "secretary-7", "name": "Anne Petit"}
    found = verifier().requester(f"Bearer {sign(told, KEY)}")
    assert (found.rpps, found.delegate) == (PHYSICIAN.rpps, staff.delegate)
    nested = verifier().requester(f"Bearer {sign(claims(act={'sub': 'x', 'act': {'sub': 'y'}}), KEY)}")
    assert nested.delegate == Delegate("x")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer a.b.c", "Bearer é"])
def test_what_is_no_token_is_challenged(header: str | None) -> None:
    with pytest.raises(Unauthenticated) as caught:
        verifier().requester(header)
    assert caught.value.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1_700_000_000},
        {"exp": None},
        {"exp": "tomorrow"},
        {"nbf": 4_000_000_000},
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"aud": "https://elsewhere.example"},
        {"aud": None},
        {"aud": [["https://elsewhere.example"], {}]},
        {"requester": None},
        {"requester": {"kind": "god"}},
        {"requester": {"kind": ["patient"], "patient": "p"}},
        {"exp": "NaN"},
        {"requester": {"kind": "patient"}},
        {"requester": {"kind": "practitioner"}},
        {"requester": {"kind": "patient", "patient": {"$ne": 1}}},
        {"requester": "operator"},
        {"sub": None},
        {"scope": ["user/*.rs"]},
        {"purpose_of_use": 5},
        {"act": "secretary"},
        {"act": {}},
        {"act": {"sub": ""}},
        {"act": {"sub": "x", "rpps": 10000000001}},
        {"act": {"sub": "x"}, "requester": {"kind": "operator"}},
        {"act": {"sub": "x"}, "requester": {"kind": "patient", "patient": "p"}},
    ],
)
def test_a_token_with_wrong_claims_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated) as caught:
        verifier().requester(f"Bearer {sign(claims(**changes), KEY)}")
    assert 'error="invalid_token"' in caught.value.headers["WWW-Authenticate"]


def test_a_token_without_scopes_is_good_for_nothing() -> None:
    token = sign({**claims(), "scope": None}, KEY)
    who = verifier().requester(f"Bearer {token}")
    assert who.scopes == ()


def test_a_token_of_another_key_is_refused() -> None:
    token = sign(claims(), SigningKey(RSAKey.generate_key(2048)))
    with pytest.raises(Unauthenticated):
        verifier().requester(f"Bearer {token}")


def test_a_changed_token_is_refused() -> None:
    head, _, mark = sign(claims(), KEY).split(".")
    forged = base64.urlsafe_b64encode(json.dumps(claims(requester={"kind": "operator"})).encode()).decode().rstrip("=")
    with pytest.raises(Unauthenticated):
        verifier().requester(f"Bearer {head}.{forged}.{mark}")


def test_no_signature_is_no_signature() -> None:
    head = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    body = base64.urlsafe_b64encode(json.dumps(claims()).encode()).decode().rstrip("=")
    with pytest.raises(Unauthenticated):
        verifier().requester(f"Bearer {head}.{body}.")


def test_the_public_key_is_no_shared_secret() -> None:
    head, body = (
        base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=")
        for each in ({"alg": "HS256"}, claims())
    )
    mark = hmac.new(KEY.jwk.as_pem(private=False), f"{head}.{body}".encode(), "sha256").digest()
    token = f"{head}.{body}.{base64.urlsafe_b64encode(mark).decode().rstrip('=')}"
    with pytest.raises(Unauthenticated):
        verifier().requester(f"Bearer {token}")


def test_a_remembered_token_still_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    checker, header = verifier(), f"Bearer {sign(claims(), KEY)}"
    checker.requester(header)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 7200)
    with pytest.raises(Unauthenticated):
        checker.requester(header)


def test_production_refuses_development_tokens() -> None:
    with pytest.raises(Unauthenticated):
        verifier(development=False).requester(f"Bearer {sign(claims(), KEY)}")


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    made = SigningKey.in_folder(tmp_path, create=True)
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert SigningKey.in_folder(tmp_path, create=True).kid == made.kid
    assert [each.name for each in tmp_path.iterdir()] == [KEY_FILE]


def test_a_missing_public_or_foreign_key_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError):
        SigningKey.in_folder(tmp_path)
    file = tmp_path / "key.pem"
    for content in (b"no key", KEY.jwk.as_pem(private=False)):
        file.write_bytes(content)
        with pytest.raises(KeyFileError):
            SigningKey.open(file)


def test_keys_for_other_purposes_differ_and_do_not_change() -> None:
    assert KEY.derive("one") == KEY.derive("one") != KEY.derive("two")
