"""The strongest form of "hidden is absent": the same requests against a store that never held what is hidden.

Two servers, one time, one key. The one holds the whole world, the other all but what Alice may not see (and what the
policies of those she may see are made of). No sequence of requests of hers has an answer that differs.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhirserver.audit import notices
from fhirserver.rest import writing
from tests.leaks.world import ABSENT, HIDDEN, NOW, World
from tests.records import ask, document, observation, post, put

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Answer, Caller

IDS = [*dict.fromkeys(hidden.id for hidden in HIDDEN), ABSENT, "seen-p1", "seen-p3", "seen-s1", "patient-p",
       "patient-s", "team-p", "alice", "consent-q"]  # fmt: skip
TYPES = ["Observation", "Observation", "Patient", "DocumentReference", "Binary", "Consent", "CareTeam", "Practitioner",
         "AuditEvent", "Encounter", "Communication", "Appointment"]  # fmt: skip
PATIENTS = ["patient-p", "patient-q", "patient-r", "patient-s", "patient-m", ABSENT]
NEVER_STORED = frozenset({
    "patient-q", "patient-r", "patient-m", "patient-a", "consent-q", "team-q", "seen-m1", "unseen-ma", "unseen-a1",
})  # fmt: skip


class Twins:
    """Both servers as Alice meets them."""

    def __init__(self, whole: World, bare: World) -> None:
        self.pair = (whole, bare)
        self._made = 0
        self._names = (writing.new_id, notices.new_id)

    def ask(self, look: Callable[[Caller], Answer]) -> tuple[Answer, Answer]:
        """One request of each; ids that the servers make up are the same in both."""
        answers = []
        for world in self.pair:
            writing.new_id, notices.new_id = _counting(self._made), _counting(self._made, "told")
            answers.append(look(world.alice))
        self._made += 10
        writing.new_id, notices.new_id = self._names
        return answers[0], answers[1]

    def forget(self, answer: Answer) -> None:
        """Takes back in both what a request stored."""
        places = [answer.headers["location"]] if "location" in answer.headers else []
        if answer.status == 200 and b"transaction-response" in answer.content:
            places += [each["response"]["location"] for each in answer.json["entry"] if "location" in each["response"]]
        for place in places:
            type, id = place.partition("/_history/")[0].split("/")[-2:]
            for world in self.pair:
                if id.startswith("made-"):
                    world.operator.delete(f"{type}/{id}")


def _counting(start: int, name: str = "made") -> Callable[[], str]:
    numbers = iter(range(start, start + 1000))
    return lambda: f"{name}-{next(numbers):06}"


@pytest.fixture(scope="module")
def twins(applications: Callable[..., Any]) -> Iterator[Twins]:
    hidden = {"/".join(each) for each in HIDDEN if each.type != "Consent"}

    def known(resource: dict[str, Any]) -> bool:
        id: str = resource["id"]
        place = f"{resource['resourceType']}/{id}"
        return not (place in hidden or id in NEVER_STORED or id.startswith(("hidden-q", "hidden-r")))

    made, told = writing.new_id, notices.new_id
    with applications() as first, applications() as second:
        shared = replace(second.services, instance=first.services.instance, seal=first.services.seal)
        bare = type(second)(shared)
        found = Twins(World(first), World(bare, known))
        for id in ("patient-p", "patient-s"):  # of her first access the person is told: in both alike
            found.ask(lambda who, id=id: who.get(f"Patient/{id}"))  # type: ignore[misc]
        yield found
        writing.new_id, notices.new_id = made, told


def same(first: Answer, second: Answer) -> None:
    assert _comparable(first) == _comparable(second)


def _comparable(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    body = re.sub(rb"_page=[\w-]+", b"_page=LINK", answer.content)
    headers = {
        name: value for name, value in answer.headers.items() if b"_page=" not in body or name != "content-length"
    }
    return answer.status, headers, body


EVERY = ["_id", "_id:not", "_lastUpdated", "_security", "_sort", "_count", "_total", "_summary"]
OWN = {
    "Observation": ["subject", "patient", "subject:missing", "performer", "code", "code:not", "status:not", "date"],
    "DocumentReference": ["subject", "patient", "status:not", "date", "security-label", "security-label:missing"],
    "Patient": ["family", "family:missing", "birthdate", "general-practitioner:missing", "nonsense"],
}


@st.composite
def queries(draw: st.DrawFn) -> tuple[str, list[tuple[str, str]]]:
    type = draw(st.sampled_from(TYPES))
    values = {
        "_id": st.lists(st.sampled_from(IDS), min_size=1, max_size=3).map(",".join),
        "_id:not": st.sampled_from(IDS),
        "subject": st.sampled_from([*PATIENTS, *(f"Patient/{id}" for id in PATIENTS)]),
        "patient": st.lists(st.sampled_from(PATIENTS), min_size=1, max_size=2).map(",".join),
        "subject:missing": st.sampled_from(["true", "false"]),
        "performer": st.sampled_from(["Patient/patient-r", "Practitioner/bob"]),
        "code": st.sampled_from(["718-7", "2160-0", "http://loinc.org|2162-0", "11488-4"]),
        "code:not": st.sampled_from(["718-7", "2160-0"]),
        "status:not": st.sampled_from(["final", "current"]),
        "date": st.sampled_from(["gt2024-05-02", "2024-05-01", "le2024-05-03", "ne2024-05-01"]),
        "family": st.sampled_from(["M", "mar", "Moreau", "mercier"]),
        "family:missing": st.sampled_from(["true", "false"]),
        "birthdate": st.sampled_from(["1980-02-03", "lt2000", "gt2000"]),
        "general-practitioner:missing": st.just("true"),
        "_security": st.sampled_from(["MASQUE_PS", "N"]),
        "security-label": st.sampled_from(["MASQUE_PS", "V", "INVISIBLE_PATIENT"]),
        "security-label:missing": st.sampled_from(["true", "false"]),
        "_lastUpdated": st.sampled_from(["gt2020", "lt2020", "2026-03-01"]),
        "_sort": st.sampled_from(["_id", "-_id", "date", "-date", "family", "-birthdate", "_lastUpdated", "code,-_id"]),
        "_count": st.sampled_from(["0", "1", "2", "3", "5"]),
        "_total": st.sampled_from(["none", "accurate", "estimate"]),
        "_summary": st.sampled_from(["count", "true"]),
        "nonsense": st.just("x"),
    }
    names = draw(st.lists(st.sampled_from([*EVERY, *OWN.get(type, ())]), max_size=4, unique=True))
    return type, [(name, draw(values[name])) for name in names]


@st.composite
def requests(draw: st.DrawFn) -> Callable[[Caller], Answer]:
    type, id = draw(st.sampled_from(TYPES)), draw(st.sampled_from(IDS))
    place, tag = f"{type}/{id}", draw(st.sampled_from(['W/"1"', 'W/"2"', '"3"']))
    condition = {draw(st.sampled_from(["If-Match", "If-None-Match", "If-Modified-Since", "Prefer"])): tag}
    subject = draw(st.sampled_from(["patient-p", "patient-s", ABSENT]))
    kind = draw(st.sampled_from(["read", "vread", "history", "update", "delete", "create", "transaction"]))
    if kind == "read":
        return lambda who: who.call("GET", place, headers=condition)
    if kind == "vread":
        version = draw(st.integers(0, 4))
        return lambda who: who.call("GET", f"{place}/_history/{version}", headers=condition)
    if kind == "history":
        count = draw(st.integers(0, 3))
        return lambda who: who.call("GET", f"{place}/_history?_count={count}")
    if kind == "update":
        body = observation(subject, id=id) if type == "Observation" else document(subject, id=id)
        return lambda who: who.call("PUT", f"{body['resourceType']}/{id}", body, condition if id not in SEEN else {})
    if kind == "delete":
        return lambda who: who.call("DELETE", place, headers=condition)
    if kind == "create":
        return lambda who: who.post("Observation", observation(subject))
    entries = draw(st.lists(st.sampled_from([
        ask("GET", place), ask("DELETE", place), put(observation(subject, id=id), tag), post(observation(subject)),
        ask("GET", "Observation/seen-p1"),
    ]), min_size=1, max_size=3))  # fmt: skip
    return lambda who: who.transact(*entries)


SEEN = frozenset({"seen-p1", "seen-p3", "seen-s1"})
campaign = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@campaign
@given(query=queries())
def test_no_search_tells_the_twins_apart_on_any_page(twins: Twins, query: tuple[str, list[tuple[str, str]]]) -> None:
    type, params = query
    answers = twins.ask(lambda who: who.search(type, *params))
    same(*answers)
    while answers[0].status == 200 and (links := [each.link("next") for each in answers])[0] is not None:
        assert links[1] is not None
        answers = (twins.pair[0].alice.get(links[0]), twins.pair[1].alice.get(links[1]))
        same(*answers)


@campaign
@given(sequence=st.lists(requests(), min_size=1, max_size=4))
def test_no_sequence_of_requests_tells_the_twins_apart(
    twins: Twins, sequence: list[Callable[[Caller], Answer]]
) -> None:
    made = []
    for request in sequence:
        answers = twins.ask(request)
        same(*answers)
        made.append(answers[0])
    for answer in made:
        twins.forget(answer)


def test_the_twins_differ_for_who_sees_more(twins: Twins) -> None:
    whole, bare = twins.pair
    assert whole.operator.search("Observation").total > bare.operator.search("Observation").total
    assert whole.application.services.clock() == bare.application.services.clock() == NOW
