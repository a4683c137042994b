"""Spaces over HTTP: who may do what, what it does to access, and that it is traced and told."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.access import Access, Requester
from fhirserver.errors import NotFound
from fhirserver.espace import tables
from fhirserver.espace.space import Actor
from fhirserver.espace.tables import Delay
from tests.records import observation, patient

if TYPE_CHECKING:
    from tests.application import Answer, Application, Caller

NOW = datetime(2026, 2, 10, 9, tzinfo=UTC)
WEEKS = timedelta(weeks=6, days=1)


def agent(application: Application) -> Caller:
    return application.caller(Requester("operator", "agent/12", scopes=("espace",)))


def told(answer: Answer, name: str) -> list[Any]:
    assert answer.status == 200, answer.content
    found = [each for each in answer.json["parameter"] if each["name"] == name]
    return [next((each[key] for key in each if key != "name"), None) for each in found]


def state(answer: Answer) -> str:
    return str(told(answer, "state")[0])


def born(application: Application, day: str = "1980-05-01") -> str:
    return application.operator().create(patient(birthDate=day))


def minor(application: Application) -> tuple[str, str]:
    child = born(application, "2010-06-01")
    parent = {"resourceType": "RelatedPerson", "active": True, "patient": {"reference": f"Patient/{child}"}}
    return child, application.operator().create(parent)


def test_announced_opposed_and_activated_after_all(application: Application) -> None:
    id = born(application)
    now = application.at(NOW)
    assert state(now.operator().get(f"Patient/{id}/$espace")) == "none"
    announced = now.operator().post(f"Patient/{id}/$espace-open", None)
    assert state(announced) == "announced"
    assert told(announced, "due")[0][1]["valueInstant"] == "2026-03-24T23:00:00.000Z"
    assert now.patient(id).get(f"Patient/{id}").status == 404
    assert state(now.patient(id).post(f"Patient/{id}/$espace-oppose", None)) == "opposed"
    assert state(application.at(NOW + WEEKS).operator().get(f"Patient/{id}/$espace")) == "opposed"
    assert state(now.patient(id).post(f"Patient/{id}/$espace-activate", None)) == "open"
    assert now.patient(id).get(f"Patient/{id}").status == 200


def test_what_time_brings_is_in_force_at_once_and_traced_once(application: Application) -> None:
    id = born(application)
    application.at(NOW).operator().post(f"Patient/{id}/$espace-open", None)
    later = application.at(NOW + WEEKS)
    assert later.patient(id).get(f"Patient/{id}").status == 200
    assert later.services.spaces.bring(NOW + WEEKS)["open"] >= 1
    assert "open" not in later.services.spaces.bring(NOW + WEEKS)
    assert [each[0]["valueCode"] for each in told(later.operator().get(f"Patient/{id}/$espace"), "event")] == [
        "announce",
        "open",
    ]
    found = later.patient(id).search("AuditEvent", ("entity", f"Patient/{id}"), ("date", f"ge{NOW.year}"))
    assert sum("$espace-due" in str(each) or _asked(each, "$espace-due") for each in found.json["entry"]) == 1


def _asked(entry: dict[str, Any], text: str) -> bool:
    import base64

    queries = [each.get("query", "") for each in entry["resource"]["entity"]]
    return any(text in base64.b64decode(each).decode() for each in queries)


def test_closing_shuts_professionals_out_and_reopening_restores(application: Application) -> None:
    id = born(application)
    holder = application.patient(id)
    kept = application.operator().create(observation(id))
    closed = holder.post(f"Patient/{id}/$espace-close", None)
    assert state(closed) == "closed"
    assert application.system("750000001").post("Observation", observation(id)).status in (403, 404, 422)
    assert holder.post(f"Patient/{id}/$espace-close", None).status == 409
    assert state(holder.post(f"Patient/{id}/$espace-reopen", None)) == "open"
    assert holder.get(f"Observation/{kept}").status == 200


def test_the_person_is_told_of_the_closing(application: Application) -> None:
    id = born(application)
    application.at(NOW).operator().post(f"Patient/{id}/$espace-close", None)
    from fhirserver.rest.tracing.keeping import Keeping

    Keeping(application.services).deliver()
    found = application.patient(id).search("Communication", ("patient", id))
    assert "clôturé votre espace santé" in found.content.decode()


def test_the_person_is_told_how_long_a_suspension_can_be_objected_to(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the table has it on the day of the suspension."""
    rows = (Delay("objection", date(2022, 1, 1), 6, "weeks", "-"), Delay("objection", NOW.date(), 1, "months", "-"))
    monkeypatch.setattr(tables, "delays", lambda: rows)
    from fhirserver.rest.tracing.keeping import Keeping

    for at, told in ((NOW - timedelta(days=1), "6 semaines"), (NOW, "1 mois")):
        id = born(application)
        application.at(at).operator().post(f"Patient/{id}/$espace-suspend", None)
        Keeping(application.services).deliver()
        found = application.operator().search("Communication", ("patient", id))
        assert f"vous y opposer pendant {told}, après quoi" in found.content.decode()


