"""RFC 7523, section 3, and SMART App Launch 2.2: one row a way in which an assertion proves nothing."""

from __future__ import annotations

import base64
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from joserfc.jwk import ECKey, RSAKey

from fhirserver.auth.clients.assertion import ASSERTION_TYPE
from fhirserver.auth.server import Request
from tests.auth.registrations import APP, assertion, backend, ec_key, public, rsa_key, stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.auth.clients.client import Client
    from fhirserver.auth.server import Response
    from tests.application import Application

ISSUER = "http://127.0.0.1:8080"
TOKEN = f"{ISSUER}/oauth/token"
LONG_AGO, TO_COME = 1_700_000_000, 4_000_000_000
"""Whenever the tests run: what is worked out when they are collected may be over when one of them runs."""


@pytest.fixture(scope="module")
def lab(application: Application) -> Client:
    return stored(application, backend(), organization="750000001")


def ask(application: Application, assertion: str | None, **changed: str | None) -> Response:
    form = {
        "grant_type": "client_credentials",
        "scope": "system/Observation.rs",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
        **changed,
    }
    params = [(name, value) for name, value in form.items() if value is not None]
    return application.services.authorization_server.token(Request("POST", params))


def sound(client_id: str) -> dict[str, Any]:
    """Claims of now that nothing is wrong with."""
    return {"iss": client_id, "sub": client_id, "aud": TOKEN, "exp": int(time.time()) + 100}


def unsigned(client_id: str) -> str:
    parts = ({"alg": "none", "kid": "ec-1"}, sound(client_id))
    return ".".join([*(coded(json.dumps(each).encode()) for each in parts), ""])


def critical(client_id: str) -> str:
    """With a header that says it must be understood."""
    head = coded(json.dumps({"alg": "ES384", "kid": "ec-1", "crit": ["exp"], "exp": TO_COME}).encode())
    return ".".join([head, *assertion(client_id, TOKEN).split(".")[1:]])


def plain_rsa() -> RSAKey:
    """The key, for whatever algorithm."""
    return RSAKey.import_key(rsa_key().as_pem(private=True), {"kid": "rsa-1"})


def coded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def confused(client_id: str) -> str:
    """Signed with the public key as if it were a shared secret."""
    parts = ({"alg": "HS384", "kid": "rsa-1"}, sound(client_id))
    signed = ".".join(coded(json.dumps(each).encode()) for each in parts)
    return f"{signed}.{coded(hmac.digest(rsa_key().as_pem(private=False), signed.encode(), 'sha384'))}"


def swapped(client_id: str) -> str:
    """The claims of one assertion with the signature of another."""
    one, other = (assertion(client_id, TOKEN).split(".") for _ in range(2))
    return ".".join([*one[:2], other[2]])


class Case(NamedTuple):
    name: str
    made: Callable[[str], str]
    said: str


def claims(**changed: Any) -> Callable[[str], str]:
    return lambda client_id: assertion(client_id, **{"audience": TOKEN, **changed})


