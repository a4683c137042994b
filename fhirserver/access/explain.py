"""Why a requester sees a resource or not: the rules of a search, asked one by one of one envelope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.access import compile as compiler
from fhirserver.access import rules, scopes, tables
from fhirserver.access.acl import HIDDEN_FROM_REPRESENTATIVES, THROUGH
from fhirserver.access.answer import answer, question
from fhirserver.predicate import FALSE, In, Predicate, matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fhirserver.access.policy import Policy
    from fhirserver.access.requester import Access

_SAID: Final = {
    "blocked": "deny_named",
    "consent": "permit_named",
    "relative": "permit_named",
    "agreement": "permit",
    "unopposed": "deny",
    "undivided": "deny",
}
"""Which part of the Consents' answer a rule carries out."""


class Part(NamedTuple):
    """One rule that took part.

    `effect` hard: where it holds, the grants in `of` are void, all when it is empty; grant: it gives access; limit:
    where it does not hold, the grants in `of` are void. `consents`: ids of the Consents that it rests on.
    """

    rule: str
    effect: str
    holds: bool
    of: tuple[str, ...] = ()
    consents: tuple[str, ...] = ()


class Explanation(NamedTuple):
    """The verdict is that of the query itself; `parts` are the rules that had something to say."""

    visible: bool
    parts: tuple[Part, ...]


def explain(
    access: Access, resource_type: str, envelope: Mapping[str, Any], policies: Sequence[Policy] = ()
) -> Explanation:
    """Whether and why the requester sees the resource of this envelope; `policies` are those of its patients."""
    visible = sees(access, resource_type, envelope, policies)
    parts = tuple(_parts(access, resource_type, envelope, policies))
    if not any(part.effect == "grant" and part.holds for part in parts) and not concluded(parts):
        parts = (*parts, Part("nothing", "hard", True))
    return Explanation(visible, parts)


def sees(access: Access, resource_type: str, envelope: Mapping[str, Any], policies: Sequence[Policy]) -> bool:
    """Whether the compiled predicate finds the envelope, asked for its patients."""
    named = frozenset([*([envelope["pat"]] if "pat" in envelope else ()), *envelope.get("patx", ())])
    return matches(compiler.predicate(access, resource_type, policies, named), envelope)


def concluded(parts: Iterable[Part]) -> bool:
    """The verdict that the parts come to: some grant holds, none of its limits fails, and nothing withholds it."""
    told = tuple(parts)
    return any(
        grant.holds and not any(_voids(each, grant.rule) for each in told) for grant in told if grant.effect == "grant"
    )


def _voids(part: Part, grant: str) -> bool:
    if part.effect == "limit":
        return grant in part.of and not part.holds
    return part.effect == "hard" and part.holds and (not part.of or grant in part.of)


def _parts(
    access: Access, resource_type: str, envelope: Mapping[str, Any], policies: Sequence[Policy]
) -> Iterator[Part]:
    """What was derived from a document is judged with it, a Binary by it alone."""
    document = envelope.get("doc")
    if document is not None and resource_type in rules.WHOLE:
        yield from _judged(access, rules.DOCUMENT, document, policies)
        return
    yield from _judged(access, resource_type, envelope, policies)
    if document is not None and not sees(access, rules.DOCUMENT, document, policies):
        yield Part("document", "hard", True)


def _judged(
    access: Access, resource_type: str, envelope: Mapping[str, Any], policies: Sequence[Policy]
) -> Iterator[Part]:
    who = access.requester
    policy = next((each for each in policies if each.patient == envelope.get("pat")), None)
    if not scopes.levels(who, resource_type, "rs"):
        yield Part("scope", "hard", True)
        return
    if who.kind == "operator":
        yield Part("operator", "grant", True)
        return
    if resource_type in tables.shared() and "pat" not in envelope:
        yield Part("shared", "grant", True)
        return
    if who.is_person:
        represented = next((each for each in policies if each.patient == who.patient), None)
        yield from _person(access, resource_type, envelope, policy, represented)
        return
    if not matches(compiler.launched(access, resource_type), envelope):
        yield Part("launch", "hard", True)
    if policy is not None:
        yield from _policy(rules.around(rules.Case(access, resource_type, policy, named=True), envelope), envelope)
        return
    if tables.purpose(who.purpose).family == "prohibited":
        yield Part("prohibited", "hard", True)
    yield Part("own", "grant", matches(rules.deposited(access, resource_type), envelope))


