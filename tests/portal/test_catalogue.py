"""The catalogue for people, the apps that somebody let in, and the review by operators."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Access, Requester
from fhirserver.auth import tokens
from fhirserver.auth.server import Request
from fhirserver.auth.server.issuing import Login, Standing
from fhirserver.auth.sessions import Sessions
from fhirserver.rest.tracing.keeping import Keeping
from tests.auth.registrations import APP, ENTRY, stored
from tests.portal.browser import Browser
from tests.records import patient

if TYPE_CHECKING:
    from fhirserver.auth.clients.client import Client
    from tests.application import Application, Caller

PNG = "data:image/png;base64,iVBORw0KGgo="
HOLDER = Requester("patient", "patient/p", patient="p", purpose="PATRQT", scopes=tokens.DEFAULT_SCOPES["patient"])
OPERATOR = Requester("operator", "operator", scopes=tokens.DEFAULT_SCOPES["operator"])


@pytest.fixture(scope="module")
def app(application: Application) -> Client:
    metadata = APP | {"logo_uri": PNG, "client_uri": "https://app.example", "policy_uri": "https://app.example/rgpd"}
    client = stored(application, metadata, catalogue=ENTRY)
    application.services.catalogue.publish(client.id)
    return client


def browser(application: Application, subject: Requester | None, acr: str = "eidas2", account: str = "") -> Browser:
    """A browser in which somebody is logged in."""
    found = Browser(application)
    if subject is not None:
        sessions = Sessions(application.services.store)
        secret = sessions.open(subject, account or f"account-{subject.id}", ("pwd", "otp"), acr)
        found.client.set_cookie("session", secret)
    return found


def let_in(
    application: Application, client: Client, account: str = "account-patient/p", who: Requester = HOLDER
) -> tuple[str, Caller]:
    """A grant of somebody's, and who calls with its token."""
    server = application.services.authorization_server
    subject = replace(who, scopes=("patient/Observation.rs", "offline_access"))
    grant = server.grants.make(client.id, account, subject, datetime.now(UTC) + timedelta(days=1))
    request = Request("POST", [])
    request.client = server.query_client(client.id)
    token = server.issued(Standing(grant.id, client.id, subject, Login(account)), request)["access_token"]
    return grant.id, application.nobody(token)


def test_everybody_reads_the_catalogue_by_category(application: Application, app: Client) -> None:
    nobody = browser(application, None)
    page = nobody.get("/catalogue")
    assert page.status == 200
    assert page.text.count(app.name) == 2, "it is in two categories"
    assert "Mesures et objets connectés" in page.text
    assert nobody.get("/catalogue?categorie=mesures").text.count(app.name) == 1
    assert nobody.get("/catalogue?categorie=grossesse").status == 404


def test_the_page_of_an_app_says_who_what_for_what_and_where(application: Application, app: Client) -> None:
    page = browser(application, None).get(f"/catalogue/{app.id}")
    assert page.status == 200
    for words in (ENTRY["publisher"], ENTRY["purpose"], "Hébergeur Exemple", "certifié (HDS)", "Consulter :"):
        assert words in page.text
    assert 'href="https://app.example/rgpd"' in page.html
    assert f'src="/catalogue/{app.id}/logo"' in page.html


def test_a_logo_is_served_from_here_as_the_image_that_it_is(application: Application, app: Client) -> None:
    answer = application.app.test_client().get(f"/catalogue/{app.id}/logo")
    assert (answer.status_code, answer.content_type, answer.data[:4]) == (200, "image/png", b"\x89PNG")
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    elsewhere = stored(application, APP | {"logo_uri": "https://tracker.example/logo.png"}, catalogue=ENTRY)
    page = browser(application, None).get(f"/catalogue/{elsewhere.id}")
    assert "tracker.example" not in page.html


@pytest.mark.parametrize("status", ["submitted", "suspended", "withdrawn"])
def test_only_referenced_apps_are_shown(application: Application, status: str) -> None:
    client = stored(application, APP | {"client_name": f"Cachée {status}"}, status, catalogue=ENTRY)
    nobody = browser(application, None)
    assert client.name not in nobody.get("/catalogue").text
    assert nobody.get(f"/catalogue/{client.id}").status == 404
    assert nobody.get(f"/catalogue/{client.id}/logo").status == 404


def test_somebody_sees_what_he_let_in_and_ends_it_and_the_app_is_refused(application: Application, app: Client) -> None:
    grant, caller = let_in(application, app)
    me = browser(application, HOLDER)
    page = me.get("/compte/applications")
    assert page.status == 200
    assert app.name in page.text
    assert "Jamais utilisée" in page.text
    assert "Consulter :" in page.text

    assert caller.get("Observation").status == 200
    assert "Utilisée pour la dernière fois le" in me.get("/compte/applications").text

    page = me.send(me.get("/compte/applications"), "/compte/applications/retrait", grant=grant)
    assert (page.status, "L’autorisation est retirée" in page.text) == (200, True)
    assert "Aucune application" in page.text
    traced = [each for each in application.services.store.traces(Access.system("test")) if each["what"] == "revoke"]
    assert (traced[-1]["pats"], f"Endpoint/{app.id}" in str(traced[-1])) == (["p"], True)
    assert caller.get("Observation").status == 401