CASES = (
    Case("alg none", unsigned, "signed with"),
    Case("key confusion", confused, "signed with"),
    Case("RS256", claims(key=plain_rsa(), header={"alg": "RS256"}), "signed with"),
    Case("PS384", claims(key=plain_rsa(), header={"alg": "PS384"}), "signed with"),
    Case("ES256", claims(key=ECKey.generate_key("P-256", {"kid": "ec-1"}), header={"alg": "ES256"}), "signed with"),
    Case("another's key of the same name", claims(key=ECKey.generate_key("P-384", {"kid": "ec-1"})), "signature"),
    Case("the signature of another", swapped, "signature"),
    Case("a key that is not registered", claims(key=RSAKey.generate_key(2048, {"kid": "new"})), "no key"),
    Case("the kid of a key of another kind", claims(header={"kid": "rsa-1"}), "no key"),
    Case("no kid", claims(header={"kid": None}), "kid"),
    Case("a critical header", critical, "header"),
    Case("an access token", claims(header={"typ": "at+jwt"}), "header"),
    Case("no JWT", lambda _: "abc", "not a JWT"),
    Case("a JWT of nothing", lambda _: "..", "not a JWT"),
    Case("a JWT of lists", lambda _: "W10.W10.W10", "not a JWT"),
    Case("nothing", lambda _: "", "not a JWT"),
    Case("beyond measure", lambda _: "a" * 9000, "longer"),
    Case("an unknown client", lambda _: assertion("nobody", TOKEN), "not known"),
    Case("another subject", claims(sub="somebody"), "iss and sub"),
    Case("no subject", claims(sub=None), "iss and sub"),
    Case("no issuer", claims(iss=None), "not known"),
    Case("an issuer that is no text", claims(iss=["lab"]), "not known"),
    Case("another audience", claims(audience="https://other.example/oauth/token"), "aud"),
    Case("the audience of the resources", claims(audience=f"{ISSUER}/fhir"), "aud"),
    Case("our audience and another", claims(audience=[TOKEN, "https://other.example/"]), "aud"),
    Case("our audience with a slash", claims(audience=TOKEN + "/"), "aud"),
    Case("no audience", claims(audience=None), "aud"),
    Case("expired", claims(exp=LONG_AGO), "expired"),
    Case("too long", claims(exp=TO_COME), "300 seconds"),
    Case("no end", claims(exp=None), "exp"),
    Case("an end that is no number", claims(exp="soon"), "exp"),
    Case("an end beyond time", claims(exp=1e300), "exp"),
    Case("not yet valid", claims(nbf=TO_COME), "not yet"),
    Case("made in the future", claims(iat=TO_COME), "not yet"),
    Case("no jti", claims(jti=None), "jti"),
    Case("an empty jti", claims(jti=""), "jti"),
    Case("a jti beyond measure", claims(jti="x" * 513), "jti"),
)


@pytest.mark.parametrize("case", CASES, ids=[each.name for each in CASES])
def test_an_assertion_that_proves_nothing_is_refused(application: Application, lab: Client, case: Case) -> None:
    answer = ask(application, case.made(lab.id))
    assert (answer.status, answer.error) == (401, "invalid_client"), answer
    assert isinstance(answer.body, dict)
    assert case.said in answer.body["error_description"]
    assert "invalid_client" in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("key", [ec_key(), rsa_key()], ids=["ES384", "RS384"])
@pytest.mark.parametrize("audience", [TOKEN, ISSUER, [TOKEN]], ids=["endpoint", "issuer", "list of one"])
def test_an_assertion_of_the_client_gives_a_token(
    application: Application, lab: Client, key: Any, audience: Any
) -> None:
    answer = ask(application, assertion(lab.id, audience, key))
    assert answer.status == 200, answer
    assert isinstance(answer.body, dict)
    assert answer.body["scope"] == "system/Observation.rs"
    assert answer.body["expires_in"] == 300
    assert "refresh_token" not in answer.body


def test_an_assertion_is_good_once_of_however_many_that_send_it(application: Application, lab: Client) -> None:
    once = assertion(lab.id, TOKEN)
    with ThreadPoolExecutor(16) as pool:
        answers = [*pool.map(lambda _: ask(application, once), range(16))]
    assert sorted(each.status for each in answers) == [200, *[401] * 15]
    assert {
        each.body["error_description"] for each in answers if isinstance(each.body, dict) and each.status == 401
    } == {"The client assertion was used before (jti)."}


def test_a_jti_is_the_clients_own(application: Application, lab: Client) -> None:
    other = stored(application, backend(), organization="750000001")
    assert ask(application, assertion(lab.id, TOKEN, jti="same")).status == 200
    assert ask(application, assertion(other.id, TOKEN, jti="same")).status == 200


def test_a_refused_assertion_does_not_use_up_its_jti(application: Application, lab: Client) -> None:
    assert ask(application, assertion(lab.id, "https://other.example/", jti="kept")).status == 401
    assert ask(application, assertion(lab.id, TOKEN, jti="kept")).status == 200


