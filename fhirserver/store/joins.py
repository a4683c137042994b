"""Joins made conditions, by searches of other types: each sees only what the requester may see.

Where the rest of the query leads to few resources, as within one patient's record, these are read first and the join
looks only among what they refer to, or what refers to them; else it looks for all that its own criteria find, up to
`MOST`. Either way the same resources match.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from fhirserver.errors import BadRequest
from fhirserver.predicate import FALSE, And, Eq, In, Predicate, Prefix, all_of, any_of, negate, to_mongo
from fhirserver.search import pipeline
from fhirserver.search.query import Chain, Chosen, Either, Member, Query, Reverse, Without, Words
from fhirserver.search.terms import bearing, borne, followed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fhirserver.search.query import Join, Target

Row = dict[str, Any]
Named = frozenset[str]

MOST: Final = 5000
"""Resources that one step of a join may lead over."""
FEW: Final = 500
"""Resources that are read first to narrow a join."""
_ID: Final[Row] = {"$project": {"_id": 1}}
_LAST: Final = (Words, Chosen)
"""Joins that look at what all the others leave."""


class Look(Protocol):
    """Runs the stages on what matches a query, of that which may be seen.

    `named`: the patients whom the request names anywhere; `bounded`: the query leads to few resources.
    """

    def __call__(self, query: Query, named: Named, stages: Sequence[Row], *, bounded: bool = False) -> list[Row]: ...


def resolved(query: Query, look: Look, named: Named = frozenset()) -> Query:
    """The query with its joins as conditions. Raises BadRequest (`too-costly`) for one that leads over too much."""
    named = _named(query, named)
    found = replace(query, joins=())
    for join in sorted(query.joins, key=lambda each: _LAST.index(type(each)) if isinstance(each, _LAST) else -1):
        found = _joined(found, join, look, named)
        named = _named(found, named)
    return found


def _named(query: Query, named: Named) -> Named:
    return named | query.named | (query.patients or frozenset())


def _joined(query: Query, join: Join, look: Look, named: Named) -> Query:
    if isinstance(join, Member):
        return _in_compartment(query, join, look, named)
    if FALSE in query.where:
        return query
    match join:
        case Either(items):
            return _narrowed(query, any_of(_condition(query, each, look, named) for each in items))
        case Without(item):
            return _narrowed(query, negate(_condition(query, item, look, named)))
        case Words():
            return _worded(query, join, look, named)
        case Chosen():
            return _chosen(query, join, look, named)
    if isinstance(join, Reverse):
        few = None if join.canonical else _identified(query)
        return _referred(query, join, _few(query, look, named) if few is None else few, look, named)
    sharp = all(_is_sharp(target.query) for target in join.targets)
    return _referring(query, join, None if sharp else _few(query, look, named), look, named)


def _is_sharp(query: Query) -> bool:
    """Whether the query leads to few by itself: by an id or an identifier, and an index."""
    return any(
        isinstance(each, Eq) and (each.field == "_id" or (each.field == "t" and pipeline.rank(str(each.value)) == 0))
        for condition in query.where
        for each in (condition.items if isinstance(condition, And) else (condition,))
    )


def _condition(query: Query, item: Query, look: Look, named: Named) -> Predicate:
    """What a search of the same type asks of the resources that the query finds."""
    inner = resolved(replace(query, where=(*item.where, *query.where), joins=item.joins), look, named)
    return all_of(each for each in inner.where if not any(each is known for known in query.where))


def _worded(query: Query, words: Words, look: Look, named: Named) -> Query:
    """Within the records of some patients; else among little, which an index leads to where patients have it."""
    if query.patients is None and (
        (words.scoped and not pipeline.is_seeded(query)) or len(look(query, named, [{"$limit": MOST + 1}, _ID])) > MOST
    ):
        raise BadRequest(
            f"{words.name} looks through the words of each resource, here of too many: add a criterion that leads to "
            f"{MOST} at most, such as a patient, an identifier or a code.",
            code="too-costly",
        )
    return _narrowed(query, words.where)


def _chosen(query: Query, chosen: Chosen, look: Look, named: Named) -> Query:
    rows = look(query, named, _distinct(f"{code}|" for code in chosen.codes))
    forms = {row["_id"][len(code) :] for row in rows for code in chosen.codes if row["_id"].startswith(f"{code}|")}
    if len(rows) > MOST:
        raise BadRequest(
            f"{chosen.name} is to be asked of more codes than can be: limit the search beside it (by patient, "
            "identifier or date).",
            code="too-costly",
        )
    picked = chosen.choose(forms)
    condition = _among("t", sorted(code + form for code in chosen.codes for form in picked))
    return _narrowed(query, negate(condition) if chosen.negated else condition)


def _distinct(starts: Iterable[str]) -> list[Row]:
    """The different terms that begin so, one row each, one more than may be used."""
    return [
        {"$project": {"_id": 0, "t": 1}},
        {"$unwind": "$t"},
        {"$match": to_mongo(any_of(Prefix("t", start) for start in starts))},
        {"$group": {"_id": "$t"}},
        {"$limit": MOST + 1},
    ]


def _few(query: Query, look: Look, named: Named) -> list[Row] | None:
    """Ids and terms of all that the query finds so far, if it leads to few."""
    if query.patients is None and not pipeline.is_seeded(query):
        return None
    rows = look(query, named, [{"$limit": FEW + 1}, {"$project": {"t": 1}}])
    return rows if len(rows) <= FEW else None


def _identified(query: Query) -> list[Row] | None:
    """All that a query which names few ids can find, told without looking."""
    for each in query.where:
        if isinstance(each, Eq | In) and each.field == "_id":
            ids = (each.value,) if isinstance(each, Eq) else each.values
            return [{"_id": id_} for id_ in ids] if len(ids) <= FEW else None
    return None


def _referring(query: Query, chain: Chain, few: list[Row] | None, look: Look, named: Named) -> Query:
    terms: list[str] = []
    patients: list[str] = []
    for target in chain.targets:
        led = _keys(chain, target, few, look, named)
        terms += [f"{code}|{key}" for code in target.codes for key in led]
        patients += [key.removeprefix("Patient/") for key in led] if target.pins else [""] * len(led)
    if len(terms) > MOST:
        raise _too_costly(chain.name)
    condition = _among("t", terms)
    if few is not None and query.patients is not None:  # judged as the matches will be: so that one sees all of them
        wanted = frozenset(terms)
        condition = _among("_id", [row["_id"] for row in few if not wanted.isdisjoint(row.get("t", ()))])
    found = _narrowed(query, condition)
    if len(patients) == 1 and patients[0]:
        return _pinned(found, patients[0])
    return found


def _keys(chain: Chain, target: Target, few: list[Row] | None, look: Look, named: Named) -> list[str]:
    """What the terms of a reference to one of the target's resources hold."""
    wanted = target.query
    if few is not None:
        beings = _named_by(few, target)
        if beings == FALSE:
            return []
        wanted = _narrowed(wanted, beings)
    wanted = resolved(wanted, look, named)
    read: Row = {"$project": {"t": 1}} if target.canonical else _ID
    rows = look(wanted, named, [{"$limit": MOST + 1}, read], bounded=few is not None)
    if len(rows) > MOST:
        raise _too_costly(chain.name)
    return keys(wanted.type, rows, target.canonical)


