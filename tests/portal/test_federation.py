"""Logins by Pro Santé Connect and FranceConnect, as a browser goes through them, at providers that really sign."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from pymongo import MongoClient

from examples.providers.provider import CLIENTS
from examples.providers.serve import Server, running
from fhirserver.auth.accounts import throttle
from fhirserver.auth.accounts.account import Reach
from fhirserver.auth.clients.client import Client
from fhirserver.auth.sessions import REGISTER, Session
from fhirserver.portal import sealed
from fhirserver.portal.federation import opening
from tests.auth.providers import BendingFranceConnect, BendingPsc, visited
from tests.portal.browser import Browser, Page
from tests.portal.people import Person, code_for, log_in, mailed, matricule, named, person
from tests.portal.test_activation import fill, invited

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.application import Application
    from tests.mail.server import Box

CAMILLE: dict[str, Any] = {"given": "Camille", "family": "MOREAU", "birth": "1979-03-11", "gender": "female"}


@pytest.fixture(scope="module")
def providers() -> Iterator[Server]:
    with running(psc=BendingPsc, fc=BendingFranceConnect) as server:
        yield server


@pytest.fixture(scope="module")
def here(house: Application, providers: Server, tmp_path_factory: pytest.TempPathFactory) -> Application:
    secret: Path = tmp_path_factory.mktemp("federation") / "secret"
    secret.write_text(CLIENTS["fhirserver"])
    known = {f"{name}_issuer": each.issuer for name, each in providers.providers.items()}
    known |= {f"{name}_client_id": "fhirserver" for name in providers.providers}
    known |= {f"{name}_secret_file": str(secret) for name in providers.providers}
    return house.under(**known)


@pytest.fixture(autouse=True)
def _afresh(house: Application, providers: Server) -> Iterator[None]:
    throttle.Throttle(house.services.store).forget(throttle.ADDRESS, "127.0.0.1")
    house.services.store.register("federation.links").drop_all(provider="franceconnect")
    yield
    for each in providers.providers.values():
        each.bend = {}  # type: ignore[attr-defined]


def gone(browser: Browser, name: str, who: str, path: str = "", *, follow: bool = True) -> Page:
    """Goes to the provider, logs in there, and comes back."""
    away = browser.get(path or f"/federation/{name}", follow=False)
    assert away.status == 303, away.text
    return back(browser, name, away, who, follow=follow)


def back(browser: Browser, name: str, away: Page, who: str, *, follow: bool = True) -> Page:
    answer = visited(away.headers["location"], who)
    return browser.get(f"/federation/{name}/retour?{urlencode(answer)}", follow=follow)


def session(here: Application, browser: Browser) -> Session:
    found = here.services.sessions.find(browser.cookie("session"))
    assert found is not None
    return found


def linked(here: Application, box: Box, who: Person) -> Browser:
    """A browser in which somebody has linked Camille's identity to his account."""
    browser = log_in(here, who, box)
    away = browser.send(browser.get("/compte/franceconnect"), "/compte/franceconnect/lier", follow=False)
    page = back(browser, "franceconnect", away, "camille")
    assert "est relié à votre compte" in page.text, page.text
    return browser


def camille(here: Application) -> Person:
    id = here.operator().create(named(**CAMILLE))
    return person(here, "Camille", records=(Reach(id),))._replace(patient=id)


def refusals(here: Application) -> list[dict[str, Any]]:
    settings = here.services.settings
    with MongoClient[dict[str, Any]](settings.mongo) as client:
        return list(client[settings.database]["trace"].find({"what": "login-refused"}))


def test_a_professional_enters_in_his_one_situation(here: Application) -> None:
    browser = Browser(here)
    assert "Se connecter avec Pro Santé Connect" in browser.get("/connexion").text
    page = gone(browser, "psc", "infirmier", follow=False)
    assert (page.status, page.headers["location"]) == (303, "/")
    found = session(here, browser)
    who = found.subject
    assert (who.kind, who.rpps, who.profession, who.organization) == (
        "practitioner",
        "10001112233",
        "G15_60",
        "750000001",
    )
    assert (who.scopes, who.purpose, who.name) == (("user/*.cruds",), "TREAT", "Luc PETIT")
    assert (found.account, found.acr, found.amr) == ("psc|810001112233", "eidas2", ("sc", "pin", "mfa"))


