"""Where writes of Subscriptions pass by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.access import subscriber
from fhirserver.rest.steps import Step
from fhirserver.rest.subscriptions.receiving import received, recorded

if TYPE_CHECKING:
    from fhirserver.store import Stored


class Subscriptions(Step):
    def receive(self) -> None:
        if self.write.post is not None and self.write.type == subscriber.TYPE:
            self.write.post = received(self.write.exchange, self.write.post)

    def follow(self, stored: Stored) -> None:
        """Nobody is told anything any more for one that is deleted."""
        if stored.type != subscriber.TYPE:
            return
        if stored.deleted:
            self.write.tx.subscribers.remove(stored.id)
        else:
            recorded(self.write.exchange, self.write.tx, stored, self.write.resource)
