"""What the person is told of, as Communications and by real e-mails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from fhirserver.access import Access, Requester
from fhirserver.audit import deliveries
from fhirserver.audit.deliveries import SUBJECT
from fhirserver.auth.accounts.account import Reach
from fhirserver.rest.tracing.keeping import Keeping
from tests.mail.server import Box, smtp_server
from tests.records import care_team, consent, document, observation, patient, practitioner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Application, Caller

ALICE = "10000000018"


@pytest.fixture
def box() -> Iterator[Box]:
    with smtp_server(Box()) as opened:
        yield opened


@pytest.fixture
def server(applications: Callable[..., Application], box: Box) -> Iterator[Application]:
    mail = {
        "smtp_host": "127.0.0.1",
        "smtp_port": box.port,
        "smtp_security": "none",
        "smtp_from": "espace@sante.example",
    }
    with applications(**mail) as opened:  # type: ignore[attr-defined]
        opened.operator().store(practitioner(ALICE, id="alice"))
        yield opened


@pytest.fixture
def own(server: Application) -> str:
    """The record of a child whose mother has an account too."""
    operator = server.operator()
    made = operator.create(patient(birthDate=f"{datetime.now(UTC).year - 10}-01-01"))
    operator.create(care_team(made, "Practitioner/alice"))
    accounts = server.services.accounts.accounts
    accounts.add("person", "marie", "x", mail="marie@exemple.fr", records=(Reach(made),))
    mother = {"resourceType": "RelatedPerson", "patient": {"reference": f"Patient/{made}"}}
    records = (Reach(made, operator.create(mother)),)
    accounts.add("person", "mere", "x", mail="mere@exemple.fr", records=records)
    keep(server)
    return made


def keep(server: Application, minutes: float = 0) -> int:
    """What the background does so many minutes later."""
    return Keeping(server.services).deliver(datetime.now(UTC) + timedelta(minutes=minutes))


def texts(caller: Caller, patient: str) -> list[str]:
    found = caller.search("Communication", subject=f"Patient/{patient}").json.get("entry", [])
    return [each["resource"]["payload"][0]["contentString"] for each in found]


def test_a_new_document_is_told_of_and_written_about(server: Application, box: Box, own: str) -> None:
    box.messages.clear()
    server.practitioner(ALICE, organization="750000001").create(document(own))
    assert keep(server) == 1
    (text,) = texts(server.patient(own), own)
    assert "a déposé un document dans votre dossier" in text
    assert f"RPPS {ALICE}" in text
    assert sorted(box.recipients) == ["marie@exemple.fr", "mere@exemple.fr"]
    mail = box.messages[0]
    assert mail["Subject"] == SUBJECT
    content = mail.get_content()
    assert server.services.issuer in content
    assert all(word not in content for word in (ALICE, "750000001", "document", own, "décin"))
    assert keep(server, 60) == 0


def test_ones_own_document_and_what_an_operator_loads_are_no_news(server: Application, own: str) -> None:
    server.patient(own).create(document(own))
    server.operator().create(document(own))
    server.practitioner(ALICE).create(observation(own))
    assert keep(server, 60) == 0


def test_a_changed_consent_is_told_with_by_whom(server: Application, own: str) -> None:
    me = server.patient(own)
    made = me.create(consent(own, "deny", "Practitioner/alice"))
    server.operator().store(consent(own, "permit", "Practitioner/alice") | {"id": made})
    me.delete(f"Consent/{made}")
    keep(server)
    told = texts(me, own)
    assert len(told) == 3
    assert sum("vous avez modifié" in each for each in told) == 2
    assert sum("le service a modifié" in each for each in told) == 1


def test_an_application_let_in_and_shut_out_is_told_of(server: Application, box: Box, own: str) -> None:
    access = Access.of(_patient(own), datetime.now(UTC))
    server.services.notices.granted(access, own, "Carnet de santé")
    server.services.notices.revoked(access, own, "Carnet de santé")
    keep(server)
    told = texts(server.patient(own), own)
    assert any("autorisé l’application « Carnet de santé »" in each for each in told)
    assert any("retiré à l’application « Carnet de santé »" in each for each in told)
    assert len([each for each in box.recipients if each == "marie@exemple.fr"]) == 1


def test_what_a_minor_keeps_secret_is_not_written_to_the_representative(
    server: Application, box: Box, own: str
) -> None:
    server.practitioner(ALICE).create(document(own, labels=("INVISIBLE_REPRESENTANTS_LEGAUX",)))
    keep(server)
    assert box.recipients == ["marie@exemple.fr"]
    assert (len(texts(server.patient(own), own)), texts(server.representative(own), own)) == (1, [])


def test_a_first_access_is_written_about(server: Application, box: Box, own: str) -> None:
    assert server.practitioner(ALICE).get(f"Patient/{own}").status == 200
    keep(server)
    assert "marie@exemple.fr" in box.recipients


def test_an_e_mail_that_is_not_taken_is_sent_again_later_and_to_none_twice(
    server: Application, box: Box, own: str
) -> None:
    server.practitioner(ALICE).create(document(own))
    box.refusals = ["451 busy"]
    keep(server)
    assert len(box.recipients) == 1
    assert keep(server) == 0
    assert keep(server, 5) == 1
    assert sorted(box.recipients) == ["marie@exemple.fr", "mere@exemple.fr"]
    assert server.services.store.outbox.waiting() == 0
    assert len(texts(server.patient(own), own)) == 1


def test_what_a_worker_died_over_is_told_by_the_next(server: Application, box: Box, own: str) -> None:
    server.practitioner(ALICE).create(document(own))
    assert server.services.store.outbox.take() is not None
    assert keep(server) == 0
    assert keep(server, 3) == 1
    assert len(box.recipients) == 2


def test_after_two_weeks_the_person_is_told_that_something_is_new(server: Application, box: Box, own: str) -> None:
    hidden = server.practitioner(ALICE).create(document(own, labels=("INVISIBLE_PATIENT",)))
    assert keep(server, 13 * 24 * 60) == 0
    assert keep(server, 14 * 24 * 60 + 5) == 1
    (text,) = texts(server.patient(own), own)
    assert "mis à jour" in text
    assert hidden not in text
    assert len(box.recipients) == 2
    assert keep(server, 32 * 24 * 60) == 1
    assert len(texts(server.patient(own), own)) == 2


def test_what_is_told_weeks_later_is_sent_again_too_when_it_is_not_taken(
    server: Application, box: Box, own: str
) -> None:
    server.practitioner(ALICE).create(document(own, labels=("INVISIBLE_PATIENT",)))
    box.refusals = ["451 busy"] * 2
    fortnight = 14 * 24 * 60
    assert keep(server, fortnight + 5) == 1
    assert box.recipients == []
    assert keep(server, fortnight + 10) == 1
    assert sorted(box.recipients) == ["marie@exemple.fr", "mere@exemple.fr"]
    box.refusals = ["451 busy"] * 2
    assert keep(server, 32 * 24 * 60) == 1
    assert server.services.store.outbox.waiting() == 1
    box.refusals = ["451 busy"] * 2
    assert keep(server, 40 * 24 * 60) == 1
    assert server.services.store.outbox.waiting() == 0


def test_news_that_join_what_waits_reach_those_whom_it_reached_already(server: Application, box: Box, own: str) -> None:
    alice = server.practitioner(ALICE)
    alice.create(document(own))
    box.refusals = ["451 busy"]
    keep(server)
    (first,) = box.recipients
    alice.create(document(own))
    keep(server, 5)
    assert sorted(box.recipients) == sorted(["marie@exemple.fr", "mere@exemple.fr", first])


def test_a_round_ends_before_another_worker_takes_what_it_holds(
    server: Application, box: Box, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.practitioner(ALICE).create(document(own))
    with monkeypatch.context() as slow:
        slow.setattr(deliveries, "_LONGEST_ROUND", -1.0)
        keep(server)
    assert box.recipients == []
    assert keep(server) == 1
    assert len(box.recipients) == 2


def test_what_was_announced_in_time_is_not_told_of_again(server: Application, own: str) -> None:
    alice = server.practitioner(ALICE)
    hidden = alice.create(document(own, labels=("INVISIBLE_PATIENT",)))
    shown = alice.get(f"DocumentReference/{hidden}").json
    del shown["securityLabel"]
    assert alice.put(f"DocumentReference/{hidden}", shown).status == 200
    keep(server, 32 * 24 * 60)
    assert not any("mis à jour" in each for each in texts(server.patient(own), own))


def _patient(id: str) -> Requester:
    return Requester("patient", f"patient/{id}", patient=id, purpose="PATRQT")
