"""The person takes the space over at majority: what representatives held of it ends, and a code of his own is made.

Whose measure goes on, such as a guardian's who has become a tutor, stays. What is done may be done again without harm:
it comes before the transition that tells of it (`espace.space`). CSP R.1111-40.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fhirserver.auth.accounts.letters import Letters
from fhirserver.auth.grants import Grants
from fhirserver.auth.sessions import Sessions
from fhirserver.errors import Conflict, NotFound
from fhirserver.mail import Undelivered

if TYPE_CHECKING:
    from fhirserver.access import Requester
    from fhirserver.auth.accounts.account import Account
    from fhirserver.auth.accounts.room import AccountRoom
    from fhirserver.store import Store

BY: Final = "majority"


class TakeOver:
    def __init__(self, store: Store, room: AccountRoom) -> None:
        self._room, self._letters = room, Letters(store, room)
        self._grants, self._sessions = Grants(store), Sessions(store)

    def __call__(self, patient: str) -> None:
        """For somebody who has come of age. Raises Unavailable."""
        for account in self._room.accounts.of_patient(patient):
            self._part(account, patient)
        self._room.invitations.withdraw(patient)
        if not self._has_account(patient):
            self._invite(patient)

    def _part(self, account: Account, patient: str) -> None:
        """Takes from a former representative's account what it held of the record."""
        over = [
            each
            for each in account.records
            if each.patient == patient and each.related is not None and not self._room.people.stands_for(each)
        ]
        if not over:
            return
        ids = {f"RelatedPerson/{each.related}" for each in over}

        def ended(who: Requester) -> bool:
            return who.kind == "representative" and who.patient == patient and who.id in ids

        for grant in self._grants.of(account.id):
            if ended(grant.subject):
                self._grants.revoke(grant.id)
        for session in self._sessions.of(account.id):
            if ended(session.subject):
                self._sessions.end(account.id, session.key)
        for held in iter(lambda: self._room.accounts.find(account.id), None):
            kept = tuple(each for each in held.records if each not in over)
            if self._room.accounts.change(held, records=kept) is not None:
                return

    def _has_account(self, patient: str) -> bool:
        found = self._room.accounts.of_patient(patient)
        return any(each.patient == patient and each.related is None for one in found for each in one.records)

    def _invite(self, patient: str) -> None:
        """A code by e-mail, where the Patient has an address, else for a letter."""
        if self._room.post.mailer is not None:
            try:
                code, made = self._room.invitations.invite(patient, by=BY)
                self._room.invitations.mail(code, made)
            except NotFound:
                return
            except (Conflict, Undelivered):
                self._letters.want(patient, BY, self._room.clock())
            return
        self._letters.want(patient, BY, self._room.clock())
