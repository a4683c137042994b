"""Rules by hand: persons whose days are written out."""

from __future__ import annotations

import csv
from datetime import date
from importlib import resources

import pytest

from fhirserver.espace.ages import Days, days
from fhirserver.espace.reminders import engine
from fhirserver.espace.reminders.engine import Act, Answer, Person, Reminder
from fhirserver.espace.reminders.reading import kinds_of

PARIS = "Europe/Paris"
UNSPOKEN = {"hepatite-a", "hepatite-b", "bcg", "varicelle", "typhoide", "rage", "encephalite-a-tiques"}
"""Vaccines that are not proposed by age."""


def act(kind: str, day: str) -> Act:
    when = days(day, PARIS)
    assert when is not None
    return Act(frozenset(kind.split()), when)


def state(
    key: str, born: str, today: str, *acts: Act, sex: str = "female", zone: str = PARIS, said: tuple[Answer, ...] = ()
) -> str | None:
    found = reminder(key, born, today, *acts, sex=sex, zone=zone, said=said)
    return found.state if found else None


def reminder(
    key: str, born: str, today: str, *acts: Act, sex: str = "female", zone: str = PARIS, said: tuple[Answer, ...] = ()
) -> Reminder | None:
    found = engine.reminders(Person(born, sex, zone), acts, said, date.fromisoformat(today))
    return next((each for each in found if each.key == key), None)


@pytest.mark.parametrize(
    ("key", "born", "days_"),
    [
        (
            "dtp-1",
            "2025-03-31",
            {"2025-05-11": "ahead", "2025-05-12": "soon", "2025-05-31": "due", "2025-06-30": "late"},
        ),
        (
            "ror-1",
            "2024-02-29",
            {"2025-01-28": "ahead", "2025-01-29": "soon", "2025-02-28": "due", "2025-03-29": "late"},
        ),
        (
            "dtp-25",
            "2000-02-29",
            {"2025-02-28": None, "2025-03-01": "due", "2026-03-01": "late", "2045-03-01": None},
        ),
        ("dtp-65", "1960-02-29", {"2025-02-28": None, "2025-03-01": "due", "2026-03-01": "late"}),
        (
            "dtp-75",
            "1951-11-22",
            {"2026-11-21": None, "2026-11-22": "due", "2027-11-22": "late", "2036-11-22": None},
        ),
        ("vrs-75", "1951-11-22", {"2026-11-21": "ahead", "2026-11-22": "due"}),
        ("hpv-1", "2015-06-21", {"2026-06-20": "ahead", "2026-06-21": "due", "2030-06-21": "late", "2035-06-21": None}),
        (
            "menb-1",
            "2025-08-31",
            {"2025-10-30": "ahead", "2025-10-31": "soon", "2025-11-30": "due", "2027-08-31": None},
        ),
        (
            "exam-24m",
            "2024-03-31",
            {"2026-02-27": "ahead", "2026-02-28": "due", "2026-04-29": "due", "2026-04-30": None},
        ),
        ("exam-8j", "2026-02-28", {"2026-02-28": "due", "2026-03-08": "due", "2026-03-09": None}),
        (
            "exam-7a",
            "2020-02-29",
            {"2026-02-28": "ahead", "2026-03-01": "due", "2027-02-28": "due", "2027-03-01": None},
        ),
        ("dents-24", "2001-12-31", {"2025-12-30": "ahead", "2025-12-31": "due", "2026-12-31": None}),
        (
            "bilan-18",
            "2008-02-29",
            {"2026-02-28": "ahead", "2026-03-01": "due", "2034-02-28": "due", "2034-03-01": None},
        ),
        ("sein", "1976-02-29", {"2026-02-28": "ahead", "2026-03-01": "due", "2051-02-28": "due", "2051-03-01": None}),
        ("colorectal", "1976-11-22", {"2026-11-21": "ahead", "2026-11-22": "due"}),
        ("col-1", "2001-11-22", {"2026-11-21": "ahead", "2026-11-22": "due", "2031-11-21": "due", "2031-11-22": None}),
        (
            "col-hpv",
            "1996-02-29",
            {"2026-02-28": "ahead", "2026-03-01": "due", "2062-02-28": "due", "2062-03-01": None},
        ),
    ],
)
def test_on_these_days_it_is_so(key: str, born: str, days_: dict[str, str | None]) -> None:
    """A booster before which one is missing is not told of ahead."""
    assert {day: state(key, born, day) for day in days_} == days_


