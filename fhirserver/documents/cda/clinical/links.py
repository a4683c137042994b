"""What statements have in common: how they begin, what hangs on them, and references from one to another.

An internal reference (IHE PCC 6.3.4.10) names an entry by its id; it is resolved once the whole body has been read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from fhirserver.documents.cda import actors, values
from fhirserver.documents.cda.biology.comments import comment, is_comment, timed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fhirserver.documents.cda.context import Context, Reference
    from fhirserver.documents.cda.node import Node

_PCC: Final = "1.3.6.1.4.1.19376.1.5.3.1.4."
_CCD: Final = "2.16.840.1.113883.10.20.1."
_CCDA: Final = "2.16.840.1.113883.10.20.22.4."
_CISIS: Final = "1.2.250.1.213.1.1.3."

INSTRUCTIONS: Final = frozenset({f"{_PCC}3", f"{_CCD}49", f"{_CISIS}33"})
FULFILMENT: Final = frozenset({f"{_PCC}3.1", f"{_CCD}43", f"{_CISIS}34"})
INTERNAL: Final = frozenset({f"{_PCC}4.1", f"{_CISIS}36", f"{_CISIS}85"})
FACTS: Final = {
    f"{_PCC}1": "severity", f"{_CCD}55": "severity", f"{_CCDA}8": "severity", f"{_CISIS}29": "severity",
    f"{_PCC}1.1": "status", f"{_CCD}50": "status", f"{_CCD}39": "status", f"{_CCDA}6": "status",
    f"{_CCDA}28": "status", f"{_CISIS}30": "status",
    f"{_CISIS}171": "certainty", f"{_CISIS}172": "criticality", f"{_CCDA}145": "criticality",
    f"{_CCD}46": "rank", f"{_CISIS}82": "rank",
}  # fmt: skip
"""Templates of observations that tell a fact about the statement that they hang on."""
REASONS: Final = {
    "Encounter": ("Condition", "Observation", "Procedure", "ImmunizationRecommendation"),
    "Immunization": ("Condition", "Observation", "DiagnosticReport"),
    "MedicationRequest": ("Condition", "Observation"),
    "MedicationStatement": ("Condition", "Observation", "DiagnosticReport"),
    "Procedure": ("Condition", "Observation", "Procedure", "DiagnosticReport", "DocumentReference"),
    "ServiceRequest": ("Condition", "Observation", "DiagnosticReport", "DocumentReference"),
}
"""What may be the reason of what (R4, `reasonReference`)."""
FORMAL: Final = frozenset({"33999-4", "SEV", "82606-5", "66455-7", "30973-2", "PINSTRUCT", "FINSTRUCT"})
"""Codes that only repeat what a template says."""
MEANINGS: Final = {
    "33999-4": "status", "SEV": "severity", "82606-5": "criticality", "66455-7": "certainty", "30973-2": "rank",
}  # fmt: skip
"""Codes by which a fact about a statement is known when its template is not."""

Resource = dict[str, Any]


@dataclass
class Related:
    """What hangs on a statement. `facts` holds the observations about it (`severity`, `status`, …) by meaning."""

    notes: list[Resource] = field(default_factory=list)
    remarks: list[Node] = field(default_factory=list)
    """The statements that `notes`, `instructions` and `fulfilment` come of."""
    instructions: list[str] = field(default_factory=list)
    fulfilment: list[str] = field(default_factory=list)
    facts: dict[str, Node] = field(default_factory=dict)
    statements: list[tuple[str, Node]] = field(default_factory=list)
    """typeCode and statement of those that the caller asked to read by itself."""
    others: list[tuple[str, Reference]] = field(default_factory=list)
    """typeCode and reference of what became a resource of its own."""
    pointers: list[tuple[str, Node]] = field(default_factory=list)

    def of(self, *types: str) -> list[Reference]:
        """The references of relationships of these types."""
        return [reference for kind, reference in self.others if kind in types]

    def concept(self, meaning: str) -> Resource | None:
        """The value of a fact, a CodeableConcept."""
        node = self.facts.get(meaning)
        if node is None:
            return None
        _formal(node)
        return values.concept(node.one("value")) or values.concept(node.one("code"))

    def unfit(self, meaning: str, ctx: Context) -> None:
        """Name a fact whose value means nothing to R4 as left."""
        node = self.facts.get(meaning)
        if node is not None:
            ctx.leave(node, "value")

    def unsaid(self, ctx: Context) -> None:
        """Name all remarks as left: for statements that become nothing that takes a note."""
        for node in self.remarks:
            ctx.leave(node, "unread")

    def integer(self, meaning: str) -> int | None:
        """The value of a fact, an integer."""
        node = self.facts.get(meaning)
        if node is None:
            return None
        _formal(node)
        return values.integer(node.one("value"))


def begin(resource: Resource, node: Node, ctx: Context) -> Reference:
    """Take a derived resource with the ids of its statement, by which internal references know it."""
    node.templates  # noqa: B018 read
    if identifiers := actors.identifiers(node):
        resource["identifier"] = identifiers
    reference = ctx.add(resource, "derived")
    name(node, reference, ctx)
    return reference


def narrated(node: Node) -> str | None:
    """The words of a statement's `text`; None when it only refers to the narrative, which the Composition keeps."""
    text = node.one("text")
    if text is None:
        return None
    reference = text.one("reference")
    if reference is None:
        return values.said(text)
    if text.resolve(reference.attributes.get("value")) is not None:
        reference.get("value")
    return None


