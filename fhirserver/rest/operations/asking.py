"""What the operations about access share: whose record it is, and how a requester is written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.access import Requester, keys, tables
from fhirserver.auth.tokens import DEFAULT_SCOPES
from fhirserver.errors import BadRequest, Gone
from fhirserver.rest.read import unknown

if TYPE_CHECKING:
    from fhirserver.rest.exchange import Exchange
    from fhirserver.rest.parameters import Inputs
    from fhirserver.store.insight import Record

_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_FORMS: Final = {
    "rpps": re.compile(r"[0-9]{11}"),
    "client": re.compile(r"[^|\s]{1,64}"),
    "patient": _ID,
    "related": _ID,
}
_FINESS: Final = re.compile(r"[0-9A-Za-z]{9}")
_REQUESTERS: Final = "rpps|10001112225, client|name, patient|id or related|id"
LANGUAGES: Final = ("en", "fr")
"""The first is answered where no other is asked for."""


class Subject(NamedTuple):
    """The resource asked about, with what the rules read of it."""

    type: str
    id: str
    version: int
    patient: str | None
    record: Record


def subject(exchange: Exchange, text: str, patient: str | None = None) -> Subject:
    """The resource `Type/id`, of the record of `patient` if one is given.

    It is told to the operator, and to whose record it is, as far as he sees it: for all others it does not exist. What
    is in somebody else's record is his alone to ask about, even where it is about the requester too.
    Raises BadRequest, NotFound or Gone.
    """
    place = keys.local(text)
    if place is None or "/".join(place) != text or place[0] not in exchange.services.definitions.resource_types:
        raise BadRequest(f"resource={text!r} is no reference such as DocumentReference/abc.")
    type, id = place
    who = exchange.access.requester
    if who.kind not in ("patient", "representative", "operator"):
        raise unknown(type, id)
    stored = exchange.view.read(type, id)
    owner = who.patient if who.kind != "operator" else patient or (stored.pat if stored else None)
    if stored is None or stored.pat != owner or (patient is not None and patient != owner):
        raise unknown(type, id)
    if stored.deleted:
        raise Gone(f"{type}/{id} was deleted.")
    record = exchange.services.store.insight(exchange.access).record(type, id)
    if record is None:
        raise unknown(type, id)
    return Subject(type, id, stored.version, stored.pat, record)


def requester(inputs: Inputs, subject: Subject) -> Requester:
    """Whom `requester` and the parameters beside it describe, with all the scopes that his kind may hold."""
    text: str = inputs.need("requester")
    kind, bar, value = text.partition("|")
    if not bar or kind not in _FORMS or not _FORMS[kind].fullmatch(value):
        raise BadRequest(f"requester={text!r} is none of {_REQUESTERS}.")
    organization = inputs.get("organization")
    if organization is not None and not _FINESS.fullmatch(organization):
        raise BadRequest(f"organization={organization!r} is no FINESS number of 9 characters.")
    common: dict[str, Any] = {"organization": organization}
    if kind == "rpps":
        common |= {"id": f"practitioner/{value}", "rpps": value, "profession": inputs.need("profession")}
    elif kind == "client":
        inputs.need("organization")
        common |= {"id": f"client/{value}", "client": value}
    elif kind == "patient":
        common = {"id": f"patient/{value}", "patient": value}
    else:
        common = {"id": f"RelatedPerson/{value}", "patient": subject.patient}
    name = {"rpps": "practitioner", "client": "system", "patient": "patient", "related": "representative"}[kind]
    return Requester(name, purpose=_purpose(inputs, name), scopes=DEFAULT_SCOPES[name], **common)


def purpose(code: str) -> str:
    """A purpose of use that is known. Raises BadRequest."""
    if code not in tables.purposes():
        raise BadRequest(f"purpose={code!r} is no code of v3-PurposeOfUse.", code="code-invalid")
    return code


def language(exchange: Exchange) -> str:
    return exchange.request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]


def _purpose(inputs: Inputs, kind: str) -> str:
    usual = "PATRQT" if kind in ("patient", "representative") else "TREAT"
    return purpose(inputs.get("purpose") or usual)
