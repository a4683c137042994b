"""Who sees a resource: every requester there could be, told in few rows, exactly.

The rules tell requesters apart by what policies, matrix and resource name, and by nothing else: so whoever is not named
is like anybody else who is not. Each kind is asked for those named and for one of the others, and rows that say the
same are made one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.access import keys, rules, tables
from fhirserver.access.explain import sees
from fhirserver.access.requester import Access, Requester

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from fhirserver.access.consent import Node
    from fhirserver.access.policy import Policy

PURPOSES: Final = ("TREAT", "BTG", "ETREAT")
"""Care and the two emergencies: what is asked for unless said otherwise."""
MOST: Final = 20_000
"""Questions that one answer may cost."""
_OTHERS: Final = {"rpps": "00000000000", "finess": "000000000", "client": "|", "patient": "|", "related": "|"}
"""Whom nothing names."""
_ELSE: Final = ""
"""Every profession that neither the matrix nor the policy knows."""
_PERSONS: Final = ("user/*.rs", "patient/*.rs")


class Seer(NamedTuple):
    """A row: who of this kind sees it, for which purposes.

    `person`, `organization`: an actor key; None: whoever no row and no exception of this kind names. `professions`: as
    tokens write them, with all specialities; empty: any. `excepted`: actor keys (`profession|…` too) that the row does
    not speak of. `needs_organization`: only who acts for one.
    """

    kind: str
    person: str | None = None
    organization: str | None = None
    professions: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    excepted: tuple[str, ...] = ()
    needs_organization: bool = False


class TooMany(Exception):
    """More is named than one answer may tell of."""


class _Question(NamedTuple):
    type: str
    envelope: Mapping[str, Any]
    policies: Sequence[Policy]
    now: datetime
    purposes: tuple[str, ...]

    def seen(self, kind: str, purpose: str, **fields: Any) -> bool:
        scopes = {"practitioner": ("user/*.rs",), "system": ("system/*.rs",), "operator": ("system/*.rs",)}
        id = fields.pop("id", f"{kind}/asked")
        who = Requester(kind, id, purpose=purpose, scopes=scopes.get(kind, _PERSONS), **fields)
        return sees(Access(who, self.now), self.type, self.envelope, self.policies)


def seers(
    type: str,
    envelope: Mapping[str, Any],
    policies: Sequence[Policy],
    now: datetime,
    purposes: Sequence[str] = PURPOSES,
) -> list[Seer]:
    """The rows of a resource of a record; `policies` are those of its patients. Raises TooMany."""
    asked = _Question(type, envelope, policies, now, tuple(dict.fromkeys(purposes)))
    named = _named(envelope, policies)
    found = [Seer("operator")]
    found += _holders(asked, named)
    found += _representatives(asked, named)
    found += _professionals(asked, named)
    found += _systems(asked, named)
    return found


def _named(envelope: Mapping[str, Any], policies: Iterable[Policy]) -> dict[str, list[str]]:
    """Every actor key that the resource or a policy names, by kind; literal references under `rpps`."""
    found: set[str] = set()
    for acl in (envelope.get("acl", {}), envelope.get("doc", {}).get("acl", {})):
        found |= {*acl.get("author", ()), *acl.get("by", ()), *acl.get("with", ())}
    for policy in (part for each in policies for part in each.whole):
        found |= {*policy.traitant, *(f"related|{id}" for id, _ in policy.represent)}
        for node in (*policy.team, *policy.roots):
            found |= set(_of_node(node))
    by_kind: dict[str, list[str]] = {}
    for key in sorted(found - {keys.EVERYONE}):
        kind = keys.kind(key)
        by_kind.setdefault("rpps" if "/" in kind and kind.startswith("Practitioner") else kind, []).append(key)
    return by_kind


def _of_node(node: Node) -> Iterator[str]:
    for actor in (node, *(node.get("sure") or ())):
        for group in actor.get("groups", ()):
            yield from group
    yield from node.get("maybe") or ()
    for each in node.get("nested", ()):
        yield from _of_node(each)


def _holders(asked: _Question, named: Mapping[str, list[str]]) -> Iterator[Seer]:
    own = {asked.envelope.get("pat"), *asked.envelope.get("patx", ())} - {None}
    persons = {key.partition("|")[2] for key in named.get("patient", ())}
    for id in sorted(own | persons):
        if asked.seen("patient", "PATRQT", patient=id):
            yield Seer("holder" if id in own else "relative", f"patient|{id}")


def _representatives(asked: _Question, named: Mapping[str, list[str]]) -> Iterator[Seer]:
    """Of the record's patient; and, as relatives, those named who represent somebody else."""
    patient = asked.envelope.get("pat")

    def seen(key: str, of: str | None) -> bool:
        id = f"RelatedPerson/{key.partition('|')[2]}"
        return asked.seen("representative", "PATRQT", id=id, patient=of)

    everyone = seen(f"related|{_OTHERS['related']}", patient)
    different = [key for key in named.get("related", ()) if seen(key, patient) != everyone]
    if everyone:
        yield Seer("representative", excepted=tuple(different))
    else:
        yield from (Seer("representative", key) for key in different)
    yield from (Seer("relative", key) for key in named.get("related", ()) if seen(key, _OTHERS["patient"]))


