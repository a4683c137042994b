"""A message as a letter: handed to the gateway for each professional who has an address of MSSanté.

At least once: its Message-ID is the message's own, so that one that comes twice is known as the same.
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.access import Access, keys
from fhirserver.espace.messages import message
from fhirserver.espace.messages.address import address_of as persons_address
from fhirserver.mail import relay_of
from fhirserver.mail.gateway import Enclosure, Letter, SmtpOutgoing
from fhirserver.rest.messages import directory

if TYPE_CHECKING:
    from collections.abc import Callable

    from fhirserver.mail.gateway import Outgoing
    from fhirserver.rest.services import Services
    from fhirserver.store import View

Resource = dict[str, Any]

SUBJECT: Final = "Message de la messagerie de santé"
_ENDINGS: Final = {"application/pdf": ".pdf", "image/png": ".png", "image/jpeg": ".jpg", "text/plain": ".txt"}


def carrier(services: Services, gateway: Outgoing | None = None) -> Callable[[Resource], object] | None:
    """What hands over the messages that wait in the outbox; None where no gateway is set."""
    relay = relay_of(services.settings)
    out: Outgoing | None = gateway or (SmtpOutgoing(relay) if relay is not None else None)
    return None if out is None else lambda row: _carry(services, out, row)


def letter(services: Services, id: str, key: str) -> Letter | None:
    """The letter of a message for one who takes part (an actor key); None where there is nobody to write to, or nothing
    any more."""
    view = services.store.view(Access.system("message by e-mail", services.clock()))
    sent, address = _read(view, message.TYPE, id), directory.address_of(services, key)
    patient = _read(view, *(keys.local((sent or {}).get("subject", {}).get("reference")) or ("Patient", "-")))
    own = persons_address(patient, services.settings.mssante_domain) if patient is not None else None
    if sent is None or address is None or own is None:
        return None
    return Letter(
        _message_id(sent, services),
        own,
        str(sent["sender"].get("display") or ""),
        address,
        message.title(sent) or SUBJECT,
        "\n\n".join(_said(sent)),
        datetime.fromisoformat(str(sent["sent"]).replace("Z", "+00:00")),
        tuple(_message_id(each, services) for each in _before(view, sent, key)),
        tuple(_enclosed(view, sent)),
    )


def _carry(services: Services, gateway: Outgoing, row: Resource) -> None:
    found = letter(services, row["message"], row["key"])
    if found is not None:
        gateway.send(found)


def _said(sent: Resource) -> list[str]:
    named = [each["contentReference"].get("display") for each in sent["payload"] if "contentReference" in each]
    return [*message.texts(sent), *(f"Joint : {each}" for each in named if each)] or [""]


def _before(view: View, sent: Resource, key: str) -> list[Resource]:
    """The message that this one answers, and the first of the thread before it."""
    found = []
    for reference in (*sent.get("partOf", ()), *sent.get("inResponseTo", ())):
        place = keys.local(reference.get("reference"))
        before = _read(view, *place) if place is not None and place[0] == message.TYPE else None
        if before is not None and before not in found and before["subject"] == sent["subject"]:
            found.append(before)
    return found


def _message_id(resource: Resource, services: Services) -> str:
    """Its own if it came by e-mail."""
    for each in resource.get("identifier", ()):
        if each.get("system") == message.MESSAGE_ID:
            return str(each["value"])
    return f"{resource['id']}@{services.settings.mssante_domain}"


def _enclosed(view: View, sent: Resource) -> list[Enclosure]:
    found = []
    for place, each in enumerate(message.attachments(sent), 1):
        binary = _read(view, *(keys.local(each.get("url")) or ("Binary", "-")))
        if binary is not None:
            media = str(binary["contentType"]).partition(";")[0]
            ending = _ENDINGS.get(media, ".bin")
            title = "".join(one if one.isalnum() or one in " -_" else "_" for one in str(each.get("title") or ""))
            name = f"{title.strip() or place}{ending}"
            found.append(Enclosure(name, media, base64.b64decode(binary["data"])))
    return found


def _read(view: View, type_: str, id: str) -> Resource | None:
    found = view.read(type_, id)
    return None if found is None or found.deleted else jsontext.parse_object(found.body)