def test_an_agent_acts_and_sees_nothing(application: Application) -> None:
    id = born(application)
    application.operator().create(observation(id))
    of_insurance = agent(application)
    assert state(of_insurance.post(f"Patient/{id}/$espace-open", None)) == "announced"
    assert state(of_insurance.post(f"Patient/{id}/$espace-activate", None)) == "open"
    for path in (
        f"Patient/{id}",
        "Observation",
        f"Observation?patient={id}",
        f"Patient/{id}/$everything",
        "AuditEvent",
    ):
        answer = of_insurance.get(path)
        assert answer.status in (403, 404) or answer.total == 0
    assert of_insurance.post(f"Patient/{id}/$espace-suspend", None).status == 403


def test_a_representative_acts_for_a_minor_until_he_is_of_age(application: Application) -> None:
    child, parent = minor(application)
    before, after = datetime(2028, 5, 31, 21, tzinfo=UTC), datetime(2028, 6, 1, 9, tzinfo=UTC)
    application.at(NOW).operator().post(f"Patient/{child}/$espace-activate", None)
    assert state(application.at(before).representative(child, parent).get(f"Patient/{child}/$espace")) == "open"
    assert application.at(after).representative(child, parent).get(f"Patient/{child}/$espace").status == 404
    assert application.services.spaces.bring(after)["come-of-age"] == 1


@pytest.mark.parametrize("path", ["$espace", "$espace-close", "$espace-request-erasure"])
def test_to_others_a_space_is_as_if_it_were_not(application: Application, path: str) -> None:
    id = born(application)
    method = "GET" if path == "$espace" else "POST"
    for caller in (
        application.patient("another"),
        application.representative(id),
        application.practitioner("10001112225"),
        application.system("750000001"),
    ):
        there, absent = (caller.call(method, f"Patient/{each}/{path}") for each in (id, "nobody"))
        assert there.status == absent.status == 404
        assert there.content.decode().replace(id, "nobody") == absent.content.decode()


def test_a_token_of_the_holder_for_reading_alone_changes_nothing(application: Application) -> None:
    id = born(application)
    app = application.caller(
        Requester("patient", f"patient/{id}", patient=id, purpose="PATRQT", scopes=("patient/*.rs",))
    )
    assert app.get(f"Patient/{id}/$espace").status == 200
    assert app.post(f"Patient/{id}/$espace-close", None).status == 403


def test_a_death_that_the_record_tells_closes_the_space(application: Application) -> None:
    operator, services = application.operator(), application.services
    id = operator.create(patient(birthDate="1940-05-01", deceasedDateTime="2025-12-24"))
    assert services.spaces.deaths(services.definitions, NOW) == 1
    assert services.spaces.deaths(services.definitions, NOW) == 0
    due = told(application.at(NOW).operator().get(f"Patient/{id}/$espace"), "due")
    assert due[0][1]["valueInstant"].startswith("2035-12-24")


def test_nobody_is_announced_who_is_not_here(application: Application) -> None:
    with pytest.raises(NotFound):
        application.services.spaces.happen(Actor("operator", Access.system("test", NOW)), "nobody", "announce")
