"""No query of the pages of the agenda, nor of what books, scans a collection: by mongod's rules none at all, on the
embedded database none but the search of an agenda by what a person types, for it has no index for expressions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient

from fhirserver.store.connection import CODEC
from tests.portal.record.visiting import holder, logged_in, professional
from tests.rest.agenda.world import DOCTOR, HOSPITAL, Agenda, opened
from tests.store.listening import Pipelines, listening
from tests.store.mongod import served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.portal.browser import Browser

AGENDA = frozenset({"Appointment", "Slot", "Schedule", "register.agenda-feeds"})


class Watched:
    """An agenda whose reads of the database are noted."""

    def __init__(self, agenda: Agenda, pipelines: Pipelines) -> None:
        self.agenda, self.pipelines = agenda, pipelines
        self.mine: Browser = logged_in(agenda.server, holder(agenda.patient))
        self.theirs: Browser = logged_in(agenda.server, professional(DOCTOR, HOSPITAL))
        self.base = f"/dossier/{agenda.patient}/agenda"

    def reads(self) -> list[dict[str, Any]]:
        """The different commands since it was asked last, of what an agenda is made of."""
        found = {str(each): each for each in self.pipelines.reads if next(iter(each.values())) in AGENDA}
        self.pipelines.reads.clear()
        return list(found.values())


@pytest.fixture(scope="module")
def watched(applications: Callable[..., Any]) -> Iterator[Watched]:
    with listening() as pipelines, applications() as application:
        yield Watched(opened(application), pipelines)


def pages(watched: Watched) -> None:
    """Every page of the agenda, for either side."""
    id = watched.agenda.holder.create(watched.agenda.appointment(0))
    watched.pipelines.reads.clear()
    for path in ("", "/passes", "/prendre?q=soignant", f"/prendre/{watched.agenda.schedule}", f"/rendez-vous/{id}"):
        assert watched.mine.get(watched.base + path).status == 200, path
    assert watched.mine.get(f"{watched.base}/creneau/{watched.agenda.slots[1]}").status == 200
    assert watched.theirs.get("/mon-agenda").status == 200
    page = watched.mine.send(watched.mine.get(watched.base), f"{watched.base}/lien", decision="faire")
    link = next(each for each in page.html.split("<") if ".ics" in each).partition(":8080")[2]
    assert watched.mine.get(link).status == 200


def acts(watched: Watched) -> None:
    """What books, moves, cancels and keeps slots."""
    agenda = watched.agenda
    id = agenda.holder.create(agenda.appointment(2))
    found = agenda.holder.get(f"Appointment/{id}").json
    assert agenda.holder.put(f"Appointment/{id}", found | agenda.appointment(3)).status == 200
    patch = [{"op": "replace", "path": "/status", "value": "cancelled"}]
    headers = {"Content-Type": "application/json-patch+json"}
    assert agenda.holder.call("PATCH", f"Appointment/{id}", patch, headers).status == 200
    agenda.doctor.create(agenda.appointment(4))
    assert agenda.doctor.delete(f"Slot/{agenda.slots[5]}").status == 204


@pytest.mark.parametrize("work", [pages, acts], ids=lambda each: each.__name__)
def test_no_query_scans_a_collection(watched: Watched, work: Callable[[Watched], None]) -> None:
    watched.pipelines.reads.clear()
    work(watched)
    found = watched.reads()
    assert {next(iter(each.values())) for each in found} >= {"Appointment", "Slot", "Schedule"}
    settings = watched.agenda.server.services.settings
    with MongoClient[dict[str, Any]](str(settings.mongo)) as client:
        database = client.get_database(settings.database, CODEC)
        indexes = {
            name: [tuple(field for field, _ in each["key"]) for each in database[name].index_information().values()]
            for name in AGENDA.intersection(database.list_collection_names())
        }
        for command in found:
            name = next(iter(command.values()))
            plan = str(database.command("explain", command, verbosity="queryPlanner", codec_options=CODEC))
            assert served(command, indexes[name]), command
            assert "COLLSCAN" not in plan or "$regex" in str(command), (command, plan)