def test_the_client_id_beside_an_assertion_must_be_the_same(application: Application, lab: Client) -> None:
    assert ask(application, assertion(lab.id, TOKEN), client_id=lab.id).status == 200
    assert ask(application, assertion(lab.id, TOKEN), client_id="other").error == "invalid_client"


def test_another_type_of_assertion_is_refused(application: Application, lab: Client) -> None:
    saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"
    assert ask(application, assertion(lab.id, TOKEN), client_assertion_type=saml).error == "invalid_client"
    assert ask(application, assertion(lab.id, TOKEN), client_assertion_type=None).error == "invalid_client"


def test_a_client_with_keys_does_not_get_by_without(application: Application, lab: Client) -> None:
    without = ask(application, None, client_assertion_type=None, client_id=lab.id)
    assert without.error == "invalid_client"


@pytest.mark.parametrize(
    ("change", "form", "error"),
    [
        ({"organization": None}, {}, "unauthorized_client"),
        ({"status": "suspended"}, {}, "invalid_client"),
        ({"status": "withdrawn"}, {}, "invalid_client"),
        ({}, {"scope": None}, "invalid_request"),
        ({}, {"scope": "patient/Observation.rs"}, "invalid_scope"),
        ({}, {"scope": "system/Observation.cud"}, "invalid_scope"),
        ({}, {"grant_type": "password"}, "unsupported_grant_type"),
        ({}, {"grant_type": "authorization_code", "code": "x", "redirect_uri": "x"}, "unauthorized_client"),
    ],
    ids=[
        "no establishment",
        "suspended",
        "withdrawn",
        "no scope",
        "the scope of another level",
        "letters beyond",
        "an unknown grant type",
        "a grant type that is not its own",
    ],
)
def test_a_backend_gets_nothing_beyond_its_registration(
    application: Application, change: dict[str, Any], form: dict[str, Any], error: str
) -> None:
    client = stored(application, backend(), **{"organization": "750000001", **change})
    answer = ask(application, assertion(client.id, TOKEN), **form)
    assert answer.error == error, answer


def test_in_production_a_backend_must_be_referenced(application: Application) -> None:
    client = stored(application, backend(), "submitted", organization="750000001")
    production = application.under(environment="production")
    assert ask(application, assertion(client.id, TOKEN)).status == 200
    assert ask(production, assertion(client.id, TOKEN)).error == "invalid_client"


def test_a_token_of_a_backend_reads_as_its_establishment_until_the_client_is_suspended(
    application: Application,
) -> None:
    client = stored(application, backend(), organization="750000001")
    answer = ask(application, assertion(client.id, TOKEN))
    assert isinstance(answer.body, dict)
    system = application.nobody(answer.body["access_token"])
    assert system.get("Observation").status == 200
    who = application.services.verifier.requester(f"Bearer {system.token}")
    assert (who.kind, who.organization, who.client) == ("system", "750000001", client.id)
    assert who.scopes == ("system/Observation.rs",)
    catalogue = application.services.catalogue
    catalogue.decide(catalogue.client(client.id), "suspended", "operator", "Incident")
    assert system.get("Observation").status == 401


def test_an_app_without_secret_cannot_be_a_backend(application: Application) -> None:
    app = stored(application, APP)
    answer = ask(application, None, client_assertion_type=None, client_id=app.id)
    assert answer.error == "unauthorized_client"


def test_public_keys_of_both_kinds_are_published_whole() -> None:
    assert all("d" not in each for each in public(ec_key(), rsa_key())["keys"])


def test_a_system_that_is_an_app_too_gets_nothing_of_persons_in_its_own_name(application: Application) -> None:
    both = backend(
        scope="system/Observation.rs patient/Observation.rs offline_access",
        grant_types=["authorization_code", "client_credentials"],
        redirect_uris=["https://lab.example/cb"],
    )
    client = stored(application, both, organization="750000001")
    answer = ask(application, assertion(client.id, TOKEN), scope=str(both["scope"]))
    assert isinstance(answer.body, dict)
    assert answer.body["scope"] == "system/Observation.rs"
    assert ask(application, assertion(client.id, TOKEN), scope="patient/Observation.rs").error == "invalid_scope"
