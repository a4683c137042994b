"""Images, and the studies, series and instances that documents refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tools.cda.statements import identity
from tools.cda.xml import code, el, relation, templates

if TYPE_CHECKING:
    from lxml import etree

DCM: Final = "1.2.840.10008.2.16.4"


def study(uid: str, when: str, *series: Any) -> etree._Element:
    """A study of a catalogue of DICOM objects."""
    return el(
        "act",
        templates("2.16.840.1.113883.10.20.6.2.6"),
        el("id", root=uid),
        code("code", "113014", DCM, "Study"),
        el("effectiveTime", value=when),
        [relation("COMP", each) for each in series],
        classCode="ACT",
        moodCode="EVN",
    )


def series(uid: str, modality: tuple[str, str], when: str, *instances: Any) -> etree._Element:
    qualifier = el("qualifier", code("name", "121139", DCM, "Modality"), code("value", modality[0], DCM, modality[1]))
    return el(
        "act",
        templates("2.16.840.1.113883.10.20.22.4.63"),
        el("id", root=uid),
        code("code", "113015", DCM, "Series", qualifier),
        el("effectiveTime", value=when),
        [relation("COMP", each) for each in instances],
        classCode="ACT",
        moodCode="EVN",
    )


def instance(uid: str, sop_class: str, name: str) -> etree._Element:
    return el(
        "observation",
        templates("2.16.840.1.113883.10.20.6.2.8"),
        el("id", root=uid),
        code("code", sop_class, "1.2.840.10008.2.6.1", name),
        classCode="DGIMG",
        moodCode="EVN",
    )


def picture(number: str, data: str, kind: str = "image/png", anchor: str | None = None) -> etree._Element:
    """An image within the document."""
    return el(
        "observationMedia",
        identity(number),
        el("value", data, mediaType=kind, representation="B64", type="ED"),
        classCode="OBS",
        moodCode="EVN",
        ID=anchor,
    )
