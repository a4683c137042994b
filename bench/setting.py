"""A server with data: a physician in the care team of patients who have results."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psutil
import pymongo

from fhirserver import settings as settings_
from fhirserver.access import Requester
from fhirserver.app import create_app, create_services
from fhirserver.auth import SigningKey, development_claims, sign
from fhirserver.auth.keys import KEY_FILE
from fhirserver.store import Embedded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask import Flask

    from bench.clients import Request
    from fhirserver.rest.services import Services

RPPS = "10000000018"
_PAGE = 20


@dataclass
class Setting:
    port: int
    uri: str
    name: str
    key: SigningKey
    key_file: Path
    server: psutil.Process
    database: psutil.Process | None
    profiles: str = "french"
    patients: list[str] = field(default_factory=list)
    observations: list[str] = field(default_factory=list)

    @property
    def token(self) -> str:
        """The physician's."""
        physician = Requester(
            kind="practitioner", id=f"practitioner/{RPPS}", rpps=RPPS, profession="G15_10", organization="750000001"
        )
        return sign(development_claims(physician), self.key)

    @property
    def operator(self) -> str:
        """An operator's token."""
        return sign(development_claims(Requester(kind="operator", id="operator")), self.key)

    def search(self, patient: str) -> str:
        return f"/fhir/Observation?patient={patient}&code=http://loinc.org|718-7&_count={_PAGE}"

    def fill(self, patients: int, observations: int) -> None:
        """Stores the records by transactions, as an operator."""
        made = self._transaction([_practitioner(), *({"resourceType": "Patient"} for _ in range(patients))])
        self.patients = made[1:]
        teams = [_care_team(patient, made[0]) for patient in self.patients]
        self._transaction(teams)
        for patient in self.patients:
            self.observations += self._transaction([observation(patient, place) for place in range(observations)])

    def services(self) -> Services:
        """The same rooms in this process, on the same database."""
        settings = settings_.load(
            environ={},
            mongo=self.uri,
            database=self.name,
            key_file=str(self.key_file),
            port=self.port,
            profiles=self.profiles,
        )
        return create_services(settings)

    def application(self) -> Flask:
        """The same application in this process, on the same database."""
        return create_app(self.services())

    def client(self, services: Services) -> Callable[[Request], bytes]:
        """Sends requests to the application in this process; they must succeed."""
        client = create_app(services).test_client()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/fhir+json"}

        def send(request: Request) -> bytes:
            answer = client.open(request.path, method=request.method, data=request.body or None, headers=headers)
            content: bytes = answer.get_data()
            if answer.status_code >= 300:
                raise SystemExit(f"{request.method} {request.path}: {answer.status_code} {content.decode()}")
            return content

        return send

    def cpu(self) -> tuple[float, float]:
        """CPU seconds so far, of the server's processes and of the database's."""
        return _cpu(self.server), _cpu(self.database)

    def _transaction(self, resources: list[dict[str, Any]]) -> list[str]:
        entries = [{"resource": each, "request": {"method": "POST", "url": each["resourceType"]}} for each in resources]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/fhir",
            json.dumps(bundle).encode(),
            {"Authorization": f"Bearer {self.operator}", "Content-Type": "application/fhir+json"},
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            done = json.load(answer)["entry"]
        return ["/".join(each["response"]["location"].split("/")[:2]) for each in done]


@contextlib.contextmanager
def running(folder: Path, mongo: str | None, profiles: str = "french") -> Iterator[Setting]:
    """The database, the server and its key, all ended at the end; a database that was given loses what was stored."""
    with contextlib.ExitStack() as stack:
        uri, database = mongo, None
        if uri is None:
            embedded = Embedded(folder / "data", sync=False)
            uri = embedded.start()
            stack.callback(embedded.stop)
            database = psutil.Process(embedded.pid)
        key = SigningKey.in_folder(folder, create=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        name = f"bench{os.getpid()}"
        environment = {
            **os.environ,
            "FHIRSERVER_KEY_FILE": str(folder / KEY_FILE),
            "FHIRSERVER_MONGO": uri,
            "FHIRSERVER_DATABASE": name,
            "FHIRSERVER_PROFILES": profiles,
        }
        if mongo is not None:
            stack.callback(_dropped, mongo, name)
        command = [sys.executable, "-m", "fhirserver", "serve", "--port", str(port), "--workers", "2"]
        server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
        stack.callback(server.wait)
        stack.callback(server.terminate)
        if server.stdout is None or not server.stdout.readline().startswith(b"ready"):
            raise SystemExit("the server did not start")
        yield Setting(port, uri, name, key, folder / KEY_FILE, psutil.Process(server.pid), database, profiles)


def _dropped(uri: str, name: str) -> None:
    with pymongo.MongoClient[dict[str, Any]](uri) as client:
        client.drop_database(name)


def _cpu(process: psutil.Process | None) -> float:
    """CPU seconds of a process and all below it."""
    if process is None:
        return 0.0
    found = 0.0
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            found += times.user + times.system
    return found


def observation(patient: str, place: int) -> dict[str, Any]:
    """A laboratory result of about 2 kB with its codes, range, performer and note."""
    day = f"2025-{place % 12 + 1:02d}-{place % 28 + 1:02d}"
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "laboratory",
                        "display": "Laboratory",
                    }
                ]
            }
        ],
        "code": {
            "coding": [{"system": "http://loinc.org", "code": "718-7" if place % 3 else "29463-7"}],
            "text": "Result of the analysis that was asked for",
        },
        "subject": {"reference": patient},
        "effectiveDateTime": f"{day}T08:{place % 60:02d}:00+01:00",
        "issued": f"{day}T11:00:00.000+01:00",
        "performer": [{"identifier": {"system": "https://rpps.esante.gouv.fr", "value": RPPS}}],
        "valueQuantity": {
            "value": 12.5 + place / 100,
            "unit": "g/dL",
            "system": "http://unitsofmeasure.org",
            "code": "g/dL",
        },
        "referenceRange": [{"low": {"value": 12.0, "unit": "g/dL"}, "high": {"value": 16.0, "unit": "g/dL"}}],
        "note": [{"text": "Technique, conditions and remarks of the laboratory. " * 20}],
    }


def _practitioner() -> dict[str, Any]:
    identifier = {
        "type": {"coding": [{"system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203", "code": "RPPS"}]},
        "system": "https://rpps.esante.gouv.fr",
        "value": RPPS,
    }
    return {"resourceType": "Practitioner", "identifier": [identifier]}


def _care_team(patient: str, practitioner: str) -> dict[str, Any]:
    return {
        "resourceType": "CareTeam",
        "status": "active",
        "subject": {"reference": patient},
        "participant": [{"member": {"reference": practitioner}}],
    }
