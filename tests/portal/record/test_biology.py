"""Results of analyses: the latest of each, the course of one in a table, in a drawing and in words."""

from __future__ import annotations

import base64
import hashlib
import re
import xml.etree.ElementTree as ElementTree
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.portal.record import plot
from tests.portal.record.visiting import holder, logged_in, patient_named, professional, representative
from tests.records import observation, post

if TYPE_CHECKING:
    from tests.application import Application
    from tests.portal.browser import Browser

CODE = "http%3A//loinc.org%7C2345-7"
XSS = '"><script>alert(1)</script>'


def result(patient: str, day: str, value: str, code: str = "2345-7", **more: Any) -> dict[str, Any]:
    category = [{"coding": [{"system": CATEGORY, "code": "laboratory"}]}]
    amount = {"value": Decimal(value), "unit": "g/L"}
    bounds = [{"low": {"value": Decimal("0.70"), "unit": "g/L"}, "high": {"value": Decimal("1.10"), "unit": "g/L"}}]
    return observation(
        patient, code, category=category, effectiveDateTime=day, valueQuantity=amount, referenceRange=bounds
    ) | {"code": {"text": "Glycémie", "coding": [{"system": "http://loinc.org", "code": code}]}, **more}


CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


@pytest.fixture(scope="module")
def claire(demo: Application) -> str:
    id_ = patient_named(demo, "Claire")
    for day, value in (("2024-01-05", "0.95"), ("2024-06-05", "1.32"), ("2025-01-05", "1.02")):
        demo.operator().create(result(id_, day, value))
    return id_


@pytest.fixture
def mine(demo: Application, claire: str) -> Browser:
    return logged_in(demo, holder(claire))


def test_the_latest_of_each_analysis_leads_to_all_its_results(mine: Browser, claire: str) -> None:
    page = mine.get(f"/dossier/{claire}/biologie")
    assert page.status == 200
    assert "Glycémie 5 janvier 2025 1,02 g/L de 0,70 à 1,10 g/L" in page.text
    assert "1,32" not in page.text
    assert f'href="/dossier/{claire}/biologie/resultats?code={CODE}"' in page.html
    assert "Body weight" not in page.text


def test_all_results_of_one_in_a_table_a_drawing_and_words(mine: Browser, claire: str) -> None:
    page = mine.get(f"/dossier/{claire}/biologie/resultats?code={CODE}")
    dates = re.findall(r"\d\d? \w+ \d{4}", page.html.partition("<tbody")[2])
    assert dates == ["5 janvier 2025", "5 juin 2024", "5 janvier 2024"]
    assert "1,32 g/L (haut)" in page.text
    alternative = re.findall(r'alt="([^"]*)"', page.html)[0]
    assert "3 résultats, du 5 janvier 2024 au 5 janvier 2025\u00a0; de 0,95 à 1,02 g/L" in alternative
    assert "le plus bas 0,95, le plus haut 1,32" in alternative
    source = re.findall(r'src="([^"]*courbe[^"]*)"', page.html)[0]
    image = mine.get(source)
    assert image.headers["content-type"].startswith("image/svg+xml")
    drawing = ElementTree.fromstring(image.html)
    style = base64.b64encode(hashlib.sha256(str(drawing.findtext("{*}style")).encode()).digest()).decode()
    assert image.headers["content-security-policy"] == f"default-src 'none'; style-src 'sha256-{style}'; sandbox"
    assert drawing.get("viewBox") == "0 0 720 300"
    narrow = re.findall(r'srcset="([^"]*)"', page.html)[0].replace("&amp;", "&")
    assert ElementTree.fromstring(mine.get(narrow).html).get("viewBox") == "0 0 340 240"
    assert len(drawing.findall("{*}circle")) == 3
    assert len([each for each in drawing.findall("{*}rect") if each.get("fill") == "#cfe8d5"]) == 2


def test_a_period_narrows_table_and_drawing_alike(mine: Browser, claire: str) -> None:
    page = mine.get(f"/dossier/{claire}/biologie/resultats?code={CODE}&du=2024-02-01&au=2025-12-31")
    assert page.html.partition("<tbody")[2].count("<tr") == 2
    source = re.findall(r'src="([^"]*courbe[^"]*)"', page.html)[0].replace("&amp;", "&")
    assert mine.get(source).html.count("<circle") == 2
    assert mine.get(f"/dossier/{claire}/biologie/resultats?code={CODE}&du=x").status == 422


def test_what_results_say_is_never_markup(demo: Application) -> None:
    marc = patient_named(demo, "Marc")
    code = {"text": XSS, "coding": [{"system": 'urn:"x', "code": 'c"<b>'}]}
    odd = result(marc, "2025-01-01", "1") | {"code": code, "valueQuantity": {"value": 1, "unit": XSS}}
    demo.operator().transact(post(odd), post(odd | {"effectiveDateTime": "2025-02-01"}))
    his = logged_in(demo, holder(marc))
    page = his.get(f"/dossier/{marc}/biologie")
    links = [each for each in re.findall(r'href="(/dossier/[^"]*resultats[^"]*)"', page.html) if "urn" in each]
    course = his.get(links[0])
    drawing = his.get(re.findall(r'src="([^"]*courbe[^"]*)"', course.html)[0].replace("&amp;", "&"))
    assert (course.status, drawing.status, drawing.html.count("<circle")) == (200, 200, 2)
    for each in (page, course, drawing):
        assert "<script" not in each.html


