"""The messages of the demo family: a thread that Claire's physician opened, which she answered."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from fhirserver.cli.demo_bundle import entry
from fhirserver.espace.messages import message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_THREAD: Final = "urn:uuid:00000000-0000-4000-8000-6d6573736167"
_RPPS: Final = "https://rpps.esante.gouv.fr"


def entries(names: Mapping[str, str], physician: str) -> Iterator[dict[str, Any]]:
    """Entries of a transaction; `names` gives the family's references by name, `physician` the RPPS number."""
    claire = {"reference": names["claire"], "display": "Claire EXEMPLE"}
    identifier = {"system": _RPPS, "value": physician}
    doctor = {"type": "Practitioner", "identifier": identifier, "display": "Dr Dominique SOIGNANT"}
    note = "Surveillance de la tension : matin et soir, trois jours de suite."
    held = {
        "contentType": "text/plain; charset=utf-8",
        "data": base64.b64encode(note.encode()).decode(),
        "title": "Surveillance de la tension",
    }
    said = {"contentString": "Bonjour, voici comment relever votre tension avant notre rendez-vous."}
    first = _message(claire, doctor, claire, "2025-11-19T08:30:00Z", said, {"contentAttachment": held})
    yield entry(first | {"topic": {"text": "Relevé de tension"}, "received": "2025-11-19T18:02:00Z"}, _THREAD)
    thanks = {"contentString": "Merci docteur, je commence demain matin."}
    answer = _message(claire, claire, doctor, "2025-11-19T18:05:00Z", thanks)
    yield entry(answer | {"topic": {"text": "Relevé de tension"}, "partOf": [{"reference": _THREAD}]})


def _message(
    subject: dict[str, Any], sender: dict[str, Any], recipient: dict[str, Any], sent: str, *payload: dict[str, Any]
) -> dict[str, Any]:
    return {
        "resourceType": message.TYPE,
        "status": "completed",
        "category": message.category(),
        "subject": subject,
        "sender": sender,
        "recipient": [recipient],
        "sent": sent,
        "payload": [*payload],
    }
