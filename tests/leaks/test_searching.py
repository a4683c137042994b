"""Totals, pages, order and complements speak of what the requester may see, and of nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.leaks.world import ABSENT, NOW, alike
from tests.records import care_team, consent, observation, patient

if TYPE_CHECKING:
    from tests.application import Answer, Caller
    from tests.leaks.world import World

SEEN = ["seen-p1", "seen-p2", "seen-p3", "seen-p4", "seen-p5", "seen-s1", "seen-s2", "seen-s3"]
"""The Observations that Alice may see, in the order of their ids."""


def walked(who: Caller, first: Answer) -> list[list[str]]:
    pages = [first.ids]
    while (link := first.link("next")) is not None:
        first = who.get(link)
        pages.append(first.ids)
    return pages


@pytest.mark.parametrize(
    "query",
    ["", "_total=accurate", "_summary=count", "_count=0", "_total=accurate&_count=1", "status=final",
     "status:not=amended",
     "code:not=1-1", "code:missing=false", "encounter:missing=true", "_id:missing=false",
     "subject:missing=false",
     "_lastUpdated=gt2000-01-01", "_lastUpdated=lt2090-01-01", "code=718-7", "value-quantity:missing=true",
     "_sort=date", "_sort=-_lastUpdated", "_sort=subject", "category:missing=true", "code:not=2160-0"],
)  # fmt: skip
def test_totals_count_what_is_seen(world: World, query: str) -> None:
    assert world.alice.get(f"Observation?{query}").total == len(SEEN)


@pytest.mark.parametrize("query", ["code=2160-0", "subject=Patient/patient-q", "patient=patient-r", "code:not=718-7",
                                   "subject=Patient/patient-q,Patient/patient-r", "_id=hidden-q1,hidden-r1,hidden-pr",
                                   "performer=Patient/patient-r", "code=2162-0", "subject:missing=true"])  # fmt: skip
def test_what_matches_only_the_hidden_matches_nothing(world: World, query: str) -> None:
    answer = world.alice.get(f"Observation?{query}")
    assert answer.total == 0
    assert "entry" not in answer.json
    assert answer.link("next") is None


@pytest.mark.parametrize("count", range(1, 10))
@pytest.mark.parametrize("sort", ["_id", "-date", "_lastUpdated", "subject", "code,-date"])
def test_pages_are_full_and_end_where_the_seen_ends(world: World, sort: str, count: int) -> None:
    pages = walked(world.alice, world.alice.search("Observation", _sort=sort, _count=str(count)))
    assert sorted(id for page in pages for id in page) == SEEN
    assert [len(page) for page in pages[:-1]] == [count] * (len(pages) - 1)
    assert pages[-1]


def test_the_order_depends_on_nothing_hidden(world: World) -> None:
    """Four families; only Martin (p) and Marchand (s) are seen, whatever stands between them."""
    for sort, expected in (("family", ["patient-s", "patient-p"]), ("-family", ["patient-p", "patient-s"])):
        answer = world.alice.search("Patient", _sort=sort, _count="1")
        assert [id for page in walked(world.alice, answer) for id in page] == expected
    assert world.alice.search("Patient", family="M").total == 2
    for family in ("Moreau", "Mercier"):
        assert world.alice.search("Patient", family=family).total == 0


def test_a_bisection_over_hidden_values_finds_nothing(world: World) -> None:
    totals = {world.alice.search("Patient", ("_id", "patient-r"), birthdate=f"{op}1980-02-03").total
              for op in ("lt", "gt", "le", "ge", "eq", "ne", "sa", "eb", "ap")}  # fmt: skip
    assert totals == {0}


@pytest.mark.parametrize("name", ["subject", "patient", "performer", "_id", "identifier", "code", "based-on"])
def test_a_hidden_value_and_one_that_never_was_search_alike(world: World, name: str) -> None:
    prefix = "Patient/" if name in ("subject", "patient", "performer") else ""
    for hidden in ("patient-r", "hidden-q1"):
        found, absent = (world.alice.search("Observation", (name, prefix + id)) for id in (hidden, ABSENT))
        alike(found, absent, hidden)


def test_a_page_link_of_another_requester_is_refused_like_nonsense(world: World) -> None:
    link = world.operator.search("Observation", _count="2").link("next")
    assert link is not None
    nonsense = f"Observation?_page={'A' * 200}"
    assert world.alice.get(link)._replace(headers={}) == world.alice.get(nonsense)._replace(headers={})
    same_person_elsewhere = world.application.practitioner("10000000001", organization="750000009")
    mine = world.alice.search("Observation", _count="2").link("next")
    assert mine is not None
    assert same_person_elsewhere.get(mine).status == 400


def test_a_block_between_two_pages_holds_on_the_second(world: World) -> None:
    """The walk goes on over what is left, without a short page or a gap."""
    world.operator.store(patient(id="patient-w"))
    world.operator.store(care_team("patient-w", "Practitioner/alice", id="team-w"))
    for n in range(1, 5):
        world.operator.store(observation("patient-w", id=f"seen-q{n}"))  # between seen-p5 and seen-s1
    first = world.alice.search("Observation", _sort="_id", _count="6")
    assert first.ids == [*SEEN[:5], "seen-q1"]
    world.patient("w").create(consent("patient-w", "deny", "Practitioner/alice"))
    link = first.link("next")
    assert link is not None
    second = world.alice.get(link)
    assert second.ids == SEEN[5:]
    assert second.total == len(SEEN)
    assert second.link("next") is None
    assert first.link("self") == "Observation?_sort=_id&_count=6"


def test_a_deposit_made_between_two_pages_that_is_hidden_changes_nothing(world: World) -> None:
    first = world.alice.search("Observation", _sort="_id", _count="3")
    world.operator.store(observation("patient-r", id="seen-p3-hidden"))
    link = first.link("next")
    assert link is not None
    second = world.alice.get(link)
    assert (second.ids, second.total) == (SEEN[3:6], len(SEEN))
    world.operator.delete("Observation/seen-p3-hidden")


def test_an_announced_document_enters_the_patients_totals_after_a_month(world: World) -> None:
    def total(days: int) -> int:
        later = world.application.at(NOW + timedelta(days=days)).patient("patient-p")
        return later.search("DocumentReference", _summary="count").total

    assert total(0) + 1 == total(40)


def test_whoever_has_no_relation_sees_nothing_rather_than_everything(world: World) -> None:
    strangers = [
        world.application.practitioner("10000000009"),
        world.application.practitioner("10000000009", profession="G15_60", organization="750000009"),
        world.application.practitioner("10000000009", profession="nothing"),
        world.application.system("750000009", client="stranger"),
        world.application.patient("nobody"),
        world.application.representative("nobody"),
        world.application.practitioner("10000000001", scopes=("openid",)),
        world.application.practitioner("10000000001", purpose="HMARKT"),
        world.application.practitioner("10000000001", purpose="whatever"),
        world.application.practitioner("10000000001", scopes=("user/Observation.rs?nonsense=718-7",)),
        world.representative("a"),
    ]
    for who in strangers:
        for type in ("Observation", "Patient", "DocumentReference", "Consent", "CareTeam", "Binary", "AuditEvent"):
            answer = who.search(type)
            assert answer.total == 0, (who, type)
            assert "entry" not in answer.json


def test_an_emergency_opens_the_named_patient_only(world: World) -> None:
    emergency = world.application.practitioner("10000000009", purpose="BTG")
    assert emergency.search("Observation").total == 0
    assert emergency.search("Observation", patient="patient-r").ids == ["hidden-r1", "hidden-r3"]
    alice = world.application.practitioner("10000000001", purpose="BTG")
    assert alice.search("Observation", patient="patient-q").total == 0


def test_scopes_for_a_launched_patient_hold_in_totals(world: World) -> None:
    from fhirserver.access import Requester

    who = Requester("practitioner", "alice", rpps="10000000001", profession="G15_10", organization="750000002",
                    patient="patient-s", scopes=("patient/Observation.rs",))  # fmt: skip
    app = world.application.caller(who)
    assert app.search("Observation").ids == SEEN[5:]
    assert app.search("DocumentReference").total == 0
    alike(app.get("Observation/seen-p1"), app.get(f"Observation/{'x' * 7}"), "seen-p1", "x" * 7)
