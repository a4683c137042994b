"""The page of imaging: studies with their reports, series, and images from a PACS that may fail."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from fhirserver.cli.demo import PHYSICIAN
from tests.imaging.serving import running, study
from tests.portal.record.visiting import holder, logged_in, patient_named, professional, representative

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.application import Application
    from tests.imaging.serving import Faulty

XSS = '<script>alert("x")</script>'
SEEN = "Image 1 sur 9"


@pytest.fixture(scope="module")
def pacs() -> Iterator[Faulty]:
    with running() as found:
        yield found


@pytest.fixture(scope="module")
def house(demo: Application, pacs: Faulty) -> Application:
    return demo.under(dicomweb_url=pacs.url)


@pytest.fixture(scope="module")
def claire(demo: Application) -> str:
    return patient_named(demo, "Claire")


def of_study(house: Application, patient: str) -> str:
    page = logged_in(house, holder(patient)).get(f"/dossier/{patient}/imagerie")
    found = re.search(r'href="(/dossier/[^"]*/imagerie/[0-9a-f-]{36})"', page.html)
    assert found, page.text
    return found[1]


def test_a_study_is_listed_with_its_report_and_its_words(house: Application, claire: str) -> None:
    page = logged_in(house, holder(claire)).get(f"/dossier/{claire}/imagerie")
    assert "Scanner du thorax 2 septembre 2025 – Scanner – Thorax – Hôpital de démonstration" in page.text
    assert "9 images Compte rendu : Scanner du thorax" in page.text
    assert (
        "CR d'imagerie médicale" in logged_in(house, holder(claire)).get(f"/dossier/{claire}/imagerie/documents").text
    )


@pytest.mark.parametrize("who", ["holder", "professional", "representative"])
def test_one_looks_at_the_images_one_by_one(house: Application, demo: Application, claire: str, who: str) -> None:
    lea = patient_named(demo, "Léa")
    parent = demo.operator().search("RelatedPerson", patient=lea).ids[0]
    patient, count, subject = {
        "holder": (claire, 9, holder(claire)),
        "professional": (claire, 9, professional(PHYSICIAN)),
        "representative": (lea, 2, representative(lea, parent)),
    }[who]
    browser = logged_in(house, subject)
    path = of_study(house, patient)
    page = browser.get(path)
    assert f"Image 1 sur {count}" in page.text
    assert "image=2#images" in page.html
    last = browser.get(f"{path}?image={count}")
    assert f"Image {count} sur {count}" in last.text
    assert "Image suivante" not in last.text
    picture = browser.client.get(f"{path}/images/{count}.jpg")
    assert (picture.status_code, picture.content_type) == (200, "image/png")
    assert picture.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in picture.headers["Content-Security-Policy"]


@pytest.mark.parametrize("number", ["0", "10", "x", "-1", "1e3", "9999999999", "٣"])
def test_an_image_that_is_none_has_no_page(house: Application, claire: str, number: str) -> None:
    browser, path = logged_in(house, holder(claire)), of_study(house, claire)
    assert browser.get(f"{path}?image={number}").status == 404
    assert browser.client.get(f"{path}/images/{number}.jpg").status_code == (200 if number == "٣" else 404)


def test_without_a_pacs_the_page_says_so(demo: Application, claire: str) -> None:
    page = logged_in(demo, holder(claire)).get(of_study(demo, claire))
    assert "Ce serveur n’est relié à aucun service d’images." in page.text
    assert "<img" not in page.html


@pytest.mark.parametrize("fault", ["error", "not json", "redirect", "html"])
def test_a_pacs_that_fails_is_told_and_not_named(demo: Application, pacs: Faulty, claire: str, fault: str) -> None:
    path = of_study(demo, claire)
    with pacs.failing(fault, everywhere=True):
        browser = logged_in(demo.under(dicomweb_url=pacs.url), holder(claire))
        page = browser.get(path)
        assert "Les images ne sont pas accessibles pour le moment." in page.text
        picture = browser.get(f"{path}/images/1.jpg")
    assert page.status == 200
    assert picture.status == 503
    for each in (page, picture):
        assert str(pacs.server_address[1]) not in each.html
        assert "<img" not in each.html


def test_a_study_of_another_record_has_no_page_here(house: Application, demo: Application, claire: str) -> None:
    marc = patient_named(demo, "Marc")
    id_ = of_study(house, claire).rpartition("/")[2]
    for subject in (holder(marc), professional(PHYSICIAN)):
        browser = logged_in(house, subject)
        for path in (id_, f"{id_}/images/1.jpg", "none", "none/images/1.jpg"):
            assert browser.get(f"/dossier/{marc}/imagerie/{path}").status == 404


def test_what_a_study_says_is_text(house: Application, claire: str) -> None:
    system = house.system("750000001")
    made = study(
        claire,
        "1.2.9",
        description=XSS,
        location={"display": XSS},
        modality=[{"code": XSS}],
        series=[{"uid": "1.2.9.1", "modality": {"code": XSS}, "description": XSS, "bodySite": {"display": XSS}}],
    )
    id_ = system.create(made)
    browser = logged_in(house, holder(claire))
    for path in ("", f"/{id_}"):
        page = browser.get(f"/dossier/{claire}/imagerie{path}")
        assert page.status == 200
        assert "<script" not in page.html
        assert "alert(" in page.text
    assert "Les images de cet examen ne se consultent pas ici" in browser.get(f"/dossier/{claire}/imagerie/{id_}").text


@pytest.mark.parametrize("query", ["du=x", "du=2025-02-30", "du=2025-03-01&au=2025-01-01"])
def test_a_period_that_is_none_is_refused(house: Application, claire: str, query: str) -> None:
    assert logged_in(house, holder(claire)).get(f"/dossier/{claire}/imagerie?{query}").status == 422


def test_a_link_to_what_follows_that_was_changed_is_refused(house: Application, claire: str) -> None:
    browser = logged_in(house, holder(claire))
    for path in ("imagerie", "imagerie/documents"):
        assert browser.get(f"/dossier/{claire}/{path}?page=abc.def").status == 400


def test_a_period_narrows_the_list(house: Application, claire: str) -> None:
    browser = logged_in(house, holder(claire))
    assert "Scanner du thorax 2 sept" in browser.get(f"/dossier/{claire}/imagerie?du=2025-09-01&au=2025-09-30").text
    assert "Aucun examen ne répond" in browser.get(f"/dossier/{claire}/imagerie?au=2020-01-01").text


def test_the_page_speaks_english(house: Application, claire: str) -> None:
    browser = logged_in(house, holder(claire))
    browser.client.set_cookie("langue", "en")
    page = browser.get(of_study(house, claire))
    assert "Image 1 of 9" in page.text
    assert "CT scan" in page.text
