"""What the person is told of who looked: a Communication in the record, once, before the answer leaves.

first       a professional or an organisation reads the record for the first time
emergency   the glass was broken, or a SAMU regulates: each time anew; the médecin traitant is told too (CSP R.1111-48)

It bears a tag that nobody else may write. Professionals do not read it (`MASQUE_PS`), but the médecin traitant does.
Of what a minor keeps from the representatives the notice bears the label too. A first access is claimed
(`store.claims`) in the transaction that stores the notice, so that of several workers one tells of it; what is known to
have been told is kept in memory.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from fhirserver import jsontext
from fhirserver.access import NOTICE, Access, keys, private, tables, zones
from fhirserver.access.acl import HIDDEN_FROM_REPRESENTATIVES, MASKED
from fhirserver.access.rules import FEEDING
from fhirserver.audit import news
from fhirserver.clock import to_instant
from fhirserver.spec.systems import ACT_REASON
from fhirserver.store import new_id as new_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from fhirserver.access import Requester
    from fhirserver.audit.record import Event, Shown
    from fhirserver.spec import Definitions
    from fhirserver.store import Store, Stored, Transaction

_KEPT: Final = 100_000
_AT_ONCE: Final = 50
"""Records that one transaction tells."""
_PROFESSIONS: Final = "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante"
_VISIBILITY: Final = (
    "https://mos.esante.gouv.fr/NOS/TRE_A07-StatutVisibiliteDocument/FHIR/TRE-A07-StatutVisibiliteDocument"
)
_CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/communication-category"
_TEXTS: Final = {
    "first": "Le {when}, {who} a consulté votre dossier pour la première fois.",
    "emergency": "Le {when}, {who} a consulté votre dossier en urgence, sans autorisation préalable. Motif : {reason}",
    "regulation": "Le {when}, {who} a consulté votre dossier pour la régulation médicale (SAMU-Centre 15).",
}


class _Due(NamedTuple):
    """Of one record: the keys that must be claimed, and those that make each needless; the same where it is itself."""

    patient: str
    claims: tuple[tuple[str, str], ...]
    secret: bool

    def left(self, known: frozenset[str] | set[str]) -> tuple[str, ...]:
        return tuple(key for key, cover in self.claims if key not in known and cover not in known)


class Notices:
    """Tells of accesses, for one process, in the time of the person's home. `mails`: whether e-mails are sent."""

    def __init__(self, store: Store, definitions: Definitions, *, mails: bool = False) -> None:
        self._store, self._definitions, self._mails = store, definitions, mails
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def tell(self, access: Access, events: Iterable[Event]) -> None:
        """Stores what is still to be told of these; returns when it is safe. Feeding is not consulting.

        Raises Unavailable.
        """
        who = access.requester
        if who.kind not in ("practitioner", "system") or tables.purpose(who.purpose).family == FEEDING:
            return
        due = [_due(who, each) for event in events for each in event.shown]
        if not (due := [each for each in due if each.left(self._known)]):
            return
        asked = {key for each in due for claim in each.claims for key in claim}
        self._remember(self._store.claimed(asked))
        due = [each for each in due if each.left(self._known)]
        for start in range(0, len(due), _AT_ONCE):
            self._told(access, due[start : start + _AT_ONCE])

    def queue(self, tx: Transaction, access: Access, done: Iterable[Stored]) -> None:
        """What the person is to be told of these writes, once they are there (`audit.news`)."""
        rows = news.of_writes(access, done)
        fresh = tx.claim(row["claim"] for row in rows if "claim" in row)
        rows = [self._signed(row, access) for row in rows if "claim" not in row or row["claim"] in fresh]
        if rows:
            tx.post(rows)

    def granted(self, access: Access, patient: str, app: str) -> None:
        """Has the person told that an application was let into the record, by whom `access` is. Raises Unavailable."""
        self._store.outbox.post([self._signed(news.row("granted", patient, access, app=app), access)])

    def revoked(self, access: Access, patient: str, app: str) -> None:
        """Has the person told that an application was shut out of the record again. Raises Unavailable."""
        self._store.outbox.post([self._signed(news.row("revoked", patient, access, app=app), access)])

    def write(self, row: dict[str, Any]) -> bool:
        """Stores the Communication of news, once; False of a record whose Patient is not here. Raises Unavailable."""
        id = new_id()

        def work(tx: Transaction) -> bool:
            found = tx.view.read("Patient", row["patient"])
            if found is None or found.deleted:
                return False
            if tx.claim([f"news|{row['_id']}"]):
                due = _Due(row["patient"], (), row["secret"])
                text = news.said(row, _date(row["at"], jsontext.parse_object(found.body)), row.get("who"))
                told = _communication({}, due, Access.system("notice", row["at"]), text)
                if row["kind"] == news.MESSAGE:
                    told["meta"]["tag"].append(dict(private.MESSAGE))
                tx.create(told, id, fresh=True)
            return True

        return self._store.transact(Access.system("notice", row["at"]), work)

    def _signed(self, row: dict[str, Any], access: Access) -> dict[str, Any]:
        who = access.requester
        return row | ({"who": self._who(who)} if who.kind in ("practitioner", "system") else {})

    def _told(self, access: Access, due: Sequence[_Due]) -> None:
        named = [(each, new_id()) for each in due]

        def work(tx: Transaction) -> None:
            for each, id in named:
                if tx.claim(each.left(self._known)):
                    self._write(tx, access, each, id)

        self._store.transact(Access.system("notice", access.now), work)
        self._remember(frozenset(key for each in due for key, _ in each.claims))

    def _write(self, tx: Transaction, access: Access, due: _Due, id: str) -> None:
        """Nobody is told of a record whose Patient is not here."""
        found = tx.view.read("Patient", due.patient)
        if found is None or found.deleted:
            return
        patient = jsontext.parse_object(found.body)
        notice = _communication(patient, due, access, self._text(access, patient))
        tx.create(notice, id, fresh=True)
        if self._mails:
            tx.post([news.row(news.ACCESS, due.patient, access, secret=due.secret)])

    def _text(self, access: Access, patient: dict[str, Any]) -> str:
        who = access.requester
        text = _TEXTS[_kind(who)]
        return text.format(when=_date(access.now, patient), who=self._who(who), reason=who.reason)

    def _who(self, who: Requester) -> str:
        place = f"l’établissement FINESS {who.organization}" if who.organization else "un établissement"
        if who.kind == "system":
            return place
        known = [self._profession(who.profession), f"RPPS {who.rpps}" if who.rpps else None]
        name = who.name or "un professionnel de santé"
        told = f"{name} ({', '.join(each for each in known if each)})"
        return f"{told}, pour {place}," if who.organization else told

    def _profession(self, code: str | None) -> str | None:
        base = (code or "").partition("/")[0].removeprefix("G15_")
        system = self._definitions.code_system(_PROFESSIONS) or {}
        return next((str(each["display"]) for each in system.get("concept", ()) if each["code"] == base), None)

    def _remember(self, told: frozenset[str]) -> None:
        with self._lock:
            if len(self._known) > _KEPT:
                self._known = set()
            self._known |= told


