"""What the requester may not see of a record changes nothing of reminders, of their page and of the notices.

Two persons alike but for what is hidden: who may not see it is answered the same of both.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from fhirserver.access import Requester
from fhirserver.espace.reminders.telling import Telling
from fhirserver.rest.tracing.keeping import Keeping
from tests.application import applications, embedded_uri
from tests.espace.reminders.test_services import vaccination
from tests.portal.record.visiting import holder, logged_in, professional, representative
from tests.records import RPPS, care_team, consent, patient, practitioner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Answer, Application

__all__ = ["applications", "embedded_uri"]

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
CARER, BLOCKED, STRANGER = "10000000018", "10000000034", "10000000026"
SHOTS = {"MASQUE_PS": "J07BM01", "INVISIBLE_REPRESENTANTS_LEGAUX": "J07AH08", "INVISIBLE_PATIENT": "J07CA02"}


class Pair(NamedTuple):
    """A child with something hidden, and one without; of each the person who represents it."""

    app: Application
    whole: str
    bare: str
    parents: dict[str, str]

    def alike(self, look: Callable[[str], Answer]) -> Answer:
        first, second = look(self.whole), look(self.bare)
        assert first.status == second.status
        assert self._plain(first.content) == self._plain(second.content)
        return first

    def _plain(self, content: bytes) -> bytes:
        for each in (self.whole, self.bare, *self.parents.values()):
            content = content.replace(each.encode(), b"ID")
        return re.sub(rb'name="csrf" value="[^"]*"', b"", content)


@pytest.fixture(scope="module")
def pair(applications: Callable[..., Any]) -> Iterator[Pair]:
    with applications() as opened:
        app = opened.at(NOW)
        yield Pair(app, *_children(app))


def _children(app: Application) -> tuple[str, str, dict[str, str]]:
    operator, made, parents = app.operator(), list[str](), dict[str, str]()
    blocked = operator.create(practitioner(BLOCKED))
    for hidden in (SHOTS, {}):
        id = operator.create(patient(birthDate="2014-06-01", gender="female"))
        made.append(id)
        member = {"identifier": {"system": RPPS, "value": CARER}}
        operator.create(care_team(id) | {"participant": [{"member": member}]})
        operator.create(consent(id, "deny", f"Practitioner/{blocked}"))
        related = {"resourceType": "RelatedPerson", "active": True, "patient": {"reference": f"Patient/{id}"}}
        parents[id] = operator.create(related)
        for label, code in hidden.items():
            operator.create(vaccination(id, code, "2026-06-10", meta={"security": [{"code": label}]}))
    return made[0], made[1], parents


def _keys(answer: Answer) -> set[str]:
    found = [each["part"] for each in answer.json["parameter"] if each["name"] == "reminder"]
    return {parts[0]["valueCode"] for parts in found}


def test_the_person_is_told_as_if_what_is_unannounced_were_not(pair: Pair) -> None:
    whole = _keys(pair.app.patient(pair.whole).get(f"Patient/{pair.whole}/$reminders"))
    bare = _keys(pair.app.patient(pair.bare).get(f"Patient/{pair.bare}/$reminders"))
    assert bare - whole == {"hpv-1", "menacwy-11"}
    assert "dtp-11" in whole


def test_who_represents_is_told_as_if_secrets_were_not(pair: Pair) -> None:
    found = [_keys(pair.app.representative(id, pair.parents[id]).get(f"Patient/{id}/$reminders"))
             for id in (pair.whole, pair.bare)]  # fmt: skip
    assert found[1] - found[0] == {"hpv-1"}
    assert {"menacwy-11", "dtp-11"} <= found[0]
    for id, expected in ((pair.whole, False), (pair.bare, True)):
        page = logged_in(pair.app, representative(id, pair.parents[id])).get(f"/dossier/{id}/rappels")
        assert "dose de 11 à 14 ans" in page.text
        assert ("Papillomavirus (HPV) : 1re" in page.text) == expected


@pytest.mark.parametrize("rpps", [CARER, BLOCKED, STRANGER])
@pytest.mark.parametrize("purpose", ["TREAT", "BTG"])
def test_professionals_are_told_nothing(pair: Pair, rpps: str, purpose: str) -> None:
    caller = pair.app.practitioner(rpps, purpose=purpose)
    answer = pair.alike(lambda id: caller.get(f"Patient/{id}/$reminders"))
    absent = caller.get("Patient/absent/$reminders")
    assert answer.status == absent.status == 404
    assert answer.content.replace(pair.whole.encode(), b"absent") == absent.content
    body = {"resourceType": "Parameters", "parameter": [{"name": "answer", "valueCode": "silent"}]}
    assert pair.alike(lambda id: caller.post(f"Patient/{id}/$reminders-answer", body)).status == 404
    browser = logged_in(pair.app, professional(rpps))
    for path in ("/rappels", "/rappels/reponse"):
        page = browser.get(f"/dossier/{pair.whole}{path}", Accept="text/html")
        assert page.status == (404 if path == "/rappels" else 405)


def test_answers_are_not_seen_by_who_cares(pair: Pair) -> None:
    mine = pair.app.patient(pair.whole)
    body = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "reminder", "valueCode": "dtp-11"},
            {"name": "answer", "valueCode": "not-concerned"},
        ],
    }
    assert mine.post(f"Patient/{pair.whole}/$reminders-answer", body).status == 200
    (kept,) = mine.search("Basic", patient=pair.whole).ids
    carer = pair.app.practitioner(CARER, profession="G15_21")
    assert carer.search("Basic", patient=pair.whole).total == 0
    assert carer.get(f"Basic/{kept}").status == 404
    assert pair.app.patient(pair.bare).get(f"Basic/{kept}").status == 404
    assert mine.delete(f"Basic/{kept}").status == 204
    assert "dtp-11" in _keys(mine.get(f"Patient/{pair.whole}/$reminders"))


@pytest.mark.parametrize(
    "said",
    [
        {"identifier": [{"system": "urn:fhirserver:reminder", "value": "all"}]},
        {"code": {"coding": [{"system": "urn:fhirserver:reminder-answer", "code": "silent"}]}},
    ],
)
def test_nobody_who_cares_answers_in_the_persons_place(pair: Pair, said: dict[str, Any]) -> None:
    plain = {"resourceType": "Basic", "code": {"text": "x"}, "subject": {"reference": f"Patient/{pair.bare}"}}
    for who in (pair.app.practitioner(STRANGER), pair.app.system("750000001")):
        before = pair.app.counts()
        assert who.post("Basic", plain | said).status == 403
        assert pair.app.counts() == before
        id = who.create(plain)
        assert who.put(f"Basic/{id}", plain | said | {"id": id}).status == 403
    mine = pair.app.patient(pair.bare)
    assert mine.delete(f"Basic/{mine.create(plain | said)}").status == 204


def test_an_app_that_may_not_read_all_of_it_is_told_nothing(pair: Pair) -> None:
    for scopes in (
        ("patient/Patient.rs",),
        ("patient/Patient.rs", "patient/Immunization.rs"),
        ("patient/Immunization.rs",),
    ):
        app = [
            pair.app.caller(Requester("patient", f"patient/{id}", patient=id, purpose="PATRQT", scopes=scopes))
            for id in (pair.whole, pair.bare)
        ]
        answers = [each.get(f"Patient/{id}/$reminders") for each, id in zip(app, (pair.whole, pair.bare), strict=True)]
        assert [each.status for each in answers] == [403, 403]
        assert answers[0].content == answers[1].content


def test_notices_tell_both_of_what_is_hidden_from_either(pair: Pair) -> None:
    """What is secret or unannounced is told as missing; what is only masked is the person's to see."""
    Telling(pair.app.services.store, pair.app.services.chains, pair.app.services.definitions).round(NOW)
    Keeping(pair.app.services).deliver()
    texts = []
    for id in (pair.whole, pair.bare):
        for caller in (pair.app.patient(id), pair.app.representative(id, pair.parents[id])):
            texts.append(caller.search("Communication", patient=id, category="notification").content.decode())
    for text in texts:
        assert "dose de 11 à 14 ans" in text
        assert "rappel de 11 à 13 ans" in text
    assert ["Papillomavirus" in text for text in texts] == [False, False, True, True]
    found = pair.app.practitioner(CARER).search("Communication", patient=pair.whole)
    assert found.total == 0


@pytest.mark.parametrize("event", ["suspend", "archive"])
def test_a_space_that_is_shut_is_as_if_it_were_not(pair: Pair, event: str) -> None:
    operator = pair.app.operator()
    id = operator.create(patient(birthDate="1961-11-22"))
    if event == "archive":
        operator.post(f"Patient/{id}/$espace-close", None)
    assert operator.post(f"Patient/{id}/$espace-{event}", None).status == 200
    caller = pair.app.patient(id)
    assert caller.get(f"Patient/{id}/$reminders").status == 404
    assert logged_in(pair.app, holder(id)).get(f"/dossier/{id}/rappels", Accept="text/html").status == 404
