"""ImagingStudy/[id]/$images and $image: what the PACS of this server shows of a study that the requester may read.

Who deposits a study writes its UIDs himself. So that nobody reads by it what he may not see otherwise, images are shown
of studies alone that a system or the operator recorded, and of which the PACS says that they are this person's; and to
people, not to systems.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.audit import Entity, Event
from fhirserver.errors import BadRequest, Forbidden, NotFound, Unavailable
from fhirserver.imaging import study as studies
from fhirserver.imaging.pacs import SIZES, Absent, Unreachable
from fhirserver.rest.answer import Answer, of_value
from fhirserver.rest.operations.stored import instance
from fhirserver.rest.parameters import received_as

if TYPE_CHECKING:
    from fhirserver.imaging.pacs import Pacs
    from fhirserver.imaging.study import Image
    from fhirserver.rest.exchange import Exchange
    from fhirserver.store import Stored

_PERSONS: Final = ("rpps|", "patient|", "related|", "Practitioner")
"""How the keys of depositors begin who are people."""
_PARAMETERS: Final[list[dict[str, Any]]] = [
    {"name": "number", "type": "integer", "max": "1"},
    {"name": "size", "type": "code", "max": "1"},
]
_POLICY: Final = "default-src 'none'; frame-ancestors 'none'; sandbox"
_NO_PACS: Final = "No images are shown here: this server knows no PACS."
_NONE: Final = "The images of this study are not to be had here."
_AWAY: Final = "The images cannot be reached now: try again later."
_MACHINES: Final = "Images are shown to people; a system asks the PACS."


class _Shown(NamedTuple):
    """A study whose images may be shown, and where they are."""

    stored: Stored
    pacs: Pacs
    uid: str
    images: list[Image]

    @property
    def event(self) -> Event:
        """To look at images is to read the study."""
        return Event("read", 200, (Entity.of(self.stored),))


def images(exchange: Exchange, type: str, id: str) -> Answer:
    """`GET ImagingStudy/[id]/$images`: Parameters with `count`, and of each `image` its number, series and instance."""
    received_as(exchange, ())
    shown = _shown(exchange, type, id)
    told: list[dict[str, Any]] = [{"name": "count", "valueInteger": len(shown.images)}]
    for number, each in enumerate(shown.images, 1):
        part = [
            {"name": "number", "valuePositiveInt": number},
            {"name": "series", "valueId": each.series},
            {"name": "instance", "valueId": each.instance},
        ]
        told.append({"name": "image", "part": part})
    return of_value(200, {"resourceType": "Parameters", "parameter": told}, shown.event)


def image(exchange: Exchange, type: str, id: str) -> Answer:
    """`GET ImagingStudy/[id]/$image?number=&size=full|thumbnail`: one image, JPEG or PNG (WADO-RS rendered)."""
    inputs = received_as(exchange, _PARAMETERS)
    number, size = inputs.need("number"), inputs.get("size") or "full"
    if size not in SIZES:
        raise BadRequest(f"size={size} is none of {', '.join(SIZES)}.")
    shown = _shown(exchange, type, id)
    if not 1 <= number <= len(shown.images):
        raise NotFound(f"The study has no image {number}.")
    try:
        picture = shown.pacs.rendered(shown.uid, shown.images[number - 1], size)
    except Absent:
        raise NotFound(_NONE) from None
    except Unreachable:
        raise _away() from None
    headers = {
        "Content-Type": picture.media,
        "Content-Length": str(len(picture.data)),
        "Content-Security-Policy": _POLICY,
    }
    return Answer(200, None, headers, shown.event, [picture.data])


def _shown(exchange: Exchange, type: str, id: str) -> _Shown:
    """The study, once it is judged. Raises NotFound, the same for hidden and absent; Forbidden, Gone, Unavailable."""
    if exchange.access.requester.kind == "system":
        raise Forbidden(_MACHINES)
    stored, pacs = instance(exchange, type, id), exchange.services.pacs
    if pacs is None:
        raise NotFound(_NO_PACS, code="not-supported")
    study = jsontext.parse_object(stored.body)
    uid = studies.study_uid(study)
    if uid is None or stored.pat is None or any(each.startswith(_PERSONS) for each in stored.acl.get("by", ())):
        raise NotFound(_NONE)
    try:
        if pacs.patients(uid).isdisjoint(_numbers(exchange, stored.pat)):
            raise NotFound(_NONE)
        return _Shown(stored, pacs, uid, studies.images(study) or _listed(pacs, uid, study))
    except Absent:
        raise NotFound(_NONE) from None
    except Unreachable:
        raise _away() from None


def _listed(pacs: Pacs, uid: str, study: dict[str, Any]) -> list[Image]:
    """The instances as the PACS lists them, of the series that the study names, if it names any."""
    named = studies.series_uids(study)
    return [each for each in pacs.images(uid) if not named or each.series in named]


def _numbers(exchange: Exchange, patient: str) -> set[str]:
    """Under which numbers a PACS may know the person: those of the Patient, which persons do not change themselves."""
    found = exchange.services.accounts.people.patient(patient) or {}
    told = [each for each in found.get("identifier", ()) if each.get("use") != "old"]
    return {str(each["value"]) for each in told if each.get("value")}


def _away() -> Unavailable:
    return Unavailable(_AWAY, headers={"Retry-After": "10"})
