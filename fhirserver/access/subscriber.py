"""Whose a Subscription is: who made it, through the application by which he made it, and nobody else's.

Neither a colleague of the same establishment nor another application of the same person sees it: what it says of where
notifications go, and by which secret, is between the subscriber and the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fhirserver.access.requester import Requester

TYPE: Final = "Subscription"


def key(who: Requester) -> str:
    """The actor key under which he makes Subscriptions."""
    return "|".join(("subscriber", who.kind, who.client or "", who.id, who.patient or ""))