def name(node: Node, reference: Reference, ctx: Context) -> None:
    """Let internal references to a statement's ids mean this reference."""
    named = ctx.shared.setdefault("named", {})
    for each in node.all("id"):
        named.setdefault(_key(each), reference)


def _key(node: Node) -> tuple[str | None, str | None]:
    return node.attributes.get("root"), node.attributes.get("extension")


def status(node: Node, table: Mapping[str, str], default: str) -> str:
    """`statusCode` by a table, which marks it as read when it knows it."""
    found = node.one("statusCode")
    said = found.attributes.get("code") if found is not None else None
    if found is None or said not in table:
        return default
    found.get("code")
    found.get("codeSystem")
    return table[said or ""]


def mood(node: Node) -> str:
    """`moodCode`: EVN for what happened."""
    return node.get("moodCode") or "EVN"


def related(node: Node, ctx: Context, take: Callable[[str, Node], bool] | None = None, *apart: str) -> Related:
    """All that hangs on a statement by entryRelationship (or component); `take` says what the caller reads itself.

    Instructions to the patient and to who dispenses are notes, but for those (`instructions`, `fulfilment`) `apart`.
    """
    found = Related()
    for kid in node.kids:
        if kid.name not in ("entryRelationship", "component"):
            continue
        kid.templates  # noqa: B018 read
        kind = kid.get("typeCode") or "COMP"
        kid.get("inversionInd")
        for statement in kid.kids:
            if statement.name not in ("templateId", "sequenceNumber", "seperatableInd"):
                _sort(kind, statement, found, ctx, take)
    for name in ("instructions", "fulfilment"):
        if name not in apart:
            found.notes += [{"text": text} for text in getattr(found, name)]
    return found


def _sort(kind: str, node: Node, found: Related, ctx: Context, take: Callable[[str, Node], bool] | None) -> None:
    roots = {root for root, _ in node.templates}
    if node.name == "act" and is_comment(node):
        if note := comment(node, ctx):
            found.notes.append(note)
            found.remarks.append(node)
    elif roots & INSTRUCTIONS or roots & FULFILMENT:
        text = _instruction(node)
        if text:
            (found.instructions if roots & INSTRUCTIONS else found.fulfilment).append(text)
            found.remarks.append(node)
    elif meaning := _meaning(node, roots):
        found.facts.setdefault(meaning, node)
    elif roots & INTERNAL or _bare(node):
        found.pointers.append((kind, node))
    elif take is not None and take(kind, node):
        found.statements.append((kind, node))
    else:
        found.others += [(kind, reference) for reference in ctx.entry(node)]


def _meaning(node: Node, roots: set[str]) -> str | None:
    if node.name != "observation":
        return None
    known = next((FACTS[root] for root in roots if root in FACTS), None)
    if known:
        return known
    code = node.one("code")
    return MEANINGS.get(code.attributes.get("code", "")) if code is not None else None


def _bare(node: Node) -> bool:
    """Whether a statement is nothing but an id (and a code): a reference to another."""
    said = {kid.name for kid in node.kids} - {"templateId", "id", "code", "statusCode"}
    return node.name == "act" and not said and node.one("id") is not None