def _kind(who: Requester) -> str:
    if who.kind != "practitioner" or tables.purpose(who.purpose).family != "emergency":
        return "first"
    return "emergency" if who.reason else "regulation"


def _due(who: Requester, shown: Shown) -> _Due:
    actors = [each for each in sorted(who.own) if keys.kind(each) != "client"]
    plain = [f"{shown.patient}|{each}" for each in actors]
    if _kind(who) != "first":
        plain.insert(0, f"{shown.patient}|{who.id}|{who.purpose}|{who.issued}")
    return _Due(shown.patient, tuple((f"{key}|secret" if shown.secret else key, key) for key in plain), shown.secret)


def _communication(patient: dict[str, Any], due: _Due, access: Access, text: str) -> dict[str, Any]:
    subject = {"reference": f"Patient/{due.patient}"}
    emergency = _kind(access.requester) != "first"
    labels = [MASKED[0], *([HIDDEN_FROM_REPRESENTATIVES] if due.secret else [])]
    made = {
        "resourceType": "Communication",
        "meta": {"security": [{"system": _VISIBILITY, "code": label} for label in labels], "tag": [dict(NOTICE)]},
        "status": "completed",
        "category": [{"coding": [{"system": _CATEGORY, "code": "notification"}]}],
        "subject": subject,
        "recipient": [subject, *(_traitants(patient) if emergency else [])],
        "sent": to_instant(access.now),
        "payload": [{"contentString": text}],
    }
    if emergency:
        made["priority"] = "urgent"
        made["reasonCode"] = [{"coding": [{"system": ACT_REASON, "code": access.requester.purpose}]}]
    return made


def _traitants(patient: dict[str, Any]) -> list[dict[str, Any]]:
    """Persons among the general practitioners, as the Patient names them."""
    found = [each for each in patient.get("generalPractitioner", ()) if isinstance(each, dict)]
    return [
        {name: each[name] for name in ("reference", "type", "identifier", "display") if name in each}
        for each in found
        if not str(each.get("reference", "")).startswith(("Organization/", "#"))
        and each.get("type") not in ("Organization",)
    ]


def _date(at: datetime, patient: dict[str, Any]) -> str:
    """As pages of the record tell it."""
    when = at.astimezone(ZoneInfo(zones.zone(patient)))
    return f"{when.day:02}/{when.month:02}/{when.year} à {when.hour:02} h {when.minute:02}"
