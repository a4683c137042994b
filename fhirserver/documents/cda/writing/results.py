"""Observations, Specimens and Media as the statements of a biology report (CR-BIO 2024.01)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.documents.cda.biology.comments import CODE as COMMENT_CODE
from fhirserver.documents.cda.biology.laboratory import FUNCTION
from fhirserver.documents.cda.biology.results import ISOLATE, SEQUEL
from fhirserver.documents.cda.biology.specimens import MICROORGANISM
from fhirserver.documents.cda.writing import values
from fhirserver.documents.cda.writing.xml import el, templates

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml import etree

    from fhirserver.documents.cda.writing.people import Actors

Resource = dict[str, Any]

LOINC: Final = "2.16.840.1.113883.6.1"
_SPECIMEN: Final = ("1.3.6.1.4.1.19376.1.3.1.2", "1.2.250.1.213.1.1.3.77")
_RECEPTION: Final = ("1.3.6.1.4.1.19376.1.3.1.3", "1.2.250.1.213.1.1.3.107")
_BATTERY: Final = ("1.3.6.1.4.1.19376.1.3.1.4", "1.2.250.1.213.1.1.3.78")
_ISOLATE: Final = ("1.3.6.1.4.1.19376.1.3.1.5", "1.2.250.1.213.1.1.3.79")
_RESULT: Final = ("1.3.6.1.4.1.19376.1.3.1.6", "1.2.250.1.213.1.1.3.80")
_COMMENT: Final = ("2.16.840.1.113883.10.20.1.40", "1.3.6.1.4.1.19376.1.5.3.1.4.2", "1.2.250.1.213.1.1.3.32")
_IMAGE: Final = ("2.16.840.1.113883.10.12.304", "1.2.250.1.213.1.1.3.103")
_VALIDATOR: Final = ("1.3.6.1.4.1.19376.1.3.3.1.5", "1.2.250.1.213.1.1.3.109")
_EXECUTANT: Final = ("1.3.6.1.4.1.19376.1.3.3.1.7", "1.2.250.1.213.1.1.3.23")

STATUSES: Final = {
    "final": "completed",
    "amended": "completed",
    "corrected": "completed",
    "preliminary": "active",
    "registered": "active",
    "cancelled": "aborted",
    "entered-in-error": "nullified",
}
_DEPTH: Final = 20
"""Levels of members and of previous results."""

Performers = tuple[tuple[str | None, str], ...]


class Outer(NamedTuple):
    """What a statement would take from those around it."""

    performers: Performers = ()
    device: str | None = None
    effective: Resource | None = None
    specimen: str | None = None


class Results:
    """Writes the results of one report. `words` gathers the rows of the narrative: name, result, anchor."""

    def __init__(self, actors: Actors, prefix: str) -> None:
        self.actors = actors
        self.resolve = actors.resolve
        self.prefix = prefix
        self.words: list[tuple[str, str, str]] = []

    def statement(self, reference: Resource, outer: Outer, depth: int = 0) -> etree._Element | None:
        """An Observation as observation, battery or isolate; None when the reference leads nowhere."""
        resource = self.resolve(reference)
        if resource is None or resource["resourceType"] != "Observation" or depth > _DEPTH:
            return None
        if self._germ(resource):
            return self._isolate(resource, outer, depth)
        if "hasMember" in resource and not any(key.startswith("value") for key in resource):
            return self._battery(resource, outer, depth)
        return self._observation(resource, outer, depth)

    def specimen(self, reference: str) -> etree._Element | None:
        """A Specimen as the procedure that took it."""
        resource = self.resolve({"reference": reference})
        if resource is None or resource["resourceType"] != "Specimen":
            return None
        collection = resource.get("collection", {})
        playing = [values.cd("code", resource.get("type"))]
        if "value" in collection.get("quantity", {}):
            playing.append(values.pq("quantity", collection["quantity"], xsi=None))
        role = el("participantRole", values.ids(resource), el("playingEntity", playing), classCode="SPEC")
        collector = self.actors.entity("assignedEntity", collection["collector"]) if "collector" in collection else None
        relations = [_relation("COMP", _reception(resource["receivedTime"]))] if "receivedTime" in resource else []
        relations += [self.comment(note) for note in resource.get("note", ())]
        return el(
            "procedure",
            templates(*_SPECIMEN),
            values.cd("code", collection.get("method")),
            values.when("effectiveTime", collection, "collected"),
            values.cd("targetSiteCode", collection.get("bodySite")),
            el("performer", collector) if collector is not None else None,
            el("participant", role, typeCode="PRD"),
            relations,
            classCode="PROC",
            moodCode="EVN",
        )

    def comment(self, note: Resource) -> etree._Element:
        """An Annotation as entryRelationship to a comment."""
        time, author = note.get("time"), None
        if "authorReference" in note:
            entity = self.actors.entity("assignedAuthor", note["authorReference"])
            when = values.ts("time", time) if time else el("time", nullFlavor="UNK")
            author = el("author", when, entity) if entity is not None else None
        act = el(
            "act",
            templates(*_COMMENT),
            el("code", code=COMMENT_CODE, codeSystem=LOINC, displayName="Commentaire"),
            el("text", note["text"]),
            el("statusCode", code="completed"),
            values.ts("effectiveTime", time) if author is None else None,
            author,
            classCode="ACT",
            moodCode="EVN",
        )
        return el("entryRelationship", act, typeCode="SUBJ", inversionInd="true")

    def image(self, reference: Resource) -> etree._Element | None:
        """A Media with its data as entryRelationship to an observationMedia."""
        resource = self.resolve(reference)
        content = (resource or {}).get("content", {})
        if resource is None or "data" not in content:
            return None
        value = el("value", content["data"], mediaType=content.get("contentType"), representation="B64",
                   language=content.get("language"))  # fmt: skip
        media = el("observationMedia", templates(*_IMAGE), values.ids(resource), value, classCode="OBS", moodCode="EVN")
        return _relation("COMP", media)

    def participations(self, own: Resource, outer: Outer) -> tuple[list[etree._Element], Outer]:
        """Those who took part, where they differ from those around; and what holds within."""
        told = performers(own)
        held = {function for function, _ in told}
        inherited = tuple(each for each in outer.performers if each[0] not in held)
        found: list[etree._Element] = []
        for function in dict.fromkeys(function for function, _ in told):
            group = [each for each in told if each[0] == function]
            if group != [each for each in outer.performers if each[0] == function]:
                found += [made for each in group if (made := self._participation(*each)) is not None]
        device = own.get("device", {}).get("reference")
        if device and device != outer.device and (role := self.actors.participant({"reference": device})) is not None:
            found.append(el("participant", role, typeCode="DEV"))
        found.sort(key=lambda each: _ORDER.index(str(each.tag).rpartition("}")[2]))
        return found, outer._replace(performers=(*told, *inherited), device=device or outer.device)

    def _participation(self, function: str | None, url: str) -> etree._Element | None:
        reference = {"reference": url}
        if function is None:
            entity = self.actors.entity("assignedEntity", reference)
            return el("performer", templates(*_EXECUTANT), entity) if entity is not None else None
        if function == "AUT":
            author = self.actors.entity("assignedAuthor", reference)
            return el("author", el("time", nullFlavor="UNK"), author) if author is not None else None
        role = self.actors.participant(reference)
        roots = templates(*_VALIDATOR) if function == "AUTHEN" else None
        return el("participant", roots, role, typeCode=function) if role is not None else None

    def _observation(self, resource: Resource, outer: Outer, depth: int, *, row: bool = True) -> etree._Element:
        anchor = self._row(resource) if row else None
        people, inner = self.participations(resource, outer)
        time, inner = _time(resource, inner)
        procedure, inner = self._procedure(resource, inner)
        relations = [_relation("COMP", procedure)] if procedure is not None else []
        relations += self._relations(resource, inner, depth)
        for each in resource.get("extension", ()):
            former = self.resolve(each["valueReference"]) if each.get("url") == SEQUEL and depth < _DEPTH else None
            if former is not None:
                relations.append(_relation("REFR", self._observation(former, Outer(), depth + 1, row=False)))
        return el(
            "observation",
            templates(*_RESULT),
            values.ids(resource),
            values.cd("code", resource["code"], anchor=anchor),
            _status(resource),
            time,
            values.value(resource),
            [values.cd("interpretationCode", each) for each in resource.get("interpretation", ())],
            values.cd("methodCode", resource.get("method")),
            values.cd("targetSiteCode", resource.get("bodySite")),
            people,
            relations,
            [_range(each) for each in resource.get("referenceRange", ())],
            classCode="OBS",
            moodCode="EVN",
        )

    def _battery(self, resource: Resource, outer: Outer, depth: int) -> etree._Element:
        people, inner = self.participations(resource, outer)
        time, inner = _time(resource, inner)
        procedure, inner = self._procedure(resource, inner)
        components = [el("component", procedure, typeCode="COMP")] if procedure is not None else []
        return el(
            "organizer",
            templates(*_BATTERY),
            values.ids(resource),
            values.cd("code", resource["code"], anchor=self._row(resource)),
            _status(resource),
            time,
            people,
            components,
            self._components(resource, inner, depth),
            classCode="BATTERY",
            moodCode="EVN",
        )

    def _isolate(self, resource: Resource, outer: Outer, depth: int) -> etree._Element:
        people, inner = self.participations(resource, outer)
        time, inner = _time(resource, inner)
        germ = resource["specimen"]["reference"]
        held = self.resolve({"reference": germ}) or {}
        source = next((each["reference"] for each in held.get("parent", ()) if "reference" in each), None)
        procedure = self.specimen(source) if source and source != inner.specimen else None
        self.words.append(("Germe", _shown(resource), ""))
        playing = el("specimenPlayingEntity", values.cd("code", resource["valueCodeableConcept"]), classCode="MIC")
        role = el("specimenRole", values.ids(held), playing, classCode="SPEC")
        return el(
            "organizer",
            templates(*_ISOLATE),
            values.ids(resource),
            None if resource["code"] == ISOLATE else values.cd("code", resource["code"]),
            _status(resource),
            time,
            el("specimen", role, typeCode="SPC"),
            people,
            el("component", procedure) if procedure is not None else None,
            self._components(resource, inner._replace(specimen=germ), depth),
            classCode="CLUSTER",
            moodCode="EVN",
        )

    def _components(self, resource: Resource, inner: Outer, depth: int) -> list[etree._Element]:
        """What a battery or isolate holds, as components."""
        found = []
        for relation in self._relations(resource, inner, depth):
            found.append(el("component", list(relation), typeCode="COMP"))
        return found

    def _relations(self, resource: Resource, inner: Outer, depth: int) -> list[etree._Element]:
        """Members, images and comments."""
        statements = [self.statement(each, inner, depth + 1) for each in resource.get("hasMember", ())]
        found = [_relation("COMP", each) for each in statements if each is not None]
        found += [made for each in resource.get("derivedFrom", ()) if (made := self.image(each)) is not None]
        return found + [self.comment(note) for note in resource.get("note", ())]

    def _procedure(self, resource: Resource, inner: Outer) -> tuple[etree._Element | None, Outer]:
        """The collection of a specimen that is not that of the statements around."""
        url = resource.get("specimen", {}).get("reference")
        if url is None or url == inner.specimen:
            return None, inner
        return self.specimen(url), inner._replace(specimen=url)

    def _germ(self, resource: Resource) -> bool:
        held = self.resolve(resource["specimen"]) if "specimen" in resource else None
        return (
            "hasMember" in resource and "valueCodeableConcept" in resource and (held or {}).get("type") == MICROORGANISM
        )

    def _row(self, resource: Resource) -> str:
        """Tells a result in the narrative; the ID of its name."""
        anchor = f"{self.prefix}-{len(self.words) + 1}"
        self.words.append((name(resource["code"]), _shown(resource), anchor))
        return anchor


_ORDER: Final = ("performer", "author", "participant")


def performers(resource: Resource) -> Performers:
    """Function and reference of the performers of an Observation."""
    found = []
    for each in resource.get("performer", ()):
        functions = [
            coding.get("code")
            for extension in each.get("extension", ())
            if extension.get("url") == FUNCTION
            for coding in extension.get("valueCodeableConcept", {}).get("coding", ())
        ]
        if "reference" in each:
            found.append((functions[0] if functions else None, each["reference"]))
    return tuple(found)


def name(concept: Resource) -> str:
    """A CodeableConcept in words."""
    codings = concept.get("coding", [{}])
    return concept.get("text") or codings[0].get("display") or codings[0].get("code") or "-"


def _shown(resource: Resource) -> str:
    """A value in words, for the narrative."""
    key = next((key for key in resource if key.startswith("value")), "")
    held = resource.get(key)
    shown = _SHOWN.get(key)
    return shown(held) if shown else str(held or "")


def _amount(held: Resource) -> str:
    value = values.digits(held["value"]) if "value" in held else ""
    return f"{held.get('comparator', '')}{value} {held.get('unit', '')}".strip()


_SHOWN: Final[dict[str, Callable[[Any], str]]] = {
    "valueQuantity": _amount,
    "valueCodeableConcept": name,
    "valueRange": lambda held: " - ".join(_amount(held[end]) for end in ("low", "high") if end in held),
    "valueRatio": lambda held: " / ".join(_amount(held.get(part, {})) for part in ("numerator", "denominator")),
    "valuePeriod": lambda held: " - ".join(held.get(end, "") for end in ("start", "end")),
}


def _status(resource: Resource) -> etree._Element:
    code = STATUSES.get(resource.get("status", ""))
    return el("statusCode", code=code) if code else el("statusCode", nullFlavor="UNK")


def _time(resource: Resource, outer: Outer) -> tuple[etree._Element | None, Outer]:
    """The time of a statement; where those around have one and it has none, that it is unknown."""
    own = {key: held for key, held in resource.items() if key in ("effectiveDateTime", "effectivePeriod")}
    if own == outer.effective:
        return None, outer
    element = values.when("effectiveTime", own) if own else el("effectiveTime", nullFlavor="UNK")
    return element, outer._replace(effective=own)


def _relation(kind: str, statement: etree._Element) -> etree._Element:
    return el("entryRelationship", statement, typeCode=kind)


def _reception(time: str) -> etree._Element:
    code = el("code", code="SPRECEIVE", codeSystem="1.3.5.1.4.1.19376.1.5.3.2", displayName="Réception")
    return el("act", templates(*_RECEPTION), code, values.ts("effectiveTime", time), classCode="ACT", moodCode="EVN")


def _range(held: Resource) -> etree._Element:
    """A reference range."""
    criteria = [values.cd("value", each, xsi="CD") for each in held.get("appliesTo", ())]
    if "age" in held:
        criteria.append(values.limits("value", held["age"]))
    inner = [
        el("text", held["text"]) if "text" in held else None,
        values.limits("value", held) if "low" in held or "high" in held else None,
        values.cd("interpretationCode", held["type"]) if "type" in held else None,
        *(el("precondition", el("criterion", each), typeCode="PRCN") for each in criteria),
    ]
    return el("referenceRange", el("observationRange", inner, classCode="OBS", moodCode="EVN.CRT"), typeCode="REFV")
