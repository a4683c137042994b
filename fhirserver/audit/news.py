"""What the person is told of besides accesses: what was deposited, who may see, which application.

What happens is queued in the transaction that does it (`store.outbox`); a worker makes the Communication of it and
sends the e-mails (`audit.deliveries`). Kinds of news, each with its text:

document    a document was deposited, by another than the person
message     a message was sent to the person: just that there is one, told to nobody else
consent     who may see the record was changed, by whomever, the person too
granted     an application was let into the record;  revoked: it was shut out again
updated     two weeks after the deposit of what still waits for its announcement (CSP R.1111-53): just that there is new
visible     a month after it: it is visible now
reminder    what prevention proposes at the person's age: with a text of its own (`espace.reminders`)
space       the space was opened, closed, … : with a text of its own (`espace`)
access      a first access or an emergency, whose Communication is there already (`audit.notices`): the e-mail alone
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from fhirserver.access.acl import HIDDEN_FROM_PATIENT, HIDDEN_FROM_REPRESENTATIVES
from fhirserver.access.announcing import tellings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fhirserver.access import Access
    from fhirserver.store import Stored

Row = dict[str, Any]

TEXTS: Final = {
    "document": "Le {when}, {who} déposé un document dans votre dossier.",
    "consent": "Le {when}, {who} modifié les autorisations d’accès à votre dossier.",
    "granted": "Le {when}, {who} autorisé l’application « {app} » à accéder à votre dossier.",
    "revoked": "Le {when}, {who} retiré à l’application « {app} » l’accès à votre dossier.",
    "message": "Vous avez un nouveau message dans votre messagerie.",
    "updated": "Votre dossier a été mis à jour. Vous êtes invité à le consulter.",
    "visible": "Votre dossier a été mis à jour : un élément qui y a été ajouté il y a un mois est maintenant visible.",
}
ACCESS: Final = "access"
LETTER: Final = "letter"
"""No news: a message that waits to be handed to the gateway of secure e-mail."""
MESSAGE: Final = "message"
"""News of a message; the Communication that tells of it is private too."""
_ACTORS: Final = {
    "patient": "vous avez",
    "representative": "votre représentant a",
    "operator": "le service a",
    "system": "un établissement a",
    "practitioner": "un professionnel de santé a",
}


def row(kind: str, patient: str, access: Access, *, secret: bool = False, **facts: Any) -> Row:
    """News of somebody's record, to be told at once. `secret`: what a minor keeps from the representatives."""
    due = facts.pop("due", None) or datetime.now(UTC)
    who = access.requester
    known = {"kind": kind, "patient": patient, "at": access.now, "since": due, "secret": secret, "by": who.kind}
    return {"_id": uuid.uuid4().hex, "due": due, "tries": 0, **known, **facts}


def of_writes(access: Access, done: Iterable[Stored]) -> list[Row]:
    """The news of what was just written: of documents one for each record, and none of what an operator loads."""
    found: dict[str, Row] = {}
    for each in done:
        if each.pat is None or (each.deleted and each.type != "Consent"):
            continue
        labels = each.acl.get("labels", ())
        secret = HIDDEN_FROM_REPRESENTATIVES in labels
        if HIDDEN_FROM_PATIENT in labels:
            found |= {str(news["claim"]): news for news in _waiting(access, each, each.pat, secret=secret)}
        elif kind := _kind(access, each):
            found.setdefault(f"{kind}|{each.pat}|{secret}", row(kind, each.pat, access, secret=secret))
    return list(found.values())


def said(news: Row, when: str, who: str | None) -> str:
    """The text of the Communication."""
    actor = f"{who} a" if who else _ACTORS[news["by"]]
    return str(news.get("text") or TEXTS[news["kind"]]).format(when=when, who=actor, app=news.get("app", ""))


def _kind(access: Access, stored: Stored) -> str | None:
    if stored.type == "Consent":
        return "consent"
    who = access.requester
    if stored.type == "Communication":
        private = "with" in stored.acl and stored.version == 1
        return MESSAGE if private and who.kind in ("practitioner", "system") else None
    foreign = who.kind != "operator" and not (who.kind == "patient" and who.patient == stored.pat)
    return "document" if stored.type == "DocumentReference" and stored.version == 1 and foreign else None


def _waiting(access: Access, stored: Stored, patient: str, *, secret: bool) -> list[Row]:
    """What is to be told of an entry if it still waits for its announcement then; claimed, for it is written often."""
    place, found = f"{stored.type}/{stored.id}", []
    for told in tellings(stored.acl["labels"], stored.acl["at"], None):
        if told.whom == "patient" and told.at > access.now:
            claim = f"news|{told.what}|{place}|{told.at.isoformat()}"
            found.append(row(told.what, patient, access, secret=secret, about=place, due=told.at, claim=claim))
    return found
