"""What a connected device measured: which measure it is, by device, code and time, and whether two agree."""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.clock import moment
from fhirserver.espace.profile.measuring import has_time, implausible, measure_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fhirserver.espace.profile.tables import Measure

_NAMESPACE: Final = uuid.UUID("7f5bd0a4-52f5-5d0c-9a53-1a1d6b1f7f1e")
TOLERANCE: Final = 300
"""Seconds by which the clock of a device may be ahead."""


class Measured(NamedTuple):
    """A measure of a device (`system|value`, or `Device/x`) at a moment, or on a day."""

    measure: Measure
    device: str
    at: str

    def id(self, patient: str, side: Iterable[str], turn: int = 0) -> str:
        """The id of its Observation in the record of a patient, for what one side sends (keys of who deposits)."""
        parts = (patient, *sorted(side), self.device, self.measure.name, self.at, str(turn))
        return str(uuid.uuid5(_NAMESPACE, "\n".join(parts)))


class Fault(NamedTuple):
    """What keeps an Observation out, and where."""

    text: str
    expression: str


def measured(resource: Mapping[str, Any], patient: str, now: datetime) -> Measured | Fault:
    """Which measure it is, of a patient (`Patient/x`)."""
    if resource.get("resourceType") != "Observation":
        return Fault("An entry is an Observation; a device is named in Observation.device.", "Bundle.entry.resource")
    subject = resource.get("subject")
    if not isinstance(subject, dict) or subject.get("reference") != patient:
        return Fault(f"subject.reference must be {patient}.", "Observation.subject")
    measure = measure_of(resource)
    if measure is None:
        return Fault("code has no LOINC code of a measure that is taken here.", "Observation.code")
    if resource.get("status") != "final":
        return Fault("status must be final: what was measured is sent once.", "Observation.status")
    device = _device(resource.get("device"))
    if not device:
        text = "device needs an identifier (system, value) or a reference Device/x: by it what is sent twice is known."
        return Fault(text, "Observation.device")
    at = _moment(resource.get("effectiveDateTime"), timed=has_time(measure))
    if at is None:
        return Fault("effectiveDateTime must be a moment with its zone, of steps a day.", "Observation.effective[x]")
    if isinstance(at, datetime) and (at - now).total_seconds() > TOLERANCE:
        return Fault("effectiveDateTime lies in the future.", "Observation.effective[x]")
    if wrong := implausible(resource):
        return Fault(f"No person has such a value: {', '.join(wrong)}.", "Observation.value[x]")
    return Measured(measure, device, at.isoformat() if isinstance(at, datetime) else at)


def agree(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two Observations say the same amounts: 72.5 kg and 72.50 kg are one."""
    return set(_amounts(one)) == set(_amounts(other))


def _amounts(resource: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    parts = resource.get("component") or ()
    for each in (resource, *(part for part in parts if isinstance(part, dict))):
        codings = (each.get("code") or {}).get("coding") or ()
        codes = frozenset((coding.get("system"), coding.get("code")) for coding in codings)
        quantity = each.get("valueQuantity") or {}
        try:
            value = Decimal(str(quantity.get("value"))).normalize()
        except InvalidOperation:
            value = Decimal(0)
        yield (codes, value if quantity else None, quantity.get("code"), quantity.get("comparator"))


def _device(device: Any) -> str:
    if not isinstance(device, dict):
        return ""
    identifier = device.get("identifier")
    if isinstance(identifier, dict) and identifier.get("system") and identifier.get("value"):
        return f"{identifier['system']}|{identifier['value']}"
    reference = str(device.get("reference") or "")
    return reference if reference.startswith("Device/") else ""


def _moment(text: Any, *, timed: bool) -> datetime | str | None:
    """A moment in UTC; where the time of the day says nothing, the day as it is written."""
    text = str(text or "")
    if not timed:
        return text[:10] if len(text) >= 10 else None
    return moment(text) if len(text) > 16 else None
