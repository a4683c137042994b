from __future__ import annotations

import json
import stat
import time
from typing import TYPE_CHECKING, Any

import pytest
from joserfc.jwk import KeySet

from fhirserver.access import Requester
from fhirserver.auth import DEVELOPMENT_ISSUER, KeyRing, SigningKey, TokenVerifier, development_claims
from fhirserver.auth import ring as ring_
from fhirserver.auth.keys import KEY_FILE, KeyFileError
from fhirserver.errors import Unauthenticated

if TYPE_CHECKING:
    from pathlib import Path

CLAIMS = development_claims(Requester("operator", "operator"))


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    SigningKey.in_folder(tmp_path, create=True)
    return KeyRing.beside(tmp_path / KEY_FILE)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Moves the clock on by some seconds."""

    def move(seconds: float) -> None:
        now = time.time() + seconds
        monkeypatch.setattr(time, "time", lambda: now)

    return move


def verifier(ring: KeyRing) -> TokenVerifier:
    return TokenVerifier(ring, issuer=DEVELOPMENT_ISSUER, audience=DEVELOPMENT_ISSUER, development=True)


def test_by_itself_the_ring_is_the_first_key(ring: KeyRing) -> None:
    assert ring.current.kid == ring.root.kid
    (published,) = ring.published()["keys"]
    assert {"kty", "n", "e", "use", "alg", "kid"} == set(published)
    assert KeySet.import_key_set({"keys": [published]})


def test_a_new_key_is_published_before_it_signs_and_the_old_one_verifies_after(ring: KeyRing, later: Any) -> None:
    old = ring.sign(CLAIMS)
    made = ring.rotate()
    assert [each["kid"] for each in ring.published()["keys"]] == [ring.root.kid, made.kid]
    assert ring.current.kid == ring.root.kid
    later(ring_.ANNOUNCED + 1)
    assert ring.current.kid == made.kid
    assert ring.verified(old)
    assert ring.verified(ring.sign(CLAIMS))
    later(ring_.KEPT + 1)
    assert ring.verified(old) is None
    assert [each["kid"] for each in ring.published()["keys"]] == [made.kid]


def test_other_workers_see_the_rotation(ring: KeyRing, tmp_path: Path, later: Any) -> None:
    other = KeyRing.beside(tmp_path / KEY_FILE)
    made = ring.rotate(announced=0)
    later(2)
    assert other.current.kid == made.kid
    assert other.verified(ring.sign(CLAIMS))


def test_a_key_that_leaked_is_refused_at_once_even_for_tokens_that_are_remembered(ring: KeyRing) -> None:
    token, checker = ring.sign(CLAIMS | {"exp": time.time() + 600}), verifier(ring)
    assert checker.requester(f"Bearer {token}").kind == "operator"
    ring.rotate(announced=0, kept=0)
    with pytest.raises(Unauthenticated, match="no longer in use"):
        checker.requester(f"Bearer {token}")


def test_rotations_overlap_and_the_first_key_goes_on_deriving(ring: KeyRing, later: Any) -> None:
    secret = ring.root.derive("x")
    kids = {ring.root.kid}
    for _ in range(3):
        kids.add(ring.rotate().kid)
        later(ring_.ANNOUNCED + ring_.KEPT + 2)
        assert len(ring.keys) == 1
    assert len(kids) == 4
    assert ring.root.derive("x") == secret


def test_keys_are_for_their_owner_only(ring: KeyRing, tmp_path: Path) -> None:
    ring.rotate()
    files = list((tmp_path / ring_.FOLDER).iterdir())
    assert len(files) == 2
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[{}]",
        '[{"file": "../../x.pem", "from": 0, "until": null}]',
        '[{"file": "", "from": "a", "until": 1}]',
    ],
)
def test_a_ring_that_cannot_be_read_is_named(tmp_path: Path, content: str) -> None:
    SigningKey.in_folder(tmp_path, create=True)
    (tmp_path / ring_.FOLDER).mkdir()
    (tmp_path / ring_.FOLDER / ring_.RING).write_text(content)
    with pytest.raises(KeyFileError):
        KeyRing.beside(tmp_path / KEY_FILE)


def test_a_ring_that_breaks_while_serving_keeps_the_keys_that_were_read(
    ring: KeyRing, tmp_path: Path, later: Any
) -> None:
    made = ring.rotate(announced=0)
    (tmp_path / ring_.FOLDER / ring_.RING).write_text(json.dumps([{"file": "absent.pem", "from": 0, "until": None}]))
    later(2)
    assert ring.current.kid == made.kid
