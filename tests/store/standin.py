"""Stand-ins for the rooms beside the store: three types, plain index entries, and rules that hide what is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, cast

from fhirserver.access import Access, Requester
from fhirserver.predicate import TRUE, In, Not, Predicate, all_of
from fhirserver.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pymongo.client_session import ClientSession
    from pymongo.database import Database

    from fhirserver.access import Policy
    from fhirserver.spec import Definitions
    from fhirserver.store.moment import Moment

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


class Types:
    resource_types: ClassVar[Sequence[str]] = ("Binary", "Consent", "Observation", "Patient", "Practitioner")

    def compartment(self, name: str) -> Mapping[str, Sequence[str]]:
        assert name == "Patient"
        return {"Consent": ("patient",), "Observation": ("subject",)}


class Index(NamedTuple):
    pat: str | None
    patx: Sequence[str]
    t: Sequence[str]
    d: Mapping[str, Sequence[Mapping[str, Any]]]
    s: Mapping[str, Mapping[str, Any]]
    x: Mapping[str, str]


def index(resource: dict[str, Any]) -> Index:
    kind, subject = resource["resourceType"], resource.get("subject", {}).get("reference", "")
    pat = resource["id"] if kind == "Patient" else subject.removeprefix("Patient/") or None
    terms = [f"code||{code}" for code in resource.get("codes", ())]
    return Index(pat, resource.get("others", ()), terms, {}, {}, {})


def acl(
    resource: dict[str, Any], requester: Requester, now: datetime, previous: dict[str, Any] | None, **_: object
) -> dict[str, Any]:
    by = previous["by"] if previous else [requester.id]
    return {"by": by, "labels": resource.get("labels", [])}


@dataclass(frozen=True)
class Blinkered(Requester):
    """Sees what bears none of the labels `blind`, of patients other than `barred`."""

    blind: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()


def access(name: str | None = None, *, seconds: float = 0, blind: str = "", barred: str = "") -> Access:
    """An access `seconds` after noon; without a name the server's own."""
    now = NOON + timedelta(seconds=seconds)
    if name is None:
        return Access.system("test", now)
    requester = Blinkered(
        kind="practitioner", id=name, scopes=("user/*.cruds",), blind=tuple(blind.split()), barred=tuple(barred.split())
    )
    return Access(requester, now)


@dataclass
class Rules:
    database: Database[dict[str, Any]] | None = None
    asked: list[tuple[str, frozenset[str] | None]] = field(default_factory=list)
    refreshed: list[tuple[frozenset[str], frozenset[str]]] = field(default_factory=list)

    def predicate(
        self,
        access: Access,
        resource_type: str,
        patients: frozenset[str] | None,
        session: ClientSession | None,
        moment: Moment | None,
    ) -> Predicate:
        self.asked.append((resource_type, patients))
        who = access.requester
        if not isinstance(who, Blinkered):
            return TRUE
        hidden = [Not(In("acl.labels", who.blind))] if who.blind else []
        barred = [Not(In("pat", who.barred))] if who.barred else []
        return all_of([*hidden, *barred])

    def refresh(
        self,
        session: ClientSession,
        patients: frozenset[str],
        references: frozenset[str],
        derived: Mapping[str, Iterable[str]],
        fresh: frozenset[str] = frozenset(),
    ) -> None:
        assert session.in_transaction
        self.refreshed.append((patients, references))

    def load(self, patients: Iterable[str], session: ClientSession | None) -> list[Policy]:
        return []

    def identifiers(self, references: Iterable[str], session: ClientSession | None) -> Mapping[str, tuple[str, ...]]:
        return {}


def open_store(uri: str, name: str, rules: Rules | None = None, **settings: Any) -> Store:
    rules = rules or Rules()
    return Store(
        uri, name, definitions=cast("Definitions", Types()), index=index, acl=acl, rules=lambda _: rules, **settings
    )
