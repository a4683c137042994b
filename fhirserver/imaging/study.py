"""What an ImagingStudy names of DICOM: its study, series and instances (https://hl7.org/fhir/R4/imagingstudy.html)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

UID_SYSTEM: Final = "urn:dicom:uid"
MOST: Final = 2000
"""Images of one study that are offered."""
_OID: Final = "urn:oid:"
_UID: Final = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))+")
_LONGEST: Final = 64


class Image(NamedTuple):
    """A SOP instance, by its UIDs (DICOM PS3.5, section 9)."""

    series: str
    instance: str


def is_uid(text: Any) -> bool:
    """Whether it is a UID, and so holds nothing that a path could not."""
    return isinstance(text, str) and len(text) <= _LONGEST and _UID.fullmatch(text) is not None


def study_uid(study: Mapping[str, Any]) -> str | None:
    """The Study Instance UID of an ImagingStudy; None where it names none, or more than one."""
    told = [each.get("value") for each in study.get("identifier", ()) if each.get("system") == UID_SYSTEM]
    found = {str(each).removeprefix(_OID) for each in told}
    uid = next(iter(found), None)
    return uid if len(found) == 1 and is_uid(uid) else None


def series_uids(study: Mapping[str, Any]) -> list[str]:
    """The Series Instance UIDs that it names, in their order; what is none is left out."""
    return [each["uid"] for each in _series(study) if is_uid(each.get("uid"))]


def images(study: Mapping[str, Any]) -> list[Image]:
    """The instances that it names, in their order, `MOST` at most; empty where it names none."""
    found = [
        Image(each["uid"], instance["uid"])
        for each in _series(study)
        if is_uid(each.get("uid"))
        for instance in sorted(each.get("instance", ()), key=_number)
        if is_uid(instance.get("uid"))
    ]
    return found[:MOST]


def _series(study: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return sorted(study.get("series", ()), key=_number)


def _number(part: Mapping[str, Any]) -> tuple[bool, int]:
    """By `number`; what has none comes last, as it stands."""
    number = part.get("number")
    return (number is None, int(number or 0))
