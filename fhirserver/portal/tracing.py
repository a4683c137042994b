"""The trace of what happens to accounts: with who it was, once that is known; a person sees what was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.access import Access
from fhirserver.audit import Event
from fhirserver.rest.edge import services

if TYPE_CHECKING:
    from fhirserver.access import Requester
    from fhirserver.auth.accounts.account import Account

REASON = "authentication"


def done(interaction: str, who: Requester, status: int = 200) -> None:
    """Traces what somebody did who is known."""
    found = services()
    found.trace(Access.of(who, found.clock()), Event(interaction, status))


def refused(interaction: str, account: Account | None, status: int = 401) -> None:
    """Traces what was refused: in the holder's own record too, where an account was named."""
    own = tuple(each.patient for each in account.records if each.related is None) if account else ()
    found = services()
    found.trace(Access.system(REASON, found.clock()), Event(interaction, status, patients=own))


def about(interaction: str, account: Account, status: int = 200) -> None:
    """Traces what was done to an account by who proved himself otherwise than by a session."""
    refused(interaction, account, status)
