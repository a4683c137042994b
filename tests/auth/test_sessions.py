from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from fhirserver.access import Requester
from fhirserver.auth.clients.client import Client, Clients
from fhirserver.auth.grants import Grants
from fhirserver.auth.sessions import REGISTER, Sessions

if TYPE_CHECKING:
    from tests.application import Application

SUBJECT = Requester("patient", "patient/p", patient="p", purpose="PATRQT", scopes=("patient/*.rs",))
AMR = ("pwd", "otp")


def test_a_session_is_found_by_its_secret_until_it_is_closed(application: Application) -> None:
    sessions = Sessions(application.services.store)
    secret = sessions.open(SUBJECT, "account-1", AMR, "eidas2")
    found = sessions.find(secret)
    assert found is not None
    assert (found.subject, found.amr, found.account) == (SUBJECT, AMR, "account-1")
    assert secret not in str(found)
    sessions.close(secret)
    assert sessions.find(secret) is None
    assert sessions.find(None) is None


def test_all_sessions_of_an_account_end_together(application: Application) -> None:
    sessions = Sessions(application.services.store)
    secrets = [sessions.open(SUBJECT, "account-2", AMR, "eidas2") for _ in range(3)]
    other = sessions.open(SUBJECT, "account-3", AMR, "eidas2")
    assert sessions.close_all("account-2") == 3
    assert [sessions.find(each) for each in secrets] == [None] * 3
    assert sessions.find(other)


def test_a_session_lasts_longer_by_being_used_but_not_for_ever(application: Application) -> None:
    sessions, rows = Sessions(application.services.store), application.services.store.register(REGISTER)
    secret = sessions.open(SUBJECT, "account-4", AMR, "eidas2")
    key = getattr(sessions.find(secret), "key", "")
    now = datetime.now(UTC)
    rows.change(key, {"seen": now - timedelta(minutes=15), "until": now + timedelta(minutes=5)})
    assert sessions.find(secret)
    assert rows.find(key, now + timedelta(minutes=19))
    rows.change(key, {"seen": now - timedelta(minutes=15), "at": now - timedelta(hours=8, minutes=-1)})
    assert sessions.find(secret)
    assert rows.find(key, now + timedelta(minutes=2)) is None


def test_a_revoked_grant_is_no_longer_in_force(application: Application) -> None:
    grants = Grants(application.services.store)
    grant = grants.make("app", "account-5", SUBJECT, datetime.now(UTC) + timedelta(days=1))
    found = grants.find(grant.id)
    assert found is not None
    assert (found.client, found.subject, found.ended) == ("app", SUBJECT, None)
    assert [each.id for each in grants.of("account-5")] == [grant.id]
    assert grants.revoke(grant.id)
    assert not grants.revoke(grant.id)
    assert grants.find(grant.id) is None
    assert grants.of("account-5") == []


def test_a_client_is_stored_whole(application: Application) -> None:
    clients, now = Clients(application.services.store), datetime.now(UTC)
    client = Client("app-1", "submitted", {"redirect_uris": ["https://app.example/cb"]}, None, ("https://app.example",))
    clients.save(client)
    assert clients.find("app-1", now) == client
    assert clients.find("app-2", now) is None
