"""Who may write what: the state before and the state after are both judged, so that nobody widens his own access.

The state before is one that the requester sees: what he does not see, the caller answers as absent (404), never
Forbidden. Reasons are keys; `WORDS` says them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.access import entered, keys, representation, rules, scopes, subscriber, tables
from fhirserver.access.acl import HIDDEN_FROM_PATIENT, HIDDEN_FROM_REPRESENTATIVES, MASKED, acl, label_codes, security
from fhirserver.access.answer import Answer, answer, question
from fhirserver.access.consent import Reading, tree
from fhirserver.access.policy import permitted
from fhirserver.access.private import reserved
from fhirserver.predicate import FALSE, matches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fhirserver.access.policy import Policy
    from fhirserver.access.representation import Rights
    from fhirserver.access.requester import Access

Resource = dict[str, Any]

WORDS: Final = {
    "operator": "The operator of the server, or its own work.",
    "audit": "Events are recorded by systems and by the server, and nobody changes them.",
    "notice": "What tells the person of an access is written by the server alone.",
    "entered": "How an entry of the person's came in is told by the server alone; others say it in meta.security.",
    "reminder": "What a person answers to reminders is the person's own to say.",
    "message": "What is a message, and who takes part in it, is marked by the server alone.",
    "scope": "The token's scopes do not cover it.",
    "prohibited": "For this purpose nobody may write here.",
    "definition": "Definitions are the operator's to write.",
    "directory": "The directory is fed by professionals and systems; its identifiers are the operator's to change.",
    "record": "Only a hospital's or laboratory's system, or the operator, makes a record.",
    "identity": "This part of the identity is not the requester's to change.",
    "grant": "Only the person, the representative or the operator grants access.",
    "care-team": "A care team is declared by the person, by one who has access already, or by the establishment.",
    "closed": "The record is closed.",
    "opposed": "The person opposes that this requester feeds the record.",
    "blocked": "The person denies this requester by name.",
    "subject": "A resource stays about whom it is about.",
    "label": "These labels are not the requester's to change.",
    "own": "It is the requester's own entry.",
    "participant": "It is an appointment of the requester's.",
    "not-own": "Only who wrote or deposited it changes it.",
    "not-holder": "A person writes in his own record only.",
    "subscriber": "A Subscription is its subscriber's alone, and nobody subscribes in an emergency.",
    "feed": "A professional or a system feeds an open record.",
    "holder": "It is the requester's own record.",
}
NOTICE: Final = {"system": "urn:fhirserver:notice", "code": "access"}
"""The tag by which a person knows what the server tells of accesses: nobody else puts it on anything."""
_LETTERS: Final = {"create": "c", "update": "u", "patch": "u", "delete": "d"}
_SUBJECTS: Final = ("subject", "patient", "beneficiary", "individual", "member")
_HOLDERS_PATIENT: Final = frozenset({
    "telecom", "address", "generalPractitioner", "contact", "communication", "photo", "active", "maritalStatus",
    "text", "meta", "id", "resourceType",
})  # fmt: skip
"""What the holder changes in his Patient: not the INS identity."""
_HOSPITALS_PATIENT_NOT: Final = ("generalPractitioner", "active")
_HOLDERS_LABELS: Final = frozenset({*MASKED, "N"})
_SERVERS: Final = ("security", "versionId", "lastUpdated")
"""What of `meta` is a label, or set by the server."""
_UNMASKED_BY: Final = ("patient", "representative")


class Decision(NamedTuple):
    """Whether the write is allowed, and the rule that decided."""

    allowed: bool
    reason: str

    @property
    def words(self) -> str:
        return WORDS[self.reason]


@dataclass(frozen=True)
class Write:
    """One write: the states before and after (None where there is none), and the `acl` of the state before."""

    access: Access
    interaction: str
    type: str
    pre: Resource | None
    post: Resource | None
    policy: Policy | None
    acl: Mapping[str, Any] | None
    identifiers: Mapping[str, tuple[str, ...]]

    @property
    def kind(self) -> str:
        return self.access.requester.kind

    @property
    def feeds(self) -> bool:
        return self.kind in ("practitioner", "system")

    @property
    def is_own(self) -> bool:
        mine, acl = self.access.requester.own, self.acl or {}
        if mine & set(acl.get("by", ())) or (self.kind == "patient" and entered.marks(self.pre)):
            return True
        return self.feeds and bool(mine & set(acl.get("author", ())))

    def changed(self, name: str) -> bool:
        return (self.pre or {}).get(name) != (self.post or {}).get(name)


def judge_write(
    access: Access,
    interaction: str,
    resource_type: str,
    pre: Resource | None,
    post: Resource | None,
    policy: Policy | None,
    *,
    acl: Mapping[str, Any] | None = None,
    identifiers: Mapping[str, tuple[str, ...]] | None = None,
) -> Decision:
    """Whether the requester may turn `pre` into `post` (None: not there, or no more).

    `interaction` is create, update, patch or delete; `policy` that of the patient the resource is about (before, if
    there is a before), None when it is about none or an unknown one; `acl` that of `pre`; `identifiers` gives national
    keys of the local actors in `post`. The caller has read `pre` through the requester's view.
    """
    write = Write(access, interaction, resource_type, pre, post, policy, acl, identifiers or {})
    if resource_type == "AuditEvent" and (write.kind not in ("operator", "system") or pre is not None):
        return Decision(False, "audit")
    letter = "c" if pre is None else _LETTERS[interaction]
    if not scopes.permits(access.requester, resource_type, letter):
        return Decision(False, "scope")
    if write.kind == "operator":
        return Decision(True, "operator")
    if resource_type == "AuditEvent":
        return Decision(True, "audit")
    if tables.purpose(access.requester.purpose).family == "prohibited":
        return Decision(False, "prohibited")
    if (refused := _mark(write)) is not None:
        return refused
    rule = _shared if resource_type in tables.shared() and policy is None else _entry
    return _RULES.get(resource_type, rule)(write)


def judge_feeding(access: Access, resource_type: str, policy: Policy | None) -> Decision:
    """Whether this further record may be entered by a resource beside its own: by a person's entry none is."""
    write = Write(access, "create", resource_type, None, None, policy, None, {})
    if write.kind == "operator":
        return Decision(True, "operator")
    return (_unfed(write) if write.feeds else _not_holder(write)) or Decision(True, "feed")