def _named_by(rows: Sequence[Row], target: Target) -> Predicate:
    """What the rows refer to."""
    if target.canonical:
        return _among("t", bearing(canonicals(rows, target.codes)))
    return _among("_id", sorted(set(references(rows, target.codes, target.query.type))))


def _referred(query: Query, reverse: Reverse, few: list[Row] | None, look: Look, named: Named) -> Query:
    wanted = reverse.query
    if few is not None:
        ids = [row["_id"] for row in few]
        sought = keys(query.type, few, reverse.canonical)
        wanted = _narrowed(wanted, _among("t", [f"{code}|{key}" for code in reverse.codes for key in sought]))
        if reverse.pins and len(ids) == 1:
            wanted = _narrowed(wanted, Eq("pat", ids[0]))
    wanted = resolved(wanted, look, named)
    start = "" if reverse.canonical else f"{query.type}/"
    rows = look(wanted, named, _distinct(f"{code}|{start}" for code in reverse.codes), bounded=few is not None)
    if len(rows) > MOST:
        raise _too_costly(reverse.name)
    found = [{"t": [row["_id"] for row in rows]}]
    if reverse.canonical:
        return _narrowed(query, _among("t", bearing(canonicals(found, reverse.codes))))
    return _narrowed(query, _among("_id", sorted(set(references(found, reverse.codes, query.type)))))


def keys(type_: str, rows: Iterable[Row], canonical: bool) -> list[str]:
    """What the terms of references to the rows hold: `Patient/1`, or canonicals as `terms.followed` gives them."""
    if canonical:
        return sorted({key for row in rows for key in borne(row["t"])})
    return sorted(f"{type_}/{row['_id']}" for row in rows)


def _in_compartment(query: Query, member: Member, look: Look, named: Named) -> Query:
    """By `pat` alone, unless there are resources that are in several compartments."""
    alone, beside = Eq("pat", member.patient), Eq("patx", member.patient)
    several = look(Query(query.type, (beside,)), named, [{"$limit": 1}, _ID])
    if not several:
        return _pinned(query, member.patient)
    return replace(_narrowed(query, any_of((alone, beside))), named=query.named | {member.patient})


def references(rows: Iterable[Row], codes: Iterable[str], type_: str) -> Iterable[str]:
    """The ids of a type that the rows refer to in the terms of some parameters."""
    starts = tuple(f"{code}|{type_}/" for code in codes)
    for row in rows:
        for term in row.get("t", ()):
            if term.startswith(starts):
                id_ = term.partition("|")[2].partition("/")[2]
                if id_ and "/" not in id_:
                    yield id_


def canonicals(rows: Iterable[Row], codes: Iterable[str]) -> list[str]:
    """The canonicals that the rows refer to in the terms of some parameters, as `terms.followed` gives them."""
    return sorted({each for row in rows for code in codes for each in followed(code, row.get("t", ()))})


def _narrowed(query: Query, condition: Predicate) -> Query:
    return replace(query, where=(condition, *query.where))


def _pinned(query: Query, patient: str) -> Query:
    """The query limited to one patient, whom a join led to."""
    if query.patients is not None and patient not in query.patients:
        return replace(query, where=(FALSE,))
    return replace(_narrowed(query, Eq("pat", patient)), patients=frozenset({patient}))


def _among(field: str, values: list[str]) -> Predicate:
    if not values:
        return FALSE
    return Eq(field, values[0]) if len(values) == 1 else In(field, tuple(values))


def _too_costly(name: str) -> BadRequest:
    return BadRequest(
        f"{name} leads over more than {MOST} resources: narrow it, or limit the search beside it (by patient, "
        "identifier or _id).",
        code="too-costly",
    )