def _instruction(node: Node) -> str | None:
    _formal(node)
    return values.said(node.one("text"))


def _formal(node: Node) -> None:
    """Count as read what such a statement repeats of its template."""
    node.templates  # noqa: B018 read
    node.formal("code", *FORMAL)
    node.formal("statusCode", "completed")
    node.get("moodCode")
    text = node.one("text")
    if text is not None and text.one("reference") is not None:
        text.told()


def reasons(resource: Resource, found: Related, ctx: Context) -> None:
    """`reasonReference`: what hangs on a statement as its reason, and what is pointed to as one."""
    types = REASONS[resource["resourceType"]]
    if listed := [each for each in found.of("RSON") if ctx.resource(each)["resourceType"] in types]:
        resource["reasonReference"] = listed
    point(resource, "reasonReference", found, ctx, types, "RSON")


def point(holder: Resource, member: str, found: Related, ctx: Context, types: Iterable[str], *kinds: str) -> None:
    """Once all is read, put what the pointers of these kinds (of all, by default) mean into a list of references.

    What is not here, or of none of the types that the list takes, is left.
    """

    def settle() -> None:
        for kind, node in found.pointers:
            if kinds and kind not in kinds:
                continue
            named = ctx.shared.get("named", {})
            each = next((each for each in node.all("id") if _key(each) in named), None)
            reference = named[_key(each)] if each is not None else None
            if each is None or reference is None or ctx.resource(reference)["resourceType"] not in types:
                ctx.leave(node, "reference" if each is None else "unread")
                continue
            each.told()
            _formal_pointer(node)
            listed = holder.setdefault(member, [])
            if reference not in listed:
                listed.append(reference)

    later(ctx, settle)


def _formal_pointer(node: Node) -> None:
    """What a pointer repeats of the statement that it means: code and state; anything else counts as unread."""
    node.templates  # noqa: B018 read
    for kid in node.kids:
        if kid.name in ("code", "statusCode") and not kid.kids:
            kid.told()
    for name in ("classCode", "moodCode"):
        node.get(name)


def later(ctx: Context, run: Callable[[], None]) -> None:
    """Put something off until the whole body has been read."""
    ctx.shared.setdefault("later", []).append(run)


def settle(ctx: Context) -> None:
    """Resolve what was put off until the whole body had been read."""
    for each in ctx.shared.pop("later", ()):
        each()


def note(notes: Iterable[Resource]) -> list[Resource]:
    """One Annotation of several, for French profiles take one: the words one after another."""
    listed = list(notes)
    if len(listed) < 2:
        return listed
    return [{"text": "\n\n".join(map(timed, listed))}]


def people(node: Node, ctx: Context, *types: str) -> list[Reference]:
    """Who performs a statement; who is none of the types (any, by default) is named as left."""
    found = []
    for each in node.all("performer"):
        each.templates  # noqa: B018 read
        who = actors.participant(each, ctx)
        if who is not None and types and ctx.resource(who)["resourceType"] not in types:
            ctx.leave(each, "unread")
        elif who is not None:
            found.append(who)
    return found


def recorder(ctx: Context, *types: str) -> Reference | None:
    """The author in force, when one of these types."""
    for each in ctx.authors:
        if ctx.resource(each)["resourceType"] in types:
            return each
    return None


def people_of(node: Node, ctx: Context) -> Reference | None:
    """Whom one participation names."""
    node.templates  # noqa: B018 read
    return actors.participant(node, ctx)


def words(concept: Resource | None, *, coded: bool = False) -> str | None:
    """What a concept is called; `coded`: with its codes, where the words are all that is kept of it."""
    if concept is None:
        return None
    codings = concept.get("coding", ())
    said = concept.get("text") or next((coding.get("display") or coding["code"] for coding in codings), None)
    codes = [coding["code"] for coding in codings if coding["code"] != said] if coded else []
    return f"{said} ({', '.join(codes)})" if codes else said


def known(node: Node | None, table: Mapping[str, str]) -> str | None:
    """A code by a table; one that the table does not have stays unread."""
    if node is None or node.attributes.get("code") not in table:
        return None
    return table[values.code(node) or ""]


def coded(concept: Resource | None) -> str | None:
    """The first code of a concept."""
    return next((coding["code"] for coding in (concept or {}).get("coding", ()) if "code" in coding), None)