@pytest.mark.parametrize("query", ["", "code=", "code=a,b", "code=%00", "code=" + "x" * 400])
def test_what_is_no_analysis_is_unknown(mine: Browser, claire: str, query: str) -> None:
    for path in ("resultats", "courbe.svg"):
        assert mine.get(f"/dossier/{claire}/biologie/{path}?{query}", Accept="text/html").status == 404


def test_the_course_goes_on_by_links_of_this_record_only(demo: Application, mine: Browser, claire: str) -> None:
    marc = patient_named(demo, "Marc")
    days = [f"20{year:02}-{month:02}-01" for year in range(10, 20) for month in range(1, 12)]
    demo.operator().transact(*(post(result(marc, day, "1.0", "9999-1")) for day in days))
    his = logged_in(demo, holder(marc))
    page = his.get(f"/dossier/{marc}/biologie/resultats?code=http://loinc.org|9999-1")
    link = re.findall(r'href="([^"]*\?page=[^"]*)"', page.html)[0]
    assert his.get(link).html.partition("<tbody")[2].count("<tr") == 10
    assert mine.get(link.replace(marc, claire), Accept="text/html").status == 400


def test_who_may_not_see_a_result_sees_no_point_of_it(demo: Application, claire: str) -> None:
    lea = patient_named(demo, "Léa")
    secret = [{"code": "INVISIBLE_REPRESENTANTS_LEGAUX"}]
    plain, kept = (result(lea, "2025-03-01", "1.0", "111-1"), result(lea, "2025-04-01", "7.7", "111-1"))
    demo.operator().transact(post(plain), post(kept | {"meta": {"security": secret}}))
    related = demo.operator().search("RelatedPerson", patient=f"Patient/{lea}").ids[0]
    parent, child = logged_in(demo, representative(lea, related)), logged_in(demo, holder(lea))
    for path in ("", "/resultats?code=http://loinc.org|111-1", "/courbe.svg?code=http://loinc.org|111-1"):
        page, whole = parent.get(f"/dossier/{lea}/biologie{path}"), child.get(f"/dossier/{lea}/biologie{path}")
        assert "7,7" not in page.html
        assert page.html.count("<circle") == 0
        assert page.html != whole.html
    stranger = logged_in(demo, professional("10000000555"))
    assert stranger.get(f"/dossier/{claire}/biologie", Accept="text/html").status == 404


@pytest.mark.parametrize(
    "odd",
    [
        {"valueQuantity": {"value": 1, "comparator": "<"}},
        {"valueQuantity": {"unit": "g"}},
        {"valueString": "x"},
        {"effectiveDateTime": "2024"},
        {"effectiveDateTime": "2024-05"},
    ],
)
def test_what_has_no_place_on_the_line_is_left_out(odd: dict[str, Any]) -> None:
    whole: dict[str, Any] = {"effectiveDateTime": "2024-05-05", "valueQuantity": {"value": Decimal(1), "unit": "g"}}
    one = {**whole, **odd}
    if "valueString" in odd:
        del one["valueQuantity"]
    assert plot.points([one]) == []
    assert len(plot.points([whole])) == 1


def test_the_line_is_in_one_unit_and_never_breaks() -> None:
    same = {"effectiveDateTime": "2024-05-05", "valueQuantity": {"value": Decimal(0), "unit": "g"}}
    other = {"effectiveDateTime": "2023-05-05", "valueQuantity": {"value": Decimal(5), "unit": "mg"}}
    assert [each.unit for each in plot.points([same, other])] == ["g"]
    ElementTree.fromstring(plot.drawn(plot.points([same, same])))
    assert "<circle" not in plot.drawn(plot.points([same]))


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        ("11.6", "16.4", "12 13 14 15 16"),
        ("78.2", "87.8", "80 82 84 86"),
        ("0.9", "1.1", "0.90 0.95 1.00 1.05 1.10"),
        ("1E+3", "5E+3", "1000 2000 3000 4000 5000"),
        ("-3", "3", "-2 0 2"),
    ],
)
def test_the_grid_stands_at_round_values(low: str, high: str, told: str) -> None:
    assert " ".join(f"{each:f}" for each in plot.ticks(Decimal(low), Decimal(high))) == told


@pytest.mark.parametrize(
    "values", [("999999999999", "999999999999.00000000000000000001"), ("0", "0"), ("1E-400", "2E-400")]
)
def test_values_that_the_eye_does_not_tell_apart_are_drawn(values: tuple[str, str]) -> None:
    days = zip(("2024-01-05", "2025-01-05"), values, strict=True)
    found = plot.points({"effectiveDateTime": day, "valueQuantity": {"value": Decimal(value)}} for day, value in days)
    assert plot.drawn(found).count("<circle") == 2
