"""`python -m bench.trace`: what authentication, access and trace cost a read, in CPU of the server.

In one process and one run, by the CPU of the thread, of a read of one Observation by a physician in the care team:

authentication   from the header to the requester, with what says whether the token was taken back
access           the read through the view, less the same document found by its id alone
trace            the record, its place in a chain and what the person is to be told, less the bare insert of it

Their sum is to be 0.7 ms at most. The whole request is measured too.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pymongo
from flask import Response
from joserfc.jwk import RSAKey

from fhirserver.access import Access, Requester
from fhirserver.app import create_app, create_services
from fhirserver.audit import Entity, Event
from fhirserver.auth import SigningKey, development_claims, sign
from fhirserver.settings import Settings
from fhirserver.store import Embedded

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

RPPS: Final = "10000000018"
BOUND: Final = 0.7
PHYSICIAN: Final = Requester(
    "practitioner",
    f"practitioner/{RPPS}",
    rpps=RPPS,
    profession="G15_10",
    organization="750000001",
    scopes=("user/*.cruds",),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--mongo", metavar="URI", help="a replica set; default: the embedded database")
    parser.add_argument("--count", type=int, default=400, help="requests of each kind in a round, of which there are 5")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        embedded = None if options.mongo else Embedded(Path(folder) / "data", sync=False)
        try:
            measure(options.mongo or embedded.start(), Path(folder), options.count)  # type: ignore[union-attr]
        finally:
            if embedded is not None:
                embedded.stop()


def measure(uri: str, folder: Path, count: int) -> None:
    key = SigningKey(RSAKey.generate_key(2048))
    file = folder / "key.pem"
    file.write_bytes(key.jwk.as_pem(private=True))
    services = create_services(Settings(mongo=uri, database="trace-bench", key_file=str(file), profiles="core"))
    app = create_app(services)
    collection = pymongo.MongoClient[dict[str, Any]](uri)["trace-bench"]["Observation"]
    app.add_url_rule("/bare/<id>", "bare", lambda id: _bare(collection, id))
    read, bare = _populated(app, key)
    traces = list(services.store.traces(Access.system("bench")))
    client = app.test_client(use_cookies=False)
    token = {"Authorization": f"Bearer {sign(development_claims(PHYSICIAN), key)}"}
    access = Access.of(PHYSICIAN, services.clock())
    entity = Entity.of(services.store.view(access).read("Observation", "o"))  # type: ignore[arg-type]
    event = Event("read", 200, (entity,))
    number = itertools.count()
    kinds: dict[str, Callable[[], object]] = {
        "request": lambda: client.get(read, headers=token).get_data(),
        "bare request": lambda: client.get(bare).get_data(),
        "authentication": lambda: services.verifier.requester(token["Authorization"]),
        "read": lambda: services.store.view(access).read("Observation", "o"),
        "bare read": lambda: collection.find_one({"_id": "o"}),
        "trace": lambda: services.trace(access, event),
        "bare insert": lambda: services.store.trace({**traces[-1], "_id": f"bench-{next(number)}"}),
    }
    took = {name: min(_cpu(work, count) for _ in range(5)) for name, work in kinds.items()}
    told = {
        "authentication": took["authentication"],
        "access": took["read"] - took["bare read"],
        "trace": took["trace"] - took["bare insert"],
    }
    for name, value in told.items():
        print(f"{name:16} {value:6.3f} ms")
    print(f"{'all three':16} {sum(told.values()):6.3f} ms (at most {BOUND})")
    print("; ".join(f"{name} {value:.3f}" for name, value in took.items()))


def _bare(collection: Any, id: str) -> Response:
    row = collection.find_one({"_id": id}, {"r": 1})
    return Response(row["r"], content_type="application/fhir+json; charset=utf-8")


def _populated(app: Flask, key: SigningKey) -> tuple[str, str]:
    """Paths of an Observation that the physician may read: through the application, and bare."""
    operator = {"Authorization": f"Bearer {sign(development_claims(Requester('operator', 'operator')), key)}"}
    client = app.test_client(use_cookies=False)

    def put(resource: dict[str, Any]) -> None:
        place = f"/fhir/{resource['resourceType']}/{resource['id']}"
        answer = client.put(place, json=resource, headers={**operator, "Content-Type": "application/fhir+json"})
        assert answer.status_code in (200, 201), answer.get_data()

    subject = {"reference": "Patient/p"}
    put({"resourceType": "Patient", "id": "p", "active": True})
    identifier = [{"system": "https://rpps.esante.gouv.fr", "value": RPPS}]
    put({"resourceType": "Practitioner", "id": "d", "identifier": identifier})
    member = [{"member": {"reference": "Practitioner/d"}}]
    put({"resourceType": "CareTeam", "id": "t", "status": "active", "subject": subject, "participant": member})
    coding = [{"system": "http://loinc.org", "code": "718-7"}]
    put({"resourceType": "Observation", "id": "o", "status": "final", "code": {"coding": coding}, "subject": subject})
    return "/fhir/Observation/o", "/bare/o"


def _cpu(work: Callable[[], object], count: int) -> float:
    """Milliseconds of this thread's CPU for each."""
    for _ in range(20):
        work()
    began = time.thread_time()
    for _ in range(count):
        work()
    return (time.thread_time() - began) / count * 1000


if __name__ == "__main__":
    main()
