"""`fhirserver client`: operators keep the register of clients and the catalogue of apps."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from fhirserver.cli import Problem
from fhirserver.cli.opening import database_arguments, named, opened

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from fhirserver.settings import Settings

BY = "command line"


class _Register(Protocol):
    def listed(self, status: str | None) -> list[dict[str, Any]]: ...
    def show(self, client_id: str) -> dict[str, Any]: ...
    def add(self, given: Mapping[str, Any]) -> dict[str, Any]: ...
    def describe(self, client_id: str, given: Mapping[str, Any]) -> dict[str, Any]: ...
    def decide(self, client_id: str, given: Mapping[str, Any]) -> dict[str, Any]: ...


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", help="register a client", allow_abbrev=False)
    add.add_argument(
        "metadata", metavar="FILE", type=Path, help="JSON as in RFC 7591, such as its name and redirect_uris"
    )
    add.add_argument("--id", metavar="ID", help="default: made up")
    described = actions.add_parser(
        "describe", help="say for whom a client acts, or what people read of it", allow_abbrev=False
    )
    described.add_argument("client", metavar="ID")
    for action in (add, described):
        action.add_argument("--organization", metavar="FINESS", help="the establishment that a system acts for")
        action.add_argument(
            "--catalogue", metavar="FILE", type=Path, help="JSON: publisher, purpose, categories, hosting"
        )
        action.add_argument("--resource-server", action="store_true", help="it may ask about the tokens of others")
    listing = actions.add_parser("list", help="list clients", allow_abbrev=False)
    listing.add_argument("--status", help="submitted, referenced, suspended or withdrawn")
    show = actions.add_parser("show", help="print all that is known of a client", allow_abbrev=False)
    show.add_argument("client", metavar="ID")
    decisions = []
    for name, meaning in (
        ("reference", "let it be used"),
        ("suspend", "refuse it"),
        ("withdraw", "refuse it for good"),
    ):
        decision = actions.add_parser(name, help=meaning, allow_abbrev=False)
        decision.add_argument("client", metavar="ID")
        decision.add_argument("--reason", default="", metavar="TEXT")
        decisions.append(decision)
    for action in (add, described, listing, show, *decisions):
        action.add_argument("--base", metavar="URL", help="FHIR base of a running server")
        action.add_argument("--token", metavar="T", help="an operator's bearer token, with --base")
        database_arguments(action)


def run(options: argparse.Namespace) -> int:
    from fhirserver.errors import FhirError

    try:
        with _opened(options) as register:
            return _run(options, register)
    except FhirError as error:
        raise Problem(error.text) from None


def _run(options: argparse.Namespace, register: _Register) -> int:
    if options.action == "list":
        for each in register.listed(options.status):
            print(f"{each['client_id']}  {each['status']}  {each['metadata'].get('client_name', '')}")
        return 0
    if options.action == "show":
        told = register.show(options.client)
    elif options.action == "add":
        told = register.add({**_described(options), "metadata": _json(options.metadata), **_named(options)})
    elif options.action == "describe":
        told = register.describe(options.client, _described(options))
    else:
        status = {"reference": "referenced", "suspend": "suspended", "withdraw": "withdrawn"}[options.action]
        told = register.decide(options.client, {"status": status, "reason": options.reason})
    json.dump(told, sys.stdout, ensure_ascii=False, indent=2)
    print()
    return 0


def _named(options: argparse.Namespace) -> dict[str, str]:
    return {"client_id": options.id} if options.id else {}


def _described(options: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if options.catalogue:
        found["catalogue"] = _json(options.catalogue)
    if options.organization:
        found["organization"] = options.organization
    return found | ({"resource_server": True} if options.resource_server else {})


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Problem(f"cannot read {path}: {error.strerror}.") from None
    except ValueError as error:
        raise Problem(f"{path} is not JSON: {error}.") from None


@contextmanager
def _opened(options: argparse.Namespace) -> Iterator[_Register]:
    from fhirserver.serving.supervisor import base_of

    if options.base:
        yield _Remote(options.base, options.token or "")
        return
    settings = named(options)
    with opened(settings) as store:
        yield _Direct(store, settings, base_of(settings))


class _Direct:
    """The register in the database, beside or without a running server; what is done is traced there."""

    def __init__(self, store: Any, settings: Settings, base: str) -> None:
        from fhirserver.audit import Chains
        from fhirserver.auth.clients.catalogue import Catalogue
        from fhirserver.auth.clients.client import Clients
        from fhirserver.auth.clients.desk import Desk
        from fhirserver.auth.clients.metadata import Terms
        from fhirserver.auth.clients.registration import Registration

        terms = Terms(settings.environment == "production", settings.client_secrets)
        self._store, self._chains = store, Chains()
        self._desk = Desk(Registration(Clients(store), terms), Catalogue(store, base))

    def listed(self, status: str | None) -> list[dict[str, Any]]:
        found = self._desk.listed(status)
        while more := self._desk.listed(status, found[-1]["client_id"] if found else ""):
            found += more
        return found

    def show(self, client_id: str) -> dict[str, Any]:
        return self._desk.show(client_id)

    def add(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return self._traced(self._desk.add(given, BY))

    def describe(self, client_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
        return self._traced(self._desk.describe(client_id, given))

    def decide(self, client_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
        return self._traced(self._desk.decide(client_id, given, BY))

    def _traced(self, told: dict[str, Any]) -> dict[str, Any]:
        from fhirserver.access import Access
        from fhirserver.audit import Entity, Event

        access = Access.system(BY)
        with self._chains.place() as place:
            event = Event("register", 200, (Entity("Endpoint", told["client_id"]),))
            self._store.trace(place.link(event.record(access.requester, access.now)))
        return told


class _Remote:
    """The register of a running server."""

    def __init__(self, base: str, token: str) -> None:
        self._url, self._token = f"{base.rstrip('/').removesuffix('/fhir')}/catalogue/api/clients", token

    def listed(self, status: str | None) -> list[dict[str, Any]]:
        wanted, found = (f"status={status}&" if status else ""), list[dict[str, Any]]()
        while more := self._ask("GET", f"?{wanted}after={found[-1]['client_id'] if found else ''}")["clients"]:
            found += more
        return found

    def show(self, client_id: str) -> dict[str, Any]:
        return self._ask("GET", f"/{quote(client_id, safe='')}")

    def add(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return self._ask("POST", "", given)

    def describe(self, client_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
        return self._ask("PUT", f"/{quote(client_id, safe='')}", given)

    def decide(self, client_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
        return self._ask("POST", f"/{quote(client_id, safe='')}/decisions", given)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        import urllib.error
        import urllib.request

        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, content, headers, method=method)  # noqa: S310 - the user's own
        try:
            with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
                told: dict[str, Any] = json.load(response)
                return told
        except urllib.error.HTTPError as error:
            with error:
                raise Problem(f"the server answers {error.code}: {_said(error.read())}") from None
        except (OSError, ValueError) as error:
            raise Problem(f"the server cannot be reached: {error}.") from None


def _said(content: bytes) -> str:
    """The text of an OperationOutcome."""
    try:
        return str(json.loads(content)["issue"][0]["diagnostics"])
    except (ValueError, KeyError, IndexError, TypeError):
        return "it does not say why."