def test_a_professional_with_several_situations_chooses(here: Application) -> None:
    browser = Browser(here)
    page = gone(browser, "psc", "medecin")
    assert page.path == "/federation/psc/situation"
    assert "Médecin, CABINET DU DR MARTIN" in page.text
    assert browser.cookie("session") is None
    chosen = next(
        each.fields
        for each, text in zip(page.forms[-3:-1], page.html.split("<li><form")[-2:], strict=True)
        if "HOPITAL" in text
    )
    kept = browser.cookie("situation") or ""
    browser.post("/federation/psc/situation", chosen, follow=False)
    assert session(here, browser).subject.organization == "750000001"
    browser.client.set_cookie("situation", kept)
    again = browser.post("/federation/psc/situation", chosen | {"csrf": session(here, browser).csrf})
    assert again.status == 400


@pytest.mark.parametrize("key", ["", "nothing", "0" * 16])
def test_a_situation_that_is_not_his_is_refused(here: Application, key: str) -> None:
    browser = Browser(here)
    page = gone(browser, "psc", "medecin")
    token = page.forms[-1].fields["csrf"]
    assert browser.post("/federation/psc/situation", {"csrf": token, "situation": key}).status == 400
    assert browser.cookie("session") is None


def test_emergencies_come_with_the_claims(here: Application) -> None:
    for name, purpose, reason in (("regulateur", "ETREAT", None), ("urgentiste", "BTG", "Patient inconscient")):
        browser = Browser(here)
        gone(browser, "psc", name, follow=False)
        who = session(here, browser).subject
        assert (who.purpose, who.reason) == (purpose, reason)


def test_a_login_for_an_emergency_opens_apps_for_a_while_only(here: Application) -> None:
    metadata = {"client_name": "App", "redirect_uris": ["https://app.example/cb"], "scope": "user/Patient.rs"}
    here.services.authorization_server.clients.save(Client("app", "referenced", metadata))
    asked = {"client_id": "app", "response_type": "code", "redirect_uri": "https://app.example/cb", "state": "s"}
    asked |= {"scope": "user/Patient.rs", "aud": here.services.base, "code_challenge_method": "S256"}
    path = f"/oauth/authorize?{urlencode({**asked, 'code_challenge': 'x' * 43})}"
    for name, expected in (("urgentiste", 303), ("infirmier", 200)):
        browser = Browser(here)
        gone(browser, "psc", name, follow=False)
        assert browser.get(path, follow=False).status == 200
        earlier = datetime.now(UTC) - timedelta(seconds=here.services.settings.emergency_seconds + 1)
        here.services.store.register(REGISTER).change(session(here, browser).key, {"at": earlier})
        assert browser.get(path, follow=False).status == expected


def test_the_practitioner_of_the_directory_is_who_the_session_stands_for(here: Application) -> None:
    number = {"system": "https://rpps.esante.gouv.fr", "value": "10001112233"}
    id = here.operator().create({"resourceType": "Practitioner", "identifier": [number]})
    browser = Browser(here)
    gone(browser, "psc", "infirmier", follow=False)
    assert session(here, browser).subject.id == f"Practitioner/{id}"
    here.operator().delete(f"Practitioner/{id}")


def test_the_way_goes_on_after_the_login_and_nowhere_else(here: Application) -> None:
    with here.app.test_request_context():
        onward = sealed.seal("/catalogue")
    elsewhere = ("https://evil.example", "//evil.example")
    for path, expected in ((onward, "/catalogue"), *((each, "/dossier") for each in elsewhere)):
        browser = Browser(here)
        page = gone(browser, "psc", "infirmier", f"/federation/psc?{urlencode({'suite': path})}", follow=False)
        assert page.headers["location"] == expected


@pytest.mark.parametrize(
    ("who", "text"), [("etudiant", "Aucune situation"), ("secretaire", "personnel d’une structure")]
)
def test_who_is_no_professional_is_refused_in_plain_words(here: Application, who: str, text: str) -> None:
    browser, before = Browser(here), len(refusals(here))
    page = gone(browser, "psc", who)
    assert (page.status, text in page.text) == (403, True)
    assert browser.cookie("session") is None
    assert len(refusals(here)) == before + 1


