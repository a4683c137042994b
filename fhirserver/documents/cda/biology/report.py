"""Chapters as DiagnosticReport, and the section that holds the copy of the whole report as PDF."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.documents.cda import actors, sections, values
from fhirserver.documents.cda.biology.comments import is_comment, timed
from fhirserver.documents.cda.biology.laboratory import (
    VALIDATED,
    Laboratory,
    Level,
    Report,
    labelled,
    laboratory,
    narrowed,
)
from fhirserver.documents.cda.biology.media import pdf_copy
from fhirserver.documents.cda.biology.results import collected, contents, observation, organizer, sampled, untimely
from fhirserver.documents.cda.biology.specimens import taken

if TYPE_CHECKING:
    from fhirserver.documents.cda.context import Context, Reference
    from fhirserver.documents.cda.node import Node

SERVICE: Final = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "LAB"}]}
PDF: Final = "application/pdf"
INTERPRETERS: Final = ("Practitioner", "PractitionerRole", "Organization")
"""Who carries out an examination, or interprets it."""

STATUSES: Final = {"completed": "final", "active": "partial", "aborted": "cancelled", "cancelled": "cancelled"}
"""v3-ActStatus to DiagnosticReport.status."""

Resource = dict[str, Any]


def chapter(node: Node, ctx: Context) -> Resource | None:
    """A chapter, or a sub-chapter: `Composition.section`, and one DiagnosticReport for the outermost of them."""
    lab = laboratory(node, ctx)
    code = node.one("code")
    concept = values.concept(code)
    if lab.level.report is not None:
        with lab.within(_categorised(lab.level, concept)):
            return sections.section(node, ctx, _entries)
    report = _report(concept, ctx)
    with lab.within(_categorised(lab.level._replace(report=report), concept)):
        found = sections.section(node, ctx, _entries)
    reference = _closed(report, node, ctx, lab)
    if reference is not None and found is not None:
        found["entry"] = [reference, *found.get("entry", ())]
        found.pop("emptyReason", None)
    return found


def processing(node: Node, ctx: Context) -> list[Reference]:
    """The act that reports an examination: its results go into the chapter, or into a report of its own."""
    lab = laboratory(node, ctx)
    if lab.level.report is not None:
        return _processing(node, ctx, lab)
    concept = ctx.scope.section or values.concept(node.one("code")) or values.absent_element(node.one("code"))
    report = _report(concept, ctx)
    with lab.within(_categorised(lab.level._replace(report=report), concept)):
        results = _processing(node, ctx, lab)
    reference = _closed(report, node, ctx, lab)
    return [reference, *results] if reference is not None else results


def copy_section(node: Node, ctx: Context) -> Resource | None:
    """The section with the PDF of the report: a Binary, which every DiagnosticReport presents."""
    lab = laboratory(node, ctx)
    found, _ = sections.opening(node)
    references: list[Reference] = []
    for each in node.walk():
        if each.name == "observationMedia":
            attachment = pdf_copy(each, ctx)
            if attachment is not None:
                lab.copies.append(attachment)
                references.append({"reference": attachment["url"]})
                _passed(each, node)
    for report in lab.reports:
        _presented(report, lab)
    return sections.closing(found, node, references, sections.inner_sections(node, ctx))


def _entries(node: Node, ctx: Context) -> list[Reference]:
    """The entries of a chapter: acts of its examinations, whatever their templates; results that no act holds."""
    lab = laboratory(node, ctx)
    report = lab.level.report
    references: list[Reference] = []
    for entry in node.all("entry"):
        entry.templates  # noqa: B018 read
        for kid in entry.kids:
            if kid.name == "act" and not is_comment(kid):
                references += processing(kid, ctx)
            elif kid.name in ("observation", "organizer") and report is not None:
                found = (observation if kid.name == "observation" else organizer)(kid, ctx)
                _enlist(report, "result", found)
                labelled(report.resource, ctx)
                report.statuses.append(_LOOSE.get(ctx.resource(found[0])["status"], "unknown"))
                references += found
            elif kid.name != "templateId":
                references += ctx.entry(kid)
    return references


_LOOSE: Final = {"final": "final", "cancelled": "cancelled", "registered": "partial", "preliminary": "partial"}


def _passed(node: Node, section: Node) -> None:
    """What wraps the PDF (organizer CLUSTER, observation 69764-9) says only that it is there."""
    outer = node.parent
    while outer is not None and outer is not section:
        outer.templates  # noqa: B018 read
        for name in ("classCode", "typeCode"):
            outer.get(name)
        outer.formal("code", "69764-9", "55108-5")
        outer.formal("statusCode", "completed")
        outer = outer.parent


def _report(concept: Resource | None, ctx: Context) -> Report:
    resource: Resource = {"resourceType": "DiagnosticReport", "status": "unknown", "category": [SERVICE]}
    resource["code"] = concept or {"text": "Examens de biologie médicale"}
    resource["subject"] = ctx.patient
    return Report(resource, [], [], [], {f"category|{each}" for each in resource["category"]})


def _categorised(level: Level, concept: Resource | None) -> Level:
    """The level within a chapter, whose code is a category of the results."""
    if not concept or not concept.keys() & {"coding", "text"}:
        return level
    category = {key: held for key, held in concept.items() if key != "text" or "coding" not in concept}
    return level if category in level.categories else level._replace(categories=(*level.categories, category))


def _processing(node: Node, ctx: Context, lab: Laboratory) -> list[Reference]:
    node.templates  # noqa: B018 read
    report = lab.level.report
    assert report is not None  # noqa: S101 both callers see to it
    level = narrowed(node, ctx, lab.level)
    code = node.one("code")
    concept = values.concept(code)
    if concept:
        level = _categorised(level, concept)
    if (
        code is not None
        and concept
        and "coding" in concept
        and concept.get("text") != report.resource["code"].get("text")
    ):
        _unsaid(code, ctx)
    status = node.formal("statusCode", *STATUSES)
    report.statuses.append(STATUSES.get(status or "", "unknown"))
    resource = report.resource
    labelled(resource, ctx)
    identifiers = actors.identifiers(node)
    if identifiers:
        resource.setdefault("identifier", []).extend(each for each in identifiers)
    report.times.append(level.effective)
    if level.effective and not any(name.startswith("effective") for name in resource):
        resource.update(level.effective)
    specimens = collected(node, ctx, lab)
    found = contents(node, ctx, lab, sampled(level, specimens))
    if not (level.effective or {}).items() <= resource.items():
        untimely(node, level, found.members, ctx)
    for name, function in (("performer", None), ("resultsInterpreter", VALIDATED)):
        who = [{"reference": url} for code, url in level.performers if code == function]
        _enlist(report, name, [each for each in who if ctx.resource(each)["resourceType"] in INTERPRETERS])
    _enlist(report, "specimen", specimens)
    _enlist(report, "result", found.members)
    if concept and not found.members and concept != resource["code"]:
        _enlist(report, "category", [concept])
    _enlist(report, "media", [{"link": each} for each in found.media])
    report.comments.extend(map(timed, found.notes))
    return found.members


def _unsaid(code: Node, ctx: Context) -> None:
    """Words of the code of an act: categories take its code only; those of the narrative stand in the Composition."""
    text = code.one("originalText")
    if text is not None and text.one("reference") is None:
        ctx.leave(text, "unread")


def _enlist(report: Report, name: str, items: list[Any]) -> None:
    """Adds what the report does not list already."""
    for each in items:
        key = f"{name}|{each}"
        if key not in report.listed:
            report.listed.add(key)
            report.resource.setdefault(name, []).append(each)


def _closed(report: Report, node: Node, ctx: Context, lab: Laboratory) -> Reference | None:
    """Adds the report of a chapter, if any act was in it."""
    if not report.statuses:
        return None
    resource = report.resource
    told = set(report.statuses)
    resource["status"] = told.pop() if len(told) == 1 else "partial" if "partial" in told else "final"
    if ctx.time:
        resource["issued"] = values.as_instant(ctx.time)
    if all(time is None for time in report.times):
        resource.update(_related(resource, ctx))
    if report.comments:
        resource["conclusion"] = "\n".join(report.comments)
    lab.reports.append(resource)
    _presented(resource, lab)
    meta = resource.pop("meta", None)
    reference = ctx.add(resource, "derived")
    for label in meta["security"] if meta else ():
        with ctx.within(label=label):
            labelled(resource, ctx)
    return reference


def _related(resource: Resource, ctx: Context) -> Resource:
    """The time that the results of a report relate to: when its specimens were taken, else when they were obtained."""
    held = [taken(ctx.resource(each)) for each in resource.get("specimen", ())]
    if not any(held):
        held = [ctx.resource(each) for each in resource.get("result", ())]
    times = [time for each in held for time in _moments(each)]
    first, last = values.earliest(times), values.latest(times)
    if first is None or first == last:
        return {"effectiveDateTime": first} if first else {}
    return {"effectivePeriod": {"start": first, "end": last}}


def _moments(resource: Resource) -> list[str]:
    period = resource.get("effectivePeriod", {})
    return [each for each in (resource.get("effectiveDateTime"), period.get("start"), period.get("end")) if each]


def _presented(resource: Resource, lab: Laboratory) -> None:
    copies = [each for each in lab.copies if each["contentType"] == PDF]
    if copies:
        resource["presentedForm"] = copies