def _mark(write: Write) -> Decision | None:
    """What is told apart by a mark that the server sets, and nobody else."""
    pre, post = write.pre, write.post
    if _is_notice(post) and not _is_notice(pre):
        return Decision(False, "notice")
    if post is not None and reserved(post) != reserved(pre):
        return Decision(False, "message")
    if entered.is_origin(pre) or (entered.bears_origin(post) and not entered.bears_origin(pre)):
        return Decision(False, "entered")
    if write.feeds and (entered.is_answer(pre) or entered.is_answer(post)):
        return Decision(False, "reminder")
    return None


def _shared(write: Write) -> Decision:
    """Whoever could change the number of a professional could take over what a Consent grants him."""
    if tables.shared()[write.type] != "directory":
        return Decision(False, "definition")
    if not write.feeds:
        return Decision(False, "directory")
    if write.pre is None:
        return Decision(True, "feed")
    if not write.is_own:
        return Decision(False, "not-own")
    if write.post is not None and _identity(write.pre) != _identity(write.post):
        return Decision(False, "directory")
    return Decision(True, "own")


def _identity(actor: Resource) -> tuple[Any, ...]:
    names = ("practitioner", "organization", "code", "partOf")
    return (keys.of_resource(actor), *(actor.get(name) for name in names))


def _patient(write: Write) -> Decision:
    if write.pre is None:
        if write.kind != "system":
            return Decision(False, "record")
        named = bool((write.post or {}).get("generalPractitioner"))
        return Decision(False, "identity") if named else Decision(True, "feed")
    if write.post is None:
        return Decision(False, "record")
    if security(write.pre) != security(write.post):
        return Decision(False, "label")
    if write.kind == "system":
        if not write.is_own:
            return Decision(False, "not-own")
        return Decision(False, "identity") if any(map(write.changed, _HOSPITALS_PATIENT_NOT)) else Decision(True, "own")
    if (refused := _not_holder(write)) is not None:
        return refused
    changed = {name for name in {*write.pre, *write.post} if write.changed(name)}
    if write.kind == "representative" and "active" in changed and not _may(write).close:
        return Decision(False, "identity")
    return Decision(True, "holder") if changed <= _HOLDERS_PATIENT else Decision(False, "identity")


