"""The work of each day: who is told what, when, and once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from pymongo import MongoClient

from fhirserver.espace.reminders import telling
from fhirserver.espace.reminders.telling import Telling
from fhirserver.rest.tracing.keeping import Keeping
from tests.espace.reminders.test_services import SECRET, WAITING, said, vaccination
from tests.records import patient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.application import Application

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def opened(applications: Callable[..., Any]) -> Iterator[Application]:
    with applications() as found:
        yield found.at(NOW)


@pytest.fixture
def house(opened: Application) -> Iterator[Application]:
    """A server that knows nobody."""
    yield opened
    with MongoClient[dict[str, Any]](opened.services.settings.mongo) as client:
        database = client[opened.services.settings.database]
        for name in ("Patient", "register.reminders", "register.reminders.work", "outbox"):
            database[name].delete_many({})


def born(house: Application, day: str = "1961-11-22", **more: Any) -> str:
    return house.operator().create(patient(birthDate=day, gender="male", **more))


def round_(house: Application, now: datetime = NOW) -> int:
    services = house.services
    return Telling(services.store, services.chains, services.definitions).round(now)


def notices(house: Application, id: str) -> list[str]:
    """What the person finds in the record."""
    Keeping(house.services).deliver()
    found = house.patient(id).search("Communication", patient=id, category="notification")
    return [each["resource"]["payload"][0]["contentString"] for each in found.json.get("entry", [])]


def test_who_closed_the_record_by_the_patient_alone_is_told_nothing(house: Application) -> None:
    shut, open_ = born(house, active=False), born(house, active=True)
    assert round_(house) == 1
    assert notices(house, shut) == []
    assert notices(house, open_) != []


def test_somebody_is_told_once_of_what_his_age_proposes(house: Application) -> None:
    id = born(house)
    assert round_(house) == 1
    (text,) = notices(house, id)
    for words in ("Pneumocoque à partir de 65 ans", "Grippe saisonnière", "rappel de 65 ans", "Parlez-en"):
        assert words in text
    assert "papillomavirus" not in text.casefold()
    for hours in (0, 1, 24, 24 * 80):
        assert round_(house, NOW + timedelta(hours=hours)) == 0
    assert len(notices(house, id)) == 1


def test_on_the_day_of_the_birthday_and_not_the_day_before(house: Application) -> None:
    id = born(house, "1951-11-23")
    round_(house)
    before = notices(house, id)
    assert not any("VRS" in each for each in before)
    assert round_(house, NOW + DAY - timedelta(hours=2, seconds=1)) == 0
    assert round_(house, NOW + DAY - timedelta(hours=2)) == 1
    (new,) = set(notices(house, id)) - set(before)
    assert "VRS" in new
    assert "Grippe" not in new


def test_the_next_season_tells_again(house: Application) -> None:
    id = born(house, "1951-01-01")
    round_(house)
    looked = NOW
    while looked < NOW + timedelta(days=360):
        looked += timedelta(days=30)
        round_(house, looked)
    assert sum("Grippe saisonnière" in each for each in notices(house, id)) == 2


@pytest.mark.parametrize(
    ("code", "zone"),
    [("97400", "Indian/Reunion"), ("98800", "Pacific/Noumea"), ("97110", "America/Guadeloupe"), ("", "Europe/Paris")],
)
def test_nobody_is_told_at_night(house: Application, code: str, zone: str) -> None:
    id = born(house, "1951-01-01", address=[{"postalCode": code}] if code else [{"city": "Paris"}])
    night = datetime(2027, 3, 28, 3, 30, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    assert round_(house, night) == 0
    assert round_(house, datetime(2027, 3, 28, 8, 59, tzinfo=ZoneInfo(zone)).astimezone(UTC)) == 0
    assert round_(house, datetime(2027, 3, 28, 9, 0, tzinfo=ZoneInfo(zone)).astimezone(UTC)) == 1
    assert notices(house, id)


def test_late_in_the_evening_waits_for_the_morning(house: Application) -> None:
    born(house)
    assert round_(house, NOW.replace(hour=20)) == 0
    assert round_(house, NOW.replace(hour=7) + DAY) == 0
    assert round_(house, NOW.replace(hour=8) + DAY) == 1


def test_who_wants_no_notices_has_none_and_may_have_them_again(house: Application) -> None:
    id = born(house)
    said(house, id, answer="silent")
    assert round_(house) == 0
    assert notices(house, id) == []
    said(house, id, answer="again")
    assert round_(house, NOW + timedelta(days=92)) == 1


def test_what_was_answered_is_not_told(house: Application) -> None:
    id = born(house)
    said(house, id, reminder="grippe", answer="not-concerned")
    said(house, id, reminder="pneumo-65", answer="later")
    round_(house)
    assert not any("Grippe" in each or "Pneumocoque" in each for each in notices(house, id))
    round_(house, NOW + timedelta(days=30))
    assert sum("Pneumocoque" in each for each in notices(house, id)) == 1


def test_many_workers_tell_once(house: Application) -> None:
    ids = [born(house) for _ in range(3)]
    told: list[int] = []
    workers = [Thread(target=lambda: told.append(round_(house))) for _ in range(3)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert sum(told) == 3
    assert [len(notices(house, each)) for each in ids] == [1, 1, 1]


def test_a_worker_that_ended_at_it_is_followed_by_another(house: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [born(house), born(house)]
    ended = iter([True])

    def ends(*_: Any) -> datetime:
        if next(ended, False):
            raise KeyboardInterrupt
        return datetime(2026, 12, 24, 9, tzinfo=UTC)

    monkeypatch.setattr(telling, "_at", ends)
    with pytest.raises(KeyboardInterrupt):
        round_(house)
    round_(house)
    assert [len(notices(house, each)) for each in ids] == [1, 1]


def test_one_record_that_fails_keeps_nobody_from_being_told(
    house: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = born(house), born(house)
    whole = Telling._known

    def fails(self: Telling, patient_: Any, now: datetime) -> Any:
        if patient_.id == bad:
            raise ValueError("broken")
        return whole(self, patient_, now)

    monkeypatch.setattr(Telling, "_known", fails)
    assert round_(house) == 1
    assert (notices(house, bad), len(notices(house, good))) == ([], 1)
    monkeypatch.setattr(Telling, "_known", whole)
    assert round_(house, NOW + DAY) == 1


def test_a_round_that_another_has_does_nothing_until_its_lease_is_over(house: Application) -> None:
    born(house)
    house.services.store.register(telling.WORK).add("work", {"lease": NOW + timedelta(minutes=5), "n": 7})
    assert round_(house) == 0
    assert round_(house, NOW + timedelta(minutes=5)) == 1


def test_a_date_of_birth_that_is_put_right_is_looked_at_anew(house: Application) -> None:
    id = born(house, "1990-01-01")
    round_(house)
    before = len(notices(house, id))
    stored = house.operator().get(f"Patient/{id}").json
    house.at(NOW + DAY).operator().store(stored | {"birthDate": "1951-01-01"})
    assert round_(house, NOW + DAY) == 1
    assert len(notices(house, id)) == before + 1


def test_the_notice_tells_of_nothing_secret_or_unannounced(house: Application) -> None:
    child, grown = born(house, "2014-06-01"), born(house)
    operator = house.operator()
    operator.create(vaccination(child, "J07BM01", "2026-06-01", meta={"security": [{"code": SECRET}]}))
    operator.create(vaccination(grown, "J07AL02", "2026-06-01", meta={"security": [{"code": WAITING}]}))
    round_(house)
    assert any("HPV" in each for each in notices(house, child))
    assert any("Pneumocoque" in each for each in notices(house, grown))


@pytest.mark.parametrize("event", ["close", "suspend", "request-erasure", "open"])
def test_whose_space_is_not_open_is_told_nothing(house: Application, event: str) -> None:
    id = born(house)
    assert house.operator().post(f"Patient/{id}/$espace-{event}", None).status == 200
    assert round_(house) == 0
    assert house.services.store.outbox.waiting() <= 1


def test_the_dead_the_deleted_and_the_erased_are_told_nothing(house: Application) -> None:
    dead, gone, erased = born(house, deceasedBoolean=True), born(house), born(house)
    assert round_(house, NOW.replace(hour=4)) == 0
    house.operator().delete(f"Patient/{gone}")
    house.operator().post(f"Patient/{erased}/$espace-erase", None)
    rows = house.services.store.register(telling.REGISTER, by=("due",))
    assert rows.find(erased, NOW) is None
    assert round_(house) == 0
    assert rows.find(gone, NOW) is None
    assert rows.find(dead, NOW) is not None


def test_who_is_not_due_is_not_looked_at(house: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        born(house)
    round_(house)
    looked: list[str] = []
    monkeypatch.setattr(Telling, "_looked", lambda _, patient, __: looked.append(patient))
    round_(house, NOW + DAY)
    assert looked == []


def test_the_look_is_traced_as_the_servers(house: Application) -> None:
    id = born(house)
    round_(house)
    found = house.patient(id).search("AuditEvent", patient=id, subtype="operation")
    assert found.total == 1
    assert "system:reminders" in found.content.decode()
