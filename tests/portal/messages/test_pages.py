"""The pages of messages: read, answered, closed, filed; what is hidden is a page that is not there."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from tests.rest.messages.people import PDF, attachment

if TYPE_CHECKING:
    from tests.portal.browser import Browser, Page
    from tests.portal.messages.conftest import Visitors

HOSTILE = "<script>alert(1)</script>"


def sent(visitors: Visitors, *payload: dict[str, Any]) -> str:
    return visitors.house.opened(visitors.house.alice, *payload)


def answer(who: Browser, page: Page, action: str, **typed: Any) -> Page:
    return who.send(page, f"{action}/repondre", typed)


def test_a_professional_opens_a_thread_from_the_record_and_the_person_answers(visitors: Visitors) -> None:
    alice, claire = visitors.alice, visitors.claire
    form = alice.get(f"{visitors.url}/nouveau")
    assert form.status == 200, form.text
    written = alice.send(
        form,
        f"{visitors.url}/nouveau",
        {"objet": "Bilan", "texte": "Voici.", "fichier": (io.BytesIO(PDF), "bilan.pdf")},  # type: ignore[dict-item]
    )
    assert written.status == 200, written.text
    thread = written.path.partition("?")[0].rpartition("/")[2]
    listed = claire.get(visitors.url)
    assert "Bilan" in listed.text
    assert "284027505600134@patient.mssante.fr" in listed.text
    assert "non lu" in listed.text
    shown = claire.get(f"{visitors.url}/{thread}")
    assert "Voici." in shown.text
    assert "non lu" not in claire.get(visitors.url).text
    assert claire.get(f"{visitors.url}/{thread}/piece/1").html == PDF.decode()
    replied = answer(claire, shown, f"{visitors.url}/{thread}", texte="Merci docteur")
    assert "Merci docteur" in replied.text
    assert "1 non lu" in alice.get("/messages").text
    assert "Merci docteur" in alice.get(f"/messages/{thread}").text
    assert "lu le" in claire.get(f"{visitors.url}/{thread}").text


def test_a_form_that_is_sent_twice_sends_one_message(visitors: Visitors) -> None:
    thread = sent(visitors)
    page = visitors.claire.get(f"{visitors.url}/{thread}")
    for _ in range(2):
        assert answer(visitors.claire, page, f"{visitors.url}/{thread}", texte="Une fois").text.count("Une fois") == 1


def test_a_thread_is_closed_and_opened_again_as_it_was_shown(visitors: Visitors) -> None:
    thread = sent(visitors)
    place = f"{visitors.url}/{thread}"
    old = visitors.claire.get(place)
    page = visitors.claire.send(visitors.claire.get(place), f"{place}/clore")
    assert "close" in page.text
    assert visitors.alice.get(f"/messages/{thread}").html.count("/repondre") == 0
    assert visitors.claire.send(old, f"{place}/clore").status == 409
    assert answer(visitors.claire, old, place, texte="Encore").status == 409
    assert "rouverte" in visitors.claire.send(page, f"{place}/rouvrir").text


def test_what_is_attached_is_filed_by_who_may(visitors: Visitors) -> None:
    thread = sent(visitors, {"contentString": "Voici."}, attachment(title="Ordonnance de lunettes"))
    page = visitors.parent.get(f"{visitors.url}/{thread}")
    filed = visitors.parent.send(page, f"{visitors.url}/{thread}/classer")
    assert filed.path.startswith(f"/dossier/{visitors.house.patient}/documents/"), filed.text
    assert "Ordonnance de lunettes" in filed.text
    own = visitors.alice.get(f"/messages/{thread}")
    assert "classée" in visitors.alice.send(own, f"/messages/{thread}/classer").text


def test_what_somebody_does_not_take_part_in_is_a_page_that_is_not_there(visitors: Visitors) -> None:
    thread = sent(visitors, attachment())
    answered = visitors.house.answered(thread, visitors.house.claire).id
    for id in (thread, answered, "none"):
        for path in ("", "/piece/1"):
            assert visitors.bob.get(f"/messages/{id}{path}").status == 404
    assert "Vos résultats" not in visitors.bob.get("/messages").text
    assert visitors.bob.get(visitors.url).status == 404
    assert visitors.claire.get("/messages").status == 404
    assert visitors.claire.get(f"{visitors.url}/nouveau").status == 404
    token = visitors.bob.get("/patients").forms[0].fields["csrf"]
    for act in ("repondre", "clore", "rouvrir", "classer"):
        fields = {"csrf": token, "texte": "x", "envoi": "a", "version": "1", "piece": "1"}
        assert visitors.bob.post(f"/messages/{thread}/{act}", fields).status == 404
        assert visitors.bob.post(f"/messages/none/{act}", fields).status == 404


@pytest.mark.parametrize("field", ["objet", "texte"])
def test_what_is_typed_is_shown_as_text(visitors: Visitors, field: str) -> None:
    form = visitors.alice.get(f"{visitors.url}/nouveau")
    typed = {"objet": "Objet", "texte": "Texte"} | {field: HOSTILE}
    page = visitors.alice.send(form, f"{visitors.url}/nouveau", typed)
    assert page.status == 200
    assert HOSTILE in page.text
    assert "<script>alert" not in page.html
    thread = page.path.partition("?")[0].rpartition("/")[2]
    for shown in (visitors.claire.get(visitors.url), visitors.claire.get(f"{visitors.url}/{thread}")):
        assert "<script>alert" not in shown.html


REFUSED: list[tuple[str, dict[str, Any], int]] = [
    ("nothing", {}, 422),
    ("a foreign token", {"texte": "x", "csrf": "foreign"}, 403),
    ("no token", {"texte": "x", "csrf": ""}, 403),
    ("too long", {"texte": "a" * 20_001}, 422),
    ("control characters", {"texte": "a\x07"}, 422),
    ("no mark of the form", {"texte": "x", "envoi": ""}, 400),
    ("a made-up mark", {"texte": "x", "envoi": "a b|c"}, 400),
    ("a program", {"fichier": (b"\x7fELF\x00", "x.pdf")}, 422),
    ("a page", {"fichier": (b"PK\x03\x04\x00", "x.docx")}, 422),
    ("six files", {"fichier": [(b"x", f"{each}.txt") for each in range(6)]}, 422),
]


@pytest.mark.parametrize(("typed", "status"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_an_answer_cannot_be_is_refused(visitors: Visitors, typed: dict[str, Any], status: int) -> None:
    thread = sent(visitors)
    page = visitors.claire.get(f"{visitors.url}/{thread}")
    before = visitors.house.application.counts()
    sent_ = {name: _uploaded(value) for name, value in typed.items()}
    assert answer(visitors.claire, page, f"{visitors.url}/{thread}", **sent_).status == status
    assert visitors.house.application.counts() == before


def test_what_is_larger_than_is_taken_is_refused(visitors: Visitors) -> None:
    thread = sent(visitors)
    place = f"{visitors.url}/{thread}"
    fields = visitors.claire.get(place).form(f"{place}/repondre").fields
    parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items() if name != "fichier"]
    parts.append(b'name="fichier"; filename="x.pdf"\r\n\r\n%PDF-' + bytes(11 * 1024 * 1024))
    body = (
        b"".join(b"--limit\r\nContent-Disposition: form-data; " + each + b"\r\n" for each in parts) + b"--limit--\r\n"
    )
    media = "multipart/form-data; boundary=limit"
    assert visitors.claire.client.post(f"{place}/repondre", data=body, content_type=media).status_code == 413


@pytest.mark.parametrize(
    ("act", "fields", "status"),
    [
        ("classer", {"piece": "2"}, 422),
        ("classer", {"piece": "x"}, 400),
        ("classer", {"piece": "9999"}, 400),
        ("clore", {"version": "x"}, 400),
        ("clore", {"version": "99"}, 409),
        ("rouvrir", {"version": "2"}, 409),
        ("clore", {"version": "2", "csrf": ""}, 403),
    ],
)
def test_what_was_tampered_with_is_refused(visitors: Visitors, act: str, fields: dict[str, str], status: int) -> None:
    thread = sent(visitors, attachment())
    page = visitors.claire.get(f"{visitors.url}/{thread}")
    token = page.form(f"{visitors.url}/{thread}/clore").fields["csrf"]
    before = visitors.house.application.counts()
    assert visitors.claire.post(f"{visitors.url}/{thread}/{act}", {"csrf": token, **fields}).status == status
    assert visitors.house.application.counts() == before


def test_a_page_of_another_list_is_refused(visitors: Visitors) -> None:
    assert visitors.claire.get(f"{visitors.url}?page=made-up").status == 400
    assert visitors.alice.get("/messages?page=made-up").status == 400


def test_an_appointment_of_the_professional_goes_along(visitors: Visitors) -> None:
    house = visitors.house
    when = "2026-12-01T09:00:00+01:00"
    actor = {"identifier": {"system": "https://rpps.esante.gouv.fr", "value": "10000000018"}}
    booked = house.operator.post("Appointment", {
        "resourceType": "Appointment", "status": "booked", "start": when, "end": "2026-12-01T09:30:00+01:00",
        "participant": [{"actor": each, "status": "accepted"} for each in (house.person, actor)],
    })  # fmt: skip
    assert booked.status == 201, booked.json
    form = visitors.alice.get(f"{visitors.url}/nouveau")
    assert booked.id in form.html
    typed = {"objet": "Rendez-vous", "texte": "À bientôt.", "rendez-vous": booked.id}
    page = visitors.alice.send(form, f"{visitors.url}/nouveau", typed)
    assert "Rendez-vous du" in page.text
    refused = visitors.alice.send(form, f"{visitors.url}/nouveau", typed | {"rendez-vous": "other"})
    assert refused.status == 422


def _uploaded(value: Any) -> Any:
    if isinstance(value, list):
        return [_uploaded(each) for each in value]
    return (io.BytesIO(value[0]), value[1]) if isinstance(value, tuple) else value
