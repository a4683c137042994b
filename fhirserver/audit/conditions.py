"""What is asked of AuditEvents, asked of traces: a predicate over envelopes becomes one over compact records.

A trace is searched as the AuditEvent would be that it is shown as: a test holds the two equal. What a search parameter
reads is either the same in all traces, or told by a few values of one field (then the values are tried one by one), or
a field of its own.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final

from fhirserver.access.acl import HIDDEN_FROM_PATIENT, HIDDEN_FROM_REPRESENTATIVES, NORMAL
from fhirserver.audit import tables
from fhirserver.predicate import (
    FALSE,
    TRUE,
    Always,
    And,
    Cmp,
    Contains,
    Elem,
    Ends,
    Eq,
    Exists,
    In,
    Not,
    Or,
    Predicate,
    Prefix,
    all_of,
    any_of,
    matches,
    negate,
)
from fhirserver.search import dates, terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fhirserver.audit.sight import Sight
    from fhirserver.spec import Definitions

    Text = Prefix | Contains | Ends
    Asked = tuple[str, Callable[[], Predicate]]

TRACED: Final = Exists("who")
"""What is a trace of an interaction, and not a record about the chains themselves."""
_AUTHORS: Final = {"rpps": "who.rpps", "client": "who.client"}
_REFERENCES: Final = {"patient": "Patient/", "related": "RelatedPerson/"}
_MILLISECOND: Final = 1000


class Conditions:
    """The conditions for one sight of traces."""

    def __init__(self, sight: Sight, base: str, definitions: Definitions) -> None:
        self._sight, self._base, self._definitions = sight, base, definitions

    def of(self, predicate: Predicate) -> Predicate:
        """The traces whose AuditEvents meet the predicate."""
        match predicate:
            case Always():
                return predicate
            case And(items):
                return all_of(self.of(item) for item in items)
            case Or(items):
                return any_of(self.of(item) for item in items)
            case Not(item):
                return negate(self.of(item))
            case In(field, values) if field in ("t", "acl.by", "acl.labels"):
                return any_of(self._leaf(Eq(field, value)) for value in values)
            case _:
                return self._leaf(predicate)

    def _leaf(self, leaf: Any) -> Predicate:
        found: Predicate
        match leaf.field:
            case "_id":
                found = leaf
            case "pat":
                found = self._pats(leaf)
            case "lu" | "acl.at":
                found = replace(leaf, field="at")
            case "d.date" | "d.period-start":
                found = all_of(map(_at, leaf.conditions)) if isinstance(leaf, Elem) else TRUE
            case "acl.labels":
                found = self._kept(leaf)
            case "acl.by":
                found = _by(leaf.value)
            case "t":
                found = TRUE if isinstance(leaf, Exists) else self._term(leaf)
            case _:
                found = Always(matches(leaf, {"acl": {"conf": NORMAL}}))
        return found

    def _kept(self, leaf: Predicate) -> Predicate:
        if not isinstance(leaf, Eq) or self._sight.patient is None:
            return FALSE
        fields = {HIDDEN_FROM_PATIENT: "unannounced", HIDDEN_FROM_REPRESENTATIVES: "secret"}
        return _one_of(fields[leaf.value], self._sight.own) if leaf.value in fields else FALSE

    def _term(self, leaf: Eq | Text) -> Predicate:
        text = leaf.value if isinstance(leaf, Eq) else leaf.text if isinstance(leaf, Prefix) else leaf.prefix
        name = text[: min((at for sign in "|^" if (at := text.find(sign)) >= 0), default=len(text))]
        if name in self._tried:
            found = [where() for term, where in self._tried[name] if matches(leaf, {"t": [term]})]
            return any_of([*found, *([_subtype(leaf)] if name == "subtype" else [])])
        asked = self._fields.get(name)
        return FALSE if asked is None else asked(leaf, text[len(name) :])

    @cached_property
    def _tried(self) -> dict[str, list[tuple[str, Callable[[], Predicate]]]]:
        """By parameter: each term that a trace can have, and of which traces."""
        found: dict[str, list[tuple[str, Callable[[], Predicate]]]] = {}

        def put(name: str, code: tables.Code, where: Callable[[], Predicate], sensitive: bool = True) -> None:
            for each in terms.token(*code, sensitive):
                found.setdefault(name, []).append((name + each, where))

        restful, whole = (In("what", tuple(each)) for each in (tables.PATTERNS, tables.TYPES))
        put("type", (tables.EVENTS, "rest"), lambda: restful)
        for what, type_ in tables.TYPES.items():
            put("type", type_, lambda what=what: Eq("what", what))  # type: ignore[misc]
        put("type", (tables.DCM, tables.USER_AUTHENTICATION), lambda: negate(any_of((restful, whole))))
        put("action", (_ACTIONS, tables.OTHER.action), lambda: negate(restful))
        put("source:identifier", (tables.URI, self._base), lambda: TRUE)
        found["source"] = [("source|", lambda: TRUE)]
        for what, pattern in tables.PATTERNS.items():
            put("subtype", (tables.RESTFUL, what), lambda what=what: Eq("what", what))  # type: ignore[misc]
            put("action", (_ACTIONS, pattern.action), lambda what=what: Eq("what", what))  # type: ignore[misc]
        for code, low, high in tables.OUTCOME:
            where = all_of((Cmp("status", "$gte", low), Cmp("status", "$lt", high)))
            put("outcome", ("", code), lambda where=where: where)  # type: ignore[misc]
        for (type_, role), there in self._entities:
            put("entity-type", type_, there, sensitive=False)
            put("entity-role", role, there, sensitive=False)
        put("entity-type", tables.REQUEST, lambda: Exists("req"))
        return found | {"agent-role": _roles(self._definitions)}

    @property
    def _entities(self) -> Iterable[tuple[tuple[tables.Code, tables.Code], Callable[[], Predicate]]]:
        yield tables.PATIENT, lambda: self._pats(Exists("pat"))
        yield tables.DATA, self._touched
        yield tables.QUERY, self._asked

    @cached_property
    def _fields(self) -> dict[str, Callable[[Any, str], Predicate]]:
        """By parameter: the condition of a leaf, of whose text the name has been taken off."""
        return {
            "agent": self._agent,
            "agent:identifier": self._identified,
            "agent-name": lambda leaf, _: _texts(leaf, "agent-name^", ("who.name", "who.delegate.name")),
            "altid": _alternative,
            "address": self._address,
            "patient": lambda leaf, rest: self._patient(leaf, rest.removeprefix("|")),
            "entity": lambda leaf, rest: self._entity(leaf, rest.removeprefix("|")),
            "entity:identifier": _requested,
            "_profile": self._profile,
        }

    def _pats(self, leaf: Any) -> Predicate:
        """Whom a trace concerns, of those whom the requester is shown."""
        own = self._sight.own
        if not own:
            return replace(leaf, field="pats")  # type: ignore[no-any-return]
        if isinstance(leaf, Exists) or matches(leaf, {"pat": own[0]}):
            return _one_of("pats", own)
        return _one_of("pats", tuple(each for each in own if matches(leaf, {"pat": each})))

    def _patient(self, leaf: Any, reference: str) -> Predicate:
        if not isinstance(leaf, Eq):
            return self._pats(Exists("pat")) if not reference else FALSE
        patient = reference.removeprefix("Patient/")
        return self._pats(Eq("pat", patient)) if patient != reference else FALSE

    def _agent(self, leaf: Any, rest: str) -> Predicate:
        if isinstance(leaf, Prefix):
            return TRUE if rest == "|" else Prefix("who.ref", rest[1:])
        return Eq("who.ref", rest[1:]) if isinstance(leaf, Eq) and len(rest) > 1 else Always(rest == "|")

    def _identified(self, leaf: Any, rest: str) -> Predicate:
        fields = ((tables.RPPS, "who.rpps"), (tables.RPPS, "who.delegate.rpps"), (tables.FINESS, "who.organization"),
                  (tables.CLIENT, "who.client"))  # fmt: skip
        own = [f"agent:identifier{each}" for each in terms.token(tables.URI, self._base, True)]
        found: list[Predicate] = [Always(matches(leaf, {"t": own}))]
        for system, field in fields:
            start = terms.of_system(system)
            if isinstance(leaf, Prefix):
                found.append(Exists(field) if start.startswith(rest) else FALSE)
            elif rest.startswith(start):
                found.append(Eq(field, rest[len(start) :]))
            elif rest.startswith(("||", "|=|")):
                found.append(Eq(field, rest[2:] if rest.startswith("||") else rest[3:]))
        return any_of(found)

    def _address(self, leaf: Any, _: str) -> Predicate:
        own = matches(leaf, {"t": [terms.string("address", self._base)]})
        return TRUE if own else _texts(leaf, "address^", ("addr",))

    def _touched(self, *conditions: Eq) -> Predicate:
        """There is a resource among the entities that are shown."""
        whose: tuple[tuple[Eq, ...], ...] = tuple((Eq("p", each),) for each in self._sight.own) or ((),)
        found = []
        for name, late in self._sight.lists:
            asked = any_of(Elem(name, (*own, *conditions)) if own or conditions else Exists(name) for own in whose)
            bound = self._sight.announced if late else None
            found.append(asked if bound is None else all_of((asked, Cmp("at", "$lte", bound))))
        return any_of(found)

    def _entity(self, leaf: Any, value: str) -> Predicate:
        if not isinstance(leaf, Eq):
            return any_of((self._pats(Exists("pat")), self._touched(), Exists("req"))) if not value else FALSE
        reference, _, version = value.partition("/_history/")
        if reference in self._sight.hidden:
            return FALSE
        patient = reference.removeprefix("Patient/")
        named = self._pats(Eq("pat", patient)) if patient != reference and not version else FALSE
        number = (Eq("v", int(version)),) if version.isascii() and version.isdigit() else ()
        touched = self._touched(Eq("r", reference), *number) if bool(version) == bool(number) else FALSE
        return any_of((named, touched))

    def _asked(self) -> Predicate:
        if self._sight.patient is None:
            return Exists("query")
        return all_of((Exists("query"), _one_of("pats", self._sight.own), negate(Exists("several"))))

    def _profile(self, leaf: Any, _: str) -> Predicate:
        """Of patients there may be none, or one; of resources just one, but for a query."""
        found = []
        for what, pattern in tables.PATTERNS.items():
            for several, name in ((False, "Patient"), (True, "")):
                if pattern.profile and matches(leaf, {"t": [f"_profile|{tables.BALP}{name}{pattern.profile}"]}):
                    found.append(all_of((Eq("what", what), self._keeps(pattern.profile), self._of_patient(several))))
        return any_of(found)

    def _of_patient(self, nobody: bool) -> Predicate:
        known = self._pats(Exists("pat"))
        if nobody:
            return negate(known)
        return known if self._sight.patient else all_of((known, negate(Exists("several"))))

    def _keeps(self, profile: str) -> Predicate:
        content = self._asked() if profile == "Query" else all_of((self._touched(), negate(Exists("many"))))
        return all_of((Cmp("status", "$lt", 400), Exists("addr"), content))


_ACTIONS: Final = "http://hl7.org/fhir/audit-event-action"


def _one_of(field: str, values: tuple[str, ...]) -> Predicate:
    if not values:
        return FALSE
    return Eq(field, values[0]) if len(values) == 1 else In(field, values)


def _at(condition: Cmp | Eq) -> Predicate:
    """A bound of the instant, given in microseconds: an instant lasts a millisecond, from `lo` to `hi`."""
    if isinstance(condition, Eq):
        return FALSE
    value = condition.value - (_MILLISECOND if condition.field == "hi" else 0)
    up = condition.op in ("$gte", "$lt")
    whole = -(-value // _MILLISECOND) if up else value // _MILLISECOND
    return Cmp("at", condition.op, dates.instant(whole * _MILLISECOND))


def _subtype(leaf: Any) -> Predicate:
    """The traces of what is no interaction of REST, by its name."""
    others = negate(In("what", tuple(tables.PATTERNS)))
    start = f"subtype|{tables.AUTHENTICATION}|"
    if isinstance(leaf, Prefix):
        return others if start.startswith(leaf.text) else FALSE
    if not isinstance(leaf, Eq):
        return FALSE
    known = next((each for each in (start, "subtype||", "subtype|=|") if leaf.value.startswith(each)), None)
    return FALSE if known is None else all_of((others, Eq("what", leaf.value.removeprefix(known))))


def _by(key: str) -> Predicate:
    """Whose act it is: that of a person or a client, not of all who act for an organisation."""
    kind, separator, value = key.partition("|")
    if not separator:
        return Eq("who.ref", key)
    if kind in _REFERENCES:
        return Eq("who.ref", _REFERENCES[kind] + value)
    return Eq(_AUTHORS[kind], value) if kind in _AUTHORS else FALSE


@lru_cache(maxsize=2)
def _roles(definitions: Definitions) -> list[tuple[str, Callable[[], Predicate]]]:
    """The terms of the professions and specialities that there are."""
    found: list[tuple[str, Callable[[], Predicate]]] = []
    for system in (tables.PROFESSIONS, tables.SPECIALITIES):
        for concept in (definitions.code_system(system) or {}).get("concept", ()):
            where = _profession(system, concept["code"])
            forms = terms.token(system, concept["code"], False)
            found += [(f"agent-role{each}", lambda where=where: where) for each in forms]  # type: ignore[misc]
    return found


def _profession(system: str, code: str) -> Predicate:
    if system == tables.SPECIALITIES:
        return Ends("who.profession", "G15_", f"/{code}", "|")
    return any_of((Eq("who.profession", f"G15_{code}"), Prefix("who.profession", f"G15_{code}/")))


def _texts(leaf: Any, start: str, fields: tuple[str, ...]) -> Predicate:
    if isinstance(leaf, Eq):
        return any_of(Eq(field, leaf.value.removeprefix(start)) for field in fields)
    if isinstance(leaf, Prefix):
        rest = leaf.text.removeprefix(start)
        return any_of(Prefix(field, rest) if rest else Exists(field) for field in fields)
    return any_of(replace(leaf, field=field, prefix=leaf.prefix.removeprefix(start)) for field in fields)


def _alternative(leaf: Any, rest: str) -> Predicate:
    if isinstance(leaf, Eq) and rest.startswith("||"):
        return any_of(Eq(f"who.{field}", rest[2:]) for field in ("id", "alt", "delegate.id", "delegate.alt"))
    return Always(isinstance(leaf, Prefix) and rest == "|")


def _requested(leaf: Any, rest: str) -> Predicate:
    if not isinstance(leaf, Eq):
        return Always(False)
    for start in ("||", "|=|", "|-|"):
        if rest.startswith(start):
            return Eq("req", rest[len(start) :])
    return FALSE
