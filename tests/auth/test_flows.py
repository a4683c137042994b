"""From the request of an app to its tokens, and until they end."""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from fhirserver.access import Requester
from fhirserver.auth import grants, sessions, tokens
from fhirserver.auth.clients.client import Clients
from fhirserver.auth.sessions import Sessions
from fhirserver.rest.tracing.keeping import Keeping
from tests.application import BASE
from tests.auth import flow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Answer, Application

LASTING = "launch/patient offline_access patient/Observation.rs"
WHOLE = "openid fhirUser profile launch launch/patient offline_access online_access patient/*.cruds user/*.cruds"


@pytest.fixture(scope="module")
def server(applications: Callable[..., Any]) -> Iterator[Application]:
    """A server with two records, `p` with a laboratory result and a weight, and `q`."""
    with applications() as application:
        operator = application.operator()
        operator.store({"resourceType": "Patient", "id": "p", "name": [{"family": "EXEMPLE", "given": ["Claire"]}]})
        operator.store({"resourceType": "Patient", "id": "q", "birthDate": "2020-05-05", "name": [{"family": "AUTRE"}]})
        operator.store(
            {"resourceType": "RelatedPerson", "id": "r", "active": True, "patient": {"reference": "Patient/q"}}
        )
        for id, category in (("lab", "laboratory"), ("weight", "vital-signs")):
            operator.store(_observation(id, category))
        flow.registered(application, scope=WHOLE)
        yield application


@pytest.fixture(scope="module")
def person(server: Application) -> flow.Person:
    return flow.Person(server, flow.patient_of())


def granted(server: Application, person: flow.Person, *ticked: str, **changes: str | None) -> dict[str, Any]:
    answer = flow.token(server, flow.exchange(person.code(*ticked, **changes)))
    assert answer.status == 200, answer
    found: dict[str, Any] = answer.json
    return found


def refresh(server: Application, token: str, **changes: str | None) -> Answer:
    params = {"grant_type": "refresh_token", "client_id": "app", "refresh_token": token}
    return flow.token(server, params | changes)


# Codes


def test_a_code_is_good_once_and_its_second_use_revokes_what_it_gave(server: Application, person: flow.Person) -> None:
    code = person.code(scope=LASTING)
    first = flow.token(server, flow.exchange(code))
    app = server.nobody(first.json["access_token"])
    assert app.get("Observation").total == 2
    assert flow.token(server, flow.exchange(code)).json["error"] == "invalid_grant"
    assert app.get("Observation").status == 401
    assert refresh(server, first.json["refresh_token"]).json["error"] == "invalid_grant"


def test_of_many_who_use_a_code_at_once_one_gets_tokens(server: Application, person: flow.Person) -> None:
    code = person.code(scope=LASTING)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: flow.token(server, flow.exchange(code)), range(16)))
    given = [each.json["access_token"] for each in answers if each.status == 200]
    assert len(given) <= 1
    assert {each.json["error"] for each in answers if each.status != 200} == {"invalid_grant"}
    assert all(server.nobody(each).get("Observation").status == 401 for each in given)


def test_of_many_who_found_a_code_good_one_takes_it(server: Application, person: flow.Person) -> None:
    codes = server.services.authorization_server.codes
    found = codes.find(person.code())
    assert found is not None
    with ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(lambda _: codes.use(found[0]), range(16))) == [False] * 15 + [True]


def test_a_wrong_verifier_does_not_spoil_the_code(server: Application, person: flow.Person) -> None:
    code = person.code()
    assert flow.token(server, flow.exchange(code, code_verifier="a" * 43)).status == 400
    assert flow.token(server, flow.exchange(code)).status == 200


def test_codes_and_refresh_tokens_are_not_in_the_database(server: Application, person: flow.Person) -> None:
    code = person.code(scope=LASTING)
    token = flow.token(server, flow.exchange(code)).json["refresh_token"]
    store = server.services.store
    kept = str([store.register(name).listed(datetime.now(UTC), count=1000) for name in ("codes", "refresh", "grants")])
    assert code not in kept
    assert token not in kept


# Refresh


def test_a_refresh_token_is_replaced_by_each_use(server: Application, person: flow.Person) -> None:
    first = granted(server, person, scope=LASTING)
    second = refresh(server, first["refresh_token"]).json
    third = refresh(server, second["refresh_token"]).json
    assert len({each["refresh_token"] for each in (first, second, third)}) == 3
    assert (third["scope"], third["patient"]) == (first["scope"], "p")
    assert server.nobody(third["access_token"]).get("Observation").total == 2


