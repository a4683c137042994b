"""Where writes of appointments, slots and schedules pass by: create, update, patch, delete and transactions alike.

The slots change in the transaction that books, moves or cancels. Of two who book the same slot both would write it, so
that one of the transactions runs again, and finds it taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.access.private import PARTICIPANT, reserved
from fhirserver.errors import Conflict, FhirError, Forbidden, Unprocessable
from fhirserver.espace.agenda.rules import Refusal
from fhirserver.rest.agenda import booking, keeping

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Transaction

Resource = dict[str, Any]

_STATUSES: Final[Mapping[int, type[FhirError]]] = {403: Forbidden, 409: Conflict, 422: Unprocessable}
_CODES: Final = {403: "forbidden", 409: "conflict", 422: "business-rule"}


def carried(resource: Resource, pre: Resource) -> Resource:
    """An Appointment that is sent without the tags that the server had put on it, with them."""
    missing = [each for each in reserved(pre) if each not in reserved(resource)]
    if resource["resourceType"] != booking.TYPE or not missing:
        return resource
    tags = [{"system": system, "code": code} for system, code in missing if system == PARTICIPANT]
    return booking.tagged(resource, tags)


def settled(
    exchange: Exchange,
    tx: Transaction,
    pre: Resource | None,
    post: Resource | None,
    acl: Mapping[str, Any],
    patient: str | None,
) -> Resource | None:
    """What is to be stored of a write that the rules of access allow; slots are changed with it.

    `acl`: that of the state before; `patient`: whose record it is in. Raises Forbidden, Conflict, Unprocessable.
    """
    type_ = (post if post is not None else pre or {})["resourceType"]
    try:
        if type_ == booking.TYPE:
            return booking.settled(exchange, tx, booking.Change(pre, post, acl, patient))
        if type_ in keeping.TYPES:
            keeping.judge(exchange, tx, pre, post)
    except Refusal as refusal:
        french = exchange.request.accept_languages.best_match(("en", "fr")) == "fr"
        told = refusal.fr if french else refusal.en
        raise _STATUSES[refusal.status](told, code=_CODES[refusal.status], expression=type_) from None
    return post
