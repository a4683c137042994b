"""The catalogue of apps: what an operator decides of a client, what people read of it, and its Endpoint in FHIR.

CSP L.1111-13-1 III: apps of the catalogue reach the space with the person's agreement. The register of clients leads;
each change of it that is seen from outside goes through `Catalogue`, which brings the Endpoint of the same id in step.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jsonschema import Draft202012Validator

from fhirserver import jsontext
from fhirserver.access import Access
from fhirserver.auth.clients.client import ALWAYS, STATUSES, Client, Clients, Decision
from fhirserver.auth.clients.metadata import LINE
from fhirserver.errors import BadRequest, Conflict, NotFound
from fhirserver.tables import rows as rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.store import Store, Transaction

FOLLOWING: Final[Mapping[str, tuple[str, ...]]] = {
    "submitted": ("referenced", "suspended", "withdrawn"),
    "referenced": ("suspended", "withdrawn"),
    "suspended": ("referenced", "withdrawn"),
    "withdrawn": (),
}
"""What an operator may decide next."""
ENDPOINT: Final = {"submitted": "test", "referenced": "active", "suspended": "suspended", "withdrawn": "off"}
"""The status of the Endpoint by that of the client."""
SYSTEM: Final = "urn:fhirserver:catalogue"
"""System of the tag of these Endpoints, and of their categories."""
_CONNECTION: Final = "http://terminology.hl7.org/CodeSystem/endpoint-connection-type"
_FINESS: Final = re.compile(r"[0-9A-Za-z]{9}")
_MOST: Final = 1000


class Category(NamedTuple):
    code: str
    display: str
    english: str


@cache
def categories() -> tuple[Category, ...]:
    """The categories of apps, in the order in which they are listed."""
    return tuple(Category(row["code"], row["display"], row["en"]) for row in rows_of(__package__, "categories.csv"))


ENTRY: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "publisher": LINE,
        "purpose": {"type": "string", "minLength": 1, "maxLength": 600},
        "categories": {
            "type": "array",
            "items": {"enum": [each.code for each in categories()]},
            "minItems": 1,
            "maxItems": 4,
            "uniqueItems": True,
        },
        "hosting": {
            "type": "object",
            "additionalProperties": False,
            "required": ["host", "hds"],
            "properties": {"host": LINE, "hds": {"type": "boolean"}},
        },
    },
}
"""What people read of an app: who publishes it, what for, where its data are kept (`hds`: by a certified host of
health data, CSP L.1111-8). Its pages and its logo stand in its metadata."""
_VALIDATOR: Final = Draft202012Validator(ENTRY)


class Catalogue:
    """The catalogue of one server. `home`: the address that stands for a client which says none."""

    def __init__(self, store: Store, home: str) -> None:
        self._store, self._home = store, home
        self._clients = Clients(store)

    def client(self, client_id: str) -> Client:
        """Raises NotFound."""
        found = self._clients.find(client_id, datetime.now(UTC))
        if found is None:
            raise NotFound("There is no client of this id.")
        return found

    def apps(self, category: str | None = None) -> list[Client]:
        """The apps that people may choose, by name."""
        found = self._clients.listed(datetime.now(UTC), count=_MOST, status="referenced")
        apps = [each for each in found if "authorization_code" in each.grant_types]
        chosen = [each for each in apps if category is None or category in each.catalogue.get("categories", ())]
        return sorted(chosen, key=lambda each: each.name.casefold())

    def listed(self, status: str | None = None, after: str = "") -> list[Client]:
        """The next clients by id, of a status. Raises BadRequest for what is no status."""
        if status is not None and status not in STATUSES:
            raise BadRequest(f"A status is one of {', '.join(STATUSES)}.")
        wanted: dict[str, Any] = {} if status is None else {"status": status}
        return self._clients.listed(datetime.now(UTC), after=after, **wanted)

    def describe(self, client: Client, entry: Mapping[str, Any]) -> Client:
        """Puts other words of the catalogue in the place of those that are there. Raises BadRequest, Conflict."""
        for fault in _VALIDATOR.iter_errors(dict(entry)):
            place = ".".join(str(each) for each in fault.absolute_path) or "the entry"
            told = f": one of {', '.join(map(str, fault.validator_value))}" if fault.validator == "enum" else ""
            raise BadRequest(f"{place[:80]} is not as the catalogue has it ({fault.validator}{told}).")
        return self._replaced(client._replace(catalogue=dict(entry)))

    def appoint(self, client: Client, organization: str | None, *, resource_server: bool) -> Client:
        """Says for which establishment (FINESS) a system acts, and whether it may ask about others' tokens.

        Raises BadRequest, Conflict.
        """
        if organization is not None and not _FINESS.fullmatch(organization):
            raise BadRequest("organization is a FINESS number: 9 characters.")
        return self._replaced(client._replace(organization=organization, resource_server=resource_server))

    def decide(self, client: Client, status: str, by: str, reason: str = "") -> Client:
        """Changes the status: a suspension holds from the client's next request on. Raises BadRequest, Conflict."""
        if status not in STATUSES:
            raise BadRequest(f"A status is one of {', '.join(STATUSES)}.")
        if status not in FOLLOWING[client.status]:
            raise Conflict(f"A client that is {client.status} cannot become {status}.")
        if len(reason) > _MOST or (status == "suspended" and not reason.strip()):
            raise BadRequest(f"A suspension says why; a reason has at most {_MOST} characters.")
        decision = Decision(datetime.now(UTC), status, by, reason.strip())
        changed = client._replace(status=status, until=ALWAYS, history=(*client.history, decision))
        return self._replaced(changed)

    def publish(self, client_id: str) -> None:
        """Brings the client's Endpoint in step with the register; one that was never referenced has none.

        It says what an operator has looked at: of a client that is not referenced, only the status changes.
        """

        def work(tx: Transaction) -> None:
            tx.lock([f"client|{client_id}"])
            client, before = self.client(client_id), tx.view.read("Endpoint", client_id)
            if before is None or before.deleted:
                if client.status == "referenced":
                    tx.create(self.endpoint(client), client_id)
                return
            known = jsontext.parse_object(before.body)
            wanted = self.endpoint(client) if client.status == "referenced" else known
            wanted = {**wanted, "status": ENDPOINT[client.status]}
            if {**known, "meta": None} != {**wanted, "meta": None}:
                tx.update({**wanted, "meta": self.endpoint(client)["meta"]})

        self._store.transact(Access.system("catalogue"), work)

    def endpoint(self, client: Client) -> dict[str, Any]:
        """What FHIR says of a client: its name, its publisher, its categories and whether it may be used."""
        names = {each.code: each.display for each in categories()}
        entry = client.catalogue
        chosen = entry.get("categories") or ["etablissement"]
        return {
            "resourceType": "Endpoint",
            "id": client.id,
            "meta": {"tag": [{"system": SYSTEM, "code": "client"}]},
            "identifier": [{"system": SYSTEM, "value": client.id}],
            "status": ENDPOINT[client.status],
            "connectionType": {"system": _CONNECTION, "code": "hl7-fhir-rest"},
            "name": client.name,
            **({"managingOrganization": {"display": entry["publisher"]}} if "publisher" in entry else {}),
            "payloadType": [{"coding": [{"system": SYSTEM, "code": each, "display": names[each]}]} for each in chosen],
            "address": client.metadata.get("client_uri") or self._home,
        }

    def _replaced(self, client: Client) -> Client:
        if client.status == "referenced" and (missing := lacking(client)):
            raise BadRequest(f"Of a client that is referenced, this must be known: {', '.join(missing)}.")
        changed = self._clients.replace(client)
        self.publish(changed.id)
        return changed


def lacking(client: Client) -> tuple[str, ...]:
    """What must be known of a client before an operator references it."""
    wanted = [name for name in ("publisher", "purpose", "categories", "hosting") if not client.catalogue.get(name)]
    acts = any(each.startswith("system/") for each in client.scopes)
    return (*wanted, *(["organization"] if acts and client.organization is None else []))
