"""Measures: typed strictly, within what a person can have, stored under the French profile of each."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from fhirserver.espace.profile import measuring, tables, typed
from fhirserver.validation import Validator

if TYPE_CHECKING:
    from fhirserver.espace.profile.measuring import Resource

TODAY = date(2024, 2, 29)
PARIS = ZoneInfo("Europe/Paris")


@pytest.fixture(scope="module")
def french() -> Validator:
    return Validator()


def made(name: str, values: dict[str, str]) -> Resource:
    measure = tables.measures()[name]
    found = {each: read.text for each, read in measuring.values(measure, values).items()}
    return measuring.observation(measure, found, "2024-02-28T08:00:00+01:00", "Patient/p", {"reference": "Patient/p"})


@pytest.mark.parametrize("measure", measuring.entered(), ids=lambda each: str(each.name))
def test_each_measure_conforms_to_its_profile_and_reads_back(french: Validator, measure: tables.Measure) -> None:
    inner = tables.parts(measure.name) or (measure,)
    for bound in ("low", "high"):
        values = {each.name: str(getattr(each, bound)).replace(".", ",") for each in inner}
        resource = made(measure.name, values)
        assert [each for each in french.check(resource) if each.is_error] == []
        assert resource["meta"]["profile"] == [measure.profile]
        assert measuring.measure_of(resource) == measure
        assert measuring.typed(resource) == values
        assert measuring.implausible(resource) == []


@pytest.mark.parametrize("measure", [each for each in tables.measures().values() if not tables.parts(each.name)],
                         ids=lambda each: str(each.name))  # fmt: skip
def test_the_limits_of_each_measure_hold_on_both_sides(measure: tables.Measure) -> None:
    step = Decimal(1).scaleb(-measure.decimals)
    for value, error in ((measure.low, ""), (measure.high, ""), (measure.high + step, "range")):
        assert typed.number(str(value), measure.low, measure.high, measure.decimals).error == error
    if measure.low > 0:
        assert typed.number(str(measure.low - step), measure.low, measure.high, measure.decimals).error == "range"
    assert typed.number("1," + "1" * (measure.decimals + 1), measure.low, measure.high, measure.decimals).error


@pytest.mark.parametrize(
    ("text", "read", "error"),
    [
        ("72,5", "72.5", ""),
        ("72.50", "72.50", ""),
        (" 72 ", "72", ""),
        ("0072", "72", ""),
        ("", "", "required"),
        ("-1", "", "number"),
        ("+1", "", "number"),
        ("1e2", "", "number"),
        ("1 000", "", "number"),
        ("NaN", "", "number"),
        ("٧٢", "", "number"),
        ("72,", "", "number"),
        ("72,555", "", "decimals"),
        ("601", "", "range"),
    ],
)
def test_a_number_is_read_strictly(text: str, read: str, error: str) -> None:
    assert typed.number(text, Decimal("0.3"), Decimal(600), 2) == (read, error)


@pytest.mark.parametrize(
    ("text", "read", "error"),
    [
        ("2024", "2024", ""),
        ("02/2024", "2024-02", ""),
        ("29/02/2024", "2024-02-29", ""),
        ("2024-02-29", "2024-02-29", ""),
        ("1/2/2024", "2024-02-01", ""),
        ("30/02/2024", "", "date"),
        ("29/02/2023", "", "date"),
        ("01/03/2024", "", "future"),
        ("03/2024", "", "future"),
        ("2025", "", "future"),
        ("0001", "", "date"),
        ("1893", "", "date"),
        ("13/2023", "", "date"),
        ("00/00/2020", "", "date"),
        ("2020-00", "", "date"),
        ("hier", "", "date"),
    ],
)
def test_a_date_is_as_exact_as_it_is_typed(text: str, read: str, error: str) -> None:
    assert typed.day(text, TODAY) == (read, error)


def test_a_moment_is_of_the_zone_and_not_of_the_future() -> None:
    now = datetime(2024, 2, 29, 7, 30, tzinfo=UTC)
    assert typed.moment("2024-02-29", "08:30", now, PARIS).text == "2024-02-29T08:30:00+01:00"
    assert typed.moment("2024-02-29", "08:31", now, PARIS).error == "future"
    assert typed.moment("2024-02-29", "", now, PARIS).text == "2024-02-29"
    assert typed.moment("2024-02-29", "24:00", now, PARIS).error == "date"
    assert typed.moment("02/2024", "", now, PARIS).error == "date"
    late = datetime(2024, 2, 29, 23, 30, tzinfo=UTC)
    assert typed.moment("2024-03-01", "00:10", late, PARIS).text == "2024-03-01T00:10:00+01:00"


def test_what_nobody_can_have_is_told_of() -> None:
    resource = made("poids", {"poids": "72"})
    resource["valueQuantity"]["value"] = Decimal(7200)
    assert measuring.implausible(resource) == ["poids"]
    resource["valueQuantity"]["code"] = "g"
    assert measuring.implausible(resource) == []


def test_the_body_mass_index() -> None:
    assert measuring.bmi(Decimal("72.5"), Decimal(172)) == Decimal("24.5")


def _body(weighed: str, measured: str) -> list[Resource]:
    weight, height = made("poids", {"poids": "72.5"}), made("taille", {"taille": "172"})
    return [weight | {"effectiveDateTime": weighed}, height | {"effectiveDateTime": measured}]


@pytest.mark.parametrize(
    ("birth", "weighed", "measured", "shown"),
    [
        ("2006-02-28", "2024-02-28", "2024-02-28", True),
        ("2006-02-28", "2024-02-28", "2024-02-27", False),
        ("2006-02-28", "2024-02-27", "2024-02-28", False),
        ("2004-02-29", "2022-03-01", "2022-03-01", True),
        ("2004-02-29", "2022-02-28", "2022-02-28", False),
        ("2006-02", "2024-02-28", "2024-02-28", True),
        ("2006-02", "2024-02-27", "2024-02-28", False),
        ("2005", "2023-12-31", "2023-12-31", True),
        ("2005", "2023-12-30", "2023-12-31", False),
        ("2006", "2024-02-28", "2024-02-28", False),
        ("1984-02-29", "2024", "2024-02-28", False),
        ("1984-02-29", "2023", "2023-05", True),
        ("1984-02-29", "2024-02-29", "2024-02-28", True),
        ("1984-02-29", "2024-03-01", "2024-02-28", False),
        (None, "2024-02-28", "2024-02-28", False),
        ("unknown", "2024-02-28", "2024-02-28", False),
    ],
)
def test_the_body_mass_index_is_of_who_was_of_age_when_weighed_and_measured(
    birth: str | None, weighed: str, measured: str, shown: bool
) -> None:
    found = measuring.adult_bmi(_body(weighed, measured), birth, TODAY, "Europe/Paris")
    assert found == (Decimal("24.5") if shown else None)


@pytest.mark.parametrize(("zone", "shown"), [("Europe/Paris", True), ("Pacific/Tahiti", False)])
def test_somebody_is_of_age_from_the_birthday_where_he_lives(zone: str, shown: bool) -> None:
    at = "2024-02-28T08:00:00+01:00"
    assert (measuring.adult_bmi(_body(at, at), "2006-02-28", TODAY, zone) is not None) == shown


@pytest.mark.parametrize(("name", "value"), [("poids", "601"), ("poids", "0"), ("taille", "0"), ("taille", "19.9")])
def test_the_body_mass_index_is_not_made_of_what_nobody_has(name: str, value: str) -> None:
    body = _body("2024-02-28", "2024-02-28")
    body[name == "taille"]["valueQuantity"]["value"] = Decimal(value)
    assert measuring.adult_bmi(body, "1984-02-29", TODAY, "Europe/Paris") is None
    body[name == "taille"]["valueQuantity"] = {"value": Decimal(70), "code": "[lb_av]"}
    assert measuring.adult_bmi(body, "1984-02-29", TODAY, "Europe/Paris") is None
    assert measuring.adult_bmi(body[:1], "1984-02-29", TODAY, "Europe/Paris") is None
