"""`python -m bench.access`: what the access rules cost: the same searches with the filter and without.

Fills a database with patients who have a care team and results, and records with Consents; then asks, in turn, as the
operator (no filter) and as somebody whose sight is filtered, the same question of the same application, in this
process. Prints the median of both and their ratio: the figures of one run compare with each other, not with another
machine's. `--mongo URI` for a replica set instead of the embedded database.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from pymongo import MongoClient

from fhirserver import jsontext
from fhirserver import settings as settings_
from fhirserver.access import Access, Requester
from fhirserver.app import create_app, create_services
from fhirserver.auth import SigningKey, development_claims, sign
from fhirserver.auth.keys import KEY_FILE
from fhirserver.store import Embedded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Flask

    from fhirserver.rest.services import Services
    from fhirserver.store import Transaction

Resource = dict[str, Any]

SEVERAL: Final = 500
CONSENTS: Final = (0, 5, 50)
LARGE: Final = 2000
"""Resources of the record in which a Consent is written."""
_RESULTS: Final = 2
"""Observations of each patient."""
_RECORD: Final = 120
"""Observations of a record that is searched by itself."""
_CODES: Final = 10
_FINESS: Final = "750000001"
_AT_ONCE: Final = 100


def physician(number: int) -> Requester:
    rpps = f"1000000{number:04d}"
    return Requester("practitioner", f"practitioner/{rpps}", rpps=rpps, profession="G15_10", organization="750000009")


OPERATOR: Final = Requester("operator", "operator")
ONE, FEW, MANY, NEAR = (physician(number) for number in (1, 2, 3, 4))
SYSTEM: Final = Requester("system", "client/his", client="his", organization=_FINESS)


@dataclass
class World:
    services: Services
    app: Flask
    key: SigningKey

    def fill(self, patients: int) -> None:
        """`patients` with a care team of MANY, the first 500 also of FEW, the first also of ONE; then the records."""
        for start in range(0, patients, _AT_ONCE):
            self._store(partial(self._patients, range(start, min(start + _AT_ONCE, patients))))
        for count in CONSENTS:
            self._store(partial(self._record, count))
        self._store(self._large)

    def sender(self, who: Requester, path: str, body: bytes | None = None) -> Callable[[], None]:
        client = self.app.test_client()
        headers = {
            "Authorization": f"Bearer {sign(development_claims(who), self.key)}",
            "Content-Type": "application/fhir+json",
        }

        def send() -> None:
            answer = client.open(f"/fhir/{path}", method="PUT" if body else "GET", data=body, headers=headers)
            if answer.status_code >= 300:
                raise SystemExit(f"{path}: {answer.status_code} {answer.get_data(as_text=True)}")

        return send

    def _store(self, work: Callable[[Transaction], object]) -> None:
        self.services.store.transact(Access.of(SYSTEM, datetime.now(UTC)), work)

    def _patients(self, numbers: range, tx: Transaction) -> None:
        for number in numbers:
            patient = f"p{number:07d}"
            tx.create({"resourceType": "Patient", "active": True, "birthDate": "1950-01-01"}, patient, fresh=True)
            members = [MANY, *([FEW] if number < SEVERAL else []), *([ONE] if number < 1 else [])]
            tx.create(_team(patient, members), f"t-{patient}", fresh=True)
            for place in range(_RESULTS):
                tx.create(_result(patient, number * _RESULTS + place), f"o-{patient}-{place}", fresh=True)

    def _record(self, consents: int, tx: Transaction) -> None:
        patient = f"with-{consents}"
        tx.create({"resourceType": "Patient", "active": True, "birthDate": "1950-01-01"}, patient, fresh=True)
        tx.create(_team(patient, [NEAR]), f"t-{patient}", fresh=True)
        for place in range(consents):
            tx.create(_consent(patient, place), f"c-{patient}-{place}", fresh=True)
        for place in range(_RECORD):
            tx.create(_result(patient, place), f"o-{patient}-{place}", fresh=True)

    def _large(self, tx: Transaction) -> None:
        tx.create({"resourceType": "Patient", "active": True, "birthDate": "1950-01-01"}, "large", fresh=True)
        for place in range(LARGE):
            tx.create(_result("large", place), f"o-large-{place}", fresh=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--mongo", metavar="URI", help="a replica set; default: the embedded database")
    parser.add_argument("--patients", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=15, help="how often each question is asked")
    options = parser.parse_args()
    with running(options.mongo) as world:
        world.fill(options.patients)
        _searches(world, options.rounds)
        _decisions(world, options.rounds)
        _writes(world, options.rounds)


@contextlib.contextmanager
def running(mongo: str | None) -> Iterator[World]:
    """A database and the application on it; the database is dropped, or ended, afterwards."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fhirserver-bench-")))
        uri = mongo
        if uri is None:
            embedded = Embedded(folder / "data", sync=False)
            uri = embedded.start()
            stack.callback(embedded.stop)
        key = SigningKey.in_folder(folder, create=True)
        name = f"bench{os.getpid()}"
        settings = settings_.load(environ={}, mongo=uri, database=name, key_file=str(folder / KEY_FILE))
        services = create_services(settings)
        stack.callback(services.store.close)
        if mongo is not None:
            client = stack.enter_context(MongoClient[dict[str, Any]](mongo))
            stack.callback(client.drop_database, name)
        yield World(services, create_app(services), key)