def test_a_refresh_token_that_comes_again_ends_the_whole_family(server: Application, person: flow.Person) -> None:
    first = granted(server, person, scope=LASTING)
    second = refresh(server, first["refresh_token"]).json
    again = refresh(server, first["refresh_token"])
    assert (again.status, again.json["error"]) == (400, "invalid_grant")
    assert refresh(server, second["refresh_token"]).status == 400
    for each in (first, second):
        assert server.nobody(each["access_token"]).get("Observation").status == 401


def test_of_many_who_refresh_at_once_one_gets_tokens_that_are_then_revoked(
    server: Application, person: flow.Person
) -> None:
    first = granted(server, person, scope=LASTING)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: refresh(server, first["refresh_token"]), range(16)))
    given = [each.json for each in answers if each.status == 200]
    assert len(given) <= 1
    for each in (first, *given):
        assert server.nobody(each["access_token"]).get("Observation").status == 401


def test_a_refresh_may_narrow_and_the_next_one_has_all_again(server: Application, person: flow.Person) -> None:
    first = granted(server, person, scope="launch/patient offline_access patient/Observation.rs patient/Condition.rs")
    narrow = refresh(server, first["refresh_token"], scope="patient/Observation.read").json
    assert narrow["scope"] == "patient/Observation.rs"
    granular = refresh(server, narrow["refresh_token"], scope="patient/Observation.rs?category=laboratory").json
    assert server.nobody(granular["access_token"]).get("Observation").ids == ["lab"]
    assert set(refresh(server, granular["refresh_token"]).json["scope"].split()) == set(first["scope"].split())


def test_a_public_app_need_not_name_itself_at_refresh_but_others_prove_who_they_are(
    server: Application, person: flow.Person
) -> None:
    first = granted(server, person, scope=LASTING)
    second = refresh(server, first["refresh_token"], client_id=None)
    assert second.status == 200
    flow.registered(server, "confidential", secret="s3cret", scope=WHOLE)
    code = person.code(client_id="confidential", scope=LASTING)
    secret = server.under(client_secrets=True)
    basic = flow.basic("confidential", "s3cret")
    given = flow.token(secret, flow.exchange(code, client_id=None), Authorization=basic).json["refresh_token"]
    for changes in ({"client_id": None}, {"client_id": "confidential"}, {"client_id": "app"}):
        assert refresh(secret, given, **changes).status == 400
    assert refresh(server, "made-up", client_id=None).json["error"] == "invalid_client"


def test_without_offline_or_online_access_there_is_no_refresh_token(server: Application, person: flow.Person) -> None:
    assert "refresh_token" not in granted(server, person)
    flow.registered(server, "once", grant_types=["authorization_code"])
    code = person.code(client_id="once", scope=LASTING)
    assert "refresh_token" not in flow.token(server, flow.exchange(code, client_id="once")).json


def test_online_access_ends_with_the_session(server: Application) -> None:
    person = flow.Person(server, flow.patient_of())
    first = granted(server, person, scope="launch/patient online_access patient/Observation.rs")
    second = refresh(server, first["refresh_token"]).json
    Sessions(server.services.store).close(person.secret)
    assert refresh(server, second["refresh_token"]).json["error"] == "invalid_grant"


def test_what_was_granted_ends_after_the_time_that_was_told(server: Application, person: flow.Person) -> None:
    given = granted(server, person, scope=LASTING)
    claims = _claims(server, given["access_token"])
    row = server.services.store.register(grants.REGISTER).find(claims["grant"], datetime.now(UTC))
    assert row is not None
    assert timedelta(days=89) < row["until"] - datetime.now(UTC) < timedelta(days=91)
    short = _claims(server, granted(server, person)["access_token"])
    row = server.services.store.register(grants.REGISTER).find(short["grant"], datetime.now(UTC))
    assert row is not None
    assert row["until"] - datetime.now(UTC) < timedelta(minutes=11)


def test_a_revoked_grant_refuses_the_next_request(server: Application, person: flow.Person) -> None:
    given = granted(server, person, scope=LASTING)
    app = server.nobody(given["access_token"])
    assert app.get("Observation").status == 200
    assert server.services.grants.revoke(_claims(server, given["access_token"])["grant"])
    assert app.get("Observation").status == 401
    assert refresh(server, given["refresh_token"]).status == 400


