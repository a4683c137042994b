"""Problems and allergies (IHE PCC 6.3.4.11 to 6.3.4.15): concerns, and what they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.documents.cda import values
from fhirserver.documents.cda.clinical import links
from fhirserver.spec.systems import CONDITION_CLINICAL, TERMINOLOGY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fhirserver.documents.cda.context import Context, Reference
    from fhirserver.documents.cda.node import Node

VERIFICATION: Final = f"{TERMINOLOGY}condition-ver-status"
ALLERGY_CLINICAL: Final = f"{TERMINOLOGY}allergyintolerance-clinical"
ALLERGY_VERIFICATION: Final = f"{TERMINOLOGY}allergyintolerance-verification"

CONCERN: Final = {"active": "active", "suspended": "inactive", "aborted": "inactive", "completed": "inactive"}
"""statusCode of a concern to the clinical status of what it is about (IHE PCC 6.3.4.12.4)."""
STATUSES: Final = {
    "55561003": "active", "73425007": "inactive", "413322009": "resolved", "255227004": "recurrence",
    "246455001": "recurrence", "277022003": "remission", "90734009": "active", "7087005": "active",
    "active": "active", "inactive": "inactive", "resolved": "resolved", "remission": "remission", "relapse": "relapse",
    "recurrence": "recurrence",
}  # fmt: skip
"""Clinical status by code (SNOMED CT, and HL7's own words)."""
ALLERGY_STATUSES: Final = {
    code: found for code, found in STATUSES.items() if found in ("active", "inactive", "resolved")
}
CERTAINTIES: Final = ("unconfirmed", "provisional", "differential", "confirmed", "refuted", "entered-in-error")
SORTS: Final = frozenset(
    {"418799008", "404684003", "55607006", "64572001", "409586006", "282291009", "ASSERTION", "75321-0"}
)
"""Codes of an observation that only say that it tells of a symptom, a finding, a problem (IHE PCC 6.3.4.14.5)."""
ALLERGY_CERTAINTIES: Final = ("unconfirmed", "confirmed", "refuted", "entered-in-error")
KINDS: Final = {
    "ALG": ("allergy", None), "DALG": ("allergy", "medication"), "FALG": ("allergy", "food"),
    "EALG": ("allergy", "environment"), "OINT": (None, None), "DINT": (None, "medication"), "FINT": (None, "food"),
    "EINT": (None, "environment"), "NAINT": ("intolerance", None), "DNAINT": ("intolerance", "medication"),
    "FNAINT": ("intolerance", "food"), "ENAINT": ("intolerance", "environment"),
}  # fmt: skip
"""v3 ObservationIntoleranceType to AllergyIntolerance.type and category."""
CRITICALITIES: Final = {
    "low": "low", "high": "high", "unable-to-assess": "unable-to-assess", "CRITL": "low", "CRITH": "high",
    "CRITU": "unable-to-assess",
}  # fmt: skip
SEVERITIES: Final = {
    "L": "mild", "M": "moderate", "H": "severe", "255604002": "mild", "6736007": "moderate", "24484000": "severe",
    "371923003": "moderate", "371924009": "severe", "399166001": "severe",
}  # fmt: skip

Resource = dict[str, Any]


def concern(node: Node, ctx: Context) -> list[Reference]:
    """A concern: what it is about takes over whether it is still one, and its comments."""
    node.templates  # noqa: B018 read
    code = node.one("code")
    if code is not None and not code.kids:
        code.told()
    said = links.status(node, CONCERN, "")
    when = node.one("effectiveTime")
    period = values.period(when)
    found = links.related(node, ctx)
    references = [reference for _, reference in found.others]
    about = [each for each in references if ctx.resource(each)["resourceType"] in ("Condition", "AllergyIntolerance")]
    if not about:
        found.unsaid(ctx)
    _untold(when, period, about, ctx)
    for reference in about:
        resource = ctx.resource(reference)
        kind = resource["resourceType"]
        refuted = "verificationStatus" in resource and links.coded(resource["verificationStatus"]) in (
            "refuted",
            "entered-in-error",
        )
        if said and not refuted and "clinicalStatus" not in resource:
            system = CONDITION_CLINICAL if kind == "Condition" else ALLERGY_CLINICAL
            resource["clinicalStatus"] = {"coding": [{"system": system, "code": said}]}
        _bounded(resource, kind, period)
        if found.notes:
            resource["note"] = links.note([*resource.get("note", ()), *found.notes])
    for reference in references[:1]:
        links.name(node, reference, ctx)
    if references:
        resource = ctx.resource(references[0])
        for each in node.all("id"):
            if (identifier := values.identifier(each)) and identifier not in resource.get("identifier", ()):
                resource.setdefault("identifier", []).append(identifier)
    return references


def _untold(when: Node | None, period: Resource | None, about: list[Reference], ctx: Context) -> None:
    """Name the end of a concern as left when nothing takes it: an allergy, or what tells its own end."""
    high = when.one("high") if when is not None else None
    resources = [ctx.resource(each) for each in about]
    ends = [each for each in resources if each["resourceType"] == "Condition" and "abatementDateTime" not in each]
    if high is not None and period and "end" in period and not ends:
        ctx.leave(high, "unread")


def _bounded(resource: Resource, kind: str, period: Resource | None) -> None:
    """The times of the concern stand in where the problem gives none."""
    if not period:
        return
    if ("start" in period and kind == "Condition" and "recordedDate" not in resource) or (
        "start" in period and "recordedDate" not in resource
    ):
        resource["recordedDate"] = period["start"]
    if "end" in period and kind == "Condition" and "abatementDateTime" not in resource:
        resource["abatementDateTime"] = period["end"]
        if links.coded(resource.get("clinicalStatus", {})) in (None, "active"):
            resource["clinicalStatus"] = {"coding": [{"system": CONDITION_CLINICAL, "code": "inactive"}]}


def problem(node: Node, ctx: Context) -> list[Reference]:
    """A problem, finding or diagnosis as Condition; its value says what it is, its code of which kind."""
    resource: Resource = {"resourceType": "Condition", "subject": ctx.patient}
    reference = links.begin(resource, node, ctx)
    category = values.concept(node.one("code"))
    if category:
        resource["category"] = [category]
    value = node.one("value")
    code = values.concept(value) or (_text(value) if value is not None else None)
    words = _own(node)
    resource["code"] = code or ({"text": words} if words else values.absent_element(value))
    period = values.period(node.one("effectiveTime"))
    if period and "start" in period:
        resource["onsetDateTime"] = period["start"]
    if (period and "end" in period and period["end"] != period.get("start")) or (period and "start" not in period):
        resource["abatementDateTime"] = period["end"]
    if site := values.concept(node.one("targetSiteCode")):
        resource["bodySite"] = [site]
    found = links.related(node, ctx)
    _judged(resource, node, found, ctx)
    if ctx.scope.encounter:
        resource["encounter"] = ctx.scope.encounter
    if recorder := links.recorder(ctx, "Practitioner", "PractitionerRole", "Patient", "RelatedPerson"):
        resource["recorder"] = recorder
    if words and code:
        resource["note"] = [{"text": words}]
    if notes := links.note([*resource.get("note", ()), *found.notes]):
        resource["note"] = notes
    evidence = [{"detail": [each]} for each in found.of("MFST", "SPRT", "CAUS", "COMP")]
    if evidence:
        resource["evidence"] = evidence
    return [reference, *found.of("REFR", "SUBJ", "RSON")]


def _judged(resource: Resource, node: Node, found: links.Related, ctx: Context) -> None:
    """Verification, clinical status, severity."""
    links.status(node, {"completed": "", "active": ""}, "")
    verified = _verified(node, found, CERTAINTIES, ctx)
    if verified:
        resource["verificationStatus"] = {"coding": [{"system": VERIFICATION, "code": verified}]}
    concept = found.concept("status")
    status = _known(found, "status", STATUSES, ctx)
    if "abatementDateTime" in resource and status in (None, "active", "recurrence", "relapse"):
        status = "resolved" if status is None else "inactive"
    if status and verified != "entered-in-error":
        resource["clinicalStatus"] = {"coding": [{"system": CONDITION_CLINICAL, "code": status}], **_texted(concept)}
    if severity := found.concept("severity"):
        resource["severity"] = severity


def _known(found: links.Related, meaning: str, table: Mapping[str, str], ctx: Context) -> str | None:
    """What R4 calls a fact, by a table; a fact that the table does not have is left."""
    concept = found.concept(meaning)
    known = table.get(links.coded(concept) or "")
    if concept is not None and known is None:
        found.unfit(meaning, ctx)
    return known


def _verified(node: Node, found: links.Related, codes: Iterable[str], ctx: Context) -> str | None:
    """The verification status: refuted where the statement is negated."""
    stated = _known(found, "certainty", {code: code for code in codes}, ctx)
    if node.get("negationInd") != "true":
        return stated
    if stated != "refuted":
        found.unfit("certainty", ctx)
    return "refuted"


def allergy(node: Node, ctx: Context) -> list[Reference]:
    """An allergy or intolerance: the agent (participant CSM), the reactions, the severity."""
    resource: Resource = {"resourceType": "AllergyIntolerance", "patient": ctx.patient}
    reference = links.begin(resource, node, ctx)
    links.status(node, {"completed": "", "active": ""}, "")
    _kind(resource, node)
    agents = _agents(node)
    value = values.concept(node.one("value"))
    known = agents[0] if agents else value
    resource["code"] = known or values.absent_element(node.one("value"))
    if agents and value:
        _besides(resource, value, agents)
    for extra in agents[1:]:
        resource["code"].setdefault("coding", []).extend(extra.get("coding", ()))
    period = values.period(node.one("effectiveTime"))
    if period and "start" in period:
        resource["onsetPeriod"] = period
    elif period:
        resource["lastOccurrence"] = period["end"]
    found = links.related(node, ctx, lambda kind, inner: kind == "MFST" and inner.name == "observation")
    _assessed(resource, node, found, ctx)
    reactions = [_reaction(inner, ctx) for _, inner in found.statements]
    _graded(reactions, found)
    if reactions:
        resource["reaction"] = reactions
    if recorder := links.recorder(ctx, "Practitioner", "PractitionerRole", "Patient", "RelatedPerson"):
        resource["recorder"] = recorder
    links.later(ctx, lambda: _stated(resource))
    if words := links.narrated(node):
        found.notes.append({"text": words})
    if notes := links.note([*resource.get("note", ()), *found.notes]):
        resource["note"] = notes
    return [reference, *(each for _, each in found.others)]


def _stated(resource: Resource) -> None:
    """R4 demands a clinical status (ait-1), if only to say that none is known."""
    if links.coded(resource.get("verificationStatus")) != "entered-in-error":
        resource.setdefault("clinicalStatus", values.absent_element(None))


def _kind(resource: Resource, node: Node) -> None:
    code = node.one("code")
    kind = code.attributes.get("code") if code is not None else None
    if code is None or kind not in KINDS:
        return
    values.coding(code)
    type, category = KINDS[kind]
    if type:
        resource["type"] = type
    if category:
        resource["category"] = [category]


def _agents(node: Node) -> list[Resource]:
    found = []
    for each in node.all("participant"):
        if each.get("typeCode") != "CSM":
            continue
        each.templates  # noqa: B018 read
        entity = each.at("participantRole/playingEntity")
        if entity is None:
            continue
        code = values.concept(entity.one("code"))
        name = values.organization_name(entity.one("name"))
        if name:
            code = {**(code or {}), "text": (code or {}).get("text", name)}
        if code:
            found.append(code)
    return found


def _besides(resource: Resource, value: Resource, agents: list[Resource]) -> None:
    """A value beside the agent: the same in another code system, or the reaction as a whole."""
    if value == agents[0]:
        return
    extra = [coding for coding in value.get("coding", ()) if coding not in agents[0].get("coding", ())]
    words = value.get("text")
    if extra:
        resource["code"] = {**resource["code"], "coding": [*resource["code"].get("coding", ()), *extra]}
    elif words and words != resource["code"].get("text"):
        resource["note"] = [{"text": words}]


def _assessed(resource: Resource, node: Node, found: links.Related, ctx: Context) -> None:
    verified = _verified(node, found, ALLERGY_CERTAINTIES, ctx)
    if verified:
        resource["verificationStatus"] = {"coding": [{"system": ALLERGY_VERIFICATION, "code": verified}]}
    concept = found.concept("status")
    status = _known(found, "status", ALLERGY_STATUSES, ctx)
    if status and verified != "entered-in-error":
        resource["clinicalStatus"] = {"coding": [{"system": ALLERGY_CLINICAL, "code": status}], **_texted(concept)}
    if code := _known(found, "criticality", CRITICALITIES, ctx):
        resource["criticality"] = code


def _graded(reactions: list[Resource], found: links.Related) -> None:
    """The severity of the allergy as a whole is that of its one reaction; else a remark."""
    severity = found.concept("severity")
    level = SEVERITIES.get(links.coded(severity) or "")
    if level and len(reactions) == 1 and "severity" not in reactions[0]:
        reactions[0]["severity"] = level
    elif severity:
        found.notes.append({"text": links.words(severity) or "-"})


def _reaction(node: Node, ctx: Context) -> Resource:
    """A manifestation, with how severe it was and when."""
    node.templates  # noqa: B018 read
    node.formal("code", *SORTS)
    links.status(node, {"completed": "", "active": ""}, "")
    value = node.one("value")
    manifestation = values.concept(value) or (_text(value) if value is not None else None)
    words = _own(node)
    found: Resource = {"manifestation": [manifestation or ({"text": words} if words else values.absent_element(value))]}
    period = values.period(node.one("effectiveTime"))
    if period:
        found["onset"] = period.get("start") or period["end"]
    inner = links.related(node, ctx)
    if level := _known(inner, "severity", SEVERITIES, ctx):
        found["severity"] = level
    if manifestation and words:
        inner.notes.append({"text": words})
    if notes := links.note(inner.notes):
        found["note"] = notes
    return found


def _own(node: Node) -> str | None:
    """Words of the statement's own; those of the narrative stand in the Composition."""
    value = node.one("value")
    if value is None or value.attributes.get("nullFlavor"):
        return values.said(node.one("text"))
    return links.narrated(node)


def _text(node: Node) -> Resource | None:
    words = values.said(node) if node.type in ("ST", "ED") else None
    return {"text": words} if words else None


def _texted(concept: Resource | None) -> Resource:
    """What the document called it."""
    words = links.words(concept)
    return {"text": words} if words else {}