def test_a_dose_waits_for_the_one_before_it_and_for_its_interval() -> None:
    born = "2025-01-15"
    assert state("dtp-2", born, "2025-05-20") is None
    late_first = act("dtp", "2025-05-10")
    second = reminder("dtp-2", born, "2025-05-20", late_first)
    assert second is not None
    assert (second.state, second.opens, second.due, second.late) == (
        "ahead",
        date(2025, 7, 10),
        date(2025, 7, 10),
        date(2025, 8, 10),
    )
    assert state("dtp-2", born, "2025-07-10", late_first) == "due"
    assert state("dtp-1", born, "2025-07-10", late_first) is None
    too_early = act("dtp", "2025-06-01")
    assert state("dtp-2", born, "2025-07-31", late_first, too_early) == "ahead"
    assert state("dtp-3", born, "2026-01-20", late_first, act("dtp", "2025-07-10")) == "due"


def test_a_dose_counts_once() -> None:
    one = act("ror", "2026-01-20")
    assert state("ror-1", "2025-01-15", "2026-08-01", one) is None
    assert state("ror-2", "2025-01-15", "2026-08-01", one) == "late"
    assert state("ror-2", "2025-01-15", "2026-08-01", one, act("ror", "2026-05-20")) is None


def test_an_examination_counts_for_one_of_two_whose_ages_overlap() -> None:
    one = act("examen", "2026-04-10")
    assert state("exam-24m", "2024-03-31", "2026-04-15", one) is None
    assert state("exam-3a", "2024-03-31", "2026-04-15", one) == "due"
    assert state("exam-3a", "2024-03-31", "2026-05-15", one, act("examen", "2026-05-10")) is None


def test_a_dose_before_the_age_at_which_it_counts_counts_for_nothing() -> None:
    assert state("ror-1", "2025-01-15", "2026-03-01", act("ror", "2025-10-15")) == "late"


def test_from_twelve_months_one_dose_against_acwy_is_enough() -> None:
    assert state("menacwy-2", "2024-06-01", "2025-08-01", act("menacwy", "2025-07-01")) is None
    assert state("menacwy-1", "2024-06-01", "2025-08-01") is None
    assert state("menacwy-2", "2024-06-01", "2025-08-01") == "late"


def test_who_was_born_before_and_after_a_change_follows_the_row_of_the_day() -> None:
    assert state("menc-1", "2024-07-15", "2024-12-31") == "due"
    assert state("menc-1", "2024-07-15", "2025-01-01") is None
    assert (state("menacwy-1", "2024-07-15", "2024-12-31"), state("menacwy-1", "2024-07-15", "2025-01-01")) == (
        None,
        "soon",
    )
    assert state("menb-1", "2023-06-30", "2025-01-01") is None
    assert state("menb-1", "2023-07-01", "2025-01-01") == "late"
    assert state("exam-1m", "2024-12-15", "2024-12-31") == "due"
    assert state("exam-1m", "2024-12-15", "2025-01-01") is None
    assert state("exam-7a", "2018-06-01", "2024-12-31") is None
    assert state("exam-7a", "2018-06-01", "2025-01-01") == "due"
    assert state("dents-4", "2020-06-01", "2025-03-31") is None
    assert state("dents-4", "2020-06-01", "2025-04-01") == "due"
    assert (state("dents3-6", "2019-01-01", "2025-03-31"), state("dents3-6", "2019-01-01", "2025-04-01")) == (
        "due",
        None,
    )
    assert state("dtp-1", "2017-12-31", "2018-03-01") is None
    assert state("dtp-1", "2018-01-01", "2018-03-01") == "due"


def test_boosters_at_fixed_ages_keep_five_years_apart() -> None:
    born = "1981-03-01"
    assert state("dtp-45", born, "2026-03-01") == "due"
    booster = act("dtp", "2023-05-01")
    found = reminder("dtp-45", born, "2026-03-01", booster)
    assert found is not None
    assert (found.state, found.opens) == ("ahead", date(2028, 5, 1))
    assert state("dtp-25", born, "2026-03-01", booster) is None
    assert state("dtp-45", born, "2028-05-01", booster) == "due"
    assert state("dtp-45", born, "2028-05-01", booster, act("dtp", "2028-04-30")) == "ahead"


