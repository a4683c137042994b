"""Where writes of messages pass by, and of what is attached to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.espace.messages import message
from fhirserver.rest import judging
from fhirserver.rest.messages.sending import attached, require_kept, sending
from fhirserver.rest.steps import Step

if TYPE_CHECKING:
    from fhirserver.rest.messages.sending import Sending
    from fhirserver.store import Stored


class Messages(Step):
    sent: Sending | None = None

    def receive(self) -> None:
        write = self.write
        if write.pre is not None:
            require_kept(write.exchange, write.pre, write.post)
        elif not write.derived and message.is_sent(write.resource):
            write.find()
            judging.require_scopes(write)  # first: the rules of messages tell what a person wants
            self.sent = sending(write.exchange, write.tx, write.resource)
        if self.sent is not None:
            write.post = self.sent.resource

    def settle(self) -> None:
        """It is judged as it was sent: the tag that makes it private is for nobody to send."""
        if self.sent is not None:
            self.write.post = message.tagged(self.write.resource)

    def follow(self, stored: Stored) -> None:
        if self.sent is not None:
            attached(self.write.exchange, self.write.tx, stored, self.sent)
