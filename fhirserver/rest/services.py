"""What the handlers work with; the composition root makes one for each worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fhirserver.access import Access
    from fhirserver.audit import Chains, Event
    from fhirserver.auth import TokenVerifier
    from fhirserver.clock import Clock
    from fhirserver.rest.pages import PageSeal
    from fhirserver.search import Indexer
    from fhirserver.settings import Settings
    from fhirserver.spec import Definitions
    from fhirserver.store import Store
    from fhirserver.validation import Validator


@dataclass(frozen=True)
class Services:
    settings: Settings
    base: str
    """The public FHIR base, without a trailing slash."""
    instance: str
    """Names this running server, so that a readiness check knows it from another on the same port."""
    definitions: Definitions
    indexer: Indexer
    store: Store
    validator: Validator
    verifier: TokenVerifier
    chains: Chains
    seal: PageSeal
    clock: Clock

    def trace(self, access: Access, event: Event) -> None:
        """Stores the trace of an access; returns when it is safe. Raises Unavailable."""
        with self.chains.place() as place:
            self.store.trace(place.link(event.record(access.requester, access.now)))