def test_a_suspended_app_is_refused_at_the_next_request(server: Application, person: flow.Person) -> None:
    flow.registered(server, "bad", scope=WHOLE)
    code = person.code(client_id="bad", scope=LASTING)
    given = flow.token(server, flow.exchange(code, client_id="bad")).json
    app = server.nobody(given["access_token"])
    assert app.get("Observation").status == 200
    clients = Clients(server.services.store)
    found = clients.find("bad", datetime.now(UTC))
    assert found is not None
    clients.save(found._replace(status="suspended"))
    assert app.get("Observation").status == 401
    assert refresh(server, given["refresh_token"], client_id="bad").json["error"] == "invalid_client"


def test_last_use_is_noted(server: Application, person: flow.Person) -> None:
    given = granted(server, person)
    id = _claims(server, given["access_token"])["grant"]
    rows = server.services.store.register(grants.REGISTER)
    rows.change(id, {"used": datetime.now(UTC) - timedelta(hours=1)})
    server.nobody(given["access_token"]).get("Observation")
    found = server.services.grants.find(id)
    assert found is not None
    assert found.used is not None
    assert datetime.now(UTC) - found.used < timedelta(minutes=1)


def test_the_holder_finds_in_his_trace_what_was_granted_and_given(server: Application, person: flow.Person) -> None:
    given = granted(server, person, scope=LASTING)
    refresh(server, given["refresh_token"])
    person.decide(flow.asked(), decision="refuser")
    found = str(server.patient("p").get("AuditEvent?patient=p&_count=100").json)
    for interaction in ("grant", "token", "refresh"):
        assert f"'{interaction}'" in found, interaction
    assert "app" in found
    assert given["access_token"] not in found


# Identity


