"""The rules of the agenda: every row at its first and last moment, and what no row allows."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import fhirserver.espace.agenda
from fhirserver.espace.agenda.rules import Refusal, act, judge
from fhirserver.espace.agenda.tables import news, rules, words

Resource = dict[str, Any]

TABLE = Path(fhirserver.espace.agenda.__path__[0]) / "rules.csv"
ROWS = list(csv.DictReader(TABLE.read_text("utf-8").splitlines()))
TICK = timedelta(milliseconds=1)
NIGHTS = (
    ("2026-06-15T09:00:00+02:00", "2026-06-15T09:30:00+02:00"),
    ("2028-02-29T23:45:00+01:00", "2028-03-01T00:15:00+01:00"),
    ("2026-03-29T01:45:00+01:00", "2026-03-29T03:15:00+02:00"),
    ("2026-10-25T02:45:00+02:00", "2026-10-25T02:15:00+01:00"),
    ("2026-12-31T23:50:00+04:00", "2027-01-01T00:20:00+04:00"),
    ("2026-06-15T20:00:00-10:00", "2026-06-15T20:30:00-10:00"),
    ("2026-06-15T07:00:00Z", "2026-06-15T07:30:00Z"),
)
"""A day as any, a leap day, the nights when the clocks change, La Réunion at new year, Tahiti, UTC."""
ALWAYS = (datetime(1990, 1, 1, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC))


def appointment(status: str, span: tuple[str, str], *, slotted: bool) -> Resource:
    made: Resource = {"resourceType": "Appointment", "id": "a", "status": status, "start": span[0], "end": span[1]}
    made["participant"] = [{"actor": {"reference": "Patient/p"}, "status": "accepted"}]
    return made | ({"slot": [{"reference": "Slot/s"}]} if slotted else {})


def sides(row: dict[str, str], span: tuple[str, str], origin: str, to: str) -> tuple[Resource | None, Resource | None]:
    """An appointment before and after what a row lets happen."""
    slotted = row["slots"] != "no"
    before = None if origin == "none" else appointment(origin, span, slotted=slotted)
    after = None if to == "none" else appointment(to, span, slotted=slotted)
    if after is not None and row["reason"] == "yes":
        after["cancelationReason"] = {"text": "Absence"}
    if row["act"] == "move" and after is not None:
        after["slot" if slotted else "priority"] = [{"reference": "Slot/other"}] if slotted else 1
        after |= {"end": after["end"].replace(":30:00", ":31:00").replace(":15:00", ":16:00").replace(":20:", ":21:")}
    if row["act"] == "amend" and after is not None:
        after["comment"] = "Salle 4"
    return before, after


def cases() -> list[tuple[dict[str, str], str, str, str]]:
    found = []
    for row in ROWS:
        for who in row["who"].split():
            for origin in row["from"].split():
                for to in row["to"].split():
                    if row["act"] != "amend" or origin == to:
                        found.append((row, who, origin, to))
    return [each for each in found if each[0]["act"] not in ("confirm", "arrive", "move") or _is_change(*each)]


def _is_change(row: dict[str, str], _: str, origin: str, to: str) -> bool:
    return origin != to if row["act"] != "move" else origin != "waitlist"


def bound(text: str, span: tuple[str, str]) -> datetime | None:
    """The moment that a bound means, by hand: the edge in UTC, and hours."""
    if not text:
        return None
    edge, hours = (text[:5], text[5:]) if text.startswith("start") else (text[:3], text[3:])
    at = datetime.fromisoformat(span[edge == "end"].replace("Z", "+00:00")).astimezone(UTC)
    return at + timedelta(hours=int(hours.removesuffix("h") or 0))


def allowed(case: tuple[dict[str, str], str, str, str], span: tuple[str, str], now: datetime) -> str:
    """`yes`, or the key of the refusal."""
    row, who, origin, to = case
    before, after = sides(row, span, origin, to)
    try:
        judge(before, after, who, now, own=row["made"] != "other")
    except Refusal as refusal:
        return refusal.key
    return "yes"


@pytest.mark.parametrize("span", NIGHTS, ids=lambda each: each[0])
def test_each_row_begins_and_ends_at_its_moment(span: tuple[str, str]) -> None:
    for case in cases():
        row = case[0]
        opens, closes = bound(row["opens"], span), bound(row["closes"], span)
        if opens is not None:
            assert (allowed(case, span, opens - TICK), allowed(case, span, opens)) == ("early", "yes"), case
        if closes is not None:
            assert (allowed(case, span, closes - TICK), allowed(case, span, closes)) == ("yes", "late"), case
        if opens is None and closes is None:
            assert [allowed(case, span, each) for each in ALWAYS] == ["yes", "yes"], case


def test_nobody_does_what_stands_in_no_row() -> None:
    span, now = NIGHTS[0], datetime(2026, 6, 1, tzinfo=UTC)
    known = {(row["act"], who, origin, to) for row, who, origin, to in cases()}
    statuses = sorted({each for row in ROWS for each in (row["from"] + " " + row["to"]).split()})
    for who in ("holder", "representative", "professional", "organization"):
        for origin in statuses:
            for to in statuses:
                before = None if origin == "none" else appointment(origin, span, slotted=True)
                after = None if to == "none" else appointment(to, span, slotted=True)
                if before is None and after is None:
                    continue
                if (act(before, after), who, origin, to) not in known:
                    with pytest.raises(Refusal):
                        judge(before, after, who, now, own=True)


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        (None, "booked", "book"),
        ("booked", None, "delete"),
        ("pending", "booked", "confirm"),
        ("pending", "cancelled", "decline"),
        ("booked", "cancelled", "cancel"),
        ("booked", "checked-in", "arrive"),
        ("booked", "noshow", "no-show"),
        ("arrived", "fulfilled", "fulfil"),
        ("booked", "entered-in-error", "withdraw"),
        ("booked", "booked", "amend"),
        ("cancelled", "booked", "reopen"),
        ("booked", "pending", "reopen"),
    ],
)
def test_what_is_done_is_told_from_the_states(before: str | None, after: str | None, name: str) -> None:
    one, two = (None if each is None else appointment(each, NIGHTS[0], slotted=True) for each in (before, after))
    assert act(one, two) == name


def test_an_appointment_that_moves_across_its_end_of_time_is_refused() -> None:
    before = appointment("booked", NIGHTS[0], slotted=True)
    gone = {**before, "start": "2026-06-01T09:00:00Z", "end": "2026-06-01T09:30:00Z"}
    now = datetime(2026, 6, 10, tzinfo=UTC)
    with pytest.raises(Refusal, match="late"):
        judge(before, gone, "holder", now, own=True)
    with pytest.raises(Refusal, match="late"):
        judge(gone, before, "holder", now, own=True)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"description": "Autre"}, "fields"),
        ({"text": {"status": "generated", "div": "<div>Autre</div>"}}, "fields"),
        ({"participant": [{"actor": {"reference": "Practitioner/x"}, "status": "accepted"}]}, "fields"),
        ({"extension": [{"url": "https://a.example", "valueString": "x"}]}, "fields"),
        ({"comment": "Je viens à pied"}, "yes"),
    ],
)
def test_a_person_changes_no_more_than_the_rule_names(change: Resource, key: str) -> None:
    before, now = appointment("booked", NIGHTS[0], slotted=True), datetime(2026, 6, 1, tzinfo=UTC)
    if key == "yes":
        judge(before, before | change, "holder", now, own=False)
    else:
        with pytest.raises(Refusal, match=key):
            judge(before, before | change, "holder", now, own=False)


def test_nobody_slips_in_with_a_cancellation() -> None:
    before = appointment("booked", NIGHTS[0], slotted=True)
    other = {"actor": {"reference": "Practitioner/x"}, "status": "accepted"}
    after = before | {"status": "cancelled", "participant": [*before["participant"], other]}
    with pytest.raises(Refusal, match="fields"):
        judge(before, after, "holder", datetime(2026, 6, 1, tzinfo=UTC), own=False)


def test_who_cancels_for_the_professional_says_why() -> None:
    before = appointment("booked", NIGHTS[0], slotted=True)
    with pytest.raises(Refusal, match="reason"):
        judge(before, before | {"status": "cancelled"}, "professional", datetime(2026, 6, 1, tzinfo=UTC), own=False)


def test_the_slots_of_what_is_over_stay() -> None:
    before = appointment("cancelled", NIGHTS[0], slotted=True)
    with pytest.raises(Refusal, match="kept"):
        judge(before, before | {"slot": []}, "professional", datetime(2026, 6, 1, tzinfo=UTC), own=True)


def test_tables_hold_together() -> None:
    assert {each.told for each in rules() if each.told} == set(news())
    assert all(each.source for each in rules())
    assert all(each.status in (403, 409, 422) for each in words().values())
    assert all(each.en != each.fr for each in words().values())
