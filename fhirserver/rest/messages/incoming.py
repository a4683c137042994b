"""A letter becomes a message: stored as its sender would have stored it, by an ordinary create in his name.

Taken is a letter to the address of one open record, from an address that the directory knows as a professional's or an
organisation's, who may write there. Every other is refused with one text, which tells nothing of records. A letter
that answers one of a thread goes into it, any other opens one. By its Message-ID it is stored once.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from flask import Request
from werkzeug.test import EnvironBuilder

from fhirserver import jsontext
from fhirserver.access import Access, Requester, keys
from fhirserver.documents.media import media_of
from fhirserver.errors import FhirError
from fhirserver.espace.messages import message
from fhirserver.espace.messages.address import number_in
from fhirserver.mail.gateway import NotTaken
from fhirserver.mail.incoming import parsed
from fhirserver.rest import inner
from fhirserver.rest.compartment import numbers_of
from fhirserver.rest.exchange import Exchange
from fhirserver.rest.messages import directory
from fhirserver.search import parse
from fhirserver.search.escape import escape
from fhirserver.validation import ins

if TYPE_CHECKING:
    from fhirserver.mail.gateway import Handed
    from fhirserver.mail.incoming import Parsed
    from fhirserver.rest.services import Services

Resource = dict[str, Any]

REFUSED: Final = "5.1.1 This address takes no letters from this sender."
LATER: Final = "4.3.0 Try again later."
_SIZE: Final = f"5.6.0 A letter holds a text, and {message.MOST_ATTACHMENTS} PDF, PNG, JPEG or text files at most."
_MOST_TEXTS: Final = 5
_CLIENT: Final = "mssante"


def taken(services: Services, handed: Handed) -> None:
    """Stores a letter; returns when it is safe. To be called within the application's context. Raises NotTaken."""
    letter = parsed(handed.data)
    payload = _payload(letter)
    try:
        _stored(services, handed, letter, payload)
    except FhirError as error:
        raise NotTaken(LATER if error.status >= 500 else REFUSED, lasting=error.status < 500) from None


def _stored(services: Services, handed: Handed, letter: Parsed, payload: list[Resource]) -> None:
    patient = _patient(services, handed.recipient)
    whose = directory.bearer(services, letter.sender)
    if patient is None or whose is None or handed.sender.lower() != letter.sender.lower():
        raise NotTaken(REFUSED)
    who = _requester(whose)
    first = _thread(services, who, patient, letter)
    if first is None and letter.automatic:
        raise NotTaken(REFUSED)
    made = {
        "resourceType": message.TYPE,
        "status": "completed",
        "identifier": [{"system": message.MESSAGE_ID, "value": letter.id}],
        "category": message.category(),
        "subject": {"reference": f"Patient/{patient}"},
        **({"partOf": [{"reference": f"{message.TYPE}/{first}"}]} if first else {}),
        **({"topic": {"text": letter.subject}} if letter.subject and not first else {}),
        "payload": payload,
    }
    exchange = Exchange(services, Request(EnvironBuilder(f"{inner.PREFIX}/").get_environ()), who)
    exchange.inner = inner
    once = {"If-None-Exist": f"identifier={quote(_identified(letter.id), safe='')}&patient=Patient/{patient}"}
    inner.carried_out(exchange, "POST", message.TYPE, once, body=jsontext.dump(made))


def _payload(letter: Parsed) -> list[Resource]:
    """Text and files, each as a payload. Raises NotTaken for what no message can hold."""
    longest = message.LONGEST_TEXT
    texts = [letter.text[start : start + longest] for start in range(0, len(letter.text), longest)]
    size = sum(len(each.data) for each in letter.files)
    if len(texts) > _MOST_TEXTS or len(letter.files) > message.MOST_ATTACHMENTS or size > message.MOST_BYTES:
        raise NotTaken(_SIZE)
    made: list[Resource] = [{"contentString": each} for each in texts if message.is_text(each)]
    for each in letter.files:
        media = media_of(each.data)
        if media is None:
            raise NotTaken(_SIZE)
        held = {"contentType": media, "data": base64.b64encode(each.data).decode(), "title": each.name}
        made.append({"contentAttachment": {name: value for name, value in held.items() if value}})
    if not made:
        raise NotTaken(_SIZE)
    return made


def _patient(services: Services, address: str) -> str | None:
    """The one record whose person has this address."""
    number = number_in(address, services.settings.mssante_domain)
    if number is None:
        return None
    numbers = ",".join(f"{system}|{number}" for system in sorted(ins.INS))
    asked = [("identifier", numbers), ("active:not", "false"), ("_count", "3"), ("_total", "none")]
    view = services.store.view(Access.system(directory.REASON, services.clock()))
    matches = view.search(parse(services.published, "Patient", asked)).matches
    found = [
        each.id for each in matches if number in (value for _, value in numbers_of(jsontext.parse_object(each.body)))
    ]
    return found[0] if len(found) == 1 else None


def _requester(whose: directory.Bearer) -> Requester:
    """In whose name the letter is stored: what he may is judged as ever."""
    kind, _, number = whose.key.partition("|")
    if kind == "finess":
        scopes = (f"system/{message.TYPE}.crs",)
        return Requester(
            "system", f"client/{_CLIENT}", client=_CLIENT, organization=number, name=whose.name, scopes=scopes
        )
    scopes = (f"user/{message.TYPE}.crs",)
    return Requester(
        "practitioner", f"practitioner/{number}", rpps=number, client=_CLIENT, name=whose.name, scopes=scopes
    )


def _thread(services: Services, who: Requester, patient: str, letter: Parsed) -> str | None:
    """The id of the first message of the thread that a letter answers, as far as its sender sees it."""
    view, domain = services.store.view(Access.of(who, services.clock())), services.settings.mssante_domain
    for answered in letter.answers:
        local, _, named = answered.rpartition("@")
        ours = named.lower() == domain.lower() and keys.local(f"{message.TYPE}/{local}") is not None
        stored = view.read(message.TYPE, local) if ours else None
        if stored is None:
            mine = ("patient", f"Patient/{patient}")
            asked = [("identifier", _identified(answered)), mine, ("_count", "1"), ("_total", "none")]
            stored = next(iter(view.search(parse(services.published, message.TYPE, asked)).matches), None)
        if stored is not None and not stored.deleted and stored.pat == patient:
            resource = jsontext.parse_object(stored.body)
            if message.is_sent(resource):
                return message.thread(resource) or stored.id
    return None


def _identified(id: str) -> str:
    """The value of a search for a Message-ID (search.html#escaping)."""
    return f"{message.MESSAGE_ID}|{escape(id)}"