def test_an_id_token_says_who_logged_in_and_how(server: Application, person: flow.Person) -> None:
    given = granted(server, person, scope="openid fhirUser profile patient/Observation.rs", nonce="n-1")
    keys = KeySet.import_key_set(server.app.test_client().get("/oauth/jwks").get_json())
    token = jwt.decode(given["id_token"], keys, algorithms=["RS256"])
    claims = token.claims
    assert token.header["typ"] == "JWT"
    assert (claims["iss"], claims["aud"], claims["nonce"]) == ("http://127.0.0.1:8080", "app", "n-1")
    assert (claims["fhirUser"], claims["name"]) == (f"{BASE}/Patient/p", "Claire EXEMPLE")
    assert (claims["acr"], claims["amr"]) == ("eidas2", ["pwd", "otp"])
    assert claims["auth_time"] == int(person.session.at.timestamp())
    half = hashlib.sha256(given["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == urlsafe_b64encode(half).decode().rstrip("=")
    assert server.nobody(given["id_token"]).get("Observation").status == 401


def test_userinfo_tells_what_the_scopes_allow(server: Application, person: flow.Person) -> None:
    whole = granted(server, person, scope="openid fhirUser profile patient/Observation.rs")
    assert userinfo(server, whole).json == {
        "sub": "patient/p",
        "fhirUser": f"{BASE}/Patient/p",
        "name": "Claire EXEMPLE",
    }
    assert userinfo(server, granted(server, person, scope="openid patient/Observation.rs")).json == {"sub": "patient/p"}
    refused = userinfo(server, granted(server, person))
    assert (refused.status, 'error="insufficient_scope"' in refused.headers["www-authenticate"]) == (403, True)
    assert userinfo(server, {"access_token": "made-up"}).status == 401


def userinfo(server: Application, given: dict[str, Any]) -> Answer:
    headers = {"Authorization": f"Bearer {given['access_token']}"}
    return flow.answer(server.app.test_client().get("/oauth/userinfo", headers=headers))


# The screen


def test_only_what_was_ticked_is_granted(server: Application, person: flow.Person) -> None:
    asked = "openid launch/patient offline_access patient/Observation.cruds patient/Condition.rs"
    given = granted(server, person, "patient/Observation.rs", scope=asked)
    assert given["scope"] == "launch/patient patient/Observation.rs"
    assert not {"id_token", "refresh_token"} & set(given)


def test_what_was_not_asked_cannot_be_ticked(server: Application, person: flow.Person) -> None:
    answer = person.decide(flow.asked(), "patient/Condition.rs", "system/*.cruds")
    assert answer.status == 422
    assert "Cochez au moins une autorisation" in answer.content.decode()
    given = granted(server, person, "patient/Observation.rs", "patient/Condition.rs")
    assert given["scope"] == "launch/patient patient/Observation.rs"


def test_all_types_are_offered_by_family(server: Application, person: flow.Person) -> None:
    given = granted(server, person, "patient/resultats.rs", scope="patient/*.read")
    assert "patient/Observation.rs" in given["scope"]
    assert "patient/Condition.rs" not in given["scope"]
    app = server.nobody(given["access_token"])
    assert (app.get("Observation").total, app.get("Patient").total) == (2, 0)
    assert granted(server, person, scope="patient/*.read")["scope"] == "patient/*.rs"


def test_a_granular_scope_shows_only_its_category(server: Application, person: flow.Person) -> None:
    scope = "patient/Observation.rs?category=laboratory"
    screen = person.open(flow.asked(scope=scope)).content.decode()
    assert "Consulter\u00a0: résultats et mesures (seulement de laboratoire)" in screen
    assert server.nobody(granted(server, person, scope=scope)["access_token"]).get("Observation").ids == ["lab"]


def test_the_screen_says_who_asks_what_and_for_whose_record(server: Application, person: flow.Person) -> None:
    client = flow.registered(server, "described", status="submitted")
    Clients(server.services.store).save(
        client._replace(catalogue={"publisher": "<Éditions & Cie>", "purpose": "Suivre sa tension"})
    )
    screen = person.open(flow.asked(client_id="described", scope="patient/Observation.cruds offline_access openid"))
    text = screen.content.decode()
    assert screen.status == 200
    for words in ("Carnet de santé", "&lt;Éditions &amp; Cie&gt;", "Suivre sa tension", "Claire EXEMPLE",
                  "n’est pas référencée", "Consulter\u00a0: résultats et mesures", "Ajouter, modifier et supprimer",
                  "modifie le dossier", "Savoir qui vous êtes", "même quand vous n’êtes pas connecté"):  # fmt: skip
        assert words in text, words
    assert "checked" not in text
    policy = screen.headers["content-security-policy"]
    assert "form-action 'self' https://app.example" in policy
    assert screen.headers["x-frame-options"] == "DENY"


def test_a_refusal_goes_back_to_the_app(person: flow.Person) -> None:
    told = flow.told(person.decide(flow.asked(), decision="refuser"))
    assert (told["error"], told["state"], told["iss"]) == ("access_denied", flow.STATE, "http://127.0.0.1:8080")


def test_the_person_is_told_of_what_was_granted(server: Application, person: flow.Person) -> None:
    person.code()
    Keeping(server.services).deliver(datetime.now(UTC))
    entries = server.operator().get("Communication?patient=p").json["entry"]
    assert "autorisé l’application « Carnet de santé »" in str(entries)


def test_a_decision_without_the_token_of_its_form_is_refused(person: flow.Person) -> None:
    assert person.decide(flow.asked(), decision="tout", csrf="made-up").status == 403


def test_nobody_decides_without_a_login_by_two_factors(server: Application) -> None:
    for browser in (server.app.test_client(), flow.Person(server, flow.patient_of(), acr="eidas1").browser):
        answer = flow.answer(browser.get("/oauth/authorize", query_string=flow.asked()))
        assert (answer.status, answer.headers["location"].partition("?")[0]) == (303, "/connexion")
    weak = flow.Person(server, flow.patient_of(), acr="eidas1")
    assert weak.decide(flow.asked(), decision="tout").headers["location"].startswith("/connexion?")


def test_an_app_may_ask_for_a_fresh_login(server: Application) -> None:
    for changes in ({"prompt": "login"}, {"max_age": "60"}, {"max_age": "0"}, {"prompt": "select_account"}):
        person = flow.Person(server, flow.patient_of())
        rows = server.services.store.register(sessions.REGISTER)
        rows.change(person.session.key, {"at": datetime.now(UTC) - timedelta(minutes=5)})
        answer = person.open(flow.asked(**changes))
        location = answer.headers.get("location", "")
        assert location.startswith("/connexion?"), changes
        assert location.endswith("&neuf=1")
        back = person.browser.get(location.removesuffix("&neuf=1")).headers["location"]
        assert person.browser.get(back).status_code == 303
        person.browser.set_cookie("session", flow.Person(server, flow.patient_of()).secret)
        assert person.browser.get(back).status_code == 200
    nobody = server.app.test_client()
    location = nobody.get("/oauth/authorize", query_string=flow.asked(prompt="login")).headers["location"]
    person.browser.set_cookie("session", flow.Person(server, flow.patient_of()).secret)
    assert person.browser.get(person.browser.get(location).headers["location"]).status_code == 200
    silent = flow.answer(server.app.test_client().get("/oauth/authorize", query_string=flow.asked(prompt="none")))
    assert flow.told(silent)["error"] == "login_required"


def test_an_app_may_ask_by_post(server: Application, person: flow.Person) -> None:
    answer = flow.answer(person.browser.post("/oauth/authorize", data=flow.asked()))
    assert (answer.status, answer.headers["location"].startswith("/oauth/authorize?")) == (303, True)
    assert flow.answer(person.browser.get(answer.headers["location"])).status == 200


def test_an_operator_grants_nothing_to_an_app(server: Application) -> None:
    operator = flow.Person(server, Requester("operator", "operator", scopes=("system/*.cruds",)))
    told = flow.told(operator.open(flow.asked(scope="patient/*.cruds user/*.cruds")))
    assert told["error"] == "invalid_scope"


def test_a_representative_grants_access_to_the_record_he_represents_while_he_does(server: Application) -> None:
    server.operator().store({"resourceType": "Patient", "id": "child", "birthDate": "2024-01-31"})
    relation = {"resourceType": "RelatedPerson", "id": "r", "patient": {"reference": "Patient/child"}}
    server.operator().store(relation)
    scopes = tokens.DEFAULT_SCOPES["representative"]
    parent = Requester("representative", "RelatedPerson/r", patient="child", purpose="PATRQT", scopes=scopes)
    given = granted(server, flow.Person(server, parent), scope="openid fhirUser launch/patient patient/Patient.rs")
    app = server.nobody(given["access_token"])
    assert (given["patient"], app.get("Patient").ids) == ("child", ["child"])
    assert userinfo(server, given).json["fhirUser"] == f"{BASE}/RelatedPerson/r"
    server.operator().store(relation | {"active": False})
    assert (app.get("Patient").status, app.get("Patient/child").status, userinfo(server, given).status) == (401,) * 3
    assert 'error="invalid_token"' in app.get("Patient").headers["www-authenticate"]


def test_nobody_grants_access_to_another_record_than_the_screen_named(server: Application) -> None:
    scopes = tokens.DEFAULT_SCOPES["representative"]
    parent = Requester("representative", "RelatedPerson/r", patient="q", purpose="PATRQT", scopes=scopes)
    holder, person = flow.Person(server, flow.patient_of()), flow.Person(server, parent)
    found = re.search(r'name="dossier" value="([^"]+)"', holder.open(flow.asked()).content.decode())
    assert found
    for shown in (found[1], "", "made-up"):
        again = person.decide(flow.asked(), decision="tout", dossier=shown)
        assert (again.status, "AUTRE" in again.content.decode()) == (200, True)


def test_a_client_whose_tokens_are_bound_gets_none_without_its_certificate(server: Application) -> None:
    flow.registered(server, "bound", tls_client_certificate_bound_access_tokens=True)
    code = flow.Person(server, flow.patient_of()).code(client_id="bound")
    answer = flow.token(server, flow.exchange(code, client_id="bound"))
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")


def test_a_person_without_a_record_here_grants_nothing(server: Application) -> None:
    person = flow.Person(server, flow.patient_of("absent"))
    assert flow.told(person.open(flow.asked()))["error"] == "access_denied"


def test_an_emergency_is_not_prolonged_by_refreshing(server: Application) -> None:
    doctor = Requester("practitioner", "practitioner/10000000018", rpps="10000000018", profession="G15_10",
                       purpose="BTG", reason="unconscious")  # fmt: skip
    given = granted(server, flow.Person(server, doctor), scope="offline_access user/Observation.rs")
    assert "refresh_token" not in given
    claims = _claims(server, given["access_token"])
    row = server.services.store.register(grants.REGISTER).find(claims["grant"], datetime.now(UTC))
    assert row is not None
    assert row["until"] - datetime.now(UTC) <= timedelta(hours=1)
    assert claims["purpose_of_use_reason"] == "unconscious"


def _claims(server: Application, token: str) -> dict[str, Any]:
    found = server.services.keys.verified(token)
    assert found is not None
    return found[0]


def _observation(id: str, category: str) -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    return {
        "resourceType": "Observation",
        "id": id,
        "status": "final",
        "category": [{"coding": [{"system": system, "code": category}]}],
        "code": {"text": id},
        "subject": {"reference": "Patient/p"},
    }
