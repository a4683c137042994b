"""What the Consents of one person say to one requester at one moment, as predicates over a resource type.

Per Consent, provisions nest: an inner one speaks only where the outer one matched, and turns its answer. Across
Consents, and among provisions side by side: a deny that names an actor beats any permit; else a permit that names an
actor beats a deny of everyone; else deny beats permit; dates do not rank.

What is not understood, or cannot be told from the envelope, never widens: a permit speaks where it surely matches, a
deny wherever it may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.access import tables
from fhirserver.access.acl import CONFIDENTIALITY, NORMAL, RANKS, RESTRICTED
from fhirserver.access.consent import AROUND
from fhirserver.access.moments import Span, soonest
from fhirserver.predicate import FALSE, TRUE, Cmp, Elem, Eq, Exists, In, Predicate, all_of, any_of, negate

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from fhirserver.access.consent import Node
    from fhirserver.access.requester import Access

READING: Final = frozenset({"access", "use", "disclose"})
_LONGEST: Final = 120
"""Characters of a code beyond which the search index keeps a hash: such codes are not looked for."""
_BELOW: Final = {
    "SPI": ("BH", "COGN", "DVD", "EMOTDIS", "MH", "PSY", "PSYTHPN", "SUD", "ETHUD", "OPIOIDUD"),
    "BH": ("COGN", "DVD", "EMOTDIS"),
    "SUD": ("ETHUD", "OPIOIDUD"),
    "ETH": ("ETHUD", "OPIOIDUD"),
}
"""Sensitivity codes (v3-ActCode) that a more general one covers; ETH as IHE PCF reads it."""


class Question(NamedTuple):
    """Who asks when, for what purpose, to do what with which type. `action`: `access` (reading) or `collect`.

    `keys`: whom a permit must mean; `barred`: whom a deny may mean, who acts in his place too.
    """

    keys: frozenset[str]
    barred: frozenset[str]
    professional: bool
    now: datetime
    purpose: frozenset[str]
    action: str
    type: str


class Answer(NamedTuple):
    """Where Consents deny and permit: by naming an actor, or everyone. `change`: when the answer may be another."""

    deny_named: Predicate
    deny: Predicate
    permit_named: Predicate
    permit: Predicate
    change: datetime | None


SILENCE: Final = Answer(FALSE, FALSE, FALSE, FALSE, None)


def question(access: Access, resource_type: str, action: str = "access") -> Question:
    """The question that a request asks."""
    who = access.requester
    purpose = tables.purpose(who.purpose).codes
    return Question(
        who.meant, who.named, who.kind in ("practitioner", "system"), access.now, purpose, action, resource_type
    )


def answer(roots: Iterable[Node], asked: Question) -> Answer:
    """The joint answer of several Consents, each given by its root node."""
    return _joined([_judge(root, asked, named=False, labelled=False) for root in roots])


def _joined(answers: list[Answer]) -> Answer:
    if not answers:
        return SILENCE
    return Answer(
        _distinct(each.deny_named for each in answers),
        _distinct(each.deny for each in answers),
        _distinct(each.permit_named for each in answers),
        _distinct(each.permit for each in answers),
        soonest(each.change for each in answers),
    )


def _distinct(items: Iterable[Predicate]) -> Predicate:
    """Any of them, each once; told apart by their text, for as tuples `And` and `Or` of the same are equal."""
    return any_of({repr(each): each for each in items if each != FALSE}.values())


def _judge(node: Node, asked: Question, *, named: bool, labelled: bool) -> Answer:
    span = Span(node["start"], node["end"])
    members = [Span(each["start"], each["end"]) for each in node["sure"] or ()]
    change = soonest(each.change(asked.now) for each in (span, *members))
    sure, maybe = _request(node, asked, span.holds(asked.now))
    if not maybe:
        return SILENCE._replace(change=change)
    named = named or node["maybe"] is not None
    labelled = labelled or _is_labelled(node)
    surely, possibly = _resource(node, asked)
    surely = surely if sure else FALSE
    inner = _joined([_judge(each, asked, named=named, labelled=labelled) for each in node["nested"]])
    denied = any_of((inner.deny_named, all_of((inner.deny, negate(inner.permit_named)))))
    permitted = any_of((inner.permit_named, inner.permit))
    own_deny = all_of((possibly, negate(permitted))) if node["type"] == "deny" else FALSE
    own_permit: Predicate = FALSE
    if node["type"] == "permit":
        ceiling = TRUE if labelled else Cmp("acl.conf", "$lte", RESTRICTED if named else NORMAL)
        own_permit = all_of((surely, negate(denied), ceiling))
    elsewhere = all_of((surely, negate(denied)))
    return Answer(
        any_of((all_of((possibly, inner.deny_named)), own_deny if named else FALSE)),
        any_of((all_of((possibly, inner.deny, negate(inner.permit_named))), FALSE if named else own_deny)),
        any_of((all_of((elsewhere, inner.permit_named)), own_permit if named else FALSE)),
        any_of((all_of((elsewhere, inner.permit)), FALSE if named else own_permit)),
        soonest((change, inner.change)),
    )


def _request(node: Node, asked: Question, in_time: bool) -> tuple[bool, bool]:
    """Whether the provision surely, and whether it possibly, speaks of this request."""
    actors = node["sure"]
    sure = asked.professional if actors is None else any(meant(each, asked.keys, asked.now) for each in actors)
    maybe = asked.professional if node["maybe"] is None else bool(asked.barred & set(node["maybe"]))
    if node["purposes"] is not None:
        hit = bool(asked.purpose & set(node["purposes"]["codes"]))
        sure, maybe = sure and hit, maybe and (hit or node["purposes"]["doubt"])
    wanted = READING if asked.action == "access" else frozenset({asked.action})
    if node["actions"] is not None:
        hit = bool(wanted & set(node["actions"]["codes"]))
        sure, maybe = sure and hit, maybe and (hit or (node["actions"]["doubt"] and asked.action == "access"))
    elif asked.action != "access":
        return False, False
    return sure and in_time and node["timed"] and not node["doubt"], maybe and (in_time or not node["timed"])


def meant(actor: Node, keys: frozenset[str], now: datetime) -> bool:
    """Whether who bears the keys is the actor: one key of each group, within the time of his membership."""
    return Span(actor["start"], actor["end"]).holds(now) and all(keys & set(group) for group in actor["groups"])


def _resource(node: Node, asked: Question) -> tuple[Predicate, Predicate]:
    """Of which resources of the type the provision surely, and of which it possibly, speaks."""
    pairs = [
        _classes(node["classes"], asked.type),
        _labels(node["labels"], node["type"], plain=node.get("plain", False)),
        _codes(node["codes"], asked.type),
        _data(node["data"], asked.type),
        _span(node["span"], asked.type),
    ]
    surely = all_of(pair[0] for pair in pairs)
    return surely, TRUE if node["doubt"] else all_of(pair[1] for pair in pairs)


def _classes(classes: Node | None, type_: str) -> tuple[Predicate, Predicate]:
    if classes is None or type_ in classes["types"]:
        return TRUE, TRUE
    hit: Predicate = FALSE
    if classes["documents"] and type_ in tables.DOCUMENTS:
        hit = In("acl.type", tuple(classes["documents"]))
        if type_ == "Binary":
            return hit, TRUE
    return hit, TRUE if classes["doubt"] else hit


def _labels(labels: list[list[Any]] | None, type_: str | None, *, plain: bool) -> tuple[Predicate, Predicate]:
    """On the ladder a permit covers its label and lower ones, a deny its label and higher ones; `plain`: just it."""
    if labels is None:
        return TRUE, TRUE
    lower: list[Predicate] = []
    higher: list[Predicate] = []
    for system, code in labels:
        if plain and code in RANKS and (system is None or system in CONFIDENTIALITY):
            lower.append(Eq("acl.conf", RANKS[code]))
            higher.append(Eq("acl.conf", RANKS[code]))
        elif code in RANKS and (system is None or system in CONFIDENTIALITY):
            lower.append(Cmp("acl.conf", "$lte", RANKS[code]))
            higher.append(negate(Cmp("acl.conf", "$lt", RANKS[code])))
        else:
            codes = (code, *_BELOW.get(code, ()))
            lower.append(In("acl.labels", tuple(f"{system}|{each}" for each in codes) if system else codes))
            higher.append(In("acl.labels", codes))
    permitted, denied = any_of(lower), any_of(higher)
    if type_ is None:
        return all_of((permitted, denied)), any_of((permitted, denied))
    return (permitted, permitted) if type_ == "permit" else (denied, denied)


def _is_labelled(node: Node) -> bool:
    return node["type"] == "permit" and any(
        code in RANKS and (system is None or system in CONFIDENTIALITY) for system, code in node["labels"] or ()
    )


def _codes(codes: list[list[Any]] | None, type_: str) -> tuple[Predicate, Predicate]:
    """A code is looked for where the type's token parameters index it. History keeps no index: there a deny holds."""
    if codes is None:
        return TRUE, TRUE
    surely: list[str] = []
    possibly: list[str] = []
    plain = True
    for system, code in codes:
        plain = plain and len(code) <= _LONGEST and code[:1] != "#" and "|" not in (system or "")
        for parameter in tables.parameters(type_, "token"):
            if system and len(system) <= _LONGEST and plain:
                surely += [f"{parameter}|{system}|{each}" for each in {code, code.casefold()}]
            possibly += [f"{parameter}||{code}", f"{parameter}||{code.casefold()}", f"{parameter}|=|{code}"]
    if not plain or not possibly:
        return FALSE, TRUE
    return In("t", tuple(surely)) if surely else FALSE, any_of((In("t", tuple(possibly)), negate(Exists("t"))))


