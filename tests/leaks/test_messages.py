"""Messages and what is attached to them answer, to who takes no part, as what never was: API, operations and pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from fhirserver.access import Requester
from tests.leaks.world import alike
from tests.portal.record.visiting import holder, logged_in, professional
from tests.records import consent, document, patient
from tests.rest.messages.people import BOB, CAROL, HIS, House, attachment, rpps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Caller

ABSENT = "00000000-0000-0000-0000-000000000000"
LABEL = "INVISIBLE_REPRESENTANTS_LEGAUX"
SYSTEM = "https://mos.esante.gouv.fr/NOS/TRE_A07-StatutVisibiliteDocument/FHIR/TRE-A07-StatutVisibiliteDocument"


class Held(NamedTuple):
    house: House
    thread: str
    answer: str
    binary: str


@pytest.fixture(scope="module")
def held(applications: Callable[..., Any]) -> Iterator[Held]:
    """A thread of Alice and the person, secret for the mother; Bob is the médecin traitant, Carol is blocked."""
    with applications() as application:
        house = House(application)
        stored = house.operator.get(f"Patient/{house.patient}").json
        house.operator.store(stored | {"generalPractitioner": [rpps(BOB)]})
        thread = house.opened(house.alice, {"contentString": "secret"}, attachment())
        carols = house.opened(house.carol)
        told = house.claire.get(f"Communication/{thread}").json
        told["meta"]["security"] = [{"system": SYSTEM, "code": LABEL}]
        assert house.claire.put(f"Communication/{thread}", told).status == 200
        answer = house.answered(thread, house.claire, attachment(b"relev\xc3\xa9")).id
        denied = consent(house.patient, "deny", "Practitioner/none")
        denied["provision"]["actor"][0]["reference"] = rpps(CAROL)
        house.claire.create(denied)
        binary = house.claire.get(f"Communication/{answer}").json["payload"][0]["contentAttachment"]["url"]
        assert house.claire.get(f"Communication/{carols}").status == 200
        yield Held(house, thread, answer, binary.rpartition("/")[2])


def callers(held: Held) -> dict[str, Caller]:
    house, application = held.house, held.house.application
    other = house.operator.create(patient(birthDate="1990-01-01"))
    narrow = Requester("patient", "app", patient=house.patient, purpose="PATRQT", scopes=("patient/Observation.rs",))
    return {
        "médecin traitant": house.bob,
        "emergency": application.practitioner("10000000054", purpose="BTG"),
        "colleague": application.practitioner("10000000045", organization=HIS),
        "blocked": house.carol,
        "stranger": application.practitioner("10000000063"),
        "hospital": house.desk,
        "other patient": application.patient(other),
        "mother": house.parent,
        "narrow app": application.caller(narrow),
    }


WAYS: tuple[tuple[str, str], ...] = (
    ("GET", "Communication/{thread}"),
    ("GET", "Communication/{answer}"),
    ("GET", "Communication/{answer}/_history/1"),
    ("GET", "Communication/{answer}/_history"),
    ("GET", "Communication?_id={answer}"),
    ("GET", "Communication?part-of=Communication/{thread}"),
    ("GET", "Patient/{patient}/Communication?_id={answer}"),
    ("GET", "Communication?_id={answer}&_include=Communication:part-of"),
    ("GET", "Communication?_id={thread}&_revinclude=Communication:part-of"),
    ("GET", "Communication?part-of:Communication.topic:text=x&_id={answer}"),
    ("GET", "Communication/{answer}/$meta"),
    ("GET", "Binary/{binary}"),
    ("POST", "Communication/{answer}/$received"),
    ("POST", "Communication/{thread}/$close"),
    ("POST", "Communication/{thread}/$reopen"),
    ("POST", "Communication/{answer}/$file"),
    ("DELETE", "Communication/{answer}"),
    ("DELETE", "Binary/{binary}"),
)


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_a_thread_answers_as_what_never_was(held: Held, way: tuple[str, str]) -> None:
    method, path = way
    for who in callers(held).values():
        there, known = path, {"thread": held.thread, "answer": held.answer, "binary": held.binary}
        asked = next(name for name in reversed(known) if f"{{{name}}}" in path)
        other = {name: ABSENT if name == asked else value for name, value in known.items()}
        hidden = who.call(method, there.format(patient=held.house.patient, **known))
        absent = who.call(method, there.format(patient=held.house.patient, **other))
        if "Bundle" in hidden.content.decode() and hidden.status == 200:
            assert (hidden.status, hidden.ids, absent.ids) == (absent.status, [], [])
        else:
            alike(hidden, absent, known[asked], ABSENT)


@pytest.mark.parametrize(
    "path", ["Communication", "Communication?_summary=count", "Communication/_history", "Binary/_history"]
)
def test_whole_lists_hold_none_of_it(held: Held, path: str) -> None:
    for name, who in callers(held).items():
        answer = who.get(path)
        for id in (held.thread, held.answer, held.binary):
            assert id not in answer.content.decode(), name


def test_what_a_professional_reads_whole_holds_none_of_it(held: Held) -> None:
    answer = held.house.bob.get(f"Patient/{held.house.patient}/$everything")
    assert answer.status == 200
    assert not any(id in answer.content.decode() for id in (held.thread, held.answer, held.binary))


def test_an_answer_cannot_be_slipped_into_somebody_elses_thread(held: Held) -> None:
    for name, who in callers(held).items():
        for thread in (held.thread, held.answer, ABSENT):
            sent = held.house.answered(thread, who)
            absent = held.house.answered(ABSENT, who)
            assert (sent.status, sent.told) == (absent.status, absent.told), name


def test_in_a_closed_space_nobody_else_reads_or_writes(applications: Callable[..., Any]) -> None:
    with applications() as application:
        house = House(application)
        thread = house.opened()
        assert house.operator.post(f"Patient/{house.patient}/$espace-close", None).status == 200
        assert house.alice.get(f"Communication/{thread}").status == 404
        assert house.answered(thread, house.alice).status == 422
        refused = house.alice.post("Communication", house.message())
        nobody = house.alice.post("Communication", house.message(subject={"reference": f"Patient/{ABSENT}"}))
        assert (refused.status, refused.told) == (nobody.status, nobody.told)
        assert house.claire.get(f"Communication/{thread}").status == 200
        assert house.answered(thread, house.claire).status == 403


def test_pages_show_none_of_it(held: Held) -> None:
    application, own = held.house.application, f"/dossier/{held.house.patient}/messages"
    bob, carol = (logged_in(application, professional(each)) for each in (BOB, CAROL))
    stranger = logged_in(application, holder(held.house.operator.create(patient(birthDate="1991-01-01"))))
    for browser in (bob, carol):
        listed = browser.get("/messages")
        assert (listed.status, "Vos résultats" in listed.text) == (200, False)
        for path in ("", "/piece/1", "/piece/2"):
            hidden, absent = (browser.get(f"/messages/{id}{path}") for id in (held.answer, ABSENT))
            assert (hidden.status, hidden.text) == (absent.status, absent.text)
    assert stranger.get(own).status == stranger.get(f"{own}/{held.thread}").status == 404


def test_a_reference_to_what_the_sender_does_not_see_is_one_to_nothing(held: Held) -> None:
    house = held.house
    hidden = house.operator.create(document(house.patient, labels=("V",)))
    for id in (hidden, ABSENT):
        payload = {"contentReference": {"reference": f"DocumentReference/{id}"}}
        answer = house.alice.post("Communication", house.message(payload))
        assert (answer.status, answer.told) == (422, "payload[0].contentReference leads to nothing in this record.")
