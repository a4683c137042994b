from __future__ import annotations

import base64
import hashlib
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from limits.storage import memory

from fhirserver.access import Requester
from fhirserver.errors import TooMany
from fhirserver.rest.rates import Rates

if TYPE_CHECKING:
    from tests.application import Application

PHYSICIAN = Requester("practitioner", "practitioner/1", rpps="10000000018", profession="G15_10")


@pytest.fixture(autouse=True)
def no_minute_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are counted in minutes of the clock, one of which might end in the middle of a test."""
    now = time.time()
    monkeypatch.setattr(memory, "time", SimpleNamespace(time=lambda: now))


def test_every_answer_bears_a_request_id_and_headers_for_browsers(application: Application) -> None:
    for path in ("metadata", "Patient/x", "Nothing", "Patient?x=1"):
        answer = application.operator().get(path, X_Request_Id="")
        assert len(answer.headers["x-request-id"]) == 32
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "strict-transport-security" not in answer.headers


@pytest.mark.parametrize(
    ("given", "kept"),
    [("trace-0123.A_b", True), ("short", False), ("a" * 65, False), ("<script>alert(1)</script>", False)],
)
def test_a_plain_request_id_of_the_client_comes_back(application: Application, given: str, kept: bool) -> None:
    answer = application.operator().get("metadata", X_Request_Id=given)
    assert (answer.headers["x-request-id"] == given) is kept


def test_over_https_browsers_are_told_to_stay_there(application: Application) -> None:
    from dataclasses import replace

    from tests.application import Application as Made

    secure = Made(replace(application.services, base="https://fhir.example/fhir"))
    assert "max-age" in secure.operator().get("metadata").headers["strict-transport-security"]


def test_the_page_of_the_api_runs_only_what_stands_in_it(application: Application) -> None:
    client = application.app.test_client()
    page = client.get("/docs/")
    policy = page.headers["Content-Security-Policy"]
    inline = page.text.partition("<script>")[2].partition("</script>")[0]
    assert base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode() in policy
    assert "unsafe" not in policy


def test_who_sends_no_token_is_bounded_by_his_address(application: Application) -> None:
    bounded = application.under(address_rate=5, workers=1, trusted_proxies="127.0.0.1")
    nobody = bounded.nobody()

    def told(address: str, **headers: str) -> int:
        return nobody.get("Patient/x", X_Forwarded_For=address, **headers).status

    assert [told("198.51.100.1") for _ in range(7)] == [401] * 5 + [429] * 2
    assert told("198.51.100.2") == 401
    assert bounded.operator().get("Patient/x", X_Forwarded_For="198.51.100.1").status == 404


def test_a_wrong_token_counts_for_the_address(application: Application) -> None:
    bounded = application.under(address_rate=3, workers=1)
    answers = [bounded.nobody("a.b.c").get("Patient/x") for _ in range(5)]
    assert [each.status for each in answers] == [401, 401, 401, 429, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert answers[-1].issue["code"] == "throttled"


@pytest.mark.parametrize(
    "path", ["/oauth/register", "/oauth/token", "/oauth/introspect", "/activation", "/accounts/api/cards"]
)
@pytest.mark.parametrize("shown", ["Bearer a.b.c", "Basic eA==", "x"])
def test_whatever_is_shown_for_a_token_the_address_is_bounded(application: Application, path: str, shown: str) -> None:
    client = application.under(address_rate=3, workers=1).app.test_client()
    answers = [client.post(path, headers={"Authorization": shown}).status_code for _ in range(5)]
    assert (429 in answers[:3], answers[3:]) == (False, [429, 429])


def test_a_client_is_bounded_wherever_it_shows_its_token(application: Application) -> None:
    bounded = application.under(client_rate=2, workers=1)
    headers = {"Authorization": f"Bearer {bounded.operator().token}"}
    client = bounded.app.test_client()
    paths = ("/oauth/userinfo", "/catalogue/api/apps", "/oauth/userinfo", "/fhir/Patient/x")
    assert [client.get(each, headers=headers).status_code for each in paths] == [403, 200, 429, 429]


def test_a_client_is_bounded_and_no_other_with_it(application: Application) -> None:
    bounded = application.under(client_rate=3, workers=1)
    one, other = bounded.system("750000001", "his"), bounded.system("750000001", "lab")
    assert [one.get("Patient/x").status for _ in range(5)] == [404, 404, 404, 429, 429]
    assert other.get("Patient/x").status == 404


def test_a_worker_allows_its_share() -> None:
    rates = Rates(client=10, address=0, workers=5)
    for _ in range(2):
        rates.of_client(PHYSICIAN)
    with pytest.raises(TooMany):
        rates.of_client(PHYSICIAN)
    rates.of_address("anywhere")


def test_health_is_never_refused(application: Application) -> None:
    bounded = application.under(address_rate=1, workers=1)
    found: list[Any] = [bounded.app.test_client().get("/health").status_code for _ in range(4)]
    assert found == [200] * 4