def _data(data: list[Node] | None, type_: str) -> tuple[Predicate, Predicate]:
    if data is None:
        return TRUE, TRUE
    pairs = [_datum(each, type_) for each in data if each["meaning"] is not None]
    return any_of(pair[0] for pair in pairs), any_of(pair[1] for pair in pairs)


def _datum(datum: Node, type_: str) -> tuple[Predicate, Predicate]:
    if datum["meaning"] == "authoredby":
        author = In("acl.author", tuple(datum["keys"]))
        return author, any_of((author, In("acl.by", tuple(datum["keys"]))))
    itself = _is(datum["id"]) if datum["type"] == type_ else FALSE
    if datum["meaning"] == "instance":
        return itself, itself
    terms = tuple(f"{each}|{datum['type']}/{datum['id']}" for each in tables.parameters(type_, "reference"))
    pointing: Predicate = In("t", terms) if terms else FALSE
    possibly = [itself, pointing, negate(Exists("t")) if terms else FALSE]
    if datum["meaning"] == "related":
        possibly += [_is(each.partition("/")[2]) for each in datum["targets"] if each.partition("/")[0] == type_]
        if datum["type"] not in AROUND:
            return itself, any_of(possibly)
    return any_of((itself, pointing)), any_of(possibly)


def _is(id_: str) -> Predicate:
    """The resource, in its current version (`_id`) or a superseded one (`id`)."""
    return any_of((Eq("_id", id_), Eq("id", id_)))


def _span(span: Node | None, type_: str) -> tuple[Predicate, Predicate]:
    """`dataPeriod`: a permit covers what lies wholly within, a deny what overlaps it or bears no date."""
    if span is None:
        return TRUE, TRUE
    parameter = tables.DATES.get(type_)
    if parameter is None or not span["sure"]:
        return FALSE, TRUE
    field, start, end = f"d.{parameter}", span["start"], span["end"]
    within: list[Predicate] = [Exists(field)]
    overlap: list[Cmp | Eq] = []
    if start is not None:
        within.append(negate(Elem(field, (Cmp("lo", "$lt", start),))))
        overlap.append(Cmp("hi", "$gt", start))
    if end is not None:
        within.append(negate(Elem(field, (Cmp("hi", "$gt", end),))))
        overlap.append(Cmp("lo", "$lt", end))
    if not overlap:
        return Exists(field), TRUE
    return all_of(within), any_of((negate(Exists(field)), Elem(field, tuple(overlap))))
