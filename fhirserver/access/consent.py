"""Consent (R4) to a tree of rules that a policy document keeps: codes read, actors resolved, doubts marked.

A node says what one provision states, `None` where it states nothing:

    type      permit, deny, or None (a root whose nested provisions alone speak)
    start, end, timed       when it holds; timed False: the period cannot be read
    sure      actors, {groups, start, end}: whoever bears one key of each group is meant for certain
    maybe     keys: whoever bears one may be meant
    purposes, actions       {codes, doubt}
    classes   {types, documents, doubt}
    codes     [[system, code], …]      plain     True where labels of confidentiality are plain tags, without a ladder
    labels    [[system, code], …]
    data      [{meaning, type, id, keys, targets}, …] (keys: who authored; targets: what the named resource refers to)
    span      {start, end, sure}: microseconds since 1970
    doubt     True where something in the provision is not understood
    nested    nodes

A permit speaks only where it certainly matches, a deny wherever it may: what is not understood never widens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.access import keys, moments, tables
from fhirserver.access.acl import CONFIDENTIALITY, PURPOSE_SYSTEMS, RANKS
from fhirserver.outcome import Issue

if TYPE_CHECKING:
    from collections.abc import Mapping

Node = dict[str, Any]

SCOPE: Final = "patient-privacy"
DEPTH: Final = 8
NODES: Final = 200
ACTIONS: Final = frozenset({"collect", "access", "use", "disclose", "correct"})
AROUND: Final = frozenset({"Encounter", "EpisodeOfCare", "CarePlan"})
"""For these `related` means what belongs to them: what refers to them (IHE PCF)."""
_ACTORS: Final = frozenset({"Practitioner", "PractitionerRole", "Organization", "CareTeam", "Patient", "RelatedPerson"})
_NATIONAL: Final = frozenset({"Practitioner", "PractitionerRole", "Organization"})
_MEANINGS: Final = frozenset({"instance", "related", "dependents", "authoredby"})
_REASONS: Final = (*PURPOSE_SYSTEMS, None)
_TYPES: Final = ("http://hl7.org/fhir/resource-types", "http://hl7.org/fhir/fhir-types")
_NOT_DOCUMENTS: Final = ("urn:ietf:bcp:13", "urn:ietf:rfc:3986", "http://terminology.hl7.org/CodeSystem/consentclass")
_ACTION: Final = "http://terminology.hl7.org/CodeSystem/consentaction"
_STRUCTURE: Final = "http://hl7.org/fhir/StructureDefinition/"


class Actor(NamedTuple):
    """Who is named, by all keys known of him; `time` of his membership; `active` False in a team that is not."""

    keys: tuple[str, ...]
    time: moments.Span
    active: bool

    def as_node(self) -> Node:
        """He is meant who bears one key of each kind: the person, in that organisation."""
        groups: dict[str, list[str]] = {}
        for key in self.keys:
            groups.setdefault(keys.kind(key), []).append(key)
        return {"groups": list(groups.values()), "start": self.time.start, "end": self.time.end}

    def person(self) -> list[str]:
        """The keys by which he may be meant wherever he acts: the person's, else the organisation's."""
        for kind in ("rpps", "finess"):
            if found := [key for key in self.keys if keys.kind(key) == kind]:
                return found
        return list(self.keys)


class Departments(NamedTuple):
    """Keys of the departments of an establishment, by its key: `declared` by it or by the operator; `claimed`: by
    themselves, which counts for a deny alone."""

    declared: dict[str, list[str]]
    claimed: dict[str, list[str]]


class Reading:
    """What a Consent is read with: identifiers of local actors, care teams and named resources by reference.

    `departments` are meant where their establishment is. `known` are keys that actors had when the policy was last
    built: a deny holds on to them. Fills `found` with the keys of now, `refs` with every reference that the outcome
    depends on, `issues` with what is not understood. `plain`: labels of confidentiality are plain tags.
    """

    def __init__(
        self,
        identifiers: Mapping[str, tuple[str, ...]],
        teams: Mapping[str, Mapping[str, Any]],
        resources: Mapping[str, Mapping[str, Any]],
        known: Mapping[str, list[str]],
        departments: Departments | None = None,
        *,
        plain: bool = False,
    ) -> None:
        self.plain = plain
        self.departments = departments or Departments({}, {})
        self.identifiers, self.teams, self.resources, self.known = identifiers, teams, resources, known
        self.contained: Mapping[str, Mapping[str, Any]] = {}
        self.found: dict[str, list[str]] = {}
        self.refs: set[str] = set()
        self.issues: list[Issue] = []

    def whole(self, found: tuple[str, ...]) -> tuple[str, ...]:
        """The keys with those of the departments."""
        parts = [part for key in found for part in self.departments.declared.get(key, ())]
        return tuple(dict.fromkeys([*found, *parts]))

    def doubt(self, at: str, text: str, code: str = "business-rule") -> bool:
        self.issues.append(Issue("error", code, text, (at,), rule="consent"))
        return True


def in_force(consent: Mapping[str, Any], patient: str) -> bool:
    """Whether it is an active privacy Consent of this patient: any other is no rule of access."""
    subject = consent.get("patient")
    place = keys.local(subject.get("reference")) if isinstance(subject, dict) else None
    return consent.get("status") == "active" and _is_privacy(consent) and place == ("Patient", patient)


def tree(consent: Mapping[str, Any], reading: Reading) -> Node | None:
    """The root node; None for a Consent that states no rule."""
    reading.contained = keys.contained(consent)
    root = consent.get("provision")
    if not isinstance(root, dict):
        if _codes(consent.get("policyRule")) & {"OPTIN", "OPTOUT"}:
            reading.doubt("Consent.policyRule", "OPTIN and OPTOUT are no rule by themselves: state permit or deny.")
            return _blank("deny")
        return None
    if not _measured(root):
        text = f"More than {NODES} provisions, or nested deeper than {DEPTH}."
        reading.doubt("Consent.provision", text, "too-costly")
        return _blank("deny") | {"sure": [], "maybe": [keys.EVERYONE]}
    node = _node(root, "Consent.provision", reading, root=True)
    if "modifierExtension" in consent:
        _shade(node, reading.doubt("Consent.modifierExtension", "A modifier extension is not understood."))
    return node


def problems(consent: Mapping[str, Any], identifiers: Mapping[str, tuple[str, ...]] | None = None) -> list[Issue]:
    """What a Consent says that this server would not carry out as written; each is a reason to refuse the write.

    With `identifiers` (national keys by local reference) also actors that cannot be told from others.
    """
    if not _is_privacy(consent):
        return []
    reading = Reading(identifiers or {}, {}, {}, {})
    subject = consent.get("patient")
    place = keys.local(subject.get("reference")) if isinstance(subject, dict) else None
    if place is None or place[0] != "Patient":
        reading.doubt("Consent.patient", "A privacy Consent names its Patient by a literal reference.", "required")
    node = tree(consent, reading)
    if identifiers is not None and node is not None:
        for reference in sorted(reading.refs):
            if reference.partition("/")[0] in _NATIONAL and not identifiers.get(reference):
                reading.doubt("Consent.provision.actor", f"{reference} has no national identifier here.", "not-found")
    return reading.issues


def _is_privacy(consent: Mapping[str, Any]) -> bool:
    return SCOPE in _codes(consent.get("scope"))


def _measured(root: Mapping[str, Any]) -> bool:
    level, count = [root], 0
    for _ in range(DEPTH):
        count += len(level)
        level = [each for node in level for each in _list(node.get("provision")) if isinstance(each, dict)]
        if not level:
            return count <= NODES
    return False


def _blank(type_: str | None) -> Node:
    names = ("start", "end", "sure", "maybe", "purposes", "actions", "classes", "codes", "labels", "data", "span")
    return {"type": type_, "timed": True, "doubt": False, "nested": []} | dict.fromkeys(names)


def _shade(node: Node, doubt: bool) -> None:
    node["doubt"] = node["doubt"] or doubt
    for each in node["nested"]:
        _shade(each, doubt)


def _node(provision: Mapping[str, Any], at: str, reading: Reading, *, root: bool = False) -> Node:
    nested = [each for each in _list(provision.get("provision")) if isinstance(each, dict)]
    node = _blank(_type(provision, at, reading, may_lack=root and bool(nested)))
    node["doubt"] = len(nested) != len(_list(provision.get("provision")))
    if "modifierExtension" in provision:
        node["doubt"] = reading.doubt(at, "A modifier extension is not understood.")
    period = moments.span(provision.get("period"))
    if not period.sure:
        reading.doubt(f"{at}.period", "The period cannot be read, or ends before it begins.", "value")
    node |= {"start": period.start, "end": period.end, "timed": period.sure}
    if "actor" in provision:
        node |= _actors(_list(provision["actor"]), f"{at}.actor", reading)
    if "purpose" in provision:
        node["purposes"] = _purposes(_list(provision["purpose"]), f"{at}.purpose", reading)
    if "action" in provision:
        node["actions"] = _actions(_list(provision["action"]), f"{at}.action", reading)
    if "class" in provision:
        node["classes"] = _classes(_list(provision["class"]), f"{at}.class", reading)
    if "code" in provision:
        _instance_codes(node, _list(provision["code"]), f"{at}.code", reading)
    if "securityLabel" in provision:
        _labels(node, _list(provision["securityLabel"]), f"{at}.securityLabel", reading)
    if "data" in provision:
        node["data"] = [_data(each, f"{at}.data", reading) for each in _list(provision["data"])]
        unclear = not node["data"] or any(each["meaning"] is None for each in node["data"])
        node["doubt"] = node["doubt"] or unclear
    if "dataPeriod" in provision:
        node["span"] = _span(provision["dataPeriod"], f"{at}.dataPeriod", reading)
    node["nested"] = [_node(each, f"{at}.provision[{i}]", reading) for i, each in enumerate(nested)]
    _contradiction(nested, at, reading)
    return node


def _type(provision: Mapping[str, Any], at: str, reading: Reading, *, may_lack: bool) -> str | None:
    type_ = provision.get("type")
    if type_ in ("permit", "deny"):
        return str(type_)
    if type_ is None and may_lack:
        return None
    text = "State permit or deny: without it the provision is held to mean deny."
    reading.issues.append(Issue("warning", "required", text, (f"{at}.type",), rule="consent"))
    return "deny"


def _contradiction(nested: list[Any], at: str, reading: Reading) -> None:
    seen: list[tuple[Any, Any]] = []
    for each in nested:
        stated = {name: value for name, value in each.items() if name not in ("type", "id")}
        if any(stated == other and each.get("type") != type_ for other, type_ in seen):
            reading.doubt(f"{at}.provision", "Two provisions say permit and deny of the same: deny is what holds.")
        seen.append((stated, each.get("type")))


def _actors(actors: list[Any], at: str, reading: Reading) -> Node:
    sure: list[Node] = []
    maybe: list[str] = []
    for i, actor in enumerate(actors or [None]):
        plain = isinstance(actor, dict) and "modifierExtension" not in actor
        reference = actor.get("reference") if plain else None
        found = _actor(reference, reading)
        if not found:
            text = "This actor cannot be told from others: name a professional, an organisation, a team or a person."
            reading.doubt(f"{at}[{i}]", text, "not-supported")
            maybe.append(keys.EVERYONE)
        sure += [each.as_node() for each in found if each.active]
        persons = [key for each in found for key in each.person()]
        claimed = [part for key in persons for part in reading.departments.claimed.get(key, ())]
        maybe += persons + claimed + _held(reference, persons, reading)
    return {"sure": sure, "maybe": sorted(set(maybe))}


def _actor(reference: Any, reading: Reading) -> list[Actor]:
    """Who is meant; none when it cannot be told."""
    place = keys.local(reference.get("reference")) if isinstance(reference, dict) else None
    if place is not None:
        reading.refs.add("/".join(place))
        if place[0] not in _ACTORS:
            return []
        if place[0] == "CareTeam" and (team := reading.teams.get("/".join(place))) is not None:
            return members(team, reading)
    found = reading.whole(keys.of_reference(reference, reading.identifiers, reading.contained))
    return [Actor(found, moments.ALWAYS, active=True)] if found else []


def members(team: Mapping[str, Any], reading: Reading) -> list[Actor]:
    """The professionals and organisations of a CareTeam and of the teams in it."""
    found: list[Actor] = []
    todo: list[tuple[Mapping[str, Any], moments.Span, bool]] = [(team, moments.ALWAYS, True)]
    seen: set[str] = set()
    while todo:
        each, outer, active = todo.pop()
        inner, time = keys.contained(each), outer.within(moments.span(each.get("period")))
        active = active and each.get("status") == "active"
        for participant in _list(each.get("participant")):
            member = participant.get("member") if isinstance(participant, dict) else None
            if not isinstance(member, dict):
                continue
            place = keys.local(member.get("reference"))
            name = "/".join(place) if place else ""
            stay = time.within(moments.span(participant.get("period")))
            if place is not None:
                reading.refs.add(name)
                if name in reading.teams and name not in seen:
                    seen.add(name)
                    todo.append((reading.teams[name], stay, active))
                if place[0] not in _NATIONAL:
                    continue
            if alternative := keys.of_reference(member, reading.identifiers, inner):
                found.append(Actor(reading.whole(alternative), stay, active and stay.sure))
    return found


def _held(reference: Any, now: list[str], reading: Reading) -> list[str]:
    """The keys that an actor had before: a deny is not lost with the identifier of whom it names."""
    place = keys.local(reference.get("reference")) if isinstance(reference, dict) else None
    if place is None:
        return []
    name = "/".join(place)
    before = [] if name in reading.teams else list(reading.known.get(name, ()))
    reading.found[name] = sorted({*before, *now})
    return before


def _purposes(purposes: list[Any], at: str, reading: Reading) -> Node:
    codes, doubt = [], False
    for each in purposes:
        system, code = (each.get("system"), each.get("code")) if isinstance(each, dict) else (None, None)
        if not isinstance(code, str) or ((system in _REASONS) != (code in tables.purposes())):
            doubt = reading.doubt(at, f"Unknown purpose of use {code!r}.", "code-invalid")
        else:
            codes.append(code)
    return {"codes": codes, "doubt": doubt or not purposes}


def _actions(actions: list[Any], at: str, reading: Reading) -> Node:
    codes = [_codes(each) for each in actions]
    known: frozenset[str] = frozenset().union(*codes) & ACTIONS
    doubt = not all(each & ACTIONS for each in codes) and reading.doubt(at, "Unknown action.", "code-invalid")
    return {"codes": sorted(known), "doubt": doubt or not codes}


def _instance_codes(node: Node, concepts: list[Any], at: str, reading: Reading) -> None:
    """`code`; one of consentaction is an action in the wrong place, as the French draft profile's example has it."""
    pairs = [_codings(each) for each in concepts]
    actions = [each for each in concepts if any(system == _ACTION for system, _ in _codings(each))]
    if actions:
        node["actions"] = _actions(actions, at, reading)
        pairs = [each for each in pairs if not any(system == _ACTION for system, _ in each)]
    if pairs:
        node["codes"] = [list(pair) for each in pairs for pair in each]
    if not all(pairs) or not concepts:
        node["doubt"] = reading.doubt(at, "A code without coding cannot be looked for.", "code-invalid")


