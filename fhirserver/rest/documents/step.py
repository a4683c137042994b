"""Where writes of documents pass by, and of what belongs to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.rest.documents import cda_unique
from fhirserver.rest.documents.belonging import document_of, require_free, require_unsealed
from fhirserver.rest.documents.changes import require_metadata
from fhirserver.rest.steps import Step

if TYPE_CHECKING:
    from fhirserver.store import Stored


class Documents(Step):
    def receive(self) -> None:
        write = self.write
        if write.before is not None and write.pre is not None:
            if write.post is None:
                require_free(write.exchange, write.pre)
            require_unsealed(write.before, write.pre)
        elif write.document is None:
            write.owner = document_of(write.exchange, write.tx, write.resource)
            write.document = write.owner and f"{write.owner.type}/{write.owner.id}"

    def check(self) -> None:
        write = self.write
        if write.pre is None or write.post is None:
            return
        if write.exchange.access.requester.kind != "operator":
            require_metadata(write.pre, write.post, also=frozenset({"meta"}))
            require_free(write.exchange, write.pre)
        cda_unique.require_settled(write.tx, write.pre, write.post)

    def follow(self, stored: Stored) -> None:
        write = self.write
        if write.pre is not None and write.post is not None and cda_unique.is_set_aside(write.pre, write.post):
            write.tx.besides += cda_unique.withdrawn(write.exchange, write.tx, stored.id)
