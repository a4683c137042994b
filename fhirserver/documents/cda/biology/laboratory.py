"""What the statements of a biology report take from those around them: report, chapter, performers, specimen, time."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.documents.cda import actors, values
from fhirserver.documents.cda.context import MANY
from fhirserver.spec.systems import PARTICIPATION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.documents.cda.context import Context, Reference
    from fhirserver.documents.cda.node import Node

FUNCTION: Final = "http://hl7.org/fhir/StructureDefinition/event-performerFunction"
VALIDATED: Final = "AUTHEN"
"""The function of who validated a result."""

Resource = dict[str, Any]


class Report(NamedTuple):
    """A chapter under way: its DiagnosticReport, added to the context once it holds something."""

    resource: Resource
    statuses: list[str]
    comments: list[str]
    times: list[Resource | None]
    """`effective[x]` of each act."""
    listed: set[str]
    """What its lists hold, by their names: looked up, for there may be many."""


class Level(NamedTuple):
    """What holds for all results within a statement, unless one says otherwise."""

    report: Report | None = None
    categories: tuple[Resource, ...] = ()
    performers: tuple[tuple[str | None, str], ...] = ()
    """Function (v3-ParticipationType) and reference; None for who carried out the examination."""
    devices: tuple[Reference, ...] = ()
    effective: Resource | None = None
    """`effective[x]`; empty when a statement says that its time is not known."""
    specimen: Reference | None = None


class Laboratory:
    """The biology of one document. `copies` are Attachments of the report as PDF."""

    def __init__(self, level: Level) -> None:
        self.level = level
        self.copies: list[Resource] = []
        self.reports: list[Resource] = []
        self.specimens: dict[str, Reference] = {}

    @contextmanager
    def within(self, level: Level) -> Iterator[Level]:
        outer, self.level = self.level, level
        try:
            yield level
        finally:
            self.level = outer


def laboratory(node: Node, ctx: Context) -> Laboratory:
    """The biology of the document under way; who carried it out is in the header."""
    found = ctx.shared.get("biology")
    if found is None:
        root = node
        while root.parent is not None:
            root = root.parent
        performers: dict[tuple[str | None, str], None] = {}
        for event in root.all("documentationOf"):
            act = event.one("serviceEvent")
            for each in act.all("performer") if act is not None else ():
                who = actors.participant(each, ctx)
                if who is not None:
                    performers[None, who["reference"]] = None
        found = ctx.shared["biology"] = Laboratory(Level(performers=tuple(performers)[:MANY]))
    assert isinstance(found, Laboratory)  # noqa: S101 the key is this room's
    return found


def _function_of(node: Node) -> str | None:
    """The function of who takes part; None for who carries it out, empty when the element is no participation."""
    if node.name == "performer":
        return None
    if node.name == "author":
        return "AUT"
    kind = node.attributes.get("typeCode", "")
    return kind if node.name == "participant" and kind in _FUNCTIONS else ""


def _is_device(node: Node) -> bool:
    return (node.at("assignedAuthor/assignedAuthoringDevice") or node.at("participantRole/playingDevice")) is not None


def narrowed(node: Node, ctx: Context, level: Level) -> Level:
    """The level within a statement: its own performers, validators, authors, devices and time before those outside.

    Whoever is named here for a function replaces those who were named for it further out.
    """
    own: list[tuple[str | None, str]] = []
    devices: list[Reference] = []
    for each in node.kids:
        function = _function_of(each)
        if function == "" or (devices and _is_device(each)):
            continue
        each.templates  # noqa: B018 read
        who = actors.participant(each, ctx)
        if who is None:
            continue
        each.get("typeCode")
        if ctx.resource(who)["resourceType"] == "Device":
            devices.append(who)
        elif len(own) < MANY:
            own.append((function, who["reference"]))
        else:
            ctx.leave(each, "unread")
    functions = {function for function, _ in own}
    performers = (*own, *(each for each in level.performers if each[0] not in functions)) if own else level.performers
    moment = node.one("effectiveTime")
    effective: Resource | None = values.when(moment) or level.effective
    if moment is not None and moment.attributes.get("nullFlavor"):
        moment.get("nullFlavor")
        effective = {}
    return level._replace(performers=performers, devices=tuple(devices) or level.devices, effective=effective)


_FUNCTIONS: Final = frozenset({"AUTHEN", "RESP", "DEV", "PRF", "SPRF", "PPRF", "VRF", "ENT"})


def performer(level: Level) -> list[Resource]:
    """`Observation.performer`: who carried it out, then those with another function, which an extension names."""
    listed = sorted(level.performers, key=lambda each: each[0] is not None)
    return [{**({"extension": [_function(code)]} if code else {}), "reference": url} for code, url in listed]


def _function(code: str) -> Resource:
    concept = {"coding": [{"system": PARTICIPATION, "code": code}]}
    return {"url": FUNCTION, "valueCodeableConcept": concept}


def labelled(resource: Resource, ctx: Context) -> None:
    """Gives a resource that several sections feed the label of the one at hand too."""
    label = ctx.scope.label
    if label:
        held = resource.setdefault("meta", {}).setdefault("security", [])
        if label not in held:
            held.append(label)