def test_nobody_is_reminded_of_doses_whose_age_is_over() -> None:
    keys = {each.key for each in engine.reminders(Person("1961-05-01", "male", PARIS), [], [], date(2026, 11, 22))}
    assert keys & {"dtp-1", "dtp-25", "dtp-45", "ror-1", "hpv-1", "pneumo-1", "bilan-45"} == set()
    assert {"dtp-65", "pneumo-65", "zona-1", "grippe", "covid", "colorectal", "bilan-60"} <= keys


@pytest.mark.parametrize(
    ("zone", "begins", "ends"),
    [(PARIS, "2026-10-15", "2027-02-01"), ("America/Guadeloupe", "2026-10-15", "2027-02-01"),
     ("Indian/Mayotte", "2026-09-09", "2027-02-01"), ("Indian/Reunion", "2026-04-15", "2026-10-01")],
)  # fmt: skip
def test_influenza_comes_with_each_season_of_the_place(zone: str, begins: str, ends: str) -> None:
    first, over = date.fromisoformat(begins), date.fromisoformat(ends)
    eve, last = (day.fromordinal(day.toordinal() - 1) for day in (first, over))
    days_ = [each.isoformat() for each in (eve, first, last, over)]
    assert [state("grippe", "1950-01-01", day, zone=zone) for day in days_] == ["ahead", "due", "due", "ahead"]
    done = act("grippe", begins)
    again = reminder("grippe", "1950-01-01", days_[2], done, zone=zone)
    assert again is not None
    assert (again.state, again.opens) == ("ahead", first.replace(year=2027))
    assert state("grippe", "1950-01-01", begins, act("grippe", "2025-11-01"), zone=zone) == "due"


def test_influenza_from_the_birthday_on_within_a_season() -> None:
    assert state("grippe", "1962-01-10", "2027-01-09") == "ahead"
    assert state("grippe", "1962-01-10", "2027-01-10") == "due"
    born_after = reminder("grippe", "1962-02-01", "2027-01-31")
    assert born_after is not None
    assert born_after.opens == date(2027, 10, 15)


def test_covid_six_months_after_the_last_dose() -> None:
    recent = act("covid", "2026-06-30")
    assert state("covid", "1950-01-01", "2026-12-29", recent) == "ahead"
    assert state("covid", "1950-01-01", "2026-12-30", recent) == "due"


def test_a_colonoscopy_keeps_the_test_back_for_five_years() -> None:
    born = "1970-01-01"
    assert state("colorectal", born, "2026-03-01", act("test-selles", "2024-03-02")) == "ahead"
    assert state("colorectal", born, "2026-03-02", act("test-selles", "2024-03-02")) == "due"
    assert state("colorectal", born, "2026-03-02", act("coloscopie", "2021-03-03")) == "ahead"
    assert state("colorectal", born, "2026-03-03", act("coloscopie", "2021-03-03")) == "due"


def test_cervix_two_cytologies_then_three_years_then_hpv() -> None:
    born = "2000-01-10"
    first, second = act("cytologie", "2025-02-01"), act("cytologie", "2026-02-15")
    assert state("col-2", born, "2026-01-31", first) == "ahead"
    assert state("col-2", born, "2026-02-01", first) == "due"
    third = reminder("col-3", born, "2026-03-01", first, second)
    assert third is not None
    assert third.opens == date(2029, 2, 15)
    assert state("col-hpv", born, "2030-01-10", first, second) == "due"
    assert state("col-hpv", born, "2030-01-10", act("cytologie", "2029-02-15")) == "ahead"
    assert state("col-hpv", born, "2032-02-15", act("cytologie", "2029-02-15")) == "due"
    assert state("col-hpv", born, "2034-12-31", act("hpv-test", "2030-01-15")) == "ahead"
    assert state("col-hpv", born, "2035-01-15", act("hpv-test", "2030-01-15")) == "due"


@pytest.mark.parametrize("sex", ["male", "other", "unknown", ""])
def test_what_is_for_women_is_proposed_to_whom_the_record_calls_one(sex: str) -> None:
    assert state("sein", "1970-01-01", "2026-03-01") == "due"
    assert state("sein", "1970-01-01", "2026-03-01", sex=sex) is None
    assert state("col-hpv", "1970-01-01", "2026-03-01", sex=sex) is None


def test_yellow_fever_is_for_who_lives_in_guyane() -> None:
    assert state("fievre-jaune", "2025-01-31", "2026-01-31", zone="America/Cayenne") == "due"
    assert state("fievre-jaune", "2025-01-31", "2026-01-31") is None


