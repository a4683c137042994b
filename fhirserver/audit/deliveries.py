"""Tells the news that wait in the outbox: as Communications in the record, and by e-mail, at least once each."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from fhirserver.access import Access
from fhirserver.access.acl import HIDDEN_FROM_PATIENT
from fhirserver.audit import news
from fhirserver.mail import Message, Undelivered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fhirserver.audit.notices import Notices
    from fhirserver.mail import Mailer
    from fhirserver.store import Store

    Carry = Callable[[dict[str, Any]], object]
    """Hands a message over as a letter; raises Undelivered."""
    Addresses = Callable[[str, bool], Iterable[str]]
    """Where a person is written to, and unless it is `secret` the representatives; none where nothing is known."""

Row = dict[str, Any]

SUBJECT: Final = "Du nouveau dans votre espace santé"
TEXT: Final = """Bonjour,

Il y a du nouveau dans votre espace santé. Pour en prendre connaissance, connectez-vous :

{link}

Ce message est envoyé automatiquement : il n’est pas possible d’y répondre.
"""
"""Nothing of health, and nobody's name: who reads it learns no more than that there is a space."""
GIVEN_UP: Final = timedelta(days=3)
_AT_ONCE: Final = 200
_FIRST_PAUSE: Final = 30.0
_LONGEST_PAUSE: Final = 3600.0
_LONGEST_ROUND: Final = 30.0
"""Seconds after which a round begins no further e-mail: rows are held for two minutes."""
_log = logging.getLogger(__name__)


class Deliveries:
    """`mailer`: what sends e-mails, None for none; `link`: the address of the space, as the e-mails have it; `carry`:
    what becomes of messages that are to be letters."""

    def __init__(
        self,
        store: Store,
        notices: Notices,
        mailer: Mailer | None,
        addresses: Addresses,
        link: str,
        carry: Carry | None = None,
    ) -> None:
        self._store, self._notices, self._carry = store, notices, carry
        self._mailer, self._addresses, self._link = mailer, addresses, link

    def round(self, now: datetime | None = None) -> int:
        """Tells all that is due (at a given moment); how many news it was. Raises Unavailable."""
        taken: dict[str, Row] = {}
        while len(taken) < _AT_ONCE and (row := self._store.outbox.take(now, besides=taken)):
            taken[row["_id"]] = row
        letters: dict[tuple[str, bool], list[Row]] = {}
        for row in taken.values():
            if row["kind"] == news.LETTER:
                self._carried(row, now or datetime.now(UTC))
            elif self._told(row):
                letters.setdefault((row["patient"], row["secret"]), []).append(row)
            else:
                self._store.outbox.done([row["_id"]])
        until = time.monotonic() + _LONGEST_ROUND
        for (patient, secret), rows in letters.items():
            self._mailed(patient, secret, rows, now or datetime.now(UTC), until)
        return len(taken)

    def _told(self, row: Row) -> bool:
        """Has the Communication stored, once; False where there is nothing to tell any more."""
        if row["kind"] == news.ACCESS or row.get("told"):
            return True
        if "about" in row and not self._still_waits(row):
            return False
        done = self._notices.write(row)
        self._store.outbox.change(row["_id"], told=True)
        return done

    def _carried(self, row: Row, now: datetime) -> None:
        """Hands a letter over; where it fails, again some time later, for as long as e-mails."""
        try:
            if self._carry is not None:
                self._carry(row)
        except Undelivered as error:
            _log.warning("a message is not handed over: %s", error)
            if not error.lasting and now - row["since"] <= GIVEN_UP:
                self._store.outbox.change(row["_id"], due=now + _pause(row))
                return
        self._store.outbox.done([row["_id"]])

    def _still_waits(self, row: Row) -> bool:
        """Whether the entry still waits for its announcement; a month after its deposit it does no longer, but did."""
        type_, _, id_ = row["about"].partition("/")
        found = self._store.view(Access.system("news")).read(type_, id_)
        return found is not None and not found.deleted and HIDDEN_FROM_PATIENT in found.acl.get("labels", ())

    def _mailed(self, patient: str, secret: bool, rows: list[Row], now: datetime, until: float) -> None:
        """One e-mail to each address, of all the news together; where it fails, again some time later.

        What is not begun when time is up is left to the next round: another worker would take it for forgotten.
        """
        failed, reached = False, frozenset.intersection(*(frozenset(row.get("reached", ())) for row in rows))
        for address in sorted({*self._addresses(patient, secret)} - reached) if self._mailer else ():
            if time.monotonic() > until:
                self._again(rows, reached, now)
                return
            try:
                self._send(address, rows[0]["_id"])
                reached |= {address}
            except Undelivered as error:
                _log.warning("an e-mail of news is not delivered: %s", error)
                failed = failed or not error.lasting
        left = [row for row in rows if failed and now - (row.get("since") or row["at"]) <= GIVEN_UP]
        self._store.outbox.done([row["_id"] for row in rows if row not in left])
        for row in left:
            self._again([row], reached, now + _pause(row))

    def _again(self, rows: list[Row], reached: frozenset[str], due: datetime) -> None:
        for row in rows:
            self._store.outbox.change(row["_id"], due=due, reached=sorted({*row.get("reached", ()), *reached}))

    def _send(self, address: str, id_: str) -> None:
        assert self._mailer is not None  # noqa: S101 - asked for above
        self._mailer.deliver(Message(address, SUBJECT, TEXT.format(link=self._link), id_))


def _pause(row: Row) -> timedelta:
    """Until the next try."""
    return timedelta(seconds=min(_FIRST_PAUSE * 2 ** min(row["tries"] - 1, 10), _LONGEST_PAUSE))
