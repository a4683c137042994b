"""What is written is in force on the very next request, whichever of four workers it meets."""

from __future__ import annotations

import contextlib
import http.client
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import psutil
import pytest

from fhirserver import jsontext
from tests.serving import Served, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

WORKERS = 4
CHANGES = 52
RPPS = "10000000001"
RPPS_SYSTEM = "https://rpps.esante.gouv.fr"

Resource = dict[str, Any]


class Change(NamedTuple):
    """What is written, and whether the physician sees the record afterwards."""

    resource: Resource
    seen: bool


class Line:
    """A connection that stays, to one of the workers."""

    def __init__(self, served: Served, token: str) -> None:
        parts = urlsplit(served.base)
        self._path, self._token = parts.path, token
        self.connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=300)
        self.connection.connect()
        self.port: int = self.connection.sock.getsockname()[1]

    def call(self, method: str, path: str, body: Resource | None = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/fhir+json"}
        content = None if body is None else jsontext.dump(body)
        self.connection.request(method, f"{self._path}/{path}".rstrip("/"), content, headers)
        answer = self.connection.getresponse()
        return answer.status, jsontext.parse(answer.read())

    def sees(self) -> set[bool]:
        """By three ways to the record: one answer when they agree."""
        status, _ = self.call("GET", "Observation/o")
        _, own = self.call("GET", "Observation?patient=p")
        _, across = self.call("GET", "Observation?code=http://loinc.org|718-7")
        return {status == 200, own["total"] == 1, across["total"] == 1}

    def sees_otherwise(self) -> set[bool]:
        """By two more."""
        _, chained = self.call("GET", "Observation?subject:Patient.birthdate=1950-01-01")
        entry = {"request": {"method": "GET", "url": "Observation/o"}}
        _, batch = self.call("POST", "", {"resourceType": "Bundle", "type": "batch", "entry": [entry]})
        return {chained["total"] == 1, batch["entry"][0]["response"]["status"].startswith("200")}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("at-once") / "data"
    with serve(folder, "--workers", str(WORKERS), "--profiles", "core") as made:
        yield made


@pytest.fixture
def operator(served: Served) -> Iterator[Line]:
    line = Line(served, served.token("--operator"))
    yield line
    line.connection.close()


@pytest.fixture
def lines(served: Served) -> Iterator[list[Line]]:
    """One connection of the physician to each of the workers."""
    words = ("--practitioner", RPPS, "--profession", "G15_10", "--organization", "750000001")
    token = served.token(*words)
    with contextlib.ExitStack() as stack:
        found: dict[int, Line] = {}
        for _ in range(200):
            line = Line(served, token)
            stack.callback(line.connection.close)
            line.call("GET", "Observation/none")
            found.setdefault(worker(served, line.port), line)
            if len(found) == WORKERS:
                break
        assert len(found) == WORKERS
        yield list(found.values())


def worker(served: Served, port: int) -> int:
    """The process at the other end of a connection."""
    main = psutil.Process(served.process.pid)
    for process in main.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            for each in process.net_connections("tcp"):
                if each.raddr and each.raddr.port == port and each.status == psutil.CONN_ESTABLISHED:
                    return process.pid
    raise AssertionError(f"nobody holds the connection from port {port}")


def changes() -> Iterator[Change]:
    """Grants and what takes them back, by every kind of resource that a policy is made of."""
    alice, other = practitioner(RPPS), practitioner("10000000009")
    named, denied = consent("permit"), consent("deny")
    pairs = [
        (Change(named, seen=True), Change(denied, seen=False)),
        (Change(named, seen=True), Change(named | {"status": "inactive"}, seen=False)),
        (Change(named, seen=True), Change(other, seen=False)),
        (Change(alice, seen=True), Change(team() | {"status": "inactive"}, seen=True)),
        (Change(patient(active=True), seen=True), Change(patient(active=False), seen=False)),
        (Change(patient(active=True), seen=True), Change(named | {"status": "inactive"}, seen=False)),
        (Change(team(), seen=True), Change(other, seen=False)),
        (Change(alice, seen=True), Change(team() | {"status": "inactive"}, seen=False)),
    ]
    return cycle(change for pair in pairs for change in pair)


def test_no_worker_ever_answers_out_of_date(served: Served, operator: Line, lines: list[Line]) -> None:
    for resource in (practitioner(RPPS), patient(active=True), observation()):
        assert operator.call("PUT", place(resource), resource)[0] == 201
    seen = []
    with ThreadPoolExecutor(WORKERS) as pool:
        for number, change in zip(range(CHANGES), changes(), strict=False):
            status, answer = operator.call("PUT", place(change.resource), change.resource)
            assert status in (200, 201), answer
            answers = list(pool.map(Line.sees if number % 5 else Line.sees_otherwise, lines))
            assert answers == [{change.seen}] * WORKERS, (number, change)
            seen.append(change.seen)
    assert {True, False} == set(seen)


def place(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def patient(*, active: bool) -> Resource:
    return {"resourceType": "Patient", "id": "p", "active": active, "birthDate": "1950-01-01"}


def observation() -> Resource:
    return {
        "resourceType": "Observation",
        "id": "o",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": "Patient/p"},
    }


def practitioner(number: str) -> Resource:
    return {"resourceType": "Practitioner", "id": "alice", "identifier": [{"system": RPPS_SYSTEM, "value": number}]}


def team() -> Resource:
    return {
        "resourceType": "CareTeam",
        "id": "t",
        "status": "active",
        "subject": {"reference": "Patient/p"},
        "participant": [{"member": {"reference": "Practitioner/alice"}}],
    }


def consent(kind: str) -> Resource:
    role = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]}
    return {
        "resourceType": "Consent",
        "id": "c",
        "status": "active",
        "scope": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]
        },
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": "Patient/p"},
        "policyRule": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTIN"}]},
        "provision": {"type": kind, "actor": [{"role": role, "reference": {"reference": "Practitioner/alice"}}]},
    }
