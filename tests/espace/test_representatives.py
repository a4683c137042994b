"""Representatives of minors and protected adults in the whole server, and the take-over of the space at majority."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from fhirserver.access import Access, Requester
from fhirserver.auth.accounts.account import Reach
from fhirserver.errors import Conflict
from fhirserver.espace.space import Actor
from tests.access.test_representation import R216, R217
from tests.records import observation, patient

if TYPE_CHECKING:
    from tests.application import Application

NOW = datetime(2026, 2, 10, 9, tzinfo=UTC)


def related(to: str, *code: str, **more: Any) -> dict[str, Any]:
    told = {"relationship": [{"coding": [{"system": code[0], "code": code[1]}]}]} if code else {}
    return {"resourceType": "RelatedPerson", "active": True, "patient": {"reference": f"Patient/{to}"}, **told, **more}


def adult(application: Application, *code: str, **more: Any) -> tuple[str, str, str]:
    """A person of age, the RelatedPerson, and a result."""
    operator = application.operator()
    id = operator.create(patient(birthDate="1950-05-01"))
    return id, operator.create(related(id, *code, **more)), operator.create(observation(id))


def test_a_tutor_reads_writes_and_closes_until_the_measure_ends(application: Application) -> None:
    period = {"start": "2025-01-01", "end": "2026-02-28"}
    id, tutor, result = adult(application, R217, "TUTEUR", period=period)
    now = application.at(NOW).representative(id, tutor)
    assert now.get(f"Observation/{result}").status == 200
    assert now.post("Observation", observation(id)).status == 201
    assert now.post(f"Patient/{id}/$espace-close", None).status == 200
    assert now.post(f"Patient/{id}/$espace-reopen", None).status == 200
    over = datetime(2026, 3, 1, tzinfo=UTC)
    before, after = (application.at(each).representative(id, tutor) for each in (over - timedelta(seconds=1), over))
    assert [each.get(f"Observation/{result}").status for each in (before, after)] == [200, 404]
    assert after.get(f"Patient/{id}/$espace").status == 404
    assert application.at(over).patient(id).get(f"Observation/{result}").status == 200


def test_a_curator_and_a_mandatary_may_what_the_table_says(application: Application) -> None:
    id, curator, result = adult(application, R217, "CURATEUR")
    caller = application.representative(id, curator)
    absent = application.representative(id, curator).get("Observation/nothing")
    assert caller.get(f"Observation/{result}").content.decode().replace(result, "nothing") == absent.content.decode()
    assert caller.post(f"Patient/{id}/$espace-close", None).status == 404
    id, mandatary, result = adult(application, "urn:fhirserver:representation", "mandat-de-protection-future")
    caller = application.representative(id, mandatary)
    assert caller.get(f"Observation/{result}").status == 200
    assert caller.post(f"Patient/{id}/$espace-close", None).status == 403
    assert caller.post(f"Patient/{id}/$espace-request-erasure", None).status == 403
    whole = caller.get(f"Patient/{id}").json
    assert caller.put(f"Patient/{id}", {**whole, "active": False}).status == 403


def test_what_a_system_declares_makes_nobody_a_tutor(application: Application) -> None:
    id = application.operator().create(patient(birthDate="1950-05-01"))
    made = application.system("750000001").post("RelatedPerson", related(id, R217, "TUTEUR")).id
    assert application.representative(id, made).get(f"Patient/{id}").status == 404
    with pytest.raises(Conflict):
        application.services.accounts.invitations.invite(id, by="test", related=made)


def test_codes_go_to_who_represents(application: Application) -> None:
    invitations = application.services.accounts.invitations
    id, tutor, _ = adult(application, R217, "TUTEUR")
    assert invitations.invite(id, by="test")[1].reach == Reach(id)
    assert invitations.invite(id, by="test", related=tutor)[1].reach == Reach(id, tutor)
    operator = application.operator()
    child = operator.create(patient(birthDate="2020-05-01"))
    parents = [operator.create(related(child, R216, each)) for each in ("MTH", "FTH")]
    grandmother = operator.create(related(child, R216, "GRMTH"))
    assert [invitations.invite(child, by="test", related=each)[1].reach.related for each in parents] == parents
    for other in (grandmother, None):
        with pytest.raises(Conflict, match="minor"):
            invitations.invite(child, by="test", related=other)


def grown(application: Application, birth: str, code: str = "97400") -> tuple[str, str, Any]:
    """A child whose parent activated the space, with an account, and the parent's account."""
    operator, room = application.operator(), application.services.accounts
    child = operator.create(patient(birthDate=birth, address=[{"use": "home", "postalCode": code}]))
    parent = operator.create(related(child, R216, "MTH"))
    actor = Actor("representative", Access.system("test", datetime(2020, 1, 1, tzinfo=UTC)))
    application.services.spaces.happen(actor, child, "activate")
    account = room.accounts.add("person", f"parent{child[:8]}", "hash", records=(Reach(child, parent), Reach("other")))
    return child, parent, account


