"""A person finds an agenda, books, moves and cancels; a professional keeps his own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from fhirserver.cli.demo import PHYSICIAN, bundle
from tests.portal.record.visiting import holder, logged_in, patient_named, professional
from tests.records import care_team, practitioner
from tests.rest.agenda.world import HOSPITAL, OTHER

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.portal.agenda.conftest import Visit
    from tests.portal.browser import Page

THIRD = "10000000034"


def booked(visit: Visit, number: int, reason: str = "") -> str:
    """Books a slot by its page; the id of the appointment."""
    place = f"{visit.path}/creneau/{visit.agenda.slots[number]}"
    page = visit.mine.send(visit.mine.get(place), place, motif=reason)
    assert "Le rendez-vous est pris." in page.text, page.text
    return str(visit.agenda.holder.search("Appointment", _sort="-_lastUpdated").ids[0])


def test_from_a_name_to_an_appointment_and_to_another_time_and_away(visit: Visit) -> None:
    operator = visit.agenda.server.operator()
    named = operator.get(f"Practitioner/{visit.agenda.practitioner}").json
    operator.store(named | {"name": [{"family": "SOIGNANT", "given": ["Dominique"]}]})
    page = visit.mine.get(f"{visit.path}/prendre?q=soign")
    link = f"{visit.path}/prendre/{visit.agenda.schedule}"
    assert f'href="{link}">Dominique SOIGNANT</a>' in page.html
    page = visit.mine.get(link)
    assert "lundi 2 mars 2026" in page.text
    assert page.html.count("/agenda/creneau/") == 6
    id = booked(visit, 0, "Une <b>vis</b> dans le genou")
    page = visit.mine.get(f"{visit.path}/rendez-vous/{id}")
    assert "lundi 2 mars 2026 à 10 h 00 – 10 h 30" in page.text
    assert "Dominique SOIGNANT" in page.text
    assert "&lt;b&gt;vis" in page.html
    place = f"{visit.path}/creneau/{visit.agenda.slots[2]}"
    page = visit.mine.get(f"{place}?deplace={id}")
    assert "10 h 00" in page.text
    page = visit.mine.send(page, place)
    assert "Le rendez-vous est déplacé." in page.text
    assert visit.agenda.states(0, 2) == ["free", "busy"]
    page = visit.mine.get(f"{visit.path}/rendez-vous/{id}")
    page = visit.mine.send(page, f"{visit.path}/rendez-vous/{id}/annuler", motif="Empêchée")
    assert "Le rendez-vous est annulé." in page.text
    assert visit.agenda.states(2) == ["free"]
    assert "Empêchée" in visit.mine.get(f"{visit.path}/rendez-vous/{id}").text


def test_a_slot_that_was_taken_meanwhile_is_told_of(visit: Visit) -> None:
    place = f"{visit.path}/creneau/{visit.agenda.slots[1]}"
    page = visit.mine.get(place)
    visit.agenda.holder.create(visit.agenda.appointment(1))
    page = visit.mine.send(page, place, motif="x")
    assert (page.status, "plus libre" in page.text) == (409, True)
    assert visit.agenda.holder.search("Appointment").total == 1


def test_a_note_is_made_and_deleted(visit: Visit) -> None:
    place = f"{visit.path}/noter"
    page = visit.mine.send(visit.mine.get(place), place, titre="Dentiste <i>", jour="2026-03-29", heure="02:30")
    assert (page.status, "qui existent" in page.text) == (422, True)
    page = visit.mine.send(page, place, titre="Dentiste <i>", jour="2026-03-29", heure="03:30")
    assert "Le rendez-vous est noté." in page.text
    assert "dimanche 29 mars 2026 à 3 h 30" in page.text
    assert "Dentiste &lt;i&gt;" in page.html
    id = visit.agenda.holder.search("Appointment").ids[0]
    assert visit.agenda.holder.get(f"Appointment/{id}").json["start"] == "2026-03-29T03:30:00+02:00"
    page = visit.mine.get(f"{visit.path}/rendez-vous/{id}")
    assert "est supprimé" in visit.mine.send(page, f"{visit.path}/rendez-vous/{id}/supprimer").text
    assert visit.agenda.holder.search("Appointment").total == 0


def test_what_was_cancelled_meanwhile_is_not_cancelled_again(visit: Visit) -> None:
    id = booked(visit, 3)
    page = visit.mine.get(f"{visit.path}/rendez-vous/{id}")
    found = visit.agenda.holder.get(f"Appointment/{id}").json
    assert visit.agenda.holder.put(f"Appointment/{id}", found | {"comment": "!"}).status == 200
    page = visit.mine.send(page, f"{visit.path}/rendez-vous/{id}/annuler")
    assert (page.status, "entre-temps" in page.text) == (409, True)
    assert visit.agenda.states(3) == ["busy"]


def test_past_appointments_stand_apart(visit: Visit) -> None:
    operator = visit.agenda.server.operator()
    old = visit.agenda.appointment(start="2026-01-05T09:00:00Z", end="2026-01-05T09:30:00Z", description="Vaccin")
    operator.create(old | {"status": "fulfilled"})
    assert "Vaccin" not in visit.mine.get(visit.path).text
    assert "Vaccin" in visit.mine.get(f"{visit.path}/passes").text


def test_a_professional_opens_slots_confirms_and_cancels(visit: Visit) -> None:
    page = visit.theirs.get("/mon-agenda")
    period = {"agenda": visit.agenda.schedule, "du": "2026-03-28", "au": "2026-03-30"}
    hours = {"de": "09:00", "a": "10:00", "duree": "30", "fuseau": "Europe/Paris"}
    page = series(visit, page, period | hours, ["5", "6", "0"])
    assert "Les créneaux sont ouverts." in page.text
    starts = visit.agenda.holder.search("Slot", schedule=f"Schedule/{visit.agenda.schedule}", start="ge2026-03-28")
    told = sorted(each["resource"]["start"] for each in starts.json["entry"])
    assert told[::2] == ["2026-03-28T09:00:00+01:00", "2026-03-29T09:00:00+02:00", "2026-03-30T09:00:00+02:00"]
    again = series(visit, visit.theirs.get("/mon-agenda"), period | hours, ["5"])
    assert (again.status, "aucun créneau" in again.text) == (422, True)
    id = visit.agenda.holder.create(visit.agenda.appointment(0, status="pending"))
    page = visit.theirs.get("/mon-agenda")
    page = visit.theirs.send(page, f"/mon-agenda/rendez-vous/{id}", decision="confirmer")
    assert "C’est enregistré." in page.text
    assert visit.agenda.states(0) == ["busy"]
    path = f"/mon-agenda/rendez-vous/{id}"
    form = visit.theirs.get("/mon-agenda").form(path, decision="annuler")
    assert visit.theirs.post(path, form.fields | {"motif": " "}).status == 422
    assert "C’est enregistré." in visit.theirs.post(path, form.fields | {"motif": "Congé"}).text
    assert visit.agenda.states(0) == ["free"]


def test_a_professional_moves_an_appointment_to_a_slot_that_is_free(visit: Visit) -> None:
    id = visit.agenda.holder.create(visit.agenda.appointment(0))
    path = f"/mon-agenda/rendez-vous/{id}/deplacer"
    form = visit.theirs.get("/mon-agenda").form(path)
    for wrong in ("", "../x", "nowhere"):
        assert visit.theirs.post(path, form.fields | {"creneau": wrong}).status == 422
    taken = visit.theirs.post(path, form.fields | {"creneau": visit.agenda.slots[0], "version": "7"})
    assert (taken.status, "entre-temps" in taken.text) == (409, True)
    page = visit.theirs.post(path, form.fields | {"creneau": visit.agenda.slots[3]})
    assert "C’est enregistré." in page.text, page.text
    assert visit.agenda.states(0, 3) == ["free", "busy"]
    assert visit.agenda.holder.get(f"Appointment/{id}").json["start"] == "2026-03-02T10:30:00Z"


def series(visit: Visit, page: Page, typed: dict[str, str], days: list[str]) -> Page:
    form = page.form("/mon-agenda/creneaux")
    fields = {**form.fields, **typed, "jours": days}
    return visit.theirs.post("/mon-agenda/creneaux", cast("dict[str, str]", fields))


def test_who_has_no_agenda_opens_one(visit: Visit) -> None:
    other = logged_in(visit.agenda.server, professional(OTHER))
    page = other.get("/mon-agenda")
    page = other.send(page, "/mon-agenda/ouvrir")
    assert (page.status, "ne connaît pas votre numéro" in page.text) == (422, True)
    visit.agenda.server.operator().create(practitioner(OTHER))
    told = other.send(page, "/mon-agenda/ouvrir").text
    assert "Votre agenda est ouvert." in told


def test_the_demo_shows_an_agenda_to_the_family_and_to_the_physician(applications: Callable[..., Any]) -> None:
    with applications("french") as application:
        answer = application.operator().post("", bundle())
        assert answer.status == 200, answer.json
        claire = patient_named(application, "Claire")
        mine, theirs = logged_in(application, holder(claire)), logged_in(application, professional(PHYSICIAN, HOSPITAL))
        page = mine.get(f"/dossier/{claire}/agenda")
        assert page.html.count("/agenda/rendez-vous/") == 3
        assert "Dentiste" in page.text
        assert mine.get(f"/dossier/{claire}/agenda/passes").html.count("/agenda/rendez-vous/") == 2
        page = theirs.get("/mon-agenda")
        assert "Douleur au genou" in page.text
        assert "Dentiste" not in page.text
        assert "DR Dominique SOIGNANT" in mine.get(f"/dossier/{claire}/agenda/prendre?q=soignant").text
        free = mine.get(f"/dossier/{claire}/agenda/prendre/{application.operator().search('Schedule').ids[0]}")
        slot = re.search(rf"/dossier/{claire}/agenda/creneau/[\w-]+", free.html)
        assert slot is not None
        assert "est pris" in mine.send(mine.get(slot[0]), slot[0], motif="Grippe").text


def test_a_professional_books_for_the_person_whose_record_he_sees(visit: Visit) -> None:
    path, who = f"{visit.path}/inscrire", visit.agenda.patient
    assert visit.theirs.get(path).status == 404, "he does not see the record"
    visit.agenda.server.operator().create(care_team(who, f"Practitioner/{visit.agenda.practitioner}"))
    page = visit.theirs.get(path)
    assert f'href="{path}"' in visit.theirs.get(f"/dossier/{who}").html
    assert "Créneau libre" in page.text
    visit.agenda.holder.create(visit.agenda.appointment(0))
    gone = visit.theirs.send(page, path, creneau=visit.agenda.slots[0], motif="Contrôle <b>")
    assert (gone.status, "plus libre" in gone.text, "Contrôle &lt;b&gt;" in gone.html) == (422, True, True)
    for wrong in ("", "../x", "nowhere"):
        assert visit.theirs.send(page, path, creneau=wrong).status == 422
    assert visit.theirs.send(page, path, creneau=visit.agenda.slots[1], motif="x" * 501).status == 422
    assert visit.agenda.states(1) == ["free"]
    done = visit.theirs.send(page, path, creneau=visit.agenda.slots[1], motif="Contrôle")
    assert "Le rendez-vous est inscrit" in done.text, done.text
    assert visit.agenda.states(1) == ["busy"]
    found = [each["resource"] for each in visit.agenda.holder.search("Appointment").json["entry"]]
    made = next(each for each in found if each.get("comment") == "Contrôle")
    actors = {each["actor"]["reference"] for each in made["participant"]}
    assert actors == {f"Patient/{who}", f"Practitioner/{visit.agenda.practitioner}"}
    assert "Contrôle" in visit.mine.get(f"{visit.path}/rendez-vous/{made['id']}").text
    assert visit.mine.get(path).status == 404, "the person has a page of his own for it"


def test_a_professional_without_an_agenda_is_led_to_his_own(visit: Visit) -> None:
    operator = visit.agenda.server.operator()
    known = operator.search("Practitioner", identifier=f"https://rpps.esante.gouv.fr|{THIRD}").ids
    third = known[0] if known else operator.create(practitioner(THIRD))
    operator.create(care_team(visit.agenda.patient, f"Practitioner/{third}"))
    browser = logged_in(visit.agenda.server, professional(THIRD))
    page = browser.get(f"{visit.path}/inscrire")
    assert "pas encore d’agenda" in page.text
    form = {"csrf": page.form("/deconnexion").fields["csrf"], "creneau": visit.agenda.slots[0]}
    assert browser.post(f"{visit.path}/inscrire", form).status == 422, "slots of others are not his to give"
    assert visit.agenda.states(0) == ["free"]
