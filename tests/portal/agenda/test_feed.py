"""The secret link to a calendar: what it holds, for whom, and when it leads nowhere."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from fhirserver.access import Access
from fhirserver.espace.space import Actor
from tests.portal.browser import Browser
from tests.portal.record.visiting import logged_in, representative
from tests.rest.agenda.world import NOW

if TYPE_CHECKING:
    from tests.portal.agenda.conftest import Visit
    from tests.portal.browser import Page


def link(visit: Visit, details: str = "") -> str:
    """Makes a link on the page; its path."""
    page = visit.mine.send(visit.mine.get(visit.path), f"{visit.path}/lien", decision="faire", details=details)
    found = re.search(r"http://127\.0\.0\.1:8080(/agenda/[\w-]{43}\.ics)<", page.html)
    assert found, page.text
    return found[1]


def fetched(visit: Visit, path: str, tag: str = "") -> Page:
    """As a calendar program does: without a cookie."""
    return Browser(visit.agenda.server).get(path, If_None_Match=tag)


def events(text: str) -> list[dict[str, str]]:
    """The VEVENTs by property, their lines unfolded and their texts unescaped (RFC 5545, 3.1 and 3.3.11)."""
    assert text.endswith("END:VCALENDAR\r\n")
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    found: list[dict[str, str]] = []
    for line in text.replace("\r\n ", "").split("\r\n"):
        name, _, value = line.partition(":")
        if line == "BEGIN:VEVENT":
            found.append({})
        elif found and name.partition(";")[0] not in found[-1]:
            found[-1][name.partition(";")[0]] = re.sub(r"\\(.)", lambda each: each[1].replace("n", "\n"), value)
    return found


def test_a_link_shows_appointments_until_it_is_ended(visit: Visit) -> None:
    id = visit.agenda.holder.create(visit.agenda.appointment(0, comment="Genou; douleur"))
    path = link(visit)
    page = fetched(visit, path)
    assert (page.status, page.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    assert (page.headers["cache-control"], page.headers["referrer-policy"]) == ("private, no-cache", "no-referrer")
    assert "set-cookie" not in page.headers
    event = events(page.html)[0]
    assert event["UID"] == f"{id}@127.0.0.1"
    assert (event["DTSTART"], event["DTEND"]) == ("20260302T090000Z", "20260302T093000Z")
    assert (event["SUMMARY"], event["STATUS"], event["SEQUENCE"]) == ("Rendez-vous de santé", "CONFIRMED", "0")
    assert "Genou" not in page.html
    assert visit.agenda.patient not in page.html
    assert "TRIGGER:-P1D" in page.html
    found = visit.agenda.holder.get(f"Appointment/{id}").json
    assert visit.agenda.holder.put(f"Appointment/{id}", found | {"status": "cancelled"}).status == 200
    event = events(fetched(visit, path).html)[0]
    assert (event["UID"], event["STATUS"], event["SEQUENCE"]) == (f"{id}@127.0.0.1", "CANCELLED", "1")
    page = visit.mine.send(visit.mine.get(visit.path), f"{visit.path}/lien", decision="retirer")
    assert "Le lien est retiré" in page.text
    assert fetched(visit, path).status == 404


def test_details_are_told_where_the_person_wants_them(visit: Visit) -> None:
    long = "Une très longue précision, avec des virgules; des points-virgules\\ et des accents éàü " * 2
    visit.agenda.holder.create(visit.agenda.appointment(0, comment=long, description="Kinésithérapie, épaule"))
    event = events(fetched(visit, link(visit, details="oui")).html)[0]
    assert (event["SUMMARY"], event["DESCRIPTION"]) == ("Kinésithérapie, épaule", long)


def test_another_link_ends_the_one_before(visit: Visit) -> None:
    first = link(visit)
    second = link(visit)
    assert [fetched(visit, each).status for each in (first, second)] == [404, 200]
    assert [fetched(visit, f"/agenda/{each}.ics").status for each in ("x", "x" * 43, "x" * 500, "%00")] == [404] * 4


def test_what_has_not_changed_is_not_sent_again(visit: Visit) -> None:
    visit.agenda.holder.create(visit.agenda.appointment(0))
    path = link(visit)
    tag = fetched(visit, path).headers["etag"]
    again = fetched(visit, path, tag)
    assert (again.status, again.html) == (304, "")
    visit.agenda.holder.create(visit.agenda.appointment(1))
    assert fetched(visit, path, tag).status == 200


def test_the_link_of_a_space_that_is_closed_leads_nowhere(visit: Visit) -> None:
    path = link(visit)
    actor = Actor("holder", Access.system("test", datetime.now(UTC)))
    visit.agenda.server.services.spaces.happen(actor, visit.agenda.patient, "close", NOW - timedelta(days=1))
    assert fetched(visit, path).status == 404
    visit.agenda.server.services.spaces.happen(actor, visit.agenda.patient, "reopen")


def test_following_the_link_is_traced_and_its_secret_stands_nowhere(visit: Visit) -> None:
    path = link(visit)
    fetched(visit, path)
    secret = path.removeprefix("/agenda/").removesuffix(".ics")
    traced = visit.agenda.holder.search("AuditEvent", ("agent:identifier", "urn:fhirserver:client|agenda-feed"))
    assert traced.total >= 1
    store = visit.agenda.server.services.store
    rows = store.register("agenda-feeds").listed(NOW, patient=visit.agenda.patient)
    assert len(rows) == 1
    assert secret not in repr(rows) + visit.agenda.server.operator().search("AuditEvent").content.decode()


def test_the_link_of_a_representative_shows_no_secret_of_the_minor(visit: Visit) -> None:
    secret = {"meta": {"security": [{"code": "INVISIBLE_REPRESENTANTS_LEGAUX"}]}}
    operator = visit.agenda.server.operator()
    child = operator.get(f"Patient/{visit.agenda.patient}").json | {"birthDate": "2012-05-01"}
    operator.store(child)
    related = {"resourceType": "RelatedPerson", "active": True}
    parent = operator.create(related | {"patient": {"reference": f"Patient/{visit.agenda.patient}"}})
    operator.create(visit.agenda.appointment(0))
    operator.create(visit.agenda.appointment(1) | secret)
    theirs = visit._replace(mine=logged_in(visit.agenda.server, representative(visit.agenda.patient, parent)))
    assert len(events(fetched(visit, link(theirs)).html)) == 1
    assert len(events(fetched(visit, link(visit)).html)) == 2
    operator.delete(f"RelatedPerson/{parent}")


def test_who_is_erased_leaves_no_link(visit: Visit) -> None:
    path = link(visit)
    erased = visit.agenda.server.operator().post(f"Patient/{visit.agenda.patient}/$espace-erase", None)
    assert erased.status == 200, erased.json
    assert fetched(visit, path).status == 404
    store = visit.agenda.server.services.store
    assert store.register("agenda-feeds").listed(NOW, patient=visit.agenda.patient) == []