def _professionals(asked: _Question, named: Mapping[str, list[str]]) -> Iterator[Seer]:
    classes = _classes(asked, named)

    def seen(person: str | None, organization: str | None, profession: str, purpose: str) -> bool:
        rpps = _number(person, "rpps")
        return asked.seen(
            "practitioner",
            purpose,
            id=person if person and "|" not in person else f"practitioner/{rpps}",
            rpps=rpps,
            organization=organization,
            profession=profession or None,
        )

    persons, organizations = named.get("rpps", []), named.get("finess", [])
    _afford(asked, persons, organizations, classes)
    yield from _rows("practitioner", persons, organizations, classes, asked.purposes, seen)


def _systems(asked: _Question, named: Mapping[str, list[str]]) -> Iterator[Seer]:
    def seen(person: str | None, organization: str | None, _: str, purpose: str) -> bool:
        return asked.seen("system", purpose, client=_number(person, "client"), organization=organization)

    clients, organizations = named.get("client", []), named.get("finess", [])
    _afford(asked, clients, organizations, [[_ELSE]])
    yield from _rows("system", clients, organizations, [[_ELSE]], asked.purposes, seen)


def _number(key: str | None, kind: str) -> str | None:
    if key is None:
        return _OTHERS[kind]
    return key.partition("|")[2] or None


def _afford(asked: _Question, persons: list[str], organizations: list[str], classes: list[list[str]]) -> None:
    if (len(persons) + 1) * (len(organizations) + 2) * len(classes) * len(asked.purposes) > MOST:
        raise TooMany


def _classes(asked: _Question, named: Mapping[str, list[str]]) -> list[list[str]]:
    """The professions, those together that no rule tells apart here."""
    mentioned = {key.partition("|")[2] for key in named.get("profession", ())}
    known = {profession for profession, _ in tables.matrix()} | mentioned | rules.EXPRESS_ONLY
    groups: dict[Any, list[str]] = {}
    for profession in (*sorted(known), _ELSE):
        special = profession in mentioned or "/" in profession or profession in ("G15_10", _ELSE)
        rights = tuple(_open(profession, *each) for each in _judged(asked))
        groups.setdefault(profession if special else rights, []).append(profession)
    return list(groups.values())


def _judged(asked: _Question) -> list[tuple[str, Mapping[str, Any]]]:
    document = asked.envelope.get("doc")
    return [(asked.type, asked.envelope), *([(rules.DOCUMENT, document)] if document else ())]


def _open(profession: str, type: str, envelope: Mapping[str, Any]) -> bool:
    """Whether the matrix opens this resource to the profession."""
    if type not in tables.DOCUMENTS:
        rights = tables.rights(profession, "resource")
        return type in rights.granted or (rights.every and type not in rights.refused)
    rights, codes = tables.rights(profession, "document"), set(envelope.get("acl", {}).get("type", ()))
    return (rights.every or bool(codes & rights.granted)) and not codes & rights.refused


Seen = dict[str, frozenset[str]]
"""By purpose, the professions that see it."""


def _rows(
    kind: str,
    persons: list[str],
    organizations: list[str],
    classes: list[list[str]],
    purposes: tuple[str, ...],
    seen: Callable[[str | None, str | None, str, str], bool],
) -> Iterator[Seer]:
    universe = frozenset(each for group in classes for each in group)

    def cell(person: str | None, organization: str | None) -> Seen:
        return {
            purpose: frozenset(
                each for group in classes if seen(person, organization, group[0], purpose) for each in group
            )
            for purpose in purposes
        }

    def line(person: str | None) -> list[Seen]:
        numbers = [each.partition("|")[2] for each in organizations]
        found = [cell(person, None)] if kind == "practitioner" else []
        return [*found, *(cell(person, each) for each in (_OTHERS["finess"], *numbers))]

    everyone = line(None)
    lines = {person: found for person in persons if (found := line(person)) != everyone}
    yield from _told(kind, None, everyone, organizations, universe, tuple(lines))
    for person, found in lines.items():
        yield from _told(kind, person, found, organizations, universe, ())


def _told(
    kind: str,
    person: str | None,
    found: list[Seen],
    organizations: list[str],
    universe: frozenset[str],
    excepted: tuple[str, ...],
) -> Iterator[Seer]:
    """The rows of one person, or of everybody else: wherever he acts, and in the organisations where it differs."""
    *without, elsewhere = found[: len(found) - len(organizations)]
    apart = [
        (name, there)
        for name, there in zip(organizations, found[len(found) - len(organizations) :], strict=True)
        if there != elsewhere
    ]
    names = tuple(name for name, _ in apart)
    free = without[0] if without else elsewhere
    some = {purpose: seen - free[purpose] for purpose, seen in elsewhere.items()}
    for seen, needed in ((free, False), (some, True)):
        yield from _merged(
            Seer(kind, person, None, excepted=(*excepted, *names), needs_organization=needed), seen, universe
        )
    for name, there in apart:
        yield from _merged(Seer(kind, person, name, excepted=excepted), there, universe)


def _merged(row: Seer, seen: Seen, universe: frozenset[str]) -> Iterator[Seer]:
    """The row for each set of professions, with all its purposes."""
    together: dict[frozenset[str], list[str]] = {}
    for purpose, professions in seen.items():
        if professions:
            together.setdefault(professions, []).append(purpose)
    for professions, purposes in together.items():
        if _ELSE in professions:
            told, left = frozenset[str](), universe - professions
        else:
            told = professions
            left = frozenset(each for each in universe - professions if each.partition("/")[0] in professions)
        told = frozenset(each for each in told if "/" not in each or each.partition("/")[0] not in told)
        excepted = (*row.excepted, *(f"profession|{each}" for each in sorted(left)))
        yield row._replace(professions=tuple(sorted(told)), purposes=tuple(purposes), excepted=excepted)
