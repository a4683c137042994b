"""What is proposed to somebody on a day, of his age and of what is known to be done: pure, the day given.

It is advice by age, never a finding: with no act known it says what the age alone says. Of a date of birth that is
known in part, just what holds for every day that it may be.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver.espace.ages import Age, Days, days
from fhirserver.espace.reminders.tables import rules, seasons

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fhirserver.espace.reminders.tables import Rule

AHEAD: Final = "ahead"
SOON: Final = "soon"
DUE: Final = "due"
LATE: Final = "late"
POSTPONED: Final = "postponed"
SHOWN: Final = (SOON, DUE, LATE)
"""States in which somebody is reminded; `ahead`: not yet, `postponed`: the person said later."""
_RANK: Final = (AHEAD, SOON, DUE, LATE)
ELSEWHERE: Final = "elsewhere"
LATER: Final = "later"
UNCONCERNED: Final = "not-concerned"
ANSWERS: Final = (ELSEWHERE, LATER, UNCONCERNED)
PAUSE: Final = Age(1, "months")
"""For so long `later` keeps a reminder back."""


class Person(NamedTuple):
    """`born`: a FHIR date, full or in part; `sex`: `male`, `female` or anything else; `zone`: where he lives."""

    born: str
    sex: str
    zone: str


class Act(NamedTuple):
    """Something that was done: what it counts as, and on which days it may have been."""

    kinds: frozenset[str]
    days: Days


class Answer(NamedTuple):
    """What the person said of a rule."""

    key: str
    answer: str
    day: date


@dataclass(frozen=True)
class Reminder:
    """`period` tells one time of the same rule from another; `opens`, `due`, `late`, `ends` (the first day on which it
    is no longer proposed) are None where they are not known surely or there is none. `last`: the last act known."""

    rule: Rule
    state: str
    period: str
    opens: date | None
    due: date | None
    late: date | None
    ends: date | None
    last: date | None

    @property
    def key(self) -> str:
        return self.rule.key


class _Case(NamedTuple):
    """One day of birth that it may be."""

    born: date
    person: Person
    acts: Sequence[Act]
    answers: Sequence[Answer]
    today: date


def reminders(person: Person, acts: Iterable[Act], answers: Iterable[Answer], today: date) -> list[Reminder]:
    """All that is proposed or lies ahead, the soonest due first."""
    birth = days(person.born, person.zone)
    if birth is None or birth.last > today:
        return []
    known = sorted((each for each in acts if each.days.first <= today), key=lambda each: each.days)
    said = list(answers)
    found = [_of(_Case(born, person, known, said, today)) for born in sorted({birth.first, birth.last})]
    sure = found[-1] if len(found) == 1 else _common(*found)
    return sorted(sure, key=lambda each: (each.due or each.opens or date.max, each.opens or date.max, each.key))


def _common(older: Sequence[Reminder], younger: Sequence[Reminder]) -> list[Reminder]:
    """What holds for both ends of the days of birth: in the lesser state, with the dates that are the same."""
    other, made = {each.key: each for each in older}, list[Reminder]()
    for each in younger:
        if (known := other.get(each.key)) is None:
            continue
        pair = (each.state, known.state)
        state = POSTPONED if POSTPONED in pair else min(pair, key=_RANK.index)
        dates = {name: _same(each, known, name) for name in ("opens", "due", "late", "ends")}
        period = each.period if each.period == known.period else ""
        if state != AHEAD or dates["opens"]:
            made.append(Reminder(each.rule, state, period, **dates, last=each.last))
    return made


def _same(one: Reminder, other: Reminder, name: str) -> date | None:
    value: date | None = getattr(one, name)
    return value if value == getattr(other, name) else None


def _of(case: _Case) -> list[Reminder]:
    found: list[Reminder] = []
    fitting = [each for each in rules() if _applies(each, case)]
    for _, series in groupby(fitting, key=lambda each: each.series):
        found += _series(list(series), case)
    return found


def _applies(rule: Rule, case: _Case) -> bool:
    return (
        rule.in_force.holds(case.today)
        and rule.born.holds(case.born)
        and rule.sex in ("", case.person.sex)
        and rule.zone in ("", case.person.zone)
    )


def _series(series: Sequence[Rule], case: _Case) -> list[Reminder]:
    """Dose after dose: an act counts for the first that it fits; after one that is missing none that needs it."""
    if series[0].seasonal:
        return [each for rule in series for each in _seasonal(rule, case)]
    if series[0].every:
        return [each for rule in series for each in _periodic(rule, case)]
    left = [act for act in case.acts if act.kinds & set(series[0].acts)]
    found, last, missing = list[Reminder](), None, False
    for rule in series:
        ends = rule.ends.on(case.born) if rule.ends else None
        if _answer(rule, case, UNCONCERNED):
            continue
        done = _done(rule, case, left, last)
        if done is not None:
            last = done
            continue
        if ends is not None and case.today >= ends:
            continue
        if missing and rule.interval:
            break
        missing = True
        latest = max((min(act.days.last, case.today) for act in left), default=None)
        if (made := _dose(rule, case, max(filter(None, (last, latest)), default=None))) is not None:
            found.append(made)
    return found


def _done(rule: Rule, case: _Case, left: list[Act], last: date | None) -> date | None:
    """The day of the act that counts for the rule, which no other counts any more."""
    first = rule.earliest.on(case.born)
    ends = rule.ends.on(case.born) if rule.ends else date.max
    if last is not None and rule.interval:
        first = max(first, rule.interval.on(last))
    for act in left:
        if act.days.last >= first and act.days.first < ends:
            left.remove(act)
            return min(act.days.last, case.today)
    said = _answer(rule, case, ELSEWHERE)
    return said.day if said else None


def _dose(rule: Rule, case: _Case, last: date | None) -> Reminder | None:
    """The dose that is missing: not before the interval is over, by which its other days move too."""
    opens, due = rule.opens.on(case.born), rule.due.on(case.born)
    late, ends = (each.on(case.born) if each else None for each in (rule.late, rule.ends))
    if last is not None and rule.interval and (after := rule.interval.on(last)) > opens:
        opens = after
        if after > due:
            late = late + (after - due) if late else None
            due = after
    return _stated(rule, case, "", opens, due, late, ends, last)


def _periodic(rule: Rule, case: _Case) -> list[Reminder]:
    """Again some time after the last act; without one, from the age on."""
    if _answer(rule, case, UNCONCERNED):
        return []
    begin = rule.opens.on(case.born)
    opens, last = begin, None
    for act in case.acts:
        for kind, every in zip(rule.acts, rule.every, strict=False):
            if kind in act.kinds:
                last = max(filter(None, (last, min(act.days.last, case.today))))
                opens = max(opens, every.on(min(act.days.last, case.today)))
    if (said := _answer(rule, case, ELSEWHERE)) is not None and said.day >= begin:
        opens = max(opens, rule.every[0].on(said.day))
    ends = rule.ends.on(case.born) if rule.ends else None
    made = _stated(rule, case, opens.isoformat(), opens, opens, None, ends, last)
    return [made] if made else []


def _seasonal(rule: Rule, case: _Case) -> list[Reminder]:
    """In the season that is or comes next, unless it was done in it."""
    if _answer(rule, case, UNCONCERNED):
        return []
    acts = [act for act in case.acts if act.kinds & set(rule.acts)]
    last = max((min(act.days.last, case.today) for act in acts), default=None)
    for first, ends in _seasons(case.person.zone, case.today):
        opens = max(first, rule.opens.on(case.born))
        if rule.interval and last is not None and last < first:
            opens = max(opens, rule.interval.on(last))
        said = _answer(rule, case, ELSEWHERE)
        done = any(act.days.last >= first and act.days.first < ends for act in acts)
        if done or (said is not None and first <= said.day < ends) or opens >= ends:
            continue
        made = _stated(rule, case, first.isoformat(), opens, opens, None, ends, last)
        return [made] if made else []
    return []


def _seasons(zone: str, today: date) -> list[tuple[date, date]]:
    """The season that is under way, if one is, and the next ones."""
    known = {each.zone: each for each in seasons()}
    season = known.get(zone, known[""])
    found = []
    for year in range(today.year - 1, today.year + 3):
        first = date(year, *season.begins)
        ends = date(year + (season.ends <= season.begins), *season.ends)
        if ends > today:
            found.append((first, ends))
    return found


def _stated(
    rule: Rule,
    case: _Case,
    period: str,
    opens: date,
    due: date,
    late: date | None,
    ends: date | None,
    last: date | None,
) -> Reminder | None:
    """The reminder in its state of today; None when it is over, or would be before it began."""
    if ends is not None and (case.today >= ends or opens >= ends):
        return None
    state = AHEAD
    for name, day in ((SOON, opens), (DUE, due), (LATE, late)):
        if day is not None and case.today >= day:
            state = name
    said = _answer(rule, case, LATER)
    if said is not None and state != AHEAD and said.day >= opens and case.today < PAUSE.on(said.day):
        state, opens = POSTPONED, PAUSE.on(said.day)
    return Reminder(rule, state, period, opens, due, late, ends, last)


def _answer(rule: Rule, case: _Case, answer: str) -> Answer | None:
    """The latest of that kind that the person gave of the rule."""
    found = [each for each in case.answers if each.key == rule.key and each.answer == answer]
    return max(found, key=lambda each: each.day, default=None)


def next_look(found: Iterable[Reminder], today: date, most: timedelta) -> date:
    """The next day on which something may open; after `most` anyway."""
    ahead = [each.opens for each in found if each.state in (AHEAD, POSTPONED) and each.opens and each.opens > today]
    return min([*ahead, today + most])
