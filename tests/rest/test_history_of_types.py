"""history of a type and of all, and `_since` and `_at` (https://hl7.org/fhir/R4/http.html#history)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.records import document, observation, patient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Answer, Application, Caller

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def minute(n: float) -> str:
    return (START + timedelta(minutes=n)).isoformat().replace("+00:00", "Z")


class World(NamedTuple):
    """A store with one event a minute; `p` sees what is hers, `operator` all.

    0 Patient p · 1 Patient q · 2 Observation a of p · 3 Observation b of q · 4 a again · 5 b again · 6 a deleted ·
    7 b deleted · 8 Observation c of p · 9 c becomes q's · 10 Observation d of p · 11 d again
    """

    application: Application
    operator: Caller
    p: Caller
    q: Caller


@pytest.fixture(scope="module")
def world(applications: Callable[..., Any]) -> Iterator[World]:
    with applications() as application:
        events: list[dict[str, Any] | str] = [
            patient(id="p"), patient(id="q"),
            observation("p", id="a"), observation("q", id="b"), observation("p", id="a", code="1-8"),
            observation("q", id="b", code="1-8"), "Observation/a", "Observation/b",
            observation("p", id="c"), observation("q", id="c"), observation("p", id="d"),
            observation("p", id="d", code="2-6"),
        ]  # fmt: skip
        for n, event in enumerate(events):
            operator = application.at(START + timedelta(minutes=n)).operator()
            operator.delete(event) if isinstance(event, str) else operator.store(event)
        later = application.at(START + timedelta(hours=1))
        yield World(later, later.operator(), later.patient("p"), later.patient("q"))


def told(answer: Answer) -> list[str]:
    """`Type/id/version` of each entry, with `x` for a deletion."""
    assert answer.status == 200, answer
    assert answer.json["type"] == "history"
    found = []
    for each in answer.json.get("entry", []):
        place = "/".join(each["fullUrl"].split("/")[-2:])
        version = each["response"]["etag"].strip('W/"')
        found.append(f"{place}/{version}" + ("x" if each["request"]["method"] == "DELETE" else ""))
    return found


ALL = [
    "Observation/d/2", "Observation/d/1", "Observation/c/2", "Observation/c/1", "Observation/b/3x", "Observation/a/3x",
    "Observation/b/2", "Observation/a/2", "Observation/b/1", "Observation/a/1",
]  # fmt: skip


def test_all_versions_of_a_type_newest_first(world: World) -> None:
    assert told(world.operator.get("Observation/_history")) == ALL
    assert told(world.operator.get("Patient/_history")) == ["Patient/q/1", "Patient/p/1"]
    assert told(world.operator.get("Group/_history")) == []


def test_all_versions_of_all_types(world: World) -> None:
    assert told(world.operator.get("_history")) == [*ALL, "Patient/q/1", "Patient/p/1"]


def test_nothing_of_what_is_hidden_is_told(world: World) -> None:
    """Entries by their own access and by that of the newest version: c was p's before it became q's."""
    mine = ["Observation/d/2", "Observation/d/1", "Observation/a/3x", "Observation/a/2", "Observation/a/1"]
    for path, expected in (("Observation/_history", mine), ("_history", [*mine, "Patient/p/1"])):
        answer = world.p.get(path)
        assert told(answer) == expected
        assert "total" not in answer.json
    theirs = ["Observation/c/2", "Observation/b/3x", "Observation/b/2", "Observation/b/1"]
    assert told(world.q.get("Observation/_history")) == theirs
    stranger = world.application.practitioner("10000000001")
    assert told(stranger.get("_history")) == []
    assert told(stranger.get("Observation/_history?_count=1")) == []


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize(
    "path", ["Observation/_history", "_history", "Observation/_history?_since=2026-03-01T12:03:00Z"]
)
def test_pages_follow_one_another_without_gap_or_repetition(world: World, path: str, count: int) -> None:
    for caller in (world.operator, world.p):
        whole = told(caller.get(path))
        seen: list[str] = []
        link: str | None = path + ("&" if "?" in path else "?") + f"_count={count}"
        while link is not None:
            page = caller.get(link)
            found = told(page)
            assert 1 <= len(found) <= count
            seen += found
            link = page.link("next")
        assert seen == whole


def test_versions_of_one_moment_are_told_once_each(world: World) -> None:
    with_same = world.application.at(START + timedelta(hours=2))
    operator = with_same.operator()
    operator.transact(*({"resource": {"resourceType": "Basic", "code": {"text": "x"}, "id": f"s{n}"},
                         "request": {"method": "PUT", "url": f"Basic/s{n}"}} for n in range(7)))  # fmt: skip
    seen: list[str] = []
    link: str | None = "Basic/_history?_count=2"
    while link is not None:
        page = operator.get(link)
        seen += told(page)
        link = page.link("next")
    assert sorted(seen) == [f"Basic/s{n}/1" for n in range(7)]


def test_a_page_is_judged_again_when_it_is_followed(world: World) -> None:
    operator = world.operator
    operator.store(patient(id="m"))
    for n in range(3):
        operator.store(document("m", id=f"letter-{n}"))
    holder = world.application.patient("m")
    link = holder.get("DocumentReference/_history?_count=1").link("next")
    assert link is not None
    operator.store(document("m", id="letter-1", labels=("INVISIBLE_PATIENT",)))
    assert [each.partition("/")[2] for each in told(holder.get(link))] == ["letter-0/1"]
    assert world.p.get(link).status == 400


def test_since_tells_what_was_stored_from_then_on(world: World) -> None:
    for n, expected in ((0, 10), (6, 6), (10, 2), (11, 1), (11.5, 0)):
        answer = world.operator.get(f"Observation/_history?_since={minute(n)}")
        assert told(answer) == ALL[:expected]
    assert told(world.p.get(f"_history?_since={minute(9)}")) == ["Observation/d/2", "Observation/d/1"]


def test_since_and_at_hold_for_one_resource(world: World) -> None:
    assert told(world.operator.get(f"Observation/a/_history?_since={minute(4)}")) == [
        "Observation/a/3x",
        "Observation/a/2",
    ]
    assert told(world.operator.get(f"Observation/a/_history?_at={minute(5)}")) == ["Observation/a/2"]
    assert told(world.operator.get(f"Observation/a/_history?_since={minute(30)}")) == []
    assert world.operator.get("Observation/none/_history?_since=2020").status == 404
    hidden = world.p.get(f"Observation/b/_history?_since={minute(0)}")
    assert hidden.status == 404
    assert hidden.told.replace("/b", "/z") == world.p.get(f"Observation/z/_history?_since={minute(0)}").told


def test_at_tells_what_was_current_then(world: World) -> None:
    assert told(world.operator.get(f"_history?_at={minute(3.5)}")) == [
        "Observation/b/1", "Observation/a/1", "Patient/q/1", "Patient/p/1",
    ]  # fmt: skip
    assert told(world.operator.get(f"Observation/_history?_at={minute(7.5)}")) == []
    assert told(world.operator.get("Observation/_history?_at=2026-03-01")) == ALL
    assert told(world.operator.get("Observation/_history?_at=2025")) == []
    assert told(world.operator.get("Observation/_history?_at=2999")) == ["Observation/d/2", "Observation/c/2"]
    assert told(world.p.get(f"Observation/_history?_at={minute(8.5)}")) == []


@pytest.mark.parametrize("path", ["_history", "Observation/_history", "Observation/d/_history"])
@pytest.mark.parametrize(
    "query",
    ["_since=x", "_since=", "_at=2026-13", "_since=2020&_since=2021", "_since=2020&_at=2020", "_count=x", "_page=x"],
)  # fmt: skip
def test_what_cannot_be_understood_is_refused(world: World, path: str, query: str) -> None:
    assert world.operator.get(f"{path}?{query}").status == 400


def test_a_link_is_for_its_path(world: World) -> None:
    link = world.operator.get("Observation/_history?_count=1").link("next")
    assert link is not None
    token = link.partition("?")[2]
    for path in ("_history", "Patient/_history", "Observation/d/_history", "Observation"):
        assert world.operator.get(f"{path}?{token}").status == 400


def test_a_token_without_the_right_to_read_is_told_nothing(world: World) -> None:
    doctor = world.application.practitioner("10000000001", scopes=("user/Patient.c",))
    assert told(doctor.get("_history")) == []
