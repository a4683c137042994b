"""A biology report in FHIR as a CDA document of level 3 (CR-BIO 2024.01), which reads back into the same resources."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.documents.cda.biology.laboratory import FUNCTION, VALIDATED
from fhirserver.documents.cda.biology.results import CATEGORY
from fhirserver.documents.cda.biology.specimens import MICROORGANISM
from fhirserver.documents.cda.convert import convert
from fhirserver.documents.cda.writing import header, values
from fhirserver.documents.cda.writing.account import missing
from fhirserver.documents.cda.writing.people import Actors
from fhirserver.documents.cda.writing.results import LOINC, Outer, Results, name
from fhirserver.documents.cda.writing.xml import el, templates, written
from fhirserver.errors import Unprocessable
from fhirserver.spec.systems import PARTICIPATION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lxml import etree

    from fhirserver.documents.cda.conversion import Conversion

Resource = dict[str, Any]

_CHAPTER: Final = ("1.3.6.1.4.1.19376.1.3.3.2.1", "1.2.250.1.213.1.1.2.70")
_SUB_CHAPTER: Final = ("1.3.6.1.4.1.19376.1.3.3.2.2", "1.2.250.1.213.1.1.2.71")
_COPY: Final = ("1.2.250.1.213.1.1.2.243",)
_ACT: Final = ("1.3.6.1.4.1.19376.1.3.1", "1.2.250.1.213.1.1.3.21")
_CLUSTER: Final = ("1.2.250.1.213.1.1.3.18",)
_COPIED: Final = ("1.2.250.1.213.1.1.3.48.18",)
_STATUSES: Final = {
    "final": "completed",
    "amended": "completed",
    "corrected": "completed",
    "appended": "completed",
    "partial": "active",
    "preliminary": "active",
    "registered": "active",
    "cancelled": "aborted",
}
_NAMESPACE: Final = uuid.UUID("0c4c2b0e-6d0a-5a6f-8f6b-0a0b4a8f5b11")


@dataclass(frozen=True)
class Written:
    """A CDA document; `left` are FHIRPath locations of what the report says and the document does not."""

    data: bytes
    left: tuple[str, ...]


class Resources:
    """Resources by what refers to them: `fullUrl`, `Type/id`; contained ones stand beside their container."""

    def __init__(self, entries: Iterable[tuple[str | None, Resource]]) -> None:
        self.listed: list[Resource] = []
        self._known: dict[str, Resource] = {}
        for number, (url, stated) in enumerate(entries):
            resource = stated
            name = f"{resource.get('resourceType')}/{resource['id']}" if "id" in resource else None
            inside = {f"#{each.get('id')}": f"{number}#{each.get('id')}" for each in resource.get("contained", ())}
            if inside:
                for each in resource["contained"]:
                    self._known[inside[f"#{each.get('id')}"]] = _renamed(each, inside)
                resource = _renamed({key: held for key, held in resource.items() if key != "contained"}, inside)
            self.listed.append(resource)
            for key in (url, name):
                if key:
                    self._known.setdefault(key, resource)

    def resolve(self, reference: Resource) -> Resource | None:
        """The resource that a Reference names, of whatever version; None when it is not here."""
        url = reference.get("reference", "").split("/_history/")[0]
        found = self._known.get(url)
        return found if found is not None or "://" not in url else self._known.get("/".join(url.split("/")[-2:]))

    def all(self, type: str) -> list[Resource]:
        return [each for each in self.listed if each.get("resourceType") == type]


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """A copy whose references to contained resources are unique in the Bundle."""
    if isinstance(value, list):
        return [_renamed(each, names) for each in value]
    if not isinstance(value, dict):
        return value
    found = {key: _renamed(held, names) for key, held in value.items()}
    if isinstance(url := found.get("reference"), str):
        found["reference"] = names.get(url, url)
    return found


def write(
    bundle: Resource,
    *,
    mode: str = "strict",
    replaces: str | None = None,
    version: int = 1,
    set_id: str | None = None,
) -> Written:
    """The CDA document of a Bundle that holds DiagnosticReports and all that they refer to, the Patient among them.

    The document's id follows from `Bundle.identifier`, or from the content: one report gives one document.
    `replaces` is the id of the document that this one corrects (`urn:oid:…`, `urn:uuid:…`), `set_id` the series’ own.
    An Observation that names no performer or time is read back with those of its report. The resources are taken to be
    valid R4. Raises Unprocessable when something is missing that a document must say; in mode `strict` also for
    every header rule that what the resources say would break.
    """
    entries = [each for each in bundle.get("entry", ()) if isinstance(each.get("resource"), dict)]
    resources = Resources((each.get("fullUrl"), each["resource"]) for each in entries)
    reports = resources.all("DiagnosticReport")
    if not reports:
        raise Unprocessable("The Bundle holds no DiagnosticReport: there is nothing to write.", expression="Bundle")
    parts = header.gather(reports, resources.resolve, resources.all("Patient"))
    identity = header.Identity(_number(bundle, version), set_id, version, replaces)
    try:
        body = [_chapter(report, index, resources, parts) for index, report in enumerate(reports, 1)]
    except ValueError as error:
        raise Unprocessable(f"A text cannot be written in XML: {error}") from None
    data = written(header.document(identity, parts, [*body, _copy(reports, resources)]))
    conversion = convert(data, mode=mode)
    broken = [finding for finding in conversion.findings if finding.is_error]
    if broken:
        raise Unprocessable("The document would break header rules of the CI-SIS.", issues=broken)
    return Written(data, tuple(_left(reports, resources, conversion)))


def _number(bundle: Resource, version: int) -> str:
    """The document's id: a UUID."""
    stated = bundle.get("identifier", {}).get("value", "").removeprefix("urn:uuid:")
    try:
        return str(uuid.UUID(stated))
    except ValueError:
        seed = jsontext.dump(bundle.get("identifier") or bundle.get("entry")).decode()
        return str(uuid.uuid5(_NAMESPACE, f"{version}|{seed}"))


