"""What the handlers work with; the composition root makes one for each worker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from flask import has_request_context, request

from fhirserver.audit import Notices, Origin, erasures
from fhirserver.auth.accounts.room import AccountRoom
from fhirserver.auth.clients.catalogue import Catalogue
from fhirserver.auth.clients.client import Clients
from fhirserver.auth.clients.keysets import KeySets
from fhirserver.auth.clients.metadata import SECRETS, Terms
from fhirserver.auth.clients.registration import Registration
from fhirserver.auth.federation import assembly
from fhirserver.auth.federation.directory import Directory
from fhirserver.auth.fetching import Fetcher
from fhirserver.auth.grants import Grants
from fhirserver.auth.server import AuthorizationServer, backend
from fhirserver.auth.server.introspection import Introspection
from fhirserver.auth.sessions import Sessions
from fhirserver.espace.delays import code_over
from fhirserver.espace.erasure import Erasure
from fhirserver.espace.space import Spaces
from fhirserver.imaging.pacs import of_settings
from fhirserver.rest import guard
from fhirserver.rest.address import address
from fhirserver.rest.rates import Rates

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fhirserver.access import Access
    from fhirserver.audit import Chains, Event
    from fhirserver.auth import KeyRing, TokenVerifier
    from fhirserver.auth.federation.provider import Provider
    from fhirserver.clock import Clock
    from fhirserver.imaging.pacs import Pacs
    from fhirserver.rest.guides import Guides
    from fhirserver.rest.inforce import InForce
    from fhirserver.rest.pages import PageSeal
    from fhirserver.rest.steps import Step
    from fhirserver.settings import Settings
    from fhirserver.spec import Definitions
    from fhirserver.store import Store
    from fhirserver.terminology import Terminology
    from fhirserver.validation import Validator


@dataclass(frozen=True)
class Services:
    settings: Settings
    base: str
    """The public FHIR base, without a trailing slash."""
    instance: str
    """Names this running server, so that a readiness check knows it from another on the same port."""
    published: Definitions
    """What ships: it stays while the server runs."""
    in_force: InForce
    guides: Guides
    store: Store
    keys: KeyRing
    verifier: TokenVerifier
    chains: Chains
    seal: PageSeal
    clock: Clock
    steps: Sequence[type[Step]]
    """What the rooms do around each write, in order."""
    derive: Callable[[str], bytes]
    """A secret of the server's own for a purpose (`SigningKey.derive`)."""

    @property
    def definitions(self) -> Definitions:
        """What is searched and written as XML: what ships, with the search parameters that were added."""
        return self.in_force.current.definitions

    @property
    def indexer(self) -> InForce:
        """Indexes what is written."""
        return self.in_force

    @property
    def validator(self) -> Validator:
        return self.guides.current.validator

    @property
    def terminology(self) -> Terminology:
        return self.guides.current.terminology

    @cached_property
    def rates(self) -> Rates:
        return Rates(self.settings.client_rate, self.settings.address_rate, self.settings.workers)

    @cached_property
    def registration(self) -> Registration:
        terms = Terms(self.settings.environment == "production", self.settings.client_secrets)
        return Registration(Clients(self.store), terms)

    @cached_property
    def catalogue(self) -> Catalogue:
        return Catalogue(self.store, self.base)

    @cached_property
    def key_sets(self) -> KeySets:
        """The keys by which clients prove who they are."""
        return KeySets(Fetcher(production=self.settings.environment == "production"))

    @cached_property
    def notices(self) -> Notices:
        return Notices(self.store, self.definitions, mails=bool(self.settings.smtp_host))

    @property
    def issuer(self) -> str:
        """The public base without /fhir, unless the settings say otherwise."""
        return issuer_of(self.settings, self.base)

    @cached_property
    def sessions(self) -> Sessions:
        settings = self.settings
        return Sessions(
            self.store, timedelta(minutes=settings.session_idle_minutes), timedelta(hours=settings.session_hours)
        )

    @cached_property
    def accounts(self) -> AccountRoom:
        root = self.base.removesuffix("/fhir")
        return AccountRoom(self.store, self.published, self.settings, self.derive, self.clock, root, code_over)

    @cached_property
    def spaces(self) -> Spaces:
        def take_over(patient: str) -> None:
            self.accounts.take_over(patient)

        return Spaces(self.store, self.chains, take_over)

    @cached_property
    def erasure(self) -> Erasure:
        return Erasure(self.store, self.chains, self.derive(erasures.PURPOSE), self.settings.erasure_file)

    @cached_property
    def pacs(self) -> Pacs | None:
        """Where images are asked for; None where no PACS is set."""
        return of_settings(self.settings)

    @cached_property
    def grants(self) -> Grants:
        return Grants(self.store)

    @cached_property
    def authorization_server(self) -> AuthorizationServer:
        settings = self.settings
        server = AuthorizationServer(
            self.store,
            self.keys,
            issuer=self.issuer,
            audience=settings.audience or self.base,
            production=settings.environment == "production",
            lifetime=timedelta(seconds=settings.token_seconds),
            refresh=timedelta(days=settings.refresh_days),
            emergency=timedelta(seconds=settings.emergency_seconds),
        )
        backend.install(server, self.key_sets)
        assembly.install(server, settings, self.providers.get(assembly.PSC), self.directory.practitioner)
        if not settings.client_secrets:
            server.auth_methods = [each for each in server.auth_methods if each not in SECRETS]
        return server

    @cached_property
    def providers(self) -> dict[str, Provider]:
        """The identity providers that the settings name, by name."""
        return assembly.providers(self.settings)

    @cached_property
    def directory(self) -> Directory:
        return Directory(self.store, self.published, self.clock)

    @cached_property
    def introspection(self) -> Introspection:
        return Introspection(self.authorization_server, self.verifier, self.accounts.people.still_acts)

    @property
    def origin(self) -> Origin | None:
        """Where the request at hand comes from; None for work that nobody waits for."""
        if not has_request_context():
            return None
        return Origin(address(request, self.settings.trusted_proxies), guard.request_id())

    def trace(self, access: Access, event: Event) -> None:
        """Stores the trace of an access, and what the person is told of it; returns when both are safe.

        Raises Unavailable.
        """
        self.trace_all(access, (event,))

    def trace_all(self, access: Access, events: Sequence[Event]) -> None:
        """As `trace`, of what is answered together."""
        if not events:
            return
        self.notices.tell(access, events)
        records = [each.record(access.requester, access.now, self.origin) for each in events]
        with self.chains.place() as place:
            self.store.trace(*place.link_all(records))

    def trace_nobody(self, event: Event) -> None:
        """Stores the trace of a refusal to who sent a token that is not accepted. Raises Unavailable."""
        with self.chains.place() as place:
            self.store.trace(place.link(event.of_nobody(self.clock(), self.origin)))


def issuer_of(settings: Settings, base: str) -> str:
    """The issuer of the tokens that this server gives, at this FHIR base."""
    return settings.issuer.rstrip("/") or base.removesuffix("/fhir")
