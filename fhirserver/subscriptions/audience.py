"""Whom a version may concern, by keys under which subscribers are found: of 200,000, by an index.

A key is a resource type, and who may be concerned with it (no key is told to anybody):

Type            whoever sees all of them
Type?<patient>  who asks for what is about that patient, by the criteria, or for being that person
Type@<actor>    who is named so (`access.keys`) by what a policy permits, or by the version itself
Type-           who may see what is nobody's, of types that are shared

A subscriber to whom the access rules could show the version bears one of its keys; whether they do is judged when it is
told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.access import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fhirserver.access import Requester
    from fhirserver.search import Query

_NAMED: Final = ("by", "author", "with")
"""Members of `acl` that hold actor keys."""


def of_subscriber(queries: Iterable[Query], who: Requester) -> list[str]:
    """The keys under which somebody who subscribed to what the queries find is looked for."""
    return sorted({key for query in queries for key in _listening(query, who)})


def of_version(type: str, envelope: Mapping[str, Any], permitted: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """The keys of those whom a version may concern. `permitted`: by patient, whom the policy may give access."""
    patients = about(envelope)
    actors = {each for patient in patients for each in permitted.get(patient, ())}
    for part in (envelope, envelope.get("doc") or {}):
        acl = part.get("acl") or {}
        actors.update(each for name in _NAMED for each in acl.get(name) or ())
    nobodys = () if patients else (f"{type}-",)
    return frozenset((type, *nobodys, *(f"{type}?{each}" for each in patients), *(f"{type}@{each}" for each in actors)))


def about(envelope: Mapping[str, Any]) -> frozenset[str]:
    """The patients in whose compartment a version is, or the document that it came with."""
    parts = (envelope, envelope.get("doc") or {})
    found = [each for part in parts for each in (part.get("pat"), *(part.get("patx") or ()))]
    return frozenset(each for each in found if each is not None)


def _listening(query: Query, who: Requester) -> Iterator[str]:
    type_ = query.type
    if query.patients is not None:
        yield from (f"{type_}?{each}" for each in query.patients)
        return
    if who.kind == "operator":
        yield type_
        return
    yield from (f"{type_}@{each}" for each in who.meant)
    if who.is_person and who.patient is not None:
        yield f"{type_}?{who.patient}"
    if type_ in tables.shared():
        yield f"{type_}-"