def _chapter(report: Resource, index: int, resources: Resources, parts: header.Parts) -> etree._Element:
    """A DiagnosticReport as chapter: an act with the results, and one for each sub-chapter that categories tell."""
    results = Results(Actors(resources.resolve), f"r{index}")
    title = name(report["code"])
    section = el("section", templates(*_CHAPTER), values.cd("code", report["code"]), el("title", title))
    first = True
    acts: list[etree._Element] = []
    inner: list[etree._Element] = []
    for group in _groups(report, resources):
        own = Results(results.actors, f"{results.prefix}-{len(inner) + 1}") if len(group.codes) > 1 else results
        act = _act(report, group, own, parts, first=first)
        first = False
        if own is results:
            acts.append(el("entry", act, typeCode="DRIV"))
        else:
            inner.append(_sub_chapter(group.codes[0], own, act))
    section.append(_narrative(results, title))
    section.extend(acts)
    section.extend(el("component", each) for each in inner)
    return section


def _sub_chapter(code: Resource, results: Results, act: etree._Element) -> etree._Element:
    title = name(code)
    coded = values.cd("code", code)
    entry = el("entry", act, typeCode="DRIV")
    return el("section", templates(*_SUB_CHAPTER), coded, el("title", title), _narrative(results, title), entry)


class Group(NamedTuple):
    """Results of a report that lie in one act, with the codes of what is between chapter and act."""

    codes: list[Resource]
    results: list[Resource]
    specimens: list[str]
    specimen: str | None
    """That of all of them."""


def _groups(report: Resource, resources: Resources) -> list[Group]:
    """The results by their categories beyond laboratory and chapter; what no result needs goes to the first."""
    found: dict[bytes, tuple[list[Resource], list[Resource]]] = {}
    for reference in report.get("result", ()):
        resource = resources.resolve(reference) or {}
        codes = [each for each in resource.get("category", ()) if each != CATEGORY and not _same(each, report["code"])]
        found.setdefault(jsontext.dump(codes), (codes, []))[1].append(reference)
    loose = [each["reference"] for each in report.get("specimen", ()) if "reference" in each]
    groups = []
    for codes, references in found.values() or [([], [])]:
        used = list(dict.fromkeys(_source(each, resources) for each in references))
        loose = [each for each in loose if each not in used]
        groups.append((codes, references, used))
    made = []
    for codes, references, used in groups:
        taken = [each for each in used if each] + loose
        loose = []
        alone = taken == used and len(taken) == 1
        made.append(Group(codes, references, taken if alone or len(taken) > 1 else [], taken[0] if alone else None))
    return made


def _same(category: Resource, code: Resource) -> bool:
    return category.get("coding") == code.get("coding") and (
        "coding" in code or category.get("text") == code.get("text")
    )


def _source(reference: Resource, resources: Resources) -> str | None:
    """The specimen of a result: of an isolate, what it was isolated from."""
    resource = resources.resolve(reference) or {}
    held = resources.resolve(resource.get("specimen", {})) or {}
    if held.get("type") == MICROORGANISM:
        return next((each["reference"] for each in held.get("parent", ()) if "reference" in each), None)
    url = resource.get("specimen", {}).get("reference")
    return url if isinstance(url, str) else None


