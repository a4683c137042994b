"""What is answered to an appointment: in the record of the person whose appointment it is, and in no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.access import keys
from fhirserver.espace.agenda.rules import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Transaction

TYPE: Final = "AppointmentResponse"


def judge(exchange: Exchange, tx: Transaction, answer: Mapping[str, Any], patient: str | None) -> None:
    """Raises Refusal for the answer of one patient to the appointment of another; what the requester does not see of
    appointments is as if it were not there. `patient`: in whose record the answer is."""
    text = str((answer.get("appointment") or {}).get("reference") or "")
    place = keys.local(text.removeprefix(f"{exchange.services.base}/"))
    asked = tx.view.read(*place) if place is not None and place[0] == "Appointment" else None
    if patient is not None and asked is not None and asked.pat not in (None, patient):
        raise Refusal("several")
