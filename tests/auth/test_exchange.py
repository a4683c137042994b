"""Token exchange (RFC 8693) bound to the client's certificate (RFC 8705), with a provider that really signs.

What is refused stands in a table: the request, and the error that it gets.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from examples.certificates import SUBJECT, authority, issued
from examples.providers.provider import CLIENTS
from examples.providers.serve import Server, running
from fhirserver import jsontext
from fhirserver.auth.clients.assertion import ASSERTION_TYPE
from fhirserver.auth.clients.client import Client
from fhirserver.auth.clients.metadata import TOKEN_EXCHANGE
from tests.application import BASE, Application
from tests.auth import registrations
from tests.auth.providers import BendingPsc, access_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


@pytest.fixture(scope="module")
def providers() -> Iterator[Server]:
    with running(psc=BendingPsc) as server:
        yield server


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("federation")
    (folder / "secret").write_text(CLIENTS["fhirserver"])
    authority().stored(folder / "authorities.pem")
    return folder


@pytest.fixture(scope="module")
def here(applications: Callable[..., Any], providers: Server, files: Path) -> Iterator[Application]:
    settings = {
        "psc_issuer": providers.psc.issuer,
        "psc_client_id": "fhirserver",
        "psc_secret_file": str(files / "secret"),
        "client_cert_header": "Client-Cert",
        "client_cert_authorities": str(files / "authorities.pem"),
        "trusted_proxies": "127.0.0.1",
    }
    with applications(**settings) as application:
        save(application, "logiciel")
        yield application


def save(application: Application, id: str, organization: str | None = None, **metadata: Any) -> None:
    known = {
        "client_name": "Logiciel d’un hôpital",
        "grant_types": [TOKEN_EXCHANGE],
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_subject_dn": SUBJECT,
        "scope": "user/Patient.rs user/Observation.rs",
    }
    application.services.authorization_server.clients.save(
        Client(id, "referenced", known | metadata, organization=organization)
    )


CLIENT = issued()


def ask(application: Application, header: Mapping[str, str] | None = None, peer: str = "127.0.0.1", **form: Any) -> Any:
    """An exchange as a proxy passes it on; values that are None are left out."""
    sent = {
        "grant_type": TOKEN_EXCHANGE,
        "client_id": "logiciel",
        "subject_token_type": ACCESS_TOKEN,
        "scope": "user/Patient.rs",
        **form,
    }
    return application.app.test_client().post(
        "/oauth/token",
        data={name: value for name, value in sent.items() if value is not None},
        headers=dict(CLIENT.header if header is None else header),
        environ_overrides={"REMOTE_ADDR": peer},
    )


def exchanged(application: Application, providers: Server, who: str = "infirmier", **form: Any) -> dict[str, Any]:
    answer = ask(application, subject_token=access_token(providers.psc.issuer, who), **form)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json
    return body


def claims(application: Application, token: str) -> dict[str, Any]:
    return dict(application.services.verifier.verified(token, bound=False).claims)


def read(application: Application, token: str, header: Mapping[str, str], peer: str = "127.0.0.1") -> int:
    answer = application.app.test_client().get(
        "/fhir/Observation",
        headers={"Authorization": f"Bearer {token}", **header},
        environ_overrides={"REMOTE_ADDR": peer},
    )
    return answer.status_code


def test_the_token_names_the_professional_and_is_bound_to_the_certificate(here: Application, providers: Server) -> None:
    body = exchanged(here, providers)
    assert body["issued_token_type"] == ACCESS_TOKEN
    assert body["token_type"] == "Bearer"
    assert body["scope"] == "user/Patient.rs"
    found = claims(here, body["access_token"])
    assert found["requester"] == {
        "kind": "practitioner",
        "rpps": "10001112233",
        "profession": "G15_60",
        "organization": "750000001",
        "client": "logiciel",
        "name": "Luc PETIT",
    }
    assert found["purpose_of_use"] == "TREAT"
    assert found["client_id"] == "logiciel"
    assert "x5t#S256" in found["cnf"]


def test_the_token_is_good_only_with_its_certificate(here: Application, providers: Server) -> None:
    token = exchanged(here, providers, scope="user/Observation.rs")["access_token"]
    assert read(here, token, CLIENT.header) == 200
    assert read(here, token, issued().header) == 401
    assert read(here, token, {}) == 401


def test_a_certificate_that_no_trusted_proxy_tells_of_is_not_believed(here: Application, providers: Server) -> None:
    token = exchanged(here, providers, scope="user/Observation.rs")["access_token"]
    assert read(here, token, CLIENT.header, peer="192.0.2.9") == 401
    subject = access_token(providers.psc.issuer, "infirmier")
    assert ask(here, peer="192.0.2.9", subject_token=subject).status_code in (400, 401)
    off = here.under(client_cert_header="")
    assert read(off, token, CLIENT.header) == 401


def test_revoking_the_grant_ends_the_token(here: Application, providers: Server) -> None:
    token = exchanged(here, providers, scope="user/Observation.rs")["access_token"]
    assert here.services.grants.revoke(claims(here, token)["grant"])
    assert read(here, token, CLIENT.header) == 401


@pytest.mark.parametrize(
    ("who", "form", "expected"),
    [
        ("medecin", {"situation": "750000001"}, ("G15_10/SM26", "750000001", "TREAT", None)),
        ("medecin", {}, ("G15_10/SM26", None, "TREAT", None)),
        ("remplacante", {"situation": "R10001112"}, ("G15_10", None, "TREAT", None)),
        ("urgentiste", {}, ("G15_10", "750000001", "BTG", "Patient inconscient")),
        ("urgentiste", {"purpose_of_use": "TREAT"}, ("G15_10", "750000001", "TREAT", None)),
        ("regulateur", {}, ("G15_10", "750000003", "ETREAT", None)),
        (
            "infirmier",
            {"purpose_of_use": "BTG", "purpose_of_use_reason": "Inconsciente"},
            ("G15_60", "750000001", "BTG", "Inconsciente"),
        ),
    ],
)
def test_situation_and_purpose_follow_from_the_claims_and_the_request(
    here: Application, providers: Server, who: str, form: dict[str, str], expected: tuple[Any, ...]
) -> None:
    found = claims(here, exchanged(here, providers, who, **form)["access_token"])
    requester = found["requester"]
    assert (
        requester["profession"],
        requester.get("organization"),
        found["purpose_of_use"],
        found.get("purpose_of_use_reason"),
    ) == expected


def test_the_situation_at_the_structure_of_the_client_comes_first(here: Application, providers: Server) -> None:
    save(here, "structure", "750000001")
    found = claims(here, exchanged(here, providers, "medecin", client_id="structure")["access_token"])
    assert found["requester"]["organization"] == "750000001"


def test_staff_act_for_a_professional_of_their_structure(here: Application, providers: Server) -> None:
    actor = access_token(providers.psc.issuer, "secretaire")
    form: dict[str, Any] = {"actor_token": actor, "actor_token_type": ACCESS_TOKEN}
    found = claims(here, exchanged(here, providers, "infirmier", **form)["access_token"])
    assert found["act"] == {"sub": "3750000001/S0042", "name": "Paul DURAND"}
    subject = access_token(providers.psc.issuer, "regulateur")
    refused = ask(here, subject_token=subject, **form)
    assert refused.json["error"] == "invalid_request"


def test_the_practitioner_of_the_directory_is_who_the_token_stands_for(here: Application, providers: Server) -> None:
    number = {"system": "https://rpps.esante.gouv.fr", "value": "10001112258"}
    id = here.operator().create({"resourceType": "Practitioner", "identifier": [number]})
    assert claims(here, exchanged(here, providers, "regulateur")["access_token"])["sub"] == f"Practitioner/{id}"


def test_a_self_signed_certificate_is_known_by_registration(here: Application, providers: Server) -> None:
    pair, over = issued(own=True), issued(own=True, expired=True)
    keys = {"keys": [{"kty": "EC", "x5c": [base64.b64encode(each.der).decode()]} for each in (pair, over)]}
    save(here, "seul", token_endpoint_auth_method="self_signed_tls_client_auth", jwks=keys)
    token = access_token(providers.psc.issuer, "infirmier")
    assert ask(here, pair.header, client_id="seul", subject_token=token).status_code == 200
    for other in (over, issued(own=True), issued()):
        answer = ask(here, other.header, client_id="seul", subject_token=token)
        assert answer.json["error"] == "invalid_client"


def test_scopes_of_other_levels_are_for_other_clients(here: Application, providers: Server) -> None:
    save(here, "large", scope="user/Patient.rs patient/Patient.rs system/*.cruds openid launch")
    assert exchanged(here, providers, client_id="large", scope=None)["scope"] == "user/Patient.rs"
    token = access_token(providers.psc.issuer, "infirmier")
    for scope in ("patient/Patient.rs", "system/Patient.rs", "openid", "launch"):
        assert ask(here, client_id="large", subject_token=token, scope=scope).json["error"] == "invalid_scope"


def test_a_client_that_signs_shows_its_certificate_too(here: Application, providers: Server) -> None:
    keys = registrations.public(registrations.ec_key())
    save(here, "signataire", token_endpoint_auth_method="private_key_jwt", jwks=keys)
    token = access_token(providers.psc.issuer, "infirmier")
    for header, expected in (({}, 400), (CLIENT.header, 200)):
        signed = registrations.assertion("signataire", here.services.issuer + "/oauth/token")
        form = {"client_assertion": signed, "client_assertion_type": ASSERTION_TYPE, "subject_token": token}
        answer = ask(here, header, client_id="signataire", **form)
        assert answer.status_code == expected, answer.text
    assert "x5t#S256" in claims(here, answer.json["access_token"])["cnf"]


def test_signed_tokens_may_be_judged_here_without_asking(here: Application, providers: Server) -> None:
    judging = here.under(psc_subject_tokens="jwt")
    assert ask(judging, subject_token=access_token(providers.psc.issuer, "infirmier")).status_code == 200


def test_a_provider_that_is_away_is_told_as_such(here: Application, tmp_path: Path) -> None:
    with running() as gone:
        issuer, token = gone.psc.issuer, access_token(gone.psc.issuer, "infirmier")
        elsewhere = here.under(psc_issuer=issuer)
        assert ask(elsewhere, subject_token=token).status_code == 200
    answer = ask(elsewhere, subject_token=token)
    assert (answer.status_code, answer.json["error"]) == (503, "temporarily_unavailable")


class Refusal:
    """A case of the table. `form` changes the request; `header` is the certificate; `token` makes the subject_token."""

    def __init__(self, name: str, error: str, **changes: Any) -> None:
        self.name, self.error = name, error
        self.client = changes.pop("client", None)
        self.pair = changes.pop("pair", None)
        self.who = changes.pop("who", "infirmier")
        self.form = changes


EXPIRED, FOREIGN = issued(expired=True), issued(by=authority("CN=AUTRE AC,C=FR"))
OTHER, SELF = issued("CN=autre.test,O=AUTRE,C=FR"), issued(own=True)
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"

REFUSALS = [
    Refusal("no subject_token", "invalid_request", subject_token=None),
    Refusal("empty subject_token", "invalid_request", subject_token=""),
    Refusal("an opaque string", "invalid_request", subject_token="nothing"),
    Refusal("no type", "invalid_request", subject_token_type=None),
    Refusal("an id token's type", "invalid_request", subject_token_type=ID_TOKEN),
    Refusal("a SAML assertion", "invalid_request", subject_token_type="urn:ietf:params:oauth:token-type:saml2"),
    Refusal("an id token wanted", "invalid_request", requested_token_type=ID_TOKEN),
    Refusal(
        "a refresh token wanted", "invalid_request", requested_token_type=ACCESS_TOKEN.replace("access", "refresh")
    ),
    Refusal("another audience", "invalid_target", audience="https://elsewhere.example"),
    Refusal("another resource", "invalid_target", resource="https://elsewhere.example/fhir"),
    Refusal("one audience of two", "invalid_target", audience=[BASE, "https://elsewhere.example"]),
    Refusal("an actor without its type", "invalid_request", actor_token="x"),
    Refusal("an actor's type alone", "invalid_request", actor_token_type=ACCESS_TOKEN),
    Refusal("an actor that is no token", "invalid_request", actor_token="x", actor_token_type=ACCESS_TOKEN),
    Refusal("two subject_tokens", "invalid_request", subject_token=["a", "b"]),
    Refusal("an unregistered scope", "invalid_scope", scope="user/Consent.cruds"),
    Refusal("the system's scope", "invalid_scope", scope="system/*.cruds"),
    Refusal("a patient's scope", "invalid_scope", scope="patient/Patient.rs"),
    Refusal("an unknown purpose", "invalid_request", purpose_of_use="CURIOSITY"),
    Refusal("an emergency without a reason", "invalid_request", purpose_of_use="BTG"),
    Refusal("a regulation by who does not regulate", "invalid_request", purpose_of_use="ETREAT"),
    Refusal("a situation that is not his", "invalid_request", situation="999999999"),
    Refusal("several situations, none said", "invalid_request", who="remplacante"),
    Refusal("a student", "invalid_request", who="etudiant"),
    Refusal("staff alone", "invalid_request", who="secretaire"),
    Refusal("no certificate", "invalid_client", pair={}),
    Refusal("an expired certificate", "invalid_client", pair=EXPIRED.header),
    Refusal("another authority's certificate", "invalid_client", pair=FOREIGN.header),
    Refusal("another subject's certificate", "invalid_client", pair=OTHER.header),
    Refusal("a self-signed one of the same subject", "invalid_client", pair=SELF.header),
    Refusal("a certificate that is none", "invalid_client", pair={"Client-Cert": ":AAAA:"}),
    Refusal("a server's certificate", "invalid_client", pair=issued(server=True).header),
    Refusal("an unknown client", "invalid_client", client_id="nobody"),
    Refusal("no client", "invalid_client", client_id=None),
    Refusal("a client without the grant", "unauthorized_client", client={"grant_types": ["client_credentials"]}),
    Refusal("a token of another client of the provider", "invalid_request", client={"psc_client_id": "autre"}),
    Refusal(
        "an assertion's client without a certificate's method",
        "invalid_client",
        client={"token_endpoint_auth_method": "private_key_jwt"},
    ),
]


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.name)
def test_what_is_refused(here: Application, providers: Server, case: Refusal) -> None:
    form = dict(case.form)
    if case.client is not None:
        save(here, "changed", **case.client)
        form["client_id"] = "changed"
    if "subject_token" not in form:
        form["subject_token"] = access_token(providers.psc.issuer, case.who)
    answer = ask(here, case.pair, **form)
    assert answer.json["error"] == case.error, answer.text
    assert answer.status_code in (400, 401)
    assert answer.headers["Cache-Control"] == "no-store"


def _forged(providers: Server, **changes: Any) -> tuple[dict[str, Any], Any]:
    now = int(time.time())
    told = providers.psc.people["infirmier"]
    made = {"iss": providers.psc.issuer, "sub": told["sub"], "typ": "Bearer", "azp": "logiciel", "acr": "eidas1"}
    made |= {"iat": now, "exp": now + 60}
    return {name: value for name, value in (made | changes).items() if value is not None}, providers.psc.key


FORGERIES: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://elsewhere.example"},
    "expired": {"exp": 1_700_000_000},
    "endless": {"exp": None},
    "not yet valid": {"nbf": 4_000_000_000},
    "an id token": {"typ": "ID"},
    "a refresh token": {"typ": "Refresh"},
    "another audience": {"aud": "https://elsewhere.example"},
    "a level too low": {"acr": "eidas0"},
    "no level": {"acr": None},
    "nobody": {"sub": None},
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_signed_token_that_does_not_fit_is_refused(here: Application, providers: Server, name: str) -> None:
    made, key = _forged(providers, **FORGERIES[name])
    token = jwt.encode({"alg": "RS256", "kid": key.kid}, made, key)
    answer = ask(here.under(psc_subject_tokens="jwt"), subject_token=token)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request"), answer.text


def test_a_token_signed_by_somebody_else_is_refused(here: Application, providers: Server) -> None:
    judging = here.under(psc_subject_tokens="jwt")
    made, key = _forged(providers)
    other = RSAKey.generate_key(2048, {"kid": str(key.kid)})
    own = here.services.keys
    tokens = [
        jwt.encode({"alg": "RS256", "kid": key.kid}, made, other),
        ".".join([_part({"alg": "none"}), _part(made), ""]),
        ".".join([_part({"alg": "none", "kid": key.kid}), _part(made), ""]),
        _by_secret({"alg": "HS256", "kid": key.kid}, made, key.as_pem(private=False)),
        own.sign(made),
    ]
    for token in tokens:
        answer = ask(judging, subject_token=token)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "changed",
    [{"active": False}, {"active": "true"}, {"active": 1}, {"iss": "https://elsewhere.example"}, {"typ": "Refresh"}],
    ids=str,
)
def test_what_the_provider_says_of_a_token_counts(
    here: Application, providers: Server, changed: dict[str, Any]
) -> None:
    token = access_token(providers.psc.issuer, "infirmier")
    bent = {"/introspect": lambda answer: answer._replace(body=jsontext.dump(jsontext.parse(answer.body) | changed))}
    providers.psc.bend = bent  # type: ignore[attr-defined]
    try:
        answer = ask(here, subject_token=token)
    finally:
        providers.psc.bend = {}  # type: ignore[attr-defined]
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request"), answer.text


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(jsontext.dump(value)).decode().rstrip("=")


def _by_secret(header: dict[str, Any], made: dict[str, Any], secret: bytes) -> str:
    """Signed with what everybody knows, as if it were a shared secret (key confusion)."""
    content = f"{_part(header)}.{_part(made)}"
    signature = hmac.new(secret, content.encode(), hashlib.sha256).digest()
    return f"{content}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def test_every_exchange_is_traced(here: Application, providers: Server) -> None:
    before = _traces(here)
    exchanged(here, providers)
    ask(here, subject_token="nothing")
    assert _traces(here) == before + 2


def _traces(application: Application) -> int:
    from pymongo import MongoClient

    settings = application.services.settings
    with MongoClient[dict[str, Any]](settings.mongo) as client:
        return client[settings.database]["trace"].count_documents({"what": "token"})