def _act(report: Resource, group: Group, results: Results, parts: header.Parts, *, first: bool) -> etree._Element:
    """The act of a group; the first of a report tells what is said of the whole."""
    validators = [{**each, "extension": [_validating()]} for each in report.get("resultsInterpreter", ())]
    own = {"performer": [*report.get("performer", ()), *validators]}
    people, outer = results.participations(own, Outer(performers=parts.performers))
    time = {key: held for key, held in report.items() if key in ("effectiveDateTime", "effectivePeriod")}
    outer = outer._replace(effective=time, specimen=group.specimen)
    statements = [results.specimen(url) for url in group.specimens]
    statements += [results.statement(each, outer) for each in group.results]
    relations = [el("entryRelationship", each, typeCode="COMP") for each in statements if each is not None]
    if first:
        media = (results.image(each["link"]) for each in report.get("media", ()))
        relations += [made for made in media if made is not None]
        if "conclusion" in report:
            relations.append(results.comment({"text": report["conclusion"]}))
    code = group.codes[-1] if group.codes else _coded(report["code"])
    status = _STATUSES.get(report.get("status", ""))
    return el(
        "act",
        templates(*_ACT),
        values.ids(report) if first else None,
        values.cd("code", code),
        el("statusCode", code=status, nullFlavor=None if status else "UNK"),
        values.when("effectiveTime", time) if time else el("effectiveTime", nullFlavor="UNK"),
        people,
        relations,
        classCode="ACT",
        moodCode="EVN",
    )


def _coded(concept: Resource) -> Resource:
    """A code without its words, where the section has them."""
    return {"coding": concept["coding"]} if "coding" in concept else concept


def _validating() -> Resource:
    concept = {"coding": [{"system": PARTICIPATION, "code": VALIDATED}]}
    return {"url": FUNCTION, "valueCodeableConcept": concept}


def _narrative(results: Results, title: str) -> etree._Element:
    """The results as a table."""
    if not results.words:
        return el("text", el("paragraph", title))
    head = el("thead", el("tr", el("th", "Examen"), el("th", "Résultat")))
    rows = [
        el("tr", el("td", el("content", words, ID=anchor) if anchor else words), el("td", shown))
        for words, shown, anchor in results.words
    ]
    return el("text", el("table", head, el("tbody", rows)))


def _copy(reports: list[Resource], resources: Resources) -> etree._Element:
    """The section with the report as PDF; without one, it says so."""
    what = el("code", code="55108-5", codeSystem=LOINC, displayName="Document PDF copie")
    data = next(
        filter(None, (_pdf(each, resources) for report in reports for each in report.get("presentedForm", ()))), None
    )
    section = el("section", templates(*_COPY), what, el("title", "Copie du compte rendu"))
    if data is None:
        section.append(el("text", "Pas de copie au format PDF."))
        section.set("nullFlavor", "NI")
        return section
    section.append(el("text", "Compte rendu au format PDF."))
    value = el("value", data, mediaType="application/pdf", representation="B64")
    media = el("observationMedia", value, classCode="OBS", moodCode="EVN")
    code = el("code", code="69764-9", codeSystem=LOINC, displayName="Document")
    inner = el("observation", templates(*_COPIED), code, el("entryRelationship", media, typeCode="COMP"),
               classCode="OBS", moodCode="EVN")  # fmt: skip
    organizer = el("organizer", templates(*_CLUSTER), el("statusCode", code="completed"), el("component", inner),
                   classCode="CLUSTER", moodCode="EVN")  # fmt: skip
    section.append(el("entry", organizer))
    return section


def _pdf(attachment: Resource, resources: Resources) -> str | None:
    """The base64 of a PDF: of the Attachment, or of the Binary that it names."""
    if attachment.get("contentType") != "application/pdf":
        return None
    binary = resources.resolve({"reference": attachment.get("url", "")})
    data = attachment.get("data") or (binary or {}).get("data")
    return data if isinstance(data, str) else None


def _left(reports: list[Resource], resources: Resources, conversion: Conversion) -> list[str]:
    """What is not found again, report by report."""
    copies = Resources((entry.full_url, entry.resource) for entry in conversion.entries)
    there = copies.all("DiagnosticReport")
    found: dict[str, None] = {}
    for index, report in enumerate(reports):
        copy = there[index] if index < len(there) else None
        found.update(dict.fromkeys(missing(report, resources.resolve, copy, copies.resolve)))
    return list(found)


def as_bundle(entries: Iterable[tuple[str, Resource]]) -> Resource:
    """A collection Bundle of resources by full url."""
    listed = [{"fullUrl": url, "resource": resource} for url, resource in entries]
    return {"resourceType": "Bundle", "type": "collection", "entry": listed}