def _searches(world: World, rounds: int) -> None:
    code = "Observation?code=http://loinc.org|718-7&_count=20"
    print(f"\n{'':46}{'without ms':>12}{'with ms':>12}{'ratio':>8}")
    for label, who in (("1 patient", ONE), (f"{SEVERAL} patients", FEW), ("all patients", MANY), ("hospital", SYSTEM)):
        _compare(world, f"across patients, page: {label}", who, f"{code}&_total=none", rounds)
        _compare(world, f"across patients, page and total: {label}", who, f"{code}&_total=accurate", rounds)
        _compare(world, f"patients by date of birth: {label}", who, "Patient?birthdate=1950-01-01&_count=20", rounds)
    for count in CONSENTS:
        path = f"Observation?patient=with-{count}&code=http://loinc.org|718-7&_count=20"
        _compare(world, f"one record, {count} Consents: physician", NEAR, path, rounds * 4)
        holder = Requester("patient", f"patient/with-{count}", patient=f"with-{count}", purpose="PATRQT")
        _compare(world, f"one record, {count} Consents: holder", holder, path, rounds * 4)


def _compare(world: World, label: str, who: Requester, path: str, rounds: int) -> None:
    """Asks in turn, so that what else the machine does slows both."""
    bare, filtered = world.sender(OPERATOR, path), world.sender(who, path)
    bare()
    filtered()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for send, seen in zip((bare, filtered), times, strict=True):
            seen.append(_timed(send))
    without, with_ = (median(each) * 1000 for each in times)
    print(f"{label:46}{without:>12.1f}{with_:>12.1f}{with_ / without:>8.2f}", flush=True)


def _decisions(world: World, rounds: int) -> None:
    """How long the store takes to know what may be seen; the reading of what changed included."""
    print(f"\n{'the decision':46}{'cold ms':>12}{'warm ms':>12}")
    asked: list[tuple[str, Requester, frozenset[str] | None]] = [
        ("across patients: 1 patient", ONE, None),
        (f"across patients: {SEVERAL} patients", FEW, None),
        ("across patients: all patients", MANY, None),
        ("across patients: hospital", SYSTEM, None),
        *((f"one record, {count} Consents", NEAR, frozenset({f"with-{count}"})) for count in CONSENTS),
    ]
    judge = world.services.store._bound().room.rules
    for label, who, patients in asked:
        access = Access.of(_verified(world, who), datetime.now(UTC))
        decide = partial(judge.predicate, access, "Condition", patients, None)
        cold, warm = _timed(decide), median(_timed(decide) for _ in range(rounds * 4))
        print(f"{label:46}{cold * 1000:>12.1f}{warm * 1000:>12.2f}", flush=True)


def _verified(world: World, who: Requester) -> Requester:
    """The requester as his token makes him, with the scopes that his kind has by default."""
    return world.services.verifier.requester(f"Bearer {sign(development_claims(who), world.key)}")


def _writes(world: World, rounds: int) -> None:
    print(f"\n{'a Consent is written (PUT), all included':46}{'p50 ms':>12}")
    for patient, label in (("large", f"record of {LARGE} resources"), ("with-50", "record of 50 Consents")):
        times = []
        for place in range(rounds):
            body = _consent(patient, place % 7) | {"id": f"new-{patient}"}
            times.append(_timed(world.sender(OPERATOR, f"Consent/new-{patient}", jsontext.dump(body))))
        print(f"{label:46}{median(times) * 1000:>12.1f}", flush=True)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _team(patient: str, members: list[Requester]) -> Resource:
    return {
        "resourceType": "CareTeam",
        "status": "active",
        "subject": {"reference": f"Patient/{patient}"},
        "participant": [{"member": {"identifier": _rpps(each.rpps)}} for each in members],
    }


def _consent(patient: str, place: int) -> Resource:
    """A deny of one physician among many, or a permit for one."""
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]
        },
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": f"Patient/{patient}"},
        "dateTime": "2026-01-01",
        "policyRule": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTIN"}]},
        "provision": {
            "type": "permit" if place % 2 else "deny",
            "actor": [
                {
                    "role": {
                        "coding": [
                            {"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}
                        ]
                    },
                    "reference": {"identifier": _rpps(f"1999999{place:04d}")},
                }
            ],
        },
    }


def _rpps(number: str | None) -> Resource:
    return {"system": "https://rpps.esante.gouv.fr", "value": number}


def _result(patient: str, number: int) -> Resource:
    """A result of about 1 kB; one of ten bears the code that is searched for."""
    code = "718-7" if number % _CODES == 0 else f"{number % _CODES}000-1"
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}
        ],
        "code": {"coding": [{"system": "http://loinc.org", "code": code}], "text": "Result of the analysis"},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": f"2025-{number % 12 + 1:02d}-{number % 28 + 1:02d}T08:00:00+01:00",
        "valueQuantity": {"value": 12.5, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"},
        "note": [{"text": "Technique, conditions and remarks of the laboratory. " * 12}],
    }


if __name__ == "__main__":
    main()
