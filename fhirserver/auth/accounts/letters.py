"""Letters with provisional codes: who waits for one, and the file that is handed to whoever prints them.

A code is made when its letter is: kept is only who waits. What is printed names nobody's health, but the code and the
address: it is for the printer's eyes alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.auth.accounts.people import name_of
from fhirserver.errors import Conflict, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from fhirserver.auth.accounts.people import Resource
    from fhirserver.auth.accounts.room import AccountRoom
    from fhirserver.store import Register, Store

REGISTER: Final = "letters"
_AT_ONCE: Final = 200


class Letter(NamedTuple):
    """`to`: whose letter it is, `about`: whose space, `until`: the day after which the code is void."""

    to: str
    street: str
    postalcode: str
    city: str
    about: str
    code: str
    until: str


class Letters:
    def __init__(self, store: Store, room: AccountRoom) -> None:
        self._store, self._room = store, room

    def want(self, patient: str, why: str, at: datetime) -> None:
        """Somebody waits for a letter; twice is once."""
        self._rows.put(patient, {"why": why, "at": at})

    def waiting(self) -> list[str]:
        """The patients who wait."""
        found, after = list[str](), ""
        while rows := self._rows.listed(self._room.clock(), after=after, count=_AT_ONCE):
            after = rows[-1]["_id"]
            found += [row["_id"] for row in rows]
        return found

    def made(self, patients: Iterable[str], refused: list[str]) -> Iterator[Letter]:
        """A letter for each, with a new code; `refused`: of whom none can be made, and why."""
        for patient in patients:
            try:
                code, invitation = self._room.invitations.invite(patient, by="letter")
            except (NotFound, Conflict) as error:
                refused.append(f"Patient/{patient}: {error}")
                continue
            yield self._letter(patient, invitation.reach.related, code, invitation.last.isoformat())
            self._rows.drop(patient)

    def _letter(self, patient: str, related: str | None, code: str, until: str) -> Letter:
        about = self._room.people.patient(patient) or {}
        known = {str(each["id"]): each for each in self._room.people.relations(patient)} if related else {}
        to = known.get(related or "", about)
        place = _address(to) or _address(about)
        street = ", ".join(map(str, place.get("line") or ()))
        return Letter(
            name_of(to),
            street,
            str(place.get("postalCode", "")),
            str(place.get("city", "")),
            name_of(about),
            code,
            until,
        )

    @property
    def _rows(self) -> Register:
        return self._store.register(REGISTER)


def _address(resource: Resource) -> dict[str, Any]:
    """Where letters go: the home, or whatever is no former address."""
    told = [each for each in resource.get("address") or () if isinstance(each, dict) and each.get("use") != "old"]
    return next((each for each in told if each.get("use") == "home"), told[0] if told else {})
