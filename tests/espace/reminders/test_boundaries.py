"""Each rule at its boundary days, as an oracle reckons them: before, on and after the days of the table."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from fhirserver.espace import ages
from fhirserver.espace.reminders import engine, tables
from tests.espace.reminders import oracle

BIRTHS = (
    date(1948, 2, 29), date(1950, 6, 15), date(1968, 8, 31), date(1976, 2, 29), date(1981, 1, 1), date(1996, 2, 29),
    date(2000, 12, 31), date(2008, 2, 29), date(2012, 3, 31), date(2018, 1, 1), date(2023, 8, 31), date(2024, 2, 29),
    date(2025, 5, 31),
)  # fmt: skip
ZONES = ("Europe/Paris", "Indian/Reunion", "America/Guadeloupe", "Pacific/Noumea", "America/Cayenne")
ROWS = oracle.table()
PLAIN = [row for row in ROWS if not row["repeat"].startswith(("act", "season"))]
DAY = timedelta(days=1)


def _found(row: dict[str, str], born: date, today: date, zone: str = "Europe/Paris") -> engine.Reminder | None:
    """The reminder of a row when all that its series asks for before is done, by the person's own word."""
    person = engine.Person(born.isoformat(), row["sex"] or "male", row["zone"] or zone)
    series = [each for each in ROWS if each["series"] == row["series"] and each is not row]
    before = [engine.Answer(each["key"], engine.UNCONCERNED, born) for each in series]
    found = engine.reminders(person, [], before, today)
    return next((each for each in found if each.key == row["key"]), None)


@pytest.mark.parametrize("row", PLAIN, ids=[row["key"] for row in PLAIN])
def test_a_rule_changes_on_its_days(row: dict[str, str]) -> None:
    tried = 0
    for born in BIRTHS:
        for name in ("opens", "due", "late", "ends"):
            if not row[name]:
                continue
            for today in (oracle.after(born, row[name]) + step * DAY for step in (-1, 0, 1)):
                expected = oracle.state(row, born, today)
                if today < born or not oracle.within(row["born"], born) or not oracle.within(row["in_force"], today):
                    expected = None
                found = _found(row, born, today)
                assert (found.state if found else None) == expected, (row["key"], born, today)
                tried += expected is not None
    assert tried, "no birth of the list meets the rule"


@pytest.mark.parametrize("row", ROWS, ids=[row["key"] for row in ROWS])
def test_a_rule_is_in_force_from_its_first_day_until_its_end(row: dict[str, str]) -> None:
    first, _, end = row["in_force"].partition("/")
    for bound, before, after in ((first, False, True), (end, True, False)):
        if not bound:
            continue
        day = date.fromisoformat(bound)
        years = (oracle.after(day, "1d").replace(year=each, day=15) for each in range(1930, day.year + 1))
        birth = next((each for each in years if each < day and _applies(row, each, day, before=before)), None)
        if birth is not None:
            assert [bool(_found(row, birth, when)) for when in (day - DAY, day)] == [before, after], birth


def _applies(row: dict[str, str], born: date, day: date, *, before: bool) -> bool:
    alone = oracle.state(row, born, day - DAY) not in (None, "ahead") and oracle.state(row, born, day) is not None
    return alone and oracle.within(row["born"], born) and not row["repeat"].startswith("season")


@pytest.mark.parametrize("zone", ZONES)
def test_the_day_is_that_of_the_place(zone: str) -> None:
    """Also in the nights in which clocks are put forward or back: a moment before midnight it is the day before."""
    for day in (date(2026, 3, 29), date(2026, 10, 25), date(2028, 2, 29), date(2028, 3, 1), date(2026, 11, 22)):
        midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        assert ages.today(midnight, zone) == day
        assert ages.today(midnight - timedelta(seconds=1), zone) == day - DAY
        born = day.replace(year=day.year - 25) if (day.month, day.day) != (2, 29) else date(2003, 3, 1)
        when = oracle.after(born, "25y")
        if when == day:
            person = engine.Person(born.isoformat(), "male", zone)
            keys = [
                {each.key: each.state for each in engine.reminders(person, [], [], ages.today(moment, zone))}
                for moment in (midnight - timedelta(seconds=1), midnight)
            ]
            assert (keys[0].get("dtp-25"), keys[1]["dtp-25"]) in ((None, "due"), ("ahead", "due"))


def test_the_oracle_and_the_server_reckon_alike() -> None:
    for born in BIRTHS:
        for text in ("0d", "6w", "1m", "2m", "6m", "13m", "18m", "1y", "17y", "50y"):
            assert ages.age(text).on(born) == oracle.after(born, text), (born, text)


@pytest.mark.parametrize("row", [row for row in ROWS if row["repeat"].startswith("act")], ids=lambda row: row["key"])
def test_what_comes_again_comes_so_long_after_the_last_act(row: dict[str, str]) -> None:
    for kind, every in zip(row["acts"].split(), row["repeat"].split()[1:], strict=True):
        for done in (date(2024, 2, 29), date(2025, 8, 31)):
            born = date(1966, 5, 15)
            person = engine.Person(born.isoformat(), row["sex"] or "male", "Europe/Paris")
            act = engine.Act(frozenset({kind}), ages.Days(done, done))
            again = oracle.after(done, every)
            states = [
                next(each for each in engine.reminders(person, [act], [], again + step * DAY) if each.key == row["key"])
                for step in (-1, 0)
            ]
            assert [each.state for each in states] == ["ahead", "due"]
            assert {each.opens for each in states} == {again}
    born = date(1952, 2, 29)
    first, end = (oracle.after(born, row[name]) for name in ("opens", "ends"))
    person = engine.Person(born.isoformat(), row["sex"] or "male", "Europe/Paris")
    for day, expected in ((first - DAY, False), (first, True), (end - DAY, True), (end, False)):
        if oracle.within(row["in_force"], day):
            shown = [each.key for each in engine.reminders(person, [], [], day) if each.state in engine.SHOWN]
            assert (row["key"] in shown) == expected, day


def test_the_table_is_whole() -> None:
    keys = [each.key for each in tables.rules()]
    assert len(keys) == len(set(keys)) == len(ROWS)
    assert set(keys) == {row["key"] for row in ROWS}
    known = {each[0] for each in tables.codes()}
    for each in tables.rules():
        assert each.kind in tables.KINDS
        assert set(each.acts) <= known, each.key
        assert each.source.name
        assert each.source.version
        assert len(each.every) in (0, len(each.acts))
    assert set(known) <= {act for each in tables.rules() for act in each.acts}