def _consent(write: Write) -> Decision:
    """Written by whom it binds, about himself, before and after; a representative lets in others, not himself.

    What he gave himself would outlast the minority, or the measure.
    """
    if not write.access.requester.is_person or _not_holder(write) is not None:
        return Decision(False, "grant")
    if write.kind == "representative" and (not _may(write).consent or write.access.requester.own & _permitted(write)):
        return Decision(False, "grant")
    return Decision(True, "holder") if _about(write, write.access.requester.patient) else Decision(False, "grant")


def _may(write: Write) -> Rights:
    """What the representative who writes may."""
    return representation.NOTHING if write.policy is None else rules.represents(write.access, write.policy)


def _permitted(write: Write) -> set[str]:
    """Whom the Consent as written may let in."""
    root = tree(write.post or {}, Reading(write.identifiers, {}, {}, {}))
    return set() if root is None else set(permitted(root))


def _is_notice(state: Resource | None) -> bool:
    meta = (state or {}).get("meta")
    tags = meta.get("tag") if isinstance(meta, dict) else None
    return any(isinstance(tag, dict) and tag.get("system") == NOTICE["system"] for tag in tags or ())


def _subscription(write: Write) -> Decision:
    """What would outlast an emergency is not begun in one."""
    who = write.access.requester
    if tables.purpose(who.purpose).family == "emergency":
        return Decision(False, "subscriber")
    mine = write.pre is None or subscriber.key(who) in (write.acl or {}).get("by", ())
    return Decision(mine, "own" if mine else "subscriber")


def _care_team(write: Write) -> Decision:
    """Deemed authorised (L.1110-12): so nobody makes himself one of it.

    The person declares it; so does a professional who already has a basis; a system for its own establishment.
    """
    if write.access.requester.is_person:
        fine = _not_holder(write) is None and _about(write, write.access.requester.patient)
        return Decision(fine, "holder" if fine else "grant")
    if (refused := _unfed(write)) is not None:
        return refused
    if write.pre is not None and write.post is not None and _moved(write):
        return Decision(False, "subject")
    if write.kind == "practitioner":
        return Decision(_has_basis(write), "care-team")
    own = write.pre is None or write.is_own
    return Decision(own and not _strangers(write), "care-team")


def _appointment(write: Write) -> Decision:
    """Either side changes it; what each may do of it, and when, the rules of the agenda say (`espace.agenda`)."""
    if write.pre is None:
        return _created(write)
    refused = _not_holder(write) if not write.feeds else _unfed(write) if write.post is not None else None
    return refused or (Decision(False, "label") if _relabelled(write) else Decision(True, "participant"))


_RULES: Final[Mapping[str, Callable[[Write], Decision]]] = {
    "Patient": _patient,
    "Consent": _consent,
    "CareTeam": _care_team,
    "Subscription": _subscription,
    "Appointment": _appointment,
}
"""Of the types that have rules of their own."""


def _entry(write: Write) -> Decision:
    if write.pre is None:
        return _created(write)
    if write.post is not None and _moved(write):
        return Decision(False, "subject")
    if write.feeds and (refused := _unfed(write)) is not None and write.post is not None:
        return refused
    if write.is_own and (write.feeds or write.policy is None or _not_holder(write) is None):
        return Decision(False, "label") if _relabelled(write) else Decision(True, "own")
    if write.access.requester.is_person and _not_holder(write) is None and _only_labels(write):
        return Decision(False, "label") if _relabelled(write) else Decision(True, "holder")
    return Decision(False, "not-own")


def _created(write: Write) -> Decision:
    if write.feeds:
        return _unfed(write) or Decision(True, "feed")
    if write.policy is None:
        return Decision(write.type == "Binary", "holder" if write.type == "Binary" else "not-holder")
    return _not_holder(write) or Decision(True, "holder")