def test_nobody_sees_or_ends_what_another_let_in(application: Application, app: Client) -> None:
    grant, caller = let_in(application, app)
    other = browser(application, HOLDER, account="account-other")
    page = other.get("/compte/applications")
    assert app.name not in page.text
    token = other.get("/compte/applications").form("/deconnexion").fields["csrf"]
    other.post("/compte/applications/retrait", {"csrf": token, "grant": grant})
    assert caller.get("Observation").status == 200
    assert browser(application, HOLDER).post("/compte/applications/retrait", {"grant": grant}).status == 403
    assert caller.get("Observation").status == 200


def test_who_is_not_logged_in_is_led_to_the_login(application: Application) -> None:
    for path in ("/compte/applications", "/catalogue/revue"):
        answer = browser(application, None).get(path, follow=False)
        assert (answer.status, answer.headers["location"].partition("?")[0]) == (303, "/connexion")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_review_is_for_operators_with_two_factors(application: Application, app: Client, method: str) -> None:
    for visitor in (browser(application, HOLDER), browser(application, OPERATOR, "eidas1")):
        csrf = visitor.get("/catalogue").form("/deconnexion").fields["csrf"]
        for path in ("", f"/{app.id}") if method == "GET" else (f"/{app.id}/fiche", f"/{app.id}/decision"):
            url, form = f"/catalogue/revue{path}", {"csrf": csrf, "status": "suspended", "reason": "x"}
            answer = visitor.get(url) if method == "GET" else visitor.post(url, form)
            assert answer.status == 404
    assert application.services.catalogue.client(app.id).status == "referenced"


def test_an_operator_writes_the_entry_references_and_suspends(application: Application) -> None:
    client = stored(application, APP | {"client_name": "Nouvelle"}, "submitted")
    operator, base = browser(application, OPERATOR), f"/catalogue/revue/{client.id}"
    assert "Nouvelle" in operator.get("/catalogue/revue").text
    page = operator.get(base)
    assert "il manque : l’éditeur" in page.text
    early = operator.send(page, f"{base}/decision", status="referenced")
    assert (early.status, "Une erreur" in early.text) == (422, True)

    form = page.form(f"{base}/fiche")
    fields: dict[str, Any] = form.fields | {
        "publisher": "Éditeur",
        "purpose": "Pour voir",
        "host": "Hôte",
        "hds": "oui",
    }
    page = operator.post(f"{base}/fiche", fields | {"categories": ["suivi"]})
    assert (page.status, "il manque" in page.text) == (200, False)
    page = operator.send(page, f"{base}/decision", status="referenced", reason="Dossier complet")
    assert "Référencée" in page.text
    assert "Dossier complet" in page.text
    assert browser(application, None).get(f"/catalogue/{client.id}").status == 200
    emptied = operator.post(f"{base}/fiche", fields | {"categories": ["suivi"], "publisher": ""})
    assert (emptied.status, "Une erreur" in emptied.text) == (422, True)
    assert application.services.catalogue.client(client.id).catalogue["publisher"] == "Éditeur"

    page = operator.send(page, f"{base}/decision", status="suspended")
    assert page.status == 422, "without a reason"
    page = operator.send(page, f"{base}/decision", status="suspended", reason="Incident")
    assert "Suspendue" in page.text
    assert browser(application, None).get(f"/catalogue/{client.id}").status == 404
    history = application.services.catalogue.client(client.id).history
    assert [(each.status, each.by) for each in history[1:]] == [
        ("referenced", "account-operator"),
        ("suspended", "account-operator"),
    ]


def test_what_a_client_says_of_itself_is_never_markup(application: Application) -> None:
    shady = {"client_name": 'A&B "quoted" \'', "contacts": ["x'\"@y.example"], "scope": "patient/Patient.rs"}
    entry = ENTRY | {"purpose": "<script>alert(1)</script>"}
    client = stored(application, APP | shady, catalogue=entry)
    operator = browser(application, OPERATOR)
    for path in ("/catalogue", f"/catalogue/{client.id}", f"/catalogue/revue/{client.id}"):
        page = operator.get(path)
        assert page.status == 200
        assert "<script>alert" not in page.html


def test_a_review_of_what_was_changed_meanwhile_is_refused(application: Application) -> None:
    client = stored(application, APP, catalogue=ENTRY)
    operator, base = browser(application, OPERATOR), f"/catalogue/revue/{client.id}"
    page = operator.get(base)
    application.services.catalogue.decide(client, "withdrawn", "operator")
    answer = operator.send(page, f"{base}/decision", status="suspended", reason="Incident")
    assert answer.status == 422
    assert "entre-temps" in answer.text


def test_the_holder_is_told_when_an_app_is_shut_out(application: Application, app: Client) -> None:
    id_ = application.operator().create(patient())
    grant, _ = let_in(application, app, "account-told", replace(HOLDER, id=f"patient/{id_}", patient=id_))
    me = browser(application, HOLDER, account="account-told")
    me.send(me.get("/compte/applications"), "/compte/applications/retrait", grant=grant)
    _, caller = let_in(application, app, "account-told", replace(HOLDER, id=f"patient/{id_}", patient=id_))
    application.app.test_client().post("/oauth/revoke", data={"token": caller.token, "client_id": app.id})
    Keeping(application.services).deliver()
    told = application.patient(id_).get("Communication").json
    texts = [each["resource"]["payload"][0]["contentString"] for each in told.get("entry", ())]
    assert len([each for each in texts if app.name in each]) == 2
