"""How many slots: the table, judged."""

from __future__ import annotations

import pytest

from fhirserver.espace.agenda.limits import Held, counted, sized
from fhirserver.espace.agenda.rules import Refusal
from fhirserver.espace.agenda.tables import limits

HERE, THERE = "Schedule/here", "Schedule/there"


@pytest.mark.parametrize("who", ["holder", "representative", "professional", "organization"])
def test_an_appointment_names_as_many_slots_as_the_table_has_and_no_more(who: str) -> None:
    most = limits()[("appointment", who)]
    sized(who, most)
    with pytest.raises(Refusal, match="many-slots") as found:
        sized(who, most + 1)
    assert (found.value.status, str(most) in found.value.en, str(most) in found.value.fr) == (422, True, True)


@pytest.mark.parametrize("who", ["holder", "representative"])
def test_a_person_holds_as_many_to_come_as_the_table_has_in_one_agenda_and_in_all(who: str) -> None:
    here, whole = limits()[("schedule", who)], limits()[("all", who)]
    counted(who, Held(HERE, 1), [Held(HERE, here - 1)])
    counted(who, Held(HERE, here), [Held(THERE, whole - here)])
    with pytest.raises(Refusal, match="many-here"):
        counted(who, Held(HERE, 2), [Held(HERE, here - 1)])
    with pytest.raises(Refusal, match="many-here"):
        counted(who, Held(HERE, here + 1), [])
    with pytest.raises(Refusal, match=r"^many$"):
        counted(who, Held(HERE, 1), [Held(THERE, whole)])


def test_what_a_professional_books_is_not_counted() -> None:
    counted("professional", Held(HERE, 1), [Held(HERE, 10_000)])
