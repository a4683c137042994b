"""What the handlers work with; the composition root makes one for each worker."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from fhirserver.audit import Notices
from fhirserver.rest.rates import Rates

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.access import Access
    from fhirserver.audit import Chains, Event
    from fhirserver.auth import TokenVerifier
    from fhirserver.clock import Clock
    from fhirserver.rest.guides import Guides
    from fhirserver.rest.inforce import InForce
    from fhirserver.rest.pages import PageSeal
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
    verifier: TokenVerifier
    chains: Chains
    seal: PageSeal
    clock: Clock
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
    def notices(self) -> Notices:
        return Notices(self.store, self.definitions, ZoneInfo(self.settings.timezone))

    def trace(self, access: Access, event: Event) -> None:
        """Stores the trace of an access, and what the person is told of it; returns when both are safe.

        Raises Unavailable.
        """
        self.notices.tell(access, (event,))
        with self.chains.place() as place:
            self.store.trace(place.link(event.record(access.requester, access.now)))