def test_the_person_takes_the_space_over_at_majority(application: Application) -> None:
    """Of age since a year at most, so that the server's clock, which is the real one here, says so."""
    birth = f"{datetime.now(UTC).year - 19}-01-02"
    child, parent, account = grown(application, birth)
    found, room = application.services, application.services.accounts
    who = Requester("representative", f"RelatedPerson/{parent}", patient=child, purpose="PATRQT")
    other = Requester("patient", "patient/other", patient="other", purpose="PATRQT")
    until = datetime.now(UTC) + timedelta(days=1)
    grants = [found.grants.make("app", account.id, each, until) for each in (who, other)]
    cookies = [found.sessions.open(each, account.id, ("pwd",), "eidas1") for each in (who, other)]
    code = "codeofaparent"
    row = {"patient": child, "related": parent, "by": "x", "tries": 0, "ends": until, "until": until}
    room.invitations._rows.put(room.invitations._key(code), row)
    assert found.spaces.bring(datetime.now(UTC))["come-of-age"] == 1
    assert [found.grants.find(each.id) is None for each in grants] == [True, False]
    assert [found.sessions.find(each) is None for each in cookies] == [True, False]
    kept = room.accounts.find(account.id)
    assert kept is not None
    assert kept.records == (Reach("other"),)
    assert room.invitations.find(room.invitations._key(code)) is None
    assert child in room.letters.waiting()
    [letter] = room.letters.made([child], [])
    assert room.invitations.find(room.invitations._key(letter.code)).reach == Reach(child)  # type: ignore[union-attr]
    assert child not in room.letters.waiting()
    assert found.spaces.bring(datetime.now(UTC)) == {}


def test_whoever_acts_first_after_the_birthday_finds_the_space_taken_over(application: Application) -> None:
    child, _, account = grown(application, f"{datetime.now(UTC).year - 19}-01-02")
    assert application.operator().post(f"Patient/{child}/$espace-suspend", None).status == 200
    kept = application.services.accounts.accounts.find(account.id)
    assert kept is not None
    assert kept.records == (Reach("other"),)


@pytest.mark.parametrize("code", ["97400", "98800", "98700", "75014"])
def test_the_space_is_taken_over_at_midnight_where_the_person_lives(application: Application, code: str) -> None:
    zones = {"97400": "Indian/Reunion", "98800": "Pacific/Noumea", "98700": "Pacific/Tahiti", "75014": "Europe/Paris"}
    of_age = datetime(2027, 3, 1, tzinfo=ZoneInfo(zones[code])).astimezone(UTC)
    grown(application, "2009-03-01", code)
    spaces = application.services.spaces
    assert spaces.bring(of_age - timedelta(milliseconds=1)).get("come-of-age", 0) == 0
    assert spaces.bring(of_age)["come-of-age"] == 1


def test_news_of_an_adult_are_not_mailed_to_a_former_representative(application: Application) -> None:
    from fhirserver.rest.tracing.keeping import Keeping

    operator, room = application.operator(), application.services.accounts
    keeping = Keeping(application.services)
    found = {}
    for name, birth in (("adult", "1990-05-01"), ("child", "2020-05-01")):
        id = operator.create(patient(birthDate=birth))
        parent = operator.create(related(id, R216, "FTH"))
        room.accounts.add("person", f"father-of-{id}", "x", mail=f"{name}@exemple.fr", records=(Reach(id, parent),))
        found[name] = list(keeping._addresses(id, secret=False)), list(keeping._addresses(id, secret=True))
    assert found == {"adult": ([], []), "child": (["child@exemple.fr"], [])}