def test_of_a_birth_known_in_part_what_holds_for_each_day() -> None:
    """Of 1961 only the year: on 1 January 2026 nobody knows whether the person is 65; on 31 December all are."""
    assert state("pneumo-65", "1961", "2026-01-01") is None
    assert state("pneumo-65", "1961", "2026-12-30") is None
    found = reminder("pneumo-65", "1961", "2026-12-31")
    assert found is not None
    assert (found.state, found.opens, found.due) == ("due", None, None)
    assert state("pneumo-65", "1961-06", "2026-06-29") is None
    assert state("pneumo-65", "1961-06", "2026-06-30") == "due"
    assert state("bilan-60", "1961", "2026-12-31") == "due"
    assert state("bilan-60", "1961", "2027-01-01") is None


@pytest.mark.parametrize("born", ["", "196", "1961-13-01", "hier", "2027-01-01"])
def test_without_a_date_of_birth_nothing_is_proposed(born: str) -> None:
    assert engine.reminders(Person(born, "female", PARIS), [], [], date(2026, 11, 22)) == []


def test_an_act_known_by_its_year_counts_wherever_it_may() -> None:
    done = act("dtp", "2026")
    assert done.days == Days(date(2026, 1, 1), date(2026, 12, 31))
    assert state("dtp-45", "1981-03-01", "2026-11-22", done) == "ahead"
    assert state("dtp-25", "1981-03-01", "2026-11-22", done) is None
    assert state("dtp-45", "1981-03-01", "2026-11-22", act("dtp", "2027-01-01")) == "due"


def test_what_the_person_says() -> None:
    born, today = "1961-05-01", "2026-11-22"

    def said(answer: str, day: str, key: str = "pneumo-65", on: str = today) -> str | None:
        return state(key, born, on, said=(Answer(key, answer, date.fromisoformat(day)),))

    assert state("pneumo-65", born, today) == "due"
    assert said(engine.ELSEWHERE, "2026-11-20") is None
    assert said(engine.UNCONCERNED, "2026-11-20") is None
    assert said(engine.LATER, "2026-11-20") == "postponed"
    assert said(engine.LATER, "2026-10-31", on="2026-11-29") == "postponed"
    assert said(engine.LATER, "2026-10-31", on="2026-11-30") == "due"
    assert said(engine.ELSEWHERE, "2026-11-20", "grippe") == "ahead"
    assert said(engine.ELSEWHERE, "2025-11-20", "grippe") == "due"
    assert said(engine.ELSEWHERE, "2026-11-20", "colorectal") == "ahead"
    assert said(engine.UNCONCERNED, "2020-11-20", "grippe") is None


def test_a_dose_done_elsewhere_begins_the_interval_of_the_next() -> None:
    said = (Answer("zona-1", engine.ELSEWHERE, date(2026, 11, 20)),)
    found = reminder("zona-2", "1961-05-01", "2026-11-22", said=said)
    assert found is not None
    assert (found.state, found.opens) == ("ahead", date(2027, 1, 20))


def test_the_vaccines_that_persons_enter_count() -> None:
    """But for those of which no rule speaks."""
    with resources.files("fhirserver.espace.profile").joinpath("choices.csv").open(encoding="utf-8") as file:
        entered = [row for row in csv.DictReader(file) if next(iter(row.values())) == "vaccines"]
    names = list(entered[0])
    for row in entered:
        coding = {"system": row[names[2]], "code": row[names[3]]}
        known = set(kinds_of({"coding": [coding]}))
        assert known or row[names[1]] in UNSPOKEN, row


@pytest.mark.parametrize(
    ("code", "kinds"),
    [("J07CA09", {"dtp"}), ("J07CA02", {"dtp"}), ("J07CA10", set()), ("J07AM01", set()), ("J07AM51", set()),
     ("J07AL02", {"pneumo"}), ("J07BK02", set()), ("J07BK03", {"zona"}), ("J07BB03", {"grippe"}), ("", set())],
)  # fmt: skip
def test_a_code_counts_for_what_it_is(code: str, kinds: set[str]) -> None:
    """A vaccine against typhoid fever and hepatitis A is no booster, nor is one against tetanus alone."""
    assert set(kinds_of({"coding": [{"system": "http://www.whocc.no/atc", "code": code}]})) == kinds
    assert set(kinds_of({"coding": [{"system": "urn:other", "code": code}]})) == set()
    assert set(kinds_of({"coding": [{"code": code}]})) == set()
