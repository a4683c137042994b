"""SearchParameters that are not a user's: those that ship, and those of added packages."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

from fhirserver.rest.guides import Guides
from fhirserver.spec import Definitions, installed
from tests.application import Application
from tests.records import document, observation, patient
from tests.rest.jobs.test_search_parameters import eyes, parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ISIS = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition"
MHD = "https://profiles.ihe.net/ITI/MHD/StructureDefinition"
ARCHIVED = {"extension": [{"url": f"{ISIS}/pdsm-ext-is-archived", "valueBoolean": True}]}
LIST = {"resourceType": "List", "status": "current", "mode": "working"}
APPOINTMENT = {
    "resourceType": "Appointment",
    "status": "proposed",
    "participant": [{"status": "accepted", "actor": {"display": "x"}}],
}
AUDIT = {
    "resourceType": "AuditEvent",
    "type": {"code": "rest"},
    "recorded": "2024-01-01T00:00:00Z",
    "agent": [{"requestor": True}],
    "source": {"observer": {"display": "x"}},
}
SHIPPED: dict[str, tuple[dict[str, Any], str]] = {
    "DocumentReference.creation": (
        {**document("p"), "content": [{"attachment": {"creation": "2024-05-01T10:00:00Z", "url": "urn:x"}}]},
        "2024-05-01",
    ),
    "DocumentReference.period-start": ({**document("p"), "context": {"period": {"start": "2024-05-01"}}}, "ge2024-05"),
    "DocumentReference.period-end": ({**document("p"), "context": {"period": {"end": "2024-05-02"}}}, "le2024-05-02"),
    "DocumentReference.isArchived": ({**document("p"), **ARCHIVED}, "true"),
    "List.isArchived": ({**LIST, **ARCHIVED}, "true"),
    "List.designationType": (
        {
            **LIST,
            "extension": [{"url": f"{MHD}/ihe-designationType", "valueCodeableConcept": {"coding": [{"code": "x"}]}}],
        },
        "x",
    ),
    "List.sourceId": (
        {**LIST, "extension": [{"url": f"{MHD}/ihe-sourceId", "valueIdentifier": {"system": "u:s", "value": "1.2"}}]},
        "u:s|1.2",
    ),
    "List.authorOrg": (
        {
            **LIST,
            "source": {
                "display": "x",
                "extension": [{"url": f"{MHD}/ihe-authorOrg", "valueReference": {"reference": "Organization/o"}}],
            },
        },
        "Organization/o",
    ),
    "Appointment.created": ({**APPOINTMENT, "created": "2024-05-01"}, "2024-05-01"),
    "Appointment.description": ({**APPOINTMENT, "description": "Bilan annuel"}, "bilan"),
    "Appointment.start": (
        {**APPOINTMENT, "start": "2024-05-01T10:00:00Z", "end": "2024-05-01T11:00:00Z"},
        "2024-05-01",
    ),
    "Appointment.priority": ({**APPOINTMENT, "priority": 3}, "3"),
    "AuditEvent.period-start": ({**AUDIT, "period": {"start": "2024-05-01"}}, "2024-05-01"),
}
"""A resource of each that ships, and a value by which it is found."""


def test_every_parameter_that_ships_is_tried_here(application: Application) -> None:
    shipped = set()
    for package in application.services.published.packages:
        if package.name != "hl7.fhir.r4.core":
            for entry in package.entries("SearchParameter"):
                found = package.load(entry)
                shipped |= {f"{base}.{found['code']}" for base in found["base"]}
    assert shipped == set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_parameter_that_ships_finds(application: Application, name: str) -> None:
    type, _, code = name.partition(".")
    resource, asked = SHIPPED[name]
    operator = application.operator()
    id = operator.create(resource)
    assert id in operator.search(type, (code, asked)).ids
    without = operator.search(type, (f"{code}:missing", "true"))
    assert id not in without.ids


@pytest.fixture
def server(applications: Callable[..., Any], tmp_path: Path) -> Iterator[Application]:
    """A server that looks into a folder of added packages."""
    with applications() as opened:
        yield Application(replace(opened.services, guides=Guides(tmp_path, "core", Definitions.french())))


def _add(folder: Path, *resources: dict[str, Any]) -> None:
    archive = folder / "guide.tgz"
    manifest = {"name": "test.guide", "version": "1.0.0", "fhirVersions": ["4.0.1"], "dependencies": {}}
    with tarfile.open(archive, "w:gz") as tar:
        files = {"package.json": manifest} | {f"{number}.json": each for number, each in enumerate(resources)}
        for name, content in files.items():
            data = json.dumps(content).encode()
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(data)
            tar.addfile(info, BytesIO(data))
    installed.add(archive, folder)


def _look(server: Application) -> None:
    server.services.guides._next = 0.0
    server.work()


def test_the_parameters_of_an_added_package(server: Application, tmp_path: Path) -> None:
    operator = server.operator()
    id = operator.create(eyes("green"))
    operator.create(observation(id))
    assert operator.search("Patient", eyes="green").status == 400
    name = parameter("name", url="urn:test:again", expression="Patient.name.given")
    broken = parameter("broken", expression="Patient.name.where(")
    old = parameter("old", status="retired", expression="Patient.gender")
    torn = {"resourceType": "SearchParameter", "url": "urn:test:torn", "code": "torn", "base": ["Patient"]}
    _add(tmp_path, parameter(status="draft"), name, broken, old, torn)
    _look(server)
    assert operator.search("Patient", eyes="green").ids == [id]
    given = operator.create(patient(name=[{"family": "Ravel"}]))
    assert operator.search("Patient", name="ravel").ids == [given]  # R4's own stays as it is
    for code in ("broken", "old", "torn"):
        assert operator.search("Patient", (code, "x")).status == 400
    assert operator.post("SearchParameter", parameter()).status == 422
    installed.remove("test.guide", tmp_path)
    _look(server)
    assert operator.search("Patient", eyes="green").status == 400
    operator.create(parameter())
    _look(server)
    assert operator.search("Patient", eyes="green").ids == [id]