def _labels(node: Node, labels: list[Any], at: str, reading: Reading) -> None:
    pairs = [(each.get("system"), each.get("code")) if isinstance(each, dict) else (None, None) for each in labels]
    node["labels"] = [[system, code] for system, code in pairs if isinstance(code, str)]
    node |= {"plain": True} if reading.plain else {}
    known = all(isinstance(code, str) and (system not in CONFIDENTIALITY or code in RANKS) for system, code in pairs)
    if not known or not pairs:
        node["doubt"] = reading.doubt(at, "A label that is none, or an unknown confidentiality.", "code-invalid")


def _classes(classes: list[Any], at: str, reading: Reading) -> Node:
    types: list[str] = []
    documents: list[str] = []
    doubt = not classes
    for each in classes:
        system, code = (each.get("system"), each.get("code")) if isinstance(each, dict) else (None, None)
        if isinstance(code, str) and (system in _TYPES or (system is None and code in tables.resource_types())):
            types.append(code)
            known = code in tables.resource_types()
        elif isinstance(code, str) and (base := code.removeprefix(_STRUCTURE)) != code:
            types.append(base)
            known = base in tables.resource_types()
        else:
            known = isinstance(code, str) and system is not None and system not in _NOT_DOCUMENTS
            documents += [code] if known and isinstance(code, str) else []
        if not known:
            doubt = reading.doubt(at, f"{code!r} is neither a resource type nor a document type.", "code-invalid")
    return {"types": types, "documents": documents, "doubt": doubt}


