"""Why a requester sees a resource or not: the rules of a search, asked one by one of one envelope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from fhirserver.access import compile as compiler
from fhirserver.access import rules, scopes, tables
from fhirserver.access.acl import HIDDEN_FROM_REPRESENTATIVES
from fhirserver.access.moments import majority
from fhirserver.predicate import In, matches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fhirserver.access.policy import Policy
    from fhirserver.access.requester import Access


class Part(NamedTuple):
    """One rule that took part: `effect` hard (withholds), grant, or limit (of the grants named in `of`)."""

    rule: str
    effect: str
    holds: bool
    words: str
    of: tuple[str, ...] = ()


class Explanation(NamedTuple):
    """The verdict is that of the query itself; `parts` are the rules that had something to say."""

    visible: bool
    parts: tuple[Part, ...]


def explain(access: Access, resource_type: str, envelope: Mapping[str, Any], policy: Policy | None) -> Explanation:
    """Whether and why the requester sees the resource of this envelope; `policy` is that of its patient."""
    policies = [policy] if policy is not None else []
    named = frozenset({envelope["pat"]}) if "pat" in envelope else frozenset[str]()
    visible = matches(compiler.predicate(access, resource_type, policies, named), envelope)
    parts = tuple(_parts(access, resource_type, envelope, policy))
    if not visible and not any(part.holds and part.effect == "hard" for part in parts):
        parts = (*parts, Part("nothing", "hard", True, rules.WORDS["nothing"]))
    return Explanation(visible, parts)


def _parts(access: Access, resource_type: str, envelope: Mapping[str, Any], policy: Policy | None) -> Iterator[Part]:
    who = access.requester
    if not scopes.levels(who, resource_type, "rs"):
        yield Part("scope", "hard", True, rules.WORDS["scope"])
        return
    if who.kind == "operator":
        yield Part("operator", "grant", True, rules.WORDS["operator"])
        return
    if resource_type in tables.shared() and "pat" not in envelope:
        yield Part("shared", "grant", True, rules.WORDS["shared"])
        return
    if not matches(compiler.launched(access, resource_type), envelope):
        yield Part("launch", "hard", True, rules.WORDS["launch"])
    person = who.kind in ("patient", "representative")
    if person and who.patient is not None:
        yield from _holder(access, resource_type, envelope, policy)
    if policy is not None and not (person and policy.patient == who.patient):
        yield from _policy(rules.Case(access, resource_type, policy, named=True), envelope)
    else:
        own = matches(rules.deposited(access, resource_type), envelope)
        yield Part("own", "grant", own, rules.WORDS["own"])


def _holder(access: Access, resource_type: str, envelope: Mapping[str, Any], policy: Policy | None) -> Iterator[Part]:
    who = access.requester
    mine = matches(rules.compartment(who.patient or "", resource_type), envelope)
    yield Part("holder" if who.kind == "patient" else "representative", "grant", mine, rules.WORDS["holder"])
    if not mine:
        return
    if not matches(rules.announced(access), envelope):
        yield Part("announcement", "hard", True, rules.WORDS["announcement"])
    if who.kind == "representative":
        of_age = majority(policy.birth) if policy is not None else None
        if of_age is None or of_age <= access.now:
            yield Part("majority", "hard", True, rules.WORDS["majority"])
        if matches(In("acl.labels", (HIDDEN_FROM_REPRESENTATIVES,)), envelope):
            yield Part("minor-secret", "hard", True, rules.WORDS["minor-secret"])


def _policy(case: rules.Case, envelope: Mapping[str, Any]) -> Iterator[Part]:
    limited: dict[str, list[str]] = {}
    for rule in rules.RULES:
        if rule.effect == "limit":
            continue
        holds = matches(rule.judge(case), envelope)
        if rule.effect == "grant" and holds:
            for key in rule.limits:
                limited.setdefault(key, []).append(rule.key)
        if holds or rule.effect == "grant":
            yield Part(rule.key, rule.effect, holds, rule.words)
    for key, grants in limited.items():
        limit = rules.BY_KEY[key]
        yield Part(key, "limit", matches(limit.judge(case), envelope), limit.words, tuple(grants))