def test_an_answer_is_for_the_browser_that_was_sent(here: Application) -> None:
    browser, other = Browser(here), Browser(here)
    away = browser.get("/federation/psc", follow=False)
    answer = urlencode(visited(away.headers["location"], "infirmier"))
    assert other.get(f"/federation/psc/retour?{answer}").status == 400
    assert other.cookie("session") is None
    assert browser.get(f"/federation/psc/retour?{answer}", follow=False).status == 303
    assert browser.get(f"/federation/psc/retour?{answer}").status == 400


def test_a_login_that_is_broken_off_is_told_as_such(here: Application) -> None:
    browser = Browser(here)
    asked = dict(parse_qsl(urlsplit(browser.get("/federation/psc", follow=False).headers["location"]).query))
    told = {"error": "access_denied", "error_description": "<b>x</b>", "state": asked["state"]}
    page = browser.get(f"/federation/psc/retour?{urlencode({**told, 'iss': here.services.settings.psc_issuer})}")
    assert (page.status, "interrompu" in page.text, "<b>x" in page.html) == (403, True, False)


def test_a_provider_that_is_away_is_told_as_such(here: Application, mailbox: Box) -> None:
    away = here.under(psc_issuer="http://127.0.0.1:9/psc", franceconnect_issuer="http://127.0.0.1:9/fc")
    assert Browser(away).get("/federation/psc").status == 503
    browser = log_in(away, camille(away), mailbox)
    page = browser.get("/compte/franceconnect")
    assert page.status == 200
    assert browser.send(page, "/compte/franceconnect/lier").status == 503
    assert browser.get("/federation/franceconnect/retour?state=x&code=y").status == 400


def test_providers_that_no_setting_names_are_not_there(house: Application) -> None:
    browser = Browser(house)
    for path in ("/federation/psc", "/federation/franceconnect/retour", "/federation/other", "/federation/psc/retour"):
        assert browser.get(path).status == 404
    assert "Pro Santé Connect" not in browser.get("/connexion").text


def test_logging_out_offers_to_log_out_there_too(here: Application, providers: Server) -> None:
    browser = Browser(here)
    gone(browser, "psc", "infirmier")
    page = browser.send(browser.get("/"), "/deconnexion")
    assert browser.cookie("session") is None
    fields = page.form(f"{providers.psc.issuer}/logout").fields
    assert fields["post_logout_redirect_uri"] == here.services.base.removesuffix("fhir")
    assert fields["id_token_hint"].count(".") == 2
    assert f"form-action 'self' {providers.base}" in page.headers["content-security-policy"]


def test_an_identity_that_nobody_linked_enters_nowhere(here: Application) -> None:
    camille(here)
    browser = Browser(here)
    page = gone(browser, "franceconnect", "camille")
    assert (page.status, "n’est reliée à aucun compte" in page.text) == (403, True)
    assert browser.cookie("session") is None


def test_a_linked_identity_of_one_factor_is_asked_for_the_second(
    here: Application, providers: Server, mailbox: Box
) -> None:
    who = camille(here)
    linked(here, mailbox, who)
    browser = Browser(here)
    page = gone(browser, "franceconnect", "camille")
    assert page.path == "/connexion/code"
    assert browser.cookie("session") is None
    browser.send(page, "/connexion/code", code=mailed(mailbox, who), follow=False)
    found = session(here, browser)
    assert (found.subject.patient, found.amr, found.acr) == (who.patient, ("fed", "otp", "mfa"), "eidas2")


def test_a_linked_identity_of_two_factors_enters(here: Application, providers: Server, mailbox: Box) -> None:
    who = camille(here)
    linked(here, mailbox, who)
    browser = Browser(here.under(franceconnect_acr="eidas2"))
    gone(browser, "franceconnect", "camille")
    found = session(here, browser)
    assert (found.subject.patient, found.account, found.amr) == (who.patient, who.account.id, ("fed", "mfa"))


@pytest.mark.parametrize(
    "changed",
    [{"family": "MORAND"}, {"given": "Camila"}, {"birth": "1979-03-12"}, {"gender": "male"}],
    ids=lambda changed: next(iter(changed)),
)
def test_an_identity_of_other_traits_is_not_linked(here: Application, mailbox: Box, changed: dict[str, Any]) -> None:
    id = here.operator().create(named(**(CAMILLE | changed)))
    who, before = person(here, "Camille", records=(Reach(id),)), len(refusals(here))
    browser = log_in(here, who, mailbox)
    away = browser.send(browser.get("/compte/franceconnect"), "/compte/franceconnect/lier", follow=False)
    page = back(browser, "franceconnect", away, "camille")
    assert (page.status, "n’est pas celle du dossier" in page.text) == (403, True)
    assert [each["pats"] for each in refusals(here)[before:]] == [[id]]


