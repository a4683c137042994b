"""The Python client fhirpy (https://pypi.org/project/fhirpy/) as its users write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome, ResourceNotFound

from tests.records import observation

if TYPE_CHECKING:
    from tests.clients.conftest import Connection


@pytest.fixture(scope="module")
def client(connection: Connection) -> SyncFHIRClient:
    return SyncFHIRClient(connection.base, authorization=f"Bearer {connection.token}")


@pytest.fixture(scope="module")
def family(client: SyncFHIRClient) -> list[str]:
    """Ids of five patients called Couperin, in the order of their given names."""
    made = []
    for given in ("Armand", "Charles", "François", "Louis", "Marc"):
        patient = client.resource("Patient", name=[{"family": "Couperin", "given": [given]}])
        patient.save()
        made.append(str(patient.id))
    return made


def test_fhirpy_creates_reads_updates_and_deletes(client: SyncFHIRClient) -> None:
    patient = client.resource("Patient", name=[{"family": "Rameau"}])
    patient.save()
    assert patient["meta"]["versionId"] == "1"
    patient["gender"] = "male"
    patient.save()
    assert client.reference("Patient", patient.id).to_resource()["gender"] == "male"
    client.delete("Patient", patient.id)
    with pytest.raises(ResourceNotFound):
        client.reference("Patient", patient.id).to_resource()


def test_fhirpy_searches(client: SyncFHIRClient, family: list[str]) -> None:
    found = client.resources("Patient").search(family="couperin", given__exact="François").get()
    assert found.id == family[2]


def test_fhirpy_includes(client: SyncFHIRClient, family: list[str]) -> None:
    fields = observation(family[0])
    client.resource(fields.pop("resourceType"), **fields).save()
    search = client.resources("Observation").search(subject=f"Patient/{family[0]}").include("Observation", "subject")
    bundle = search.fetch_raw()
    assert [(entry.resource.resourceType, entry.search.mode) for entry in bundle.entry] == [
        ("Observation", "match"),
        ("Patient", "include"),
    ]
    back = client.resources("Patient").search(_id=family[0]).revinclude("Observation", "subject").fetch_raw()
    assert [entry.resource.resourceType for entry in back.entry] == ["Patient", "Observation"]


def test_fhirpy_pages(client: SyncFHIRClient, family: list[str]) -> None:
    search = client.resources("Patient").search(family="Couperin").sort("given").limit(2)
    assert [each.id for each in search.fetch()] == family[:2]
    assert [each.id for each in search.fetch_all()] == family


def test_fhirpy_patches_with_fhirpath_patch(client: SyncFHIRClient, family: list[str]) -> None:
    operation = [
        {"name": "type", "valueCode": "add"},
        {"name": "path", "valueString": "Patient"},
        {"name": "name", "valueString": "birthDate"},
        {"name": "value", "valueDate": "1668-11-10"},
    ]
    patch = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": operation}]}
    assert client.execute(f"Patient/{family[2]}", method="patch", data=patch)["birthDate"] == "1668-11-10"


def test_fhirpy_s_own_merge_patch_is_refused_with_an_outcome(client: SyncFHIRClient, family: list[str]) -> None:
    """Its `patch()` sends a part of the resource, which FHIR R4 does not know."""
    with pytest.raises(OperationOutcome, match="Parameters"):
        client.patch("Patient", family[2], gender="male")


def test_fhirpy_creates_and_updates_on_conditions(client: SyncFHIRClient) -> None:
    identifier = {"system": "urn:example:works", "value": "fhirpy-1"}
    search = client.resources("Patient").search(identifier="urn:example:works|fhirpy-1")
    first, created = search.update(client.resource("Patient", identifier=[identifier]))
    assert created
    second, created = search.update(client.resource("Patient", identifier=[identifier], gender="female"))
    assert not created
    assert (second.id, second["gender"]) == (first.id, "female")
