"""Joins made conditions, by searches of other types: each sees only what the requester may see.

Where the rest of the query leads to few resources, as within one patient's record, these are read first and the join
looks only among what they refer to, or what refers to them; else it looks for all that its own criteria find, up to
`MOST`. Either way the same resources match.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from fhirserver.errors import BadRequest
from fhirserver.predicate import FALSE, Eq, In, Predicate, Prefix, any_of, to_mongo
from fhirserver.search import pipeline
from fhirserver.search.query import Chain, Member, Query, Reverse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fhirserver.search.query import Join, Target

Row = dict[str, Any]
Named = frozenset[str]

MOST: Final = 5000
"""Resources that one step of a join may lead over."""
FEW: Final = 500
"""Resources that are read first to narrow a join."""


class Look(Protocol):
    """Runs the stages on what matches a query, of that which may be seen.

    `named`: the patients whom the request names anywhere; `bounded`: the query leads to few resources.
    """

    def __call__(self, query: Query, named: Named, stages: Sequence[Row], *, bounded: bool = False) -> list[Row]: ...


def resolved(query: Query, look: Look, named: Named = frozenset()) -> Query:
    """The query with its joins as conditions. Raises BadRequest (`too-costly`) for one that leads over too much."""
    named = _named(query, named)
    found = replace(query, joins=())
    for join in query.joins:
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
    few = _few(query, look, named)
    if isinstance(join, Reverse):
        return _referred(query, join, few, look, named)
    return _referring(query, join, few, look, named)


def _few(query: Query, look: Look, named: Named) -> list[Row] | None:
    """Ids and terms of all that the query finds so far, if it leads to few."""
    if query.patients is None and not pipeline.is_seeded(query):
        return None
    rows = look(query, named, [{"$limit": FEW + 1}, {"$project": {"t": 1}}])
    return rows if len(rows) <= FEW else None


def _referring(query: Query, chain: Chain, few: list[Row] | None, look: Look, named: Named) -> Query:
    terms: list[str] = []
    patients: list[str] = []
    for target in chain.targets:
        ids = _ids(chain, target, few, look, named)
        terms += [f"{code}|{target.query.type}/{id_}" for code in target.codes for id_ in ids]
        patients += ids if target.pins else [""] * len(ids)
    if len(terms) > MOST:
        raise _too_costly(chain.name)
    found = _narrowed(query, _among("t", terms))
    if len(patients) == 1 and patients[0]:
        return _pinned(found, patients[0])
    return found


def _ids(chain: Chain, target: Target, few: list[Row] | None, look: Look, named: Named) -> list[str]:
    """The ids of the resources that a reference may lead to."""
    wanted = target.query
    if few is not None:
        ids = sorted(set(references(few, target.codes, wanted.type)))
        if not ids:
            return []
        wanted = _narrowed(wanted, _among("_id", ids))
    wanted = resolved(wanted, look, named)
    rows = look(wanted, named, [{"$limit": MOST + 1}, {"$project": {"_id": 1}}], bounded=few is not None)
    if len(rows) > MOST:
        raise _too_costly(chain.name)
    return sorted(row["_id"] for row in rows)


def _referred(query: Query, reverse: Reverse, few: list[Row] | None, look: Look, named: Named) -> Query:
    wanted = reverse.query
    if few is not None:
        ids = [row["_id"] for row in few]
        wanted = _narrowed(wanted, _among("t", [f"{code}|{query.type}/{id_}" for code in reverse.codes for id_ in ids]))
        if reverse.pins and len(ids) == 1:
            wanted = _narrowed(wanted, Eq("pat", ids[0]))
    wanted = resolved(wanted, look, named)
    starts = to_mongo(any_of(Prefix("t", f"{code}|{query.type}/") for code in reverse.codes))
    distinct: list[Row] = [
        {"$project": {"_id": 0, "t": 1}},
        {"$unwind": "$t"},
        {"$match": starts},
        {"$group": {"_id": "$t"}},
        {"$limit": MOST + 1},
    ]
    rows = look(wanted, named, distinct, bounded=few is not None)
    if len(rows) > MOST:
        raise _too_costly(reverse.name)
    ids = sorted(set(references([{"t": [row["_id"] for row in rows]}], reverse.codes, query.type)))
    return _narrowed(query, _among("_id", ids))


def _in_compartment(query: Query, member: Member, look: Look, named: Named) -> Query:
    """By `pat` alone, unless there are resources that are in several compartments."""
    alone, beside = Eq("pat", member.patient), Eq("patx", member.patient)
    several = look(Query(query.type, (beside,)), named, [{"$limit": 1}, {"$project": {"_id": 1}}])
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
