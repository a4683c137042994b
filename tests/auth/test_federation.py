"""The relying party against a provider that really signs: who comes in, and a table of who does not."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from examples.providers.provider import CLIENTS, Answer
from examples.providers.serve import Server, running
from fhirserver import jsontext
from fhirserver.auth.federation.idtoken import Refused
from fhirserver.auth.federation.login import Logins, Returned
from fhirserver.auth.federation.professional import NotAccepted, professional
from fhirserver.auth.federation.provider import Provider, Registration
from fhirserver.auth.fetching import Fetcher
from tests.auth.providers import CALLBACK, BendingFranceConnect, BendingPsc, visited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from examples.providers.provider import Provider as Simulated
    from fhirserver.store import Store
    from tests.application import Application

Claims = dict[str, Any]


@pytest.fixture(scope="module")
def providers() -> Iterator[Server]:
    with running(psc=BendingPsc, fc=BendingFranceConnect) as server:
        yield server


@pytest.fixture(scope="module")
def store(application: Application) -> Store:
    return application.services.store


@pytest.fixture(autouse=True)
def _straight(providers: Server) -> Iterator[None]:
    yield
    for each in providers.providers.values():
        each.bend = {}  # type: ignore[attr-defined]


def registered(simulated: Simulated, acr: str = "eidas1", **changed: Any) -> Provider:
    known = Registration(simulated.name, simulated.issuer, "fhirserver", CLIENTS["fhirserver"], "openid", acr)
    return Provider(known._replace(**changed), Fetcher(production=False))


def came(store: Store, provider: Provider, who: str, **changed: str | None) -> Returned:
    """A whole login; `changed`: what the browser brings instead of what the provider sent."""
    logins = Logins(store, provider, CALLBACK)
    sent = logins.begin({"suite": "x"})
    answer = visited(sent.url, who) | changed
    cookie = answer.pop("cookie", sent.cookie)
    return logins.finish({name: value for name, value in answer.items() if value is not None}, cookie)


def test_a_professional_comes_in(store: Store, providers: Server) -> None:
    returned = came(store, registered(providers.psc), "infirmier")
    who = professional(returned.claims)
    assert (who.rpps, who.name, returned.acr, returned.onward) == ("10001112233", "Luc PETIT", "eidas1", {"suite": "x"})


def test_a_citizen_comes_in_with_signed_userinfo(store: Store, providers: Server) -> None:
    returned = came(store, registered(providers.franceconnect, acr="eidas2"), "camille")
    assert (returned.claims["family_name"], returned.acr) == ("MOREAU", "eidas2")


def test_new_keys_of_the_provider_are_found(store: Store, providers: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = registered(providers.psc)
    came(store, provider, "infirmier")
    monkeypatch.setattr("fhirserver.auth.federation.keys.AGAIN", 0.0)
    providers.psc.key = providers.psc.new_key()
    came(store, provider, "infirmier")


def test_an_answer_is_good_once(store: Store, providers: Server) -> None:
    logins = Logins(store, registered(providers.psc), CALLBACK)
    sent = logins.begin({})
    answer = visited(sent.url, "infirmier")
    logins.finish(answer, sent.cookie)
    with pytest.raises(Refused) as refused:
        logins.finish(answer, sent.cookie)
    assert refused.value.why == "state"


def test_a_code_of_another_login_does_not_fit_the_challenge(store: Store, providers: Server) -> None:
    logins = Logins(store, registered(providers.psc), CALLBACK)
    victim, attacker = logins.begin({}), logins.begin({})
    stolen = visited(victim.url, "infirmier")["code"]
    answer = visited(attacker.url, "infirmier") | {"code": stolen}
    with pytest.raises(Refused) as refused:
        logins.finish(answer, attacker.cookie)
    assert refused.value.why == "unavailable"


def test_an_answer_of_one_provider_is_not_taken_by_another(store: Store, providers: Server) -> None:
    psc = Logins(store, registered(providers.psc), CALLBACK)
    fc = Logins(store, registered(providers.franceconnect), CALLBACK)
    sent = psc.begin({})
    answer = visited(sent.url, "infirmier")
    with pytest.raises(Refused) as refused:
        fc.finish(answer, sent.cookie)
    assert refused.value.why == "state"
    psc.finish(answer, sent.cookie)


class Browser(NamedTuple):
    """What a browser brings that it should not, and why it is refused."""

    changed: Mapping[str, str | None]
    why: str


BROWSERS = {
    "no state": Browser({"state": None}, "state"),
    "another state": Browser({"state": "x" * 43}, "state"),
    "another browser": Browser({"cookie": "x" * 43}, "state"),
    "no cookie": Browser({"cookie": None}, "state"),
    "another issuer": Browser({"iss": "https://elsewhere.example"}, "state"),
    "no issuer where one is promised": Browser({"iss": None}, "state"),
    "no code": Browser({"code": None}, "provider"),
    "another code": Browser({"code": "nothing"}, "unavailable"),
    "refused there": Browser({"error": "access_denied"}, "denied"),
    "an error there": Browser({"error": "server_error"}, "provider"),
}


@pytest.mark.parametrize("name", BROWSERS)
def test_a_browser_that_brings_something_else_is_refused(store: Store, providers: Server, name: str) -> None:
    case = BROWSERS[name]
    with pytest.raises(Refused) as refused:
        came(store, registered(providers.psc), "infirmier", **case.changed)
    assert refused.value.why == case.why


class Bent(NamedTuple):
    """What a provider, or whoever speaks for it, answers that it should not."""

    what: str
    change: Callable[..., Any]
    why: str = "token"


def put(**changed: Any) -> Callable[[Claims], Claims]:
    return lambda claims: {name: value for name, value in {**claims, **changed}.items() if value is not None}


def part(value: Claims) -> str:
    return base64.urlsafe_b64encode(jsontext.dump(value)).decode().rstrip("=")


def unsigned(provider: Simulated, claims: Claims) -> str:
    return f"{part({'alg': 'none', 'kid': provider.key.kid})}.{part(claims)}."


def by_secret(provider: Simulated, claims: Claims) -> str:
    """Key confusion: the public key as if it were a shared secret."""
    content = f"{part({'alg': 'HS256', 'kid': provider.key.kid})}.{part(claims)}"
    digest = hmac.new(provider.key.as_pem(private=False), content.encode(), hashlib.sha256).digest()
    return f"{content}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def by_client_secret(provider: Simulated, claims: Claims) -> str:
    content = f"{part({'alg': 'HS256'})}.{part(claims)}"
    digest = hmac.new(CLIENTS["fhirserver"].encode(), content.encode(), hashlib.sha256).digest()
    return f"{content}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def by_another_key(provider: Simulated, claims: Claims) -> str:
    return jwt.encode({"alg": "RS256", "kid": provider.key.kid}, claims, RSAKey.generate_key(2048))


def by_a_key_of_its_own(provider: Simulated, claims: Claims) -> str:
    key = RSAKey.generate_key(2048)
    return jwt.encode({"alg": "RS256", "kid": "own", "jwk": key.as_dict(private=False)}, claims, key)


def by_another_algorithm(provider: Simulated, claims: Claims) -> str:
    key = provider.key
    return jwt.encode({"alg": "RS512", "kid": key.kid}, claims, key, algorithms=["RS512"])


def cut(provider: Simulated, claims: Claims) -> str:
    return provider.signed(claims).rpartition(".")[0] + "."


def changed_later(provider: Simulated, claims: Claims) -> str:
    head, _, signature = provider.signed(claims).split(".")
    return f"{head}.{part({**claims, 'sub': 'f:x:810009999999'})}.{signature}"


BENT = {
    "alg none": Bent("token", unsigned),
    "key confusion": Bent("token", by_secret),
    "signed with the client's secret": Bent("token", by_client_secret),
    "signed by another key": Bent("token", by_another_key),
    "signed by a key that the token brings": Bent("token", by_a_key_of_its_own),
    "an algorithm that discovery does not name": Bent("token", by_another_algorithm),
    "no signature": Bent("token", cut),
    "changed after it was signed": Bent("token", changed_later),
    "no token": Bent("token", lambda *_: "nothing"),
    "another nonce": Bent("id_token", put(nonce="another")),
    "no nonce": Bent("id_token", put(nonce=None)),
    "another issuer": Bent("id_token", put(iss="https://elsewhere.example")),
    "the issuer with a slash": Bent("id_token", lambda claims: {**claims, "iss": claims["iss"] + "/"}),
    "another audience": Bent("id_token", put(aud="logiciel")),
    "two audiences": Bent("id_token", put(aud=["fhirserver", "logiciel"])),
    "no audience": Bent("id_token", put(aud=None)),
    "issued to another party": Bent("id_token", put(azp="logiciel")),
    "expired": Bent("id_token", put(exp=1_700_000_000)),
    "endless": Bent("id_token", put(exp=None)),
    "ends at a word": Bent("id_token", put(exp="tomorrow")),
    "issued tomorrow": Bent("id_token", put(iat=4_000_000_000)),
    "issued yesterday": Bent("id_token", put(iat=1_700_000_000)),
    "of no time": Bent("id_token", put(iat=None)),
    "not yet valid": Bent("id_token", put(nbf=4_000_000_000)),
    "nobody": Bent("id_token", put(sub=None)),
    "of another access token": Bent("id_token", put(at_hash="AAAAAAAAAAAAAAAAAAAAAA")),
    "a level too low": Bent("id_token", put(acr="eidas0"), "acr"),
    "no level": Bent("id_token", put(acr=None), "acr"),
    "userinfo of another person": Bent("userinfo", put(sub="f:x:810009999999")),
    "userinfo of nobody": Bent("userinfo", put(sub=None)),
}


@pytest.mark.parametrize("name", BENT)
def test_a_bent_answer_is_refused(store: Store, providers: Server, name: str) -> None:
    case = BENT[name]
    providers.psc.bend = {case.what: case.change}  # type: ignore[attr-defined]
    with pytest.raises(Refused) as refused:
        came(store, registered(providers.psc), "infirmier")
    assert refused.value.why == case.why


def test_one_factor_is_not_two(store: Store, providers: Server) -> None:
    providers.franceconnect.bend = {"id_token": put(acr="eidas1")}  # type: ignore[attr-defined]
    with pytest.raises(Refused) as refused:
        came(store, registered(providers.franceconnect, acr="eidas2"), "camille")
    assert refused.value.why == "acr"


def test_userinfo_signed_for_another_client_is_refused(store: Store, providers: Server) -> None:
    fc = providers.franceconnect
    other = {"token": lambda provider, claims: provider.signed(claims)}
    fc.bend = other  # type: ignore[attr-defined]
    signed = fc.signed
    fc.signed = lambda claims: signed({**claims, "aud": "autre"} if "nonce" not in claims else claims)  # type: ignore[method-assign]
    try:
        with pytest.raises(Refused) as refused:
            came(store, registered(fc), "camille")
    finally:
        del fc.signed
    assert refused.value.why == "token"


JSON = {"Content-Type": "application/json"}
ANSWERS = {
    "an error": Answer(500, b"{}", JSON),
    "a redirect": Answer(302, b"", {"Location": "http://127.0.0.1:9/elsewhere"}),
    "a page": Answer(200, b"<html>", {"Content-Type": "text/html"}),
    "a list": Answer(200, b"[]", JSON),
    "an empty object": Answer(200, b"{}", JSON),
    "nothing": Answer(200, b"", JSON),
    "bytes": Answer(200, b"\xff\xfe\x00", JSON),
    "more than is taken": Answer(200, b'{"a":"' + b"a" * 70_000 + b'"}', JSON),
    "bottomless nesting": Answer(200, b'{"a":' * 9000, JSON),
    "a JWT that is none": Answer(200, b"a.b.c", {"Content-Type": "application/jwt"}),
}


@pytest.mark.parametrize("path", ["/token", "/userinfo", "/jwks", "/.well-known/openid-configuration"])
@pytest.mark.parametrize("name", ANSWERS)
def test_whatever_a_provider_answers_is_a_refusal(store: Store, providers: Server, path: str, name: str) -> None:
    providers.psc.bend = {path: lambda _: ANSWERS[name]}  # type: ignore[attr-defined]
    with pytest.raises(Refused) as refused:
        came(store, registered(providers.psc), "infirmier")
    assert refused.value.why in ("unavailable", "token")


DOCUMENTS: dict[str, Callable[[Claims], Claims]] = {
    "of another issuer": put(issuer="https://elsewhere.example"),
    "without an endpoint": put(token_endpoint=None),
    "with plain http elsewhere": put(jwks_uri="http://198.51.100.1/jwks"),
    "with no algorithm that is accepted": put(id_token_signing_alg_values_supported=["none", "HS256"]),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_discovery_document_that_does_not_fit_is_refused(store: Store, providers: Server, name: str) -> None:
    providers.psc.bend = {"document": DOCUMENTS[name]}  # type: ignore[attr-defined]
    with pytest.raises(Refused):
        came(store, registered(providers.psc), "infirmier")


def test_a_provider_on_this_machine_is_refused_in_production(store: Store, providers: Server) -> None:
    known = registered(providers.psc).registration
    provider = Provider(known, Fetcher(production=True))
    with pytest.raises(Refused) as refused:
        Logins(store, provider, CALLBACK).begin({})
    assert refused.value.why == "unavailable"


PEOPLE: dict[str, tuple[Claims, str]] = {
    "no number": ({"SubjectNameID": None, "preferred_username": None}, "identity"),
    "an ADELI number": ({"SubjectNameID": "0751234567"}, "identity"),
    "an RPPS number with a letter": ({"SubjectNameID": "81000111223A"}, "identity"),
    "an RPPS number too long": ({"SubjectNameID": "8100011122334"}, "identity"),
    "a number that is a list": ({"SubjectNameID": ["810001112233"]}, "identity"),
}


@pytest.mark.parametrize("name", PEOPLE)
def test_who_has_no_national_number_is_nobody_here(providers: Server, name: str) -> None:
    changed, why = PEOPLE[name]
    with pytest.raises(NotAccepted) as refused:
        professional(put(**changed)(dict(providers.psc.people["infirmier"])))
    assert refused.value.why == why


@pytest.mark.parametrize(
    "claims",
    [
        {"SubjectRefPro": None},
        {"SubjectRefPro": "x"},
        {"SubjectRefPro": {"exercices": {"codeProfession": "10"}}},
        {"SubjectRefPro": {"exercices": [1, {"codeProfession": "1O", "activities": "x"}]}},
        {"SubjectRole": "10^1.2.250.1.213.1.1.5.5", "SubjectRefPro": {}},
        {"SubjectOrganizationID": 7, "SubjectRefPro": {"exercices": None}},
    ],
)
def test_claims_of_other_forms_give_no_situation(providers: Server, claims: Claims) -> None:
    told = {**providers.psc.people["infirmier"], "SubjectRole": [], **claims}
    who = professional(told)
    assert (who.situations, who.current) == ((), None)
    with pytest.raises(NotAccepted):
        who.situation()


def test_a_professional_without_a_list_is_what_his_role_says(providers: Server) -> None:
    who = professional({**providers.psc.people["infirmier"], "SubjectRefPro": {}})
    found = who.situation()
    assert (found.profession, found.organization) == ("G15_60", "750000001")