def test_traits_that_changed_since_the_link_are_refused(here: Application, mailbox: Box) -> None:
    who = camille(here)
    linked(here, mailbox, who)
    here.operator().put(f"Patient/{who.patient}", {**named(**(CAMILLE | {"family": "AUTRE"})), "id": who.patient})
    browser = Browser(here.under(franceconnect_acr="eidas2"))
    assert gone(browser, "franceconnect", "camille").status == 403
    assert browser.cookie("session") is None


def test_an_identity_leads_to_one_account(here: Application, mailbox: Box) -> None:
    linked(here, mailbox, camille(here))
    browser = log_in(here, camille(here), mailbox)
    away = browser.send(browser.get("/compte/franceconnect"), "/compte/franceconnect/lier", follow=False)
    page = back(browser, "franceconnect", away, "camille")
    assert (page.status, "déjà reliée" in page.text) == (403, True)


def test_an_identity_whose_account_is_gone_is_linked_anew(here: Application, mailbox: Box) -> None:
    before = camille(here)
    linked(here, mailbox, before)
    here.services.accounts.accounts.remove(before.account)
    linked(here, mailbox, camille(here))


def test_who_activates_a_space_links_an_identity_at_once(here: Application, mailbox: Box) -> None:
    number = matricule()
    id = here.operator().create(named(**CAMILLE, number=number))
    browser = Browser(here)
    typed = {"code": invited(here, id), "naissance": str(CAMILLE["birth"]), "matricule": number}
    page = fill(browser, browser.send(browser.get("/activation"), "/activation", typed), "camille.active")
    done = browser.send(page, "/activation/code", code=code_for(mailbox, "camille.active@exemple.fr"))
    assert 'href="/compte/franceconnect"' in done.html, done.text
    away = browser.send(browser.get("/compte/franceconnect"), "/compte/franceconnect/lier", follow=False)
    assert "est relié à votre compte" in back(browser, "franceconnect", away, "camille").text


def test_a_link_is_made_in_the_session_that_asked_for_it(here: Application, mailbox: Box) -> None:
    browser = log_in(here, camille(here), mailbox)
    away = browser.send(browser.get("/compte/franceconnect"), "/compte/franceconnect/lier", follow=False)
    browser.client.set_cookie("session", log_in(here, camille(here), mailbox).cookie("session") or "")
    page = back(browser, "franceconnect", away, "camille")
    assert (page.status, "La session a changé" in page.text) == (403, True)


def test_a_link_needs_a_form_of_ours_and_a_recent_login(here: Application, mailbox: Box) -> None:
    who = camille(here)
    browser = log_in(here, who, mailbox)
    assert browser.post("/compte/franceconnect/lier", {"csrf": "x"}).status == 403
    page = browser.get("/compte/franceconnect")
    earlier = datetime.now(UTC) - timedelta(minutes=11)
    here.services.store.register(REGISTER).change(session(here, browser).key, {"at": earlier})
    answer = browser.send(page, "/compte/franceconnect/lier", follow=False)
    assert answer.headers["location"].startswith("/connexion")


def test_of_sixteen_who_bring_one_answer_one_enters(here: Application) -> None:
    first = Browser(here)
    away = first.get("/federation/psc", follow=False)
    answer = urlencode(visited(away.headers["location"], "infirmier"))
    cookie = first.cookie(opening.COOKIE) or ""

    def come(_: int) -> bool:
        browser = Browser(here)
        browser.client.set_cookie(opening.COOKIE, cookie)
        browser.get(f"/federation/psc/retour?{answer}", follow=False)
        return browser.cookie("session") is not None

    with ThreadPoolExecutor(16) as crowd:
        assert sum(crowd.map(come, range(16))) == 1


def test_a_link_ends_when_its_holder_ends_it(here: Application, mailbox: Box) -> None:
    browser = linked(here, mailbox, camille(here))
    page = browser.send(browser.get("/compte/franceconnect"), "/compte/franceconnect/delier")
    assert "Reliez FranceConnect" in page.text
    assert gone(Browser(here), "franceconnect", "camille").status == 403