def _data(data: Any, at: str, reading: Reading) -> Node:
    meaning = data.get("meaning") if isinstance(data, dict) else None
    reference = data.get("reference") if isinstance(data, dict) else None
    place = keys.local(reference.get("reference")) if isinstance(reference, dict) else None
    if meaning == "authoredby":
        found = keys.of_reference(reference, reading.identifiers, reading.contained)
        literal = [keys.of_literal(*place)] if place else []
        if found:
            reading.refs.update({"/".join(place)} if place else ())
            return {"meaning": meaning, "keys": sorted({*found, *literal})}
    elif meaning in _MEANINGS and place is not None:
        name = "/".join(place)
        if meaning == "related":
            reading.refs.add(name)
            if place[0] not in AROUND:
                text = "'related' is carried out for Encounter, EpisodeOfCare and CarePlan only."
                reading.doubt(at, text, "not-supported")
        targets = sorted(set(keys.references(reading.resources.get(name)))) if meaning == "related" else []
        return {"meaning": meaning, "type": place[0], "id": place[1], "targets": targets}
    reading.doubt(at, "What data is meant cannot be told: give a meaning and a local reference.", "not-supported")
    return {"meaning": None}


def _span(period: Any, at: str, reading: Reading) -> Node:
    found = moments.span(period)
    if not found.sure:
        reading.doubt(at, "The period cannot be read, or ends before it begins.", "value")
    start, end = (None if each is None else moments.microseconds(each) for each in (found.start, found.end))
    return {"start": start, "end": end, "sure": found.sure}


def _codings(concept: Any) -> list[tuple[str | None, str]]:
    """(system, code) of a CodeableConcept, or of a Coding as it stands."""
    if not isinstance(concept, dict):
        return []
    return [
        (each.get("system"), each["code"])
        for each in _list(concept.get("coding"))
        if isinstance(each, dict) and isinstance(each.get("code"), str)
    ]


def _codes(concept: Any) -> frozenset[str]:
    return frozenset(code for _, code in _codings(concept))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
