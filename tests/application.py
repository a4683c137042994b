"""The whole server in this process, on a real database: what tests of its HTTP surface call.

One set of definitions, rules and keys a test session; a database of its own for each `Application`. A room's conftest
takes the fixtures it needs: `from tests.application import application, embedded_uri`.
"""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

import pytest
from joserfc.jwk import RSAKey
from pymongo import MongoClient

from fhirserver import jsontext
from fhirserver.access import Requester
from fhirserver.app import create_app, create_services
from fhirserver.audit import AuditEvents, Chains
from fhirserver.auth import DEVELOPMENT_ISSUER, SigningKey, development_claims, sign
from fhirserver.auth.grants import Grants
from fhirserver.rest.guides import Guides
from fhirserver.rest.inforce import InForce
from fhirserver.rest.jobs.background import Background
from fhirserver.settings import Settings
from fhirserver.store import Store
from tests.database import embedded_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from flask import Flask

    from fhirserver.rest.services import Services

__all__ = ["Answer", "Application", "Caller", "application", "applications", "embedded_uri", "opened"]

BASE = "http://127.0.0.1:8080/fhir"
FHIR_JSON = "application/fhir+json"
PATIENT = {"selection": 30.0, "operation": 60.0, "patience": 60.0}
"""Seconds of the store: a machine on which everything else runs too is slow, not broken."""
DAY = 86_400
"""Seconds that a token lasts: worlds that many tests share are built once."""
PURPOSES = {"patient": "PATRQT", "representative": "PATRQT"}


class Answer(NamedTuple):
    """An HTTP answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    content: bytes

    def __eq__(self, other: object) -> bool:
        """Equal but for the id of the request."""
        return isinstance(other, Answer) and self._compared == other._compared

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((self.status, self.content))

    @property
    def _compared(self) -> tuple[Any, ...]:
        headers = {name: value for name, value in self.headers.items() if name != "x-request-id"}
        return self.status, headers, self.content

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def issue(self) -> dict[str, Any]:
        """The first issue of the OperationOutcome, which this answer must be."""
        assert self.json["resourceType"] == "OperationOutcome"
        issue: dict[str, Any] = self.json["issue"][0]
        return issue

    @property
    def told(self) -> str:
        """All that the OperationOutcome says."""
        assert self.json["resourceType"] == "OperationOutcome"
        return " ".join(str(each.get("diagnostics")) for each in self.json["issue"])

    @property
    def id(self) -> str:
        """The id of the resource that was stored."""
        assert self.status in (200, 201), self
        return str(self.json["id"])

    @property
    def total(self) -> int:
        assert self.status == 200, self
        return int(self.json["total"])

    @property
    def ids(self) -> list[str]:
        """The ids in a searchset or history, in order."""
        assert self.status == 200, self
        return [each["fullUrl"].rpartition("/")[2] for each in self.json.get("entry", [])]

    def link(self, relation: str) -> str | None:
        """The path and query of a link of a Bundle, below the base."""
        urls = [each["url"] for each in self.json["link"] if each["relation"] == relation]
        return urls[0].removeprefix(BASE + "/") if urls else None


class Caller:
    """A requester with a signed token; paths are below the FHIR base."""

    def __init__(self, app: Flask, token: str | None) -> None:
        self.token = token
        self._client = app.test_client(use_cookies=False)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        query: Iterable[tuple[str, str]] | None = None,
        **environ: Any,
    ) -> Answer:
        """`body`: a JSON value, or bytes that are sent as they are; FHIR JSON unless a header says otherwise."""
        sent = {"X-Request-Id": "asked-by-a-test"} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        if body is not None:
            sent["Content-Type"] = FHIR_JSON
        sent |= headers or {}
        response = self._client.open(
            f"/fhir/{path}" if path else "/fhir",
            method=method,
            data=body if body is None or isinstance(body, bytes) else jsontext.dump(body),
            headers={name: value for name, value in sent.items() if value != ""},
            query_string=None if query is None else urlencode(list(query)),
            environ_overrides=environ,
        )
        found = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, found, response.data)

    def get(self, path: str, **headers: str) -> Answer:
        """Header names with `_` for `-`."""
        return self.call("GET", path, headers=_named(headers))

    def search(self, type: str, *pairs: tuple[str, str], **params: str) -> Answer:
        return self.call("GET", type, query=[*pairs, *params.items()])

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        return self.call("POST", path, body, _named(headers))

    def put(self, path: str, body: Any, **headers: str) -> Answer:
        return self.call("PUT", path, body, _named(headers))

    def delete(self, path: str, **headers: str) -> Answer:
        return self.call("DELETE", path, headers=_named(headers))

    def create(self, resource: Mapping[str, Any]) -> str:
        """Stores a resource that must be accepted; its id."""
        answer = self.post(resource["resourceType"], resource)
        assert answer.status == 201, answer
        return answer.id

    def store(self, resource: Mapping[str, Any]) -> Answer:
        """Stores a resource under its own id (operators only)."""
        answer = self.put(f"{resource['resourceType']}/{resource['id']}", resource)
        assert answer.status in (200, 201), answer
        return answer

    def transact(self, *entries: Mapping[str, Any], **headers: str) -> Answer:
        return self.post("", {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}, **headers)


class Application:
    """A running server, without its HTTP layer of bytes; `services` may be looked into."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.app = create_app(services)

    def caller(self, requester: Requester, **claims: Any) -> Caller:
        return Caller(self.app, sign(development_claims(requester, lifetime=DAY) | claims, _key()))

    def nobody(self, token: str | None = None) -> Caller:
        return Caller(self.app, token)

    def operator(self) -> Caller:
        return self.caller(Requester("operator", "operator"))

    def patient(self, id: str) -> Caller:
        return self.caller(Requester("patient", f"patient/{id}", patient=id, purpose="PATRQT"))

    def representative(self, patient: str, id: str = "parent") -> Caller:
        return self.caller(Requester("representative", f"RelatedPerson/{id}", patient=patient, purpose="PATRQT"))

    def practitioner(
        self,
        rpps: str,
        profession: str = "G15_10",
        organization: str | None = None,
        purpose: str = "TREAT",
        scopes: tuple[str, ...] = (),
    ) -> Caller:
        return self.caller(
            Requester(
                "practitioner",
                f"practitioner/{rpps}",
                rpps=rpps,
                profession=profession,
                organization=organization,
                purpose=purpose,
                scopes=scopes,
                reason="unconscious" if purpose == "BTG" else None,
            )
        )

    def system(self, organization: str, client: str = "his") -> Caller:
        return self.caller(Requester("system", f"client/{client}", client=client, organization=organization))

    def at(self, moment: datetime) -> Application:
        """The same server, with the same database, at another time."""
        return Application(replace(self.services, clock=lambda: moment))

    def under(self, **settings: Any) -> Application:
        """The same server, with the same database, under other settings."""
        return Application(replace(self.services, settings=replace(self.services.settings, **settings)))

    def work(self, minutes: int = 1) -> int:
        """Carries out what goes on after the answers, as the background thread of a worker does some time later.

        How many jobs it was."""
        return Background(self.app, self.services).work(datetime.now(UTC) + timedelta(minutes=minutes))

    def purge(self) -> None:
        """Throws away what is not kept any longer, as the background thread does."""
        Background(self.app, self.services).purge()

    def counts(self) -> dict[str, int]:
        """Documents by collection of resources: equal before and after what stores nothing."""
        with MongoClient[dict[str, Any]](self.services.settings.mongo) as client:
            database = client[self.services.settings.database]
            names = [name for name in database.list_collection_names() if name[:1].isupper() or name == "chunks"]
            return {name: found for name in sorted(names) if (found := database[name].count_documents({}))}


