"""Where writes of appointments, slots and schedules pass by: create, update, patch, delete and transactions alike.

The slots change in the transaction that books, moves or cancels. Of two who book the same slot both would write it, so
that one of the transactions runs again, and finds it taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fhirserver.access.private import PARTICIPANT, reserved
from fhirserver.errors import Conflict, FhirError, Forbidden, Unprocessable
from fhirserver.espace.agenda.rules import Refusal
from fhirserver.rest.agenda import answering, booking, keeping
from fhirserver.rest.steps import Step

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATUSES: Final[Mapping[int, type[FhirError]]] = {403: Forbidden, 409: Conflict, 422: Unprocessable}
_CODES: Final = {403: "forbidden", 409: "conflict", 422: "business-rule"}


class Agenda(Step):
    def receive(self) -> None:
        """An Appointment that is sent without the tags that the server had put on it has them."""
        post, pre = self.write.post, self.write.pre
        if post is None or pre is None or self.write.type != booking.TYPE:
            return
        missing = [each for each in reserved(pre) if each not in reserved(post)]
        if missing:
            tags = [{"system": system, "code": code} for system, code in missing if system == PARTICIPANT]
            self.write.post = booking.tagged(post, tags)

    def settle(self) -> None:
        """Raises Forbidden, Conflict, Unprocessable as the rules of the agenda have it."""
        write = self.write
        try:
            if write.type == answering.TYPE and write.post is not None:
                answering.judge(write.exchange, write.tx, write.post, write.patient)
            if write.type == booking.TYPE:
                change = booking.Change(write.pre, write.post, write.acl, write.patient)
                write.post = booking.settled(write.exchange, write.tx, change)
            if write.type in keeping.TYPES:
                keeping.judge(write.exchange, write.tx, write.pre, write.post)
        except Refusal as refusal:
            french = write.exchange.request.accept_languages.best_match(("en", "fr")) == "fr"
            told = refusal.fr if french else refusal.en
            raise _STATUSES[refusal.status](told, code=_CODES[refusal.status], expression=write.type) from None
