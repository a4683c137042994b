"""The SMART client fhirclient (https://pypi.org/project/fhirclient/) with an access token that it was given.

It has no patch of its own, but sends Bundles that hold one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fhirclient.client import FHIRClient
from fhirclient.models.capabilitystatement import CapabilityStatement
from fhirclient.models.humanname import HumanName
from fhirclient.models.observation import Observation
from fhirclient.models.patient import Patient
from fhirclient.server import FHIRNotFoundException

from tests.records import observation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirclient.server import FHIRServer

    from tests.clients.conftest import Connection


@pytest.fixture(scope="module")
def server(connection: Connection) -> Iterator[FHIRServer]:
    auth = {"access_token": connection.token}
    state = {"app_id": "tests", "server": {"base_uri": f"{connection.base}/", "auth_type": "oauth2", "auth": auth}}
    found = FHIRClient(state=state).server
    yield found
    found.session.close()


@pytest.fixture(scope="module")
def family(server: FHIRServer) -> list[str]:
    """Ids of five patients called Bach, in the order of their given names."""
    return [created(server, given) for given in ("Anna", "Carl", "Johann", "Maria", "Wilhelm")]


def created(server: FHIRServer, given: str, family: str = "Bach") -> str:
    patient = Patient()
    patient.name = [HumanName({"family": family, "given": [given]})]
    return str(patient.create(server)["id"])


def test_fhirclient_reads_the_capability_statement(server: FHIRServer) -> None:
    assert CapabilityStatement.read_from("metadata", server).fhirVersion == "4.0.1"


def test_fhirclient_creates_reads_updates_and_deletes(server: FHIRServer) -> None:
    id = created(server, "Élisabeth", "Jacquet")
    patient = Patient.read(id, server)
    assert patient.name[0].given == ["Élisabeth"]
    patient.gender = "female"
    assert patient.update(server)["meta"]["versionId"] == "2"
    patient.delete(server)
    with pytest.raises(Exception, match="410"):
        Patient.read(id, server)
    with pytest.raises(FHIRNotFoundException):
        Patient.read("nobody", server)


def test_fhirclient_searches(server: FHIRServer, family: list[str]) -> None:
    search = Patient.where({"family": "bach", "given": "johann"})
    assert [each.id for each in search.perform_resources_iter(server)] == [family[2]]


def test_fhirclient_includes(server: FHIRServer, family: list[str]) -> None:
    Observation(observation(family[0])).create(server)
    search = Observation.where({"subject": f"Patient/{family[0]}"}).include("subject")
    assert [each.resource_type for each in search.perform_resources_iter(server)] == ["Observation", "Patient"]
    back = Patient.where({"_id": family[0]}).include("subject", Observation, reverse=True)
    assert [each.resource_type for each in back.perform_resources_iter(server)] == ["Patient", "Observation"]


def test_fhirclient_pages(server: FHIRServer, family: list[str]) -> None:
    pages = list(Patient.where({"family": "Bach", "_sort": "given", "_count": "2"}).perform_iter(server))
    assert [[entry.resource.id for entry in page.entry] for page in pages] == [family[:2], family[2:4], family[4:]]


def test_fhirclient_patches_by_a_transaction(server: FHIRServer, family: list[str]) -> None:
    names = {"type": "add", "path": "Patient", "name": "birthDate"}
    operation = [
        {"name": name, ("valueCode" if name == "type" else "valueString"): text} for name, text in names.items()
    ]
    operation.append({"name": "value", "valueDate": "1685-03-31"})
    patch = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": operation}]}
    entry = {"request": {"method": "PATCH", "url": f"Patient/{family[2]}"}, "resource": patch}
    answer = server.post_json("", {"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
    assert answer.json()["entry"][0]["response"]["status"] == "200 OK"
    assert Patient.read(family[2], server).birthDate.isostring == "1685-03-31"
