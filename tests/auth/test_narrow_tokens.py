"""A token whose scopes are about no resources opens nothing that is about persons, whoever gave it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver.access import Requester
from fhirserver.auth import tokens
from fhirserver.auth.server import scopes
from tests.auth import flow

if TYPE_CHECKING:
    from tests.application import Application, Caller

NARROW = {
    "operator": Requester("operator", "operator", scopes=("openid",)),
    "patient": Requester("patient", "patient/p", patient="p", purpose="PATRQT", scopes=("openid",)),
    "representative": Requester("representative", "RelatedPerson/r", patient="p", purpose="PATRQT", scopes=("openid",)),
    "practitioner": Requester(
        "practitioner", "practitioner/1", rpps="10000000018", profession="G15_10", scopes=("openid",)
    ),
    "system": Requester("system", "client/x", client="x", organization="750000001", scopes=("openid",)),
}
HARMLESS = {
    ("GET", "/catalogue/api/apps"),
    ("GET", "/oauth/userinfo"),
    ("POST", "/oauth/userinfo"),
    ("DELETE", "/fhir/Observation/o"),
    ("POST", "/fhir/Observation/$validate"),
}
"""What everybody with a token may ask; what deletes what is not there; what looks at what is sent only."""
OPEN = (
    *("fhir.metadata", "fhir.versions", "fhir.smart", "fhir.bundle"),
    *("oauth-wellknown.authorization_server", "oauth-wellknown.openid", "oauth-wellknown.jwks"),
)
"""What needs no token, and what carries out requests that are looked at one by one."""
BODIES = (b"", b'{"patient":"p"}', b'{"patient":"p","serial":"123456789"}')


@pytest.fixture(scope="module")
def house(application: Application) -> Application:
    application.operator().store({"resourceType": "Patient", "id": "p"})
    subject = {"reference": "Patient/p"}
    application.operator().store(
        {"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "x"}, "subject": subject}
    )
    return application


@pytest.mark.no_cover
@pytest.mark.parametrize("kind", list(NARROW))
def test_no_endpoint_serves_it(house: Application, kind: str) -> None:
    client, token = house.app.test_client(), house.caller(NARROW[kind]).token
    values = {"type": "Observation", "owner": "Patient", "owner_id": "p", "version": "1"}
    adapter = house.app.url_map.bind("localhost")
    served = set()
    for rule in house.app.url_map.iter_rules():
        if not rule.endpoint.startswith(("fhir.", "oauth-", "accounts-", "catalogue-")) or rule.endpoint in OPEN:
            continue
        values["id"] = "p" if "/Patient/" in str(rule) else "o"
        given = {each: values.get(each, "x") for each in rule.arguments} | dict(rule.defaults or {})
        methods = (rule.methods or set()) - {"OPTIONS", "HEAD"}
        path = adapter.build(rule.endpoint, given, method=min(methods))
        for method in methods:
            for body in BODIES if method != "GET" else BODIES[:1]:
                sent = {"Authorization": f"Bearer {token}", **({"Content-Type": "application/json"} if body else {})}
                answer = client.open(path, method=method, data=body, headers=sent)
                assert answer.status_code < 500, (method, path, answer.data)
                if answer.status_code < 300 and not _is_empty(answer.data):
                    served.add((method, path))
    assert served <= HARMLESS


def _is_empty(body: bytes) -> bool:
    return b'"resourceType":"Bundle"' in body and b'"entry"' not in body


def test_an_app_that_an_operator_lets_in_does_not_keep_accounts_nor_the_index(house: Application) -> None:
    narrow = house.caller(NARROW["operator"])
    assert _posted(narrow, "/accounts/api/invitations", '{"patient":"p"}') == 403
    assert _posted(narrow, "/accounts/api/cards", '{"patient":"p","serial":"123456789"}') == 403
    assert narrow.post("$reindex", None).status == 403
    assert _posted(house.operator(), "/accounts/api/invitations", '{"patient":"p"}') == 201


@pytest.mark.parametrize("kind", ["practitioner", "system", "operator"])
def test_an_app_that_may_deposit_nothing_does_not_see_what_waits_in_quarantine(house: Application, kind: str) -> None:
    assert house.caller(NARROW[kind]).get("$quarantine").status == 403
    whole = {"practitioner": house.practitioner("10000000018"), "system": house.system("750000001")}
    assert whole.get(kind, house.operator()).get("$quarantine").status == 200


def test_an_operator_grants_an_app_nothing_not_even_who_he_is(house: Application) -> None:
    flow.registered(house)
    assert scopes.for_kind(("openid", "profile", "offline_access"), "operator") == ()
    who = Requester("operator", "operator/o", scopes=tokens.DEFAULT_SCOPES["operator"], name="o")
    answer = flow.Person(house, who).open(flow.asked(scope="openid profile"))
    assert flow.told(answer)["error"] == "invalid_scope"


def _posted(caller: Caller, path: str, body: str) -> int:
    headers = {"Authorization": f"Bearer {caller.token}", "Content-Type": "application/json"}
    return int(caller._client.post(path, data=body, headers=headers).status_code)
