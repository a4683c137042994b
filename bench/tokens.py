"""`python -m bench.tokens`: what the verification of a bearer token costs a request.

Prints wall time and CPU of this thread, in milliseconds: a token that is new (its signature is checked), one that is
remembered, one that names a grant (which each request asks for, with the app's status, in one round trip), and that
round trip alone as the bare driver makes it.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pymongo
from joserfc.jwk import RSAKey

from fhirserver.access import Requester
from fhirserver.auth import DEVELOPMENT_ISSUER, KeyRing, SigningKey, TokenVerifier, development_claims
from fhirserver.auth.clients.client import Client, Clients
from fhirserver.auth.grants import REGISTER, Grants
from fhirserver.auth.server import AuthorizationServer, Request
from fhirserver.auth.server.issuing import Standing
from fhirserver.spec import Definitions
from fhirserver.store import Embedded, Store
from fhirserver.store.registers import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable

BASE = "http://127.0.0.1/fhir"
HOLDER = Requester("patient", "patient/p", patient="p", scopes=("patient/*.rs",), client="app")
GRANTS = 1000


class Cost(NamedTuple):
    """Milliseconds of one call."""

    wall: float
    cpu: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--mongo", metavar="URI", help="a replica set; default: the embedded database")
    parser.add_argument("--calls", type=int, default=2000, help="calls of each measurement")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        uri = options.mongo
        if uri is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fhirserver-bench-")))
            embedded = Embedded(folder / "data", sync=False)
            uri = embedded.start()
            stack.callback(embedded.stop)
        name = f"bench{time.time_ns()}"
        client = stack.enter_context(contextlib.closing(pymongo.MongoClient[dict[str, Any]](uri)))
        stack.callback(client.drop_database, name)
        store = Store(uri, name, definitions=Definitions.core())
        stack.callback(store.close)
        for what, cost in _measured(store, client[name][PREFIX + REGISTER], options.calls):
            print(f"{what:44} {cost.wall:7.3f} ms, CPU {cost.cpu:6.3f} ms")


def _measured(store: Store, rows: Any, calls: int) -> list[tuple[str, Cost]]:
    keys, grants = KeyRing(SigningKey(RSAKey.generate_key(2048))), Grants(store)
    verifier = TokenVerifier(
        keys,
        issuer=DEVELOPMENT_ISSUER,
        audience=DEVELOPMENT_ISSUER,
        development=True,
        also={"http://127.0.0.1": frozenset({BASE})},
        grants=grants,
    )
    server = AuthorizationServer(store, keys, issuer="http://127.0.0.1", audience=BASE, production=False)
    Clients(store).save(Client("app", "referenced", {}))
    until = datetime.now(UTC) + timedelta(hours=1)
    made = [grants.make("app", "account", HOLDER, until) for _ in range(GRANTS)]
    granted = server.issued(Standing(made[0].id, "app", HOLDER), Request("POST", []))["access_token"]
    plain = keys.sign(development_claims(HOLDER))
    fresh = iter([keys.sign(development_claims(HOLDER)) for _ in range(min(calls, 300) + 1)])
    joined = {"from": PREFIX + "clients", "localField": "client", "foreignField": "_id", "as": "client_"}
    bare = [{"$match": {"_id": made[0].id}}, {"$lookup": joined}]
    return [
        ("new token: signature", _cost(lambda: verifier.requester(f"Bearer {next(fresh)}"), min(calls, 300))),
        ("remembered token, no grant", _cost(lambda: verifier.requester(f"Bearer {plain}"), calls)),
        ("remembered token, grant and app asked for", _cost(lambda: verifier.requester(f"Bearer {granted}"), calls)),
        ("the same round trip, bare", _cost(lambda: rows.aggregate(bare).to_list(), calls)),
    ]


def _cost(call: Callable[[], Any], calls: int) -> Cost:
    call()
    wall, cpu = time.perf_counter(), time.thread_time()
    for _ in range(calls):
        call()
    return Cost((time.perf_counter() - wall) / calls * 1e3, (time.thread_time() - cpu) / calls * 1e3)


if __name__ == "__main__":
    main()