def _person(
    access: Access,
    resource_type: str,
    envelope: Mapping[str, Any],
    policy: Policy | None,
    represented: Policy | None,
) -> Iterator[Part]:
    """The holder or representative, by his own right; anybody else only as a relative whom a Consent names."""
    who = access.requester
    if who.patient is not None:
        yield from _holder(access, resource_type, envelope, represented)
    if policy is None or scopes.levels(who, resource_type, "rs") == {"patient"}:
        return
    case = rules.around(rules.Case(access, resource_type, policy, named=True), envelope)
    for part in _policy(case, envelope):
        if part.rule == "relative" or "relative" in part.of:
            yield part._replace(of=("relative",) if part.effect == "limit" else ())
        elif part.effect == "hard":
            yield part._replace(of=("relative",))


def _holder(
    access: Access, resource_type: str, envelope: Mapping[str, Any], represented: Policy | None
) -> Iterator[Part]:
    who = access.requester
    mine = matches(rules.compartment(who.patient or "", resource_type), envelope)
    deposited = matches(rules.deposited(access, resource_type), envelope)
    basis = "holder" if who.kind == "patient" else "representative"
    yield Part(basis, "grant", mine)
    yield Part("own", "grant", deposited)
    if represented is not None and not represented.space_at(access.now).reads:
        yield Part("closed", "hard", True, (basis, "own"))
    if represented is not None and represented.into is not None:
        yield Part("merged", "hard", True)
    if represented is not None and not represented.space_at(access.now).reads:
        yield Part("space", "limit", False, (basis, "own"))
    if mine:
        yield Part("announcement", "limit", matches(rules.announced(access), envelope), (basis,))
        yield Part("through-document", "limit", not matches(In("acl.labels", (THROUGH,)), envelope), (basis,))
    if who.kind == "representative" and (mine or deposited):
        acts = represented is not None and rules.represents(access, represented).read
        secret = matches(In("acl.labels", (HIDDEN_FROM_REPRESENTATIVES,)), envelope)
        yield Part("majority", "limit", acts, (basis, "own"))
        yield Part("minor-secret", "limit", not secret, (basis, "own"))


def _policy(case: rules.Case, envelope: Mapping[str, Any]) -> Iterator[Part]:
    limited: dict[str, list[str]] = {}
    for rule in rules.RULES:
        if rule.effect == "limit":
            continue
        holds = matches(rule.judge(case), envelope)
        if rule.effect == "grant" and holds:
            for key in rule.limits if case.beside else (each for each in rule.limits if each != "undivided"):
                limited.setdefault(key, []).append(rule.key)
        if holds or rule.effect == "grant":
            yield Part(rule.key, rule.effect, holds, consents=_consents(case, rule.key, envelope) if holds else ())
    for key, grants in limited.items():
        holds = matches(rules.BY_KEY[key].judge(case), envelope)
        yield Part(key, "limit", holds, tuple(grants), () if holds else _consents(case, key, envelope))


def _consents(case: rules.Case, rule: str, envelope: Mapping[str, Any]) -> tuple[str, ...]:
    """The Consents that by themselves say what the rule rests on."""
    if rule not in _SAID:
        return ()
    asked = question(case.access, case.type)
    found = []
    whole = case.policy.whole if rule in ("blocked", "unopposed", "undivided") else (case.policy,)
    for id, root in (pair for each in whole for pair in zip(each.consents, each.roots, strict=True)):
        said: Predicate = getattr(answer([root], asked), _SAID[rule])
        if said != FALSE and matches(said, envelope):
            found.append(id)
    return tuple(found)
