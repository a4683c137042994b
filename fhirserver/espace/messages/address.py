"""The MSSanté address of a person: the matricule INS at the domain of mailboxes of patients."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from fhirserver.validation import ins

if TYPE_CHECKING:
    from collections.abc import Mapping

_MATRICULE: Final = re.compile(r"[0-9]{5}[0-9AB]{10}")


def number_of(patient: Mapping[str, Any]) -> str | None:
    """The matricule INS of a Patient, as it is written in the address; None where there is none in use, or several."""
    told = patient.get("identifier")
    found = {
        str(each.get("value"))
        for each in (told if isinstance(told, list) else ())
        if isinstance(each, dict) and each.get("system") in ins.INS and each.get("use") != "old"
    }
    number = found.pop() if len(found) == 1 else ""
    return number if _MATRICULE.fullmatch(number) else None


def address_of(patient: Mapping[str, Any], domain: str) -> str | None:
    """The address of a Patient; None without a domain or a matricule."""
    number = number_of(patient)
    return f"{number}@{domain}" if number and domain else None


def number_in(address: str, domain: str) -> str | None:
    """The matricule INS in an address of this domain; None for any other address."""
    number, at, named = address.strip().rpartition("@")
    if not at or not domain or named.lower() != domain.lower():
        return None
    return number.upper() if _MATRICULE.fullmatch(number.upper()) else None