def _unfed(write: Write) -> Decision | None:
    """Why the record may not be fed: closed, opposed (a Consent that denies `collect`). Blocking is about reading.

    A deny that names him opposes whatever it may cover, one of everyone all but what a permit that names him covers.
    """
    if write.policy is None:
        return None
    if not write.policy.space_at(write.access.now).feeds:
        return Decision(False, "closed")
    asked = question(write.access, write.type, "collect")
    if any(_is_opposed(write, answer(each.roots, asked)) for each in write.policy.whole):
        return Decision(False, "opposed")
    return None


def _is_opposed(write: Write, said: Answer) -> bool:
    if said.deny_named == FALSE and said.deny != FALSE:
        entry = {"acl": acl(write.post or {}, write.access.requester, write.access.now)}
        return not matches(said.permit_named, entry)
    return said.deny_named != FALSE


def _not_holder(write: Write) -> Decision | None:
    """Why this person does not act for the record: it is another's, or the one represented is of age."""
    policy, who = write.policy, write.access.requester
    if policy is None or policy.patient != who.patient or not write.access.requester.is_person:
        return Decision(False, "not-holder")
    space = policy.space_at(write.access.now)
    if not space.writes and not (space.reads and write.type == "Patient"):
        return Decision(False, "closed")
    if write.kind == "representative" and not rules.represents(write.access, policy).act:
        return Decision(False, "not-holder")
    return None


def _about(write: Write, patient: str | None) -> bool:
    """Whether both states are about this patient, by literal reference."""
    name = "subject" if write.type == "CareTeam" else "patient"
    for state in (write.pre, write.post):
        if state is not None:
            reference = state.get(name)
            place = keys.local(reference.get("reference")) if isinstance(reference, dict) else None
            if place != ("Patient", patient):
                return False
    return True


def _moved(write: Write) -> bool:
    return any(map(write.changed, _SUBJECTS))


def _only_labels(write: Write) -> bool:
    return write.post is not None and _bare(write.pre or {}) == _bare(write.post)


def _bare(resource: Resource) -> Resource:
    """The resource but for its labels and what the server sets: the narrative is content."""
    meta = resource.get("meta")
    kept = {name: each for name, each in meta.items() if name not in _SERVERS} if isinstance(meta, dict) else {}
    return {name: value for name, value in resource.items() if name not in ("meta", "securityLabel")} | {"meta": kept}


def _relabelled(write: Write) -> bool:
    """Whether labels change that are not his to change: masking is the person's, announcing the professional's."""
    if write.pre is None or write.post is None or security(write.pre) == security(write.post):
        return False
    before, after = label_codes(write.pre), label_codes(write.post)
    changed = before ^ after
    if write.kind in _UNMASKED_BY:
        allowed = _HOLDERS_LABELS | ({HIDDEN_FROM_REPRESENTATIVES} if write.kind == "patient" else frozenset())
        return not (changed <= allowed or (write.is_own and not changed & {HIDDEN_FROM_PATIENT}))
    return bool((before - after) & {*MASKED, HIDDEN_FROM_REPRESENTATIVES})


def _has_basis(write: Write) -> bool:
    """Whether the professional reads this record already, by a rule other than emergency: every part of it."""
    if write.policy is None:
        return False
    case = rules.Case(write.access, "Patient", write.policy, named=False)
    return rules.hard(case) == FALSE and all(rules.granted_here(each) != FALSE for _, each in rules.parts(case))


def _strangers(write: Write) -> bool:
    """Whether the team names another establishment than the system's own."""
    if write.post is None:
        return False
    mine = write.access.requester.own
    inner = keys.contained(write.post)
    found: list[Any] = []
    for participant in write.post.get("participant") or ():
        found += [participant.get("member"), participant.get("onBehalfOf")]
    found += write.post.get("managingOrganization") or ()
    named = {key for each in found for key in keys.of_reference(each, write.identifiers, inner)}
    return any(keys.kind(key) == "finess" and key not in mine for key in named)