@contextmanager
def opened(uri: str, database: str, profiles: str = "core", **settings: Any) -> Iterator[Application]:
    """A server on a database of that name, which is dropped afterwards."""
    template = _template(uri, profiles)
    in_force = InForce(template.published, base_url=BASE, timezone=template.settings.timezone)
    more = {"traced": AuditEvents(BASE, template.published)} | PATIENT | settings.pop("store", {})
    store = Store(uri, database, definitions=template.published, index=in_force.index, **more)
    in_force.bind(store)
    changed = replace(template.settings, mongo=uri, database=database, profiles=profiles, **settings)
    try:
        verifier = template.verifier.with_grants(Grants(store))
        own = replace(template, store=store, in_force=in_force, settings=changed, verifier=verifier, chains=Chains())
        yield Application(own)
    finally:
        store.close()
        with MongoClient[dict[str, Any]](uri) as client:
            client.drop_database(database)


@pytest.fixture(scope="session")
def applications(embedded_uri: str) -> Callable[..., Any]:
    """Opens servers on new databases, `core` profiles unless asked otherwise: `with applications() as application:`."""

    def make(profiles: str = "core", **settings: Any) -> Any:
        return opened(embedded_uri, f"test-{uuid.uuid4().hex[:12]}", profiles, **settings)

    return make


@pytest.fixture(scope="module")
def application(applications: Callable[..., Any]) -> Iterator[Application]:
    """A server with an empty database, for the tests of one module; resources without a profile are held to R4."""
    with applications() as opened_:
        yield opened_


@cache
def _key() -> SigningKey:
    return SigningKey(RSAKey.generate_key(2048))


@cache
def _template(uri: str, profiles: str) -> Services:
    """Services whose rooms are shared by all applications; their own store is not used."""
    if profiles != "core":
        core = _template(uri, "core")
        return replace(core, guides=Guides(None, profiles, core.published))
    with TemporaryDirectory() as folder:
        file = Path(folder) / "key.pem"
        file.write_bytes(_key().jwk.as_pem(private=True))
        made = create_services(Settings(mongo=uri, key_file=str(file), profiles=profiles, base_url=BASE))
    made.store.close()
    return made


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def token(requester: Requester, **claims: Any) -> str:
    """A signed development token with some claims changed; None takes one off."""
    changed = development_claims(requester, issuer=DEVELOPMENT_ISSUER) | claims
    return sign({name: value for name, value in changed.items() if value is not None}, _key())
