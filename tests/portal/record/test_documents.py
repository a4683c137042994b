"""Documents of a record: listed, read, kept, hidden, added."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from fhirserver.cli.demo import PHYSICIAN
from fhirserver.portal.record import adding
from tests.portal.browser import Browser
from tests.portal.record.visiting import holder, logged_in, patient_named, professional, representative
from tests.records import RPPS, care_team, document, post, practitioner

if TYPE_CHECKING:
    from tests.application import Application

XSS = '"><script>alert(1)</script>'


@pytest.fixture
def claire(demo: Application) -> str:
    return patient_named(demo, "Claire")


@pytest.fixture
def mine(demo: Application, claire: str) -> Browser:
    return logged_in(demo, holder(claire))


def upload(browser: Browser, path: str, data: bytes, name: str = "x.pdf", **typed: str) -> tuple[int, str, str]:
    """What the form of a page is answered when it brings a file: status, location, text."""
    fields = browser.get(path).form(path).fields | typed
    head = 'Content-Disposition: form-data; name="{}"{}\r\n\r\n'
    parts = [(head.format(field, "") + value).encode() for field, value in fields.items() if field != "fichier"]
    parts.append(head.format("fichier", f'; filename="{name}"').encode() + data)
    body = b"".join(b"--limit\r\n" + each + b"\r\n" for each in parts) + b"--limit--\r\n"
    answer = browser.client.post(path, data=body, content_type="multipart/form-data; boundary=limit")
    return answer.status_code, answer.headers.get("Location", ""), answer.get_data(as_text=True)


def test_the_list_leads_to_a_document_that_is_read_and_kept(demo: Application, mine: Browser, claire: str) -> None:
    base = f"/dossier/{claire}/documents"
    page = mine.get(base)
    assert page.status == 200, page.text
    assert "Compte rendu de consultation" in page.text
    id_ = demo.patient(claire).search("DocumentReference", ("type", "11488-4")).ids[0]
    assert f'href="{base}/{id_}"' in page.html
    shown = mine.get(f"{base}/{id_}")
    assert "CR ou fiche de consultation" in shown.text
    content = mine.get(f"{base}/{id_}/lire")
    assert (content.status, content.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert "sandbox" in content.headers["content-security-policy"]
    assert "démonstration" in content.html
    kept = mine.get(f"{base}/{id_}/fichier/0")
    assert kept.html == content.html
    assert kept.headers["content-disposition"] == f'attachment; filename="document-{id_}.txt"'
    assert mine.get(f"{base}/{id_}/fichier/1").status == 404


def test_who_is_not_logged_in_is_led_to_the_login(demo: Application, claire: str) -> None:
    page = Browser(demo).get(f"/dossier/{claire}/documents", follow=False)
    assert page.status == 303
    assert page.headers["location"].startswith("/connexion?suite=")


def test_a_person_adds_a_document_and_professionals_see_it(french: Application) -> None:
    claire = patient_named(french, "Claire")
    mine = logged_in(french, holder(claire))
    path = f"/dossier/{claire}/documents/ajouter"
    status, location, text = upload(mine, path, b"%PDF-1.4 x", titre="Mon certificat", type="DOCPAT07")
    assert (status, location) == (303, f"/dossier/{claire}/documents?ajoute=1"), text
    page = mine.get(location)
    assert "Mon certificat" in page.text
    theirs = logged_in(french, professional(PHYSICIAN)).get(f"/dossier/{claire}/documents")
    assert "Mon certificat" in theirs.text
    assert "Ajouter un document" not in theirs.text


def test_a_document_is_masked_and_shown_again(demo: Application, mine: Browser, claire: str) -> None:
    id_ = demo.operator().create(document(claire, description="Lettre à masquer", date="2026-01-02T03:04:05Z"))
    path, other = f"/dossier/{claire}/documents/{id_}", demo.practitioner("10000000999")
    demo.operator().create(care_team(claire, f"Practitioner/{demo.operator().create(practitioner('10000000999'))}"))
    assert other.get(f"DocumentReference/{id_}").status == 200
    page = mine.send(mine.get(path), f"{path}/masque")
    assert "Le document est masqué aux professionnels." in page.text
    assert other.get(f"DocumentReference/{id_}").status == 404
    assert logged_in(demo, professional("10000000999")).get(path).status == 404
    assert "Masqué aux professionnels" in mine.get(f"/dossier/{claire}/documents").text
    page = mine.send(page, f"{path}/masque")
    assert "Le document n’est plus masqué." in page.text
    assert other.get(f"DocumentReference/{id_}").status == 200


def test_masking_what_changed_meanwhile_is_told(demo: Application, mine: Browser, claire: str) -> None:
    id_ = demo.operator().create(document(claire))
    path = f"/dossier/{claire}/documents/{id_}"
    page = mine.get(path)
    mine.send(page, f"{path}/masque")
    answer = mine.send(page, f"{path}/masque")
    assert answer.status == 409
    assert "modifié entre-temps" in answer.text


def test_what_documents_say_is_never_markup(demo: Application, mine: Browser, claire: str) -> None:
    attachment = {"contentType": "text/html", "data": "PHNjcmlwdD4=", "title": XSS}
    author = [{"display": XSS}]
    type_ = {"text": XSS, "coding": [{"code": "x", "display": XSS}]}
    shady = document(claire, description=XSS, author=author) | {"type": type_, "content": [{"attachment": attachment}]}
    id_ = demo.operator().create(shady)
    for path in ("", f"/{id_}"):
        page = mine.get(f"/dossier/{claire}/documents{path}")
        assert page.status == 200
        assert "<script" not in page.html
        assert "default-src 'none'" in page.headers["content-security-policy"]
    shown = mine.get(f"/dossier/{claire}/documents/{id_}/lire", Accept="text/html")
    assert (shown.status, "téléchargez-le" in shown.text) == (422, True)
    kept = mine.get(f"/dossier/{claire}/documents/{id_}/fichier/0")
    assert kept.headers["x-content-type-options"] == "nosniff"
    assert kept.headers["content-disposition"].startswith("attachment;")
    assert "sandbox" in kept.headers["content-security-policy"]


def test_the_list_goes_on_by_links_that_are_good_for_this_record_and_person_only(
    demo: Application, mine: Browser, claire: str
) -> None:
    marc = patient_named(demo, "Marc")
    demo.operator().transact(*(post(document(marc, date=f"2025-01-{day:02}T00:00:00Z")) for day in range(1, 26)))
    his = logged_in(demo, holder(marc))
    page = his.get(f"/dossier/{marc}/documents?du=2025-01-01&au=2025-01-31&type=11488-4")
    link = re.findall(r'href="(/dossier/[^"]*\?page=[^"]*)"', page.html)[0]
    assert page.html.count("/documents/") - 1 == 20
    after = his.get(link)
    assert (after.status, after.html.count("/documents/") - 1) == (200, 5)
    sealed = link.partition("page=")[2]
    for browser, path in (
        (his, f"/dossier/{marc}/documents?page={sealed[:-6]}AAAAAA"),
        (his, f"/dossier/{marc}/documents?page=x"),
        (mine, f"/dossier/{claire}/documents?page={sealed}"),
        (logged_in(demo, professional(PHYSICIAN)), f"/dossier/{claire}/documents?page={sealed}"),
    ):
        assert browser.get(path, Accept="text/html").status == 400
    theirs = logged_in(demo, professional(PHYSICIAN))
    link = re.findall(r'\?page=([^"]*)"', theirs.get(f"/dossier/{marc}/documents").html)[0]
    assert theirs.get(f"/dossier/{claire}/documents?page={link}").status == 400, "another record’s"


@pytest.mark.parametrize("query", ["du=2026-13-01", "du=x", "du=20260101", "du=2026-02-01&au=2026-01-01"])
def test_a_period_that_is_none_is_told(mine: Browser, claire: str, query: str) -> None:
    page = mine.get(f"/dossier/{claire}/documents?{query}")
    assert page.status == 422
    assert 'role="alert"' in page.html


@pytest.mark.parametrize("id_", ["absent", "..", "a%2Fb", "a%3F_count=1", "%00", "é", "x" * 70])
def test_what_is_no_document_of_the_record_is_unknown(demo: Application, mine: Browser, claire: str, id_: str) -> None:
    assert mine.get(f"/dossier/{claire}/documents/{id_}", Accept="text/html").status == 404
    assert mine.get(f"/dossier/{id_}/documents", Accept="text/html").status == 404


def test_a_document_of_another_record_is_unknown(demo: Application, mine: Browser, claire: str) -> None:
    marc = patient_named(demo, "Marc")
    id_ = demo.operator().create(document(marc))
    for path in ("", "/lire", "/fichier/0"):
        for whose in (claire, marc):
            assert mine.get(f"/dossier/{whose}/documents/{id_}{path}", Accept="text/html").status == 404
        both = logged_in(demo, professional(PHYSICIAN))
        assert both.get(f"/dossier/{claire}/documents/{id_}{path}", Accept="text/html").status == 404


def test_a_minors_secret_is_hidden_from_the_parent_as_what_is_not_there(demo: Application) -> None:
    lea = patient_named(demo, "Léa")
    related = demo.operator().search("RelatedPerson", patient=f"Patient/{lea}").ids[0]
    title = {"contentType": "text/plain", "data": "Qm9uam91cg==", "title": "Secret de Léa"}
    secret = document(lea, labels=("INVISIBLE_REPRESENTANTS_LEGAUX",)) | {"content": [{"attachment": title}]}
    id_ = demo.operator().create(secret)
    parent = logged_in(demo, representative(lea, related))
    assert "Secret de Léa" not in parent.get(f"/dossier/{lea}/documents").text
    path = f"/dossier/{lea}/documents"
    pages = [parent.get(f"{path}/{each}{more}") for each in (id_, "absent") for more in ("", "/lire")]
    assert {(each.status, each.html.replace(id_, "absent")) for each in pages} == {(404, pages[0].html)}
    assert "Secret de Léa" in logged_in(demo, holder(lea)).get(path).text


def test_forms_without_their_token_and_from_elsewhere_are_refused(
    demo: Application, mine: Browser, claire: str
) -> None:
    id_ = demo.operator().create(document(claire))
    path = f"/dossier/{claire}/documents/{id_}/masque"
    fields = mine.get(f"/dossier/{claire}/documents/{id_}").form(path).fields
    assert mine.post(path, fields | {"csrf": "x"}).status == 403
    assert mine.post(path, {"masque": "oui"}).status == 403
    assert mine.post(path, fields, Sec_Fetch_Site="cross-site").status == 403
    theirs = logged_in(demo, professional(PHYSICIAN))
    csrf = theirs.get(f"/dossier/{claire}/documents").form("/deconnexion").fields["csrf"]
    assert theirs.post(path, fields | {"csrf": csrf}).status == 404
    assert "securityLabel" not in demo.operator().get(f"DocumentReference/{id_}").json


@pytest.mark.parametrize(
    ("data", "typed"),
    [
        (b"", {}),
        (b"<html><script>alert(1)</script>\x00", {}),
        (b"MZ\x90\x00", {}),
        (b"\xff\xfe\x00", {}),
        (b"%PDF-1.4", {"titre": " "}),
        (b"%PDF-1.4", {"titre": "x" * 201}),
        (b"%PDF-1.4", {"titre": "a\u202eb"}),
        (b"%PDF-1.4", {"type": "DOCPAT08"}),
        (b"%PDF-1.4", {"type": "11488-4"}),
        (b"%PDF-1.4", {"type": ""}),
    ],
)
def test_a_bad_upload_is_refused_with_what_to_change(
    mine: Browser, claire: str, data: bytes, typed: dict[str, str]
) -> None:
    path = f"/dossier/{claire}/documents/ajouter"
    status, _, text = upload(mine, path, data, **({"titre": "Titre", "type": "DOCPAT01"} | typed))
    assert status == 422
    assert 'role="alert"' in text


def test_what_is_larger_than_is_taken_is_refused(mine: Browser, claire: str) -> None:
    path = f"/dossier/{claire}/documents/ajouter"
    status, _, _ = upload(mine, path, b"%PDF-" + bytes(adding.MOST_BYTES + (1 << 16)), titre="T", type="DOCPAT01")
    assert status == 413


def test_an_upload_may_be_masked_from_the_first(demo: Application, mine: Browser, claire: str) -> None:
    path = f"/dossier/{claire}/documents/ajouter"
    status, _, text = upload(mine, path, "Déjà vu".encode(), titre="Note", type="DOCPAT01", masque="oui")
    assert status == 303, text
    found = demo.patient(claire).search("DocumentReference", ("type", "DOCPAT01")).json["entry"][0]["resource"]
    assert found["securityLabel"][0]["coding"][0]["code"] == "MASQUE_PS"
    read = mine.get(f"/dossier/{claire}/documents/{found['id']}/lire")
    assert (read.headers["content-type"], read.html) == ("text/plain; charset=utf-8", "Déjà vu")


def test_each_look_is_traced_for_the_person(demo: Application, claire: str) -> None:
    id_ = demo.operator().create(document(claire))
    logged_in(demo, professional(PHYSICIAN)).get(f"/dossier/{claire}/documents/{id_}/lire")
    entity = ("entity", f"DocumentReference/{id_}")
    found = demo.patient(claire).search("AuditEvent", entity, ("agent:identifier", f"{RPPS}|{PHYSICIAN}"))
    assert found.total >= 1
