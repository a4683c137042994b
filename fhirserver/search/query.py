"""What a query string asks for, ready to be made a pipeline of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from fhirserver.predicate import Predicate

Total = Literal["none", "estimate", "accurate"]


class SortKey(NamedTuple):
    """A field of the envelope to sort on: `s.birthdate.lo` (ascending), `s.birthdate.hi` (descending), `lu`, `_id`.

    What lacks the field comes last in either direction.
    """

    field: str
    descending: bool


class Target(NamedTuple):
    """What a reference may lead to: resources of one type that match `query`. `codes`: the parameters in whose terms
    the references stand; `pins`: a Patient found so is the `pat` of all that refer to him; `canonical`: they refer by
    canonical."""

    codes: tuple[str, ...]
    query: Query
    pins: bool = False
    canonical: bool = False


@dataclass(frozen=True)
class Chain:
    """A join forward: the resource refers to what one of the targets matches (`subject:Patient.name=x`)."""

    name: str
    targets: tuple[Target, ...]


@dataclass(frozen=True)
class Reverse:
    """A join backward: what `query` matches refers to the resource, in the terms of `codes` (`_has`, `_list`).

    `pins`: what refers to a Patient so has him as its `pat`; `canonical`: it refers by canonical.
    """

    name: str
    codes: tuple[str, ...]
    query: Query
    pins: bool = False
    canonical: bool = False


@dataclass(frozen=True)
class Member:
    """The resource is in the compartment of a patient, whichever of its patients that is."""

    patient: str


@dataclass(frozen=True)
class Either:
    """One of several searches of the same type finds the resource."""

    items: tuple[Query, ...]


@dataclass(frozen=True)
class Without:
    """A search of the same type does not find the resource."""

    query: Query


@dataclass(frozen=True)
class Chosen:
    """The resource has a term that `choose` picks from those that the rest of the search comes upon; with `negated` it
    has none. `codes`: the parameters whose terms they are; `choose` is given, and gives, what follows their names."""

    name: str
    codes: tuple[str, ...]
    choose: Callable[[Collection[str]], Collection[str]]
    negated: bool


@dataclass(frozen=True)
class Words:
    """A condition on the resource's words, which no index serves: for what the rest of the search finds, if little.
    `scoped`: resources of the type are about patients."""

    name: str
    where: Predicate
    scoped: bool


Join = Chain | Reverse | Member | Either | Without | Chosen | Words


class Path(NamedTuple):
    """A reference from resources of one type: its terms begin with `code`; `targets`: the types it may lead to;
    `canonical`: it is one by canonical."""

    code: str
    targets: frozenset[str]
    canonical: bool = False


@dataclass(frozen=True)
class Include:
    """What else a page holds: what its resources refer to or, with `reverse`, what refers to them.

    `paths`: by the type that refers; `iterate`: from what was included too.
    """

    name: str
    paths: Mapping[str, tuple[Path, ...]]
    reverse: bool
    iterate: bool


@dataclass(frozen=True)
class Query:
    """A search of one resource type.

    `where`: conditions on the envelope that all hold; `patients`: ids one of which is the `pat` of whatever matches,
    None when the query does not say; `count`: matches a page; `summary`, `elements`: what of the resources is wanted;
    `params`: the parameters that were used, as given, for the self link; `ignored`: names that were passed over
    (`handling=lenient`). `joins` hold too: the store makes conditions of them, by searches of other types;
    `includes`: what comes with the matches; `named`: patients whom the query names without being limited to them;
    `traced`: of AuditEvents, what the server traced is searched too, beside those that were deposited.
    """

    type: str
    where: tuple[Predicate, ...] = ()
    patients: frozenset[str] | None = None
    sort: tuple[SortKey, ...] = ()
    count: int = 50
    total: Total = "accurate"
    summary: str | None = None
    elements: tuple[str, ...] = ()
    params: tuple[tuple[str, str], ...] = ()
    ignored: tuple[str, ...] = ()
    joins: tuple[Join, ...] = ()
    includes: tuple[Include, ...] = ()
    named: frozenset[str] = frozenset()
    traced: bool = False
