"""Tells the news that wait in the outbox: as Communications in the record, and by e-mail, at least once each."""

from __future__ import annotations

import logging
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
_log = logging.getLogger(__name__)


class Deliveries:
    """`mailer`: what sends e-mails, None for none; `link`: the address of the space, as the e-mails have it."""

    def __init__(self, store: Store, notices: Notices, mailer: Mailer | None, addresses: Addresses, link: str) -> None:
        self._store, self._notices = store, notices
        self._mailer, self._addresses, self._link = mailer, addresses, link

    def round(self, now: datetime | None = None) -> int:
        """Tells all that is due (at a given moment); how many news it was. Raises Unavailable."""
        taken: dict[str, Row] = {}
        while len(taken) < _AT_ONCE and (row := self._store.outbox.take(now, besides=taken)):
            taken[row["_id"]] = row
        letters: dict[tuple[str, bool], list[Row]] = {}
        for row in taken.values():
            if self._told(row):
                letters.setdefault((row["patient"], row["secret"]), []).append(row)
            else:
                self._store.outbox.done([row["_id"]])
        for (patient, secret), rows in letters.items():
            self._mailed(patient, secret, rows, now or datetime.now(UTC))
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

    def _still_waits(self, row: Row) -> bool:
        """Whether the entry still waits for its announcement; a month after its deposit it does no longer, but did."""
        type_, _, id_ = row["about"].partition("/")
        found = self._store.view(Access.system("news")).read(type_, id_)
        return found is not None and not found.deleted and HIDDEN_FROM_PATIENT in found.acl.get("labels", ())

    def _mailed(self, patient: str, secret: bool, rows: list[Row], now: datetime) -> None:
        """One e-mail to each address, of all the news together; on failure all of it again, some time later."""
        ids, failed = [row["_id"] for row in rows], False
        reached: set[str] = set(rows[0].get("reached", ()))
        for address in set(self._addresses(patient, secret)) - reached if self._mailer else ():
            try:
                self._send(address, rows[0]["_id"])
                reached.add(address)
            except Undelivered as error:
                _log.warning("an e-mail of news is not delivered: %s", error)
                failed = failed or not error.lasting
        if not failed or now - min(row["at"] for row in rows) > GIVEN_UP:
            self._store.outbox.done(ids)
            return
        for row in rows:
            pause = min(_FIRST_PAUSE * 2 ** (row["tries"] - 1), _LONGEST_PAUSE)
            due = now + timedelta(seconds=pause)
            self._store.outbox.change(row["_id"], due=due, reached=sorted(reached))

    def _send(self, address: str, id_: str) -> None:
        assert self._mailer is not None  # noqa: S101 - asked for above
        self._mailer.deliver(Message(address, SUBJECT, TEXT.format(link=self._link), id_))
