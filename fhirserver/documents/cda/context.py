"""What handlers share while a document is converted: where resources go, who speaks, and what was found."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from hashlib import sha1
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from fhirserver.documents.cda.conversion import PATIENT, Entry, Left
from fhirserver.documents.cda.messages import RULES
from fhirserver.outcome import Issue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fhirserver.documents.cda.node import Node

Reference = dict[str, Any]

NOT_SAID: Final = frozenset({"DEF", "EVN.CRT", "GOL.CRT", "INT.CRT", "RQO.CRT", "OPT", "EXPEC", "SLOT", "PERM"})
"""Moods of what neither was nor is wanted: definitions, criteria, options."""
MANY: Final = 20
"""Names (addresses, identifiers …) of one actor, beyond which a document is not believed; actors who answer for all
that is said within an element."""
_NAMESPACE: Final = uuid.UUID("5a3cf1a5-8f52-5f2c-9c84-0d5a4b0f6a10")


class Handler(Protocol):
    """Turns a clinical statement into resources; answers references to those that stand for it."""

    def __call__(self, node: Node, ctx: Context, /) -> list[Reference]: ...


class SectionHandler(Protocol):
    """Turns a section into `Composition.section`; None for one that says nothing."""

    def __call__(self, node: Node, ctx: Context, /) -> dict[str, Any] | None: ...


class Tables(NamedTuple):
    """Which handler takes what, by templateId root; where several know a node, the later row does."""

    entries: Mapping[str, Handler]
    sections: Mapping[str, SectionHandler]
    classes: Mapping[str, Handler]
    """By element name (`observation`), for statements of no known template."""
    section: SectionHandler
    scope: Callable[[Node, Context], dict[str, Any]]
    """The fields of Scope that an element sets for all within."""


class Scope(NamedTuple):
    """Who answers for what is said here (context conduction, CDA R2 4.4): a section or an entry may say otherwise."""

    authors: tuple[Reference, ...] = ()
    time: str | None = None
    informants: tuple[Reference, ...] = ()
    encounter: Reference | None = None
    section: dict[str, Any] | None = None
    """The code of the innermost section, a CodeableConcept."""
    label: dict[str, Any] | None = None
    """The confidentiality of the section, a Coding: whatever is derived within bears it."""


class Context:
    """One conversion under way. `patient` is the reference that every subject takes."""

    def __init__(self, seed: str, tables: Tables, *, language: str = "en", lenient: bool = False) -> None:
        self.seed = seed
        self.tables = tables
        self.language = language
        self.lenient = lenient
        self.entries: list[Entry] = []
        self.findings: list[Issue] = []
        self.left: list[Left] = []
        self.scope = Scope()
        self.shared: dict[str, Any] = {}
        """What the handlers of one kind of document keep among themselves, by its name."""
        self.patient_identifiers: frozenset[tuple[str, str]] = frozenset()
        """(system, value) of the identifiers of the patient, by which a role is known to be the patient's."""
        self.derived: dict[tuple[tuple[str, ...], str | None], list[str]] = {}
        """The derived resources by who said it, and when."""
        self.written: list[tuple[Node, str]] = []
        """The times of authors within the body, and their dateTimes: said by the Provenance of what is derived."""
        self.patient_names: frozenset[str] = frozenset()
        """The words of the patient's names, in capitals: who repeats them says nothing new."""
        self._held: dict[str, dict[str, Any]] = {PATIENT: {"resourceType": "Patient"}}
        self._actors: dict[str, str] = {}
        self._unknown: set[str] = set()

    @property
    def patient(self) -> Reference:
        return {"reference": PATIENT}

    @property
    def authors(self) -> tuple[Reference, ...]:
        """The authors in force where the handler stands."""
        return self.scope.authors

    @property
    def time(self) -> str | None:
        """When the author in force wrote it, a dateTime."""
        return self.scope.time

    def add(self, resource: dict[str, Any], role: str) -> Reference:
        """Take a resource; the reference to it. It may be filled further afterwards."""
        full_url = self.url(f"{resource['resourceType']}|{len(self.entries)}")
        self.entries.append(Entry(full_url, role, resource))
        self._held[full_url] = resource
        if role == "derived":
            if self.scope.label:
                resource["meta"] = {"security": [self.scope.label]}
            said = (tuple(each["reference"] for each in self.scope.authors), self.scope.time)
            self.derived.setdefault(said, []).append(full_url)
        return {"reference": full_url}

    def url(self, key: str) -> str:
        """The `urn:uuid:…` of a key within this document, the same at each conversion: version 5 (RFC 9562, 5.5).

        Python's own makes an object of it first, at five times the cost.
        """
        said = sha1(_NAMESPACE.bytes + f"{self.seed}|{key}".encode(), usedforsecurity=False).hexdigest()
        variant = "89ab"[int(said[16], 16) & 3]
        return f"urn:uuid:{said[:8]}-{said[8:12]}-5{said[13:16]}-{variant}{said[17:20]}-{said[20:32]}"

    def directory(self, resource: dict[str, Any], node: Node) -> Reference:
        """Take an actor once: one who bears the same identifier, or says word for word the same, is the same."""
        keys = _identities(resource)
        known = next((self._actors[key] for key in keys if key in self._actors), None)
        if known is None:
            known = self.add(resource, "directory")["reference"]
        else:
            self._complete(known, resource, node)
        for key in keys:
            self._actors.setdefault(key, known)
        return {"reference": known}

    def _complete(self, full_url: str, resource: dict[str, Any], node: Node) -> None:
        """An actor named again may say more than the first time; what disagrees is an alias, or named as left."""
        held = self._held[full_url]
        for name, value in resource.items():
            if name not in held:
                held[name] = value
            elif isinstance(value, list):
                news = [item for item in value if not any(_within(item, other) for other in held[name])]
                if len(held[name]) < MANY:
                    held[name].extend(news)
                elif news:
                    self.leave(node, "conflict")
            elif value != held[name]:
                aliases = held.get("alias", ()) if name == "name" else None
                if aliases is None or (len(aliases) >= MANY and value not in aliases):
                    self.leave(node, "conflict")
                elif value not in aliases:
                    held["alias"] = [*aliases, value]

    def resource(self, reference: Reference) -> dict[str, Any]:
        """The resource of this conversion that a reference names; of the patient only the type is known."""
        return self._held[reference["reference"]]

    @contextmanager
    def within(self, **scope: Any) -> Iterator[None]:
        """Handle what lies within an element under a scope of its own: fields of Scope that differ from outside."""
        outer = self.scope
        self.scope = outer._replace(**scope)
        try:
            yield
        finally:
            self.scope = outer

    def entry(self, node: Node) -> list[Reference]:
        """Convert a clinical statement (`act`, `observation`, …) by its templates, else by its class.

        What no handler knows is left for the account; the references are those of the resources that stand for it.
        """
        if node.attributes.get("moodCode") in NOT_SAID:
            self.leave(node, "mood")
            return []
        handler: Handler | None = self._chosen(self.tables.entries, node)
        if handler is None and node.parent is not None and node.parent.name == "entry":
            handler = self._chosen(self.tables.entries, node.parent)
        if handler is None:
            for root, _ in node.templates:
                self._unknown_template(root, node)
            handler = self.tables.classes.get(node.name)
        if handler is None:
            self.leave(node, "class")
            return []
        own = self.tables.scope(node, self)
        if not own:
            return handler(node, self)
        with self.within(**own):
            return handler(node, self)

    def section(self, node: Node) -> dict[str, Any] | None:
        """Convert a section with all within; None when it says nothing."""
        handler: SectionHandler = self._chosen(self.tables.sections, node) or self.tables.section
        return handler(node, self)

    def _chosen(self, table: Mapping[str, Any], node: Node) -> Any:
        """The handler of the node's template that stands last in the table."""
        known = [root for root, _ in node.templates if root in table]
        if len(known) > 1:
            rows = list(table)
            known.sort(key=rows.index)
        return table[known[-1]] if known else None

    def _unknown_template(self, root: str, node: Node) -> None:
        if root not in self._unknown:
            self._unknown.add(root)
            self.finding("template-unknown", node, template=root)

    def finding(self, key: str, node: Node | None, /, *, severity: str | None = None, **values: object) -> None:
        """Report `messages.RULES[key]` at a node, under the name that `rule` among the values gives, else the key.

        In a lenient conversion errors are warnings.
        """
        entry = RULES[key]
        weight = severity or entry.severity
        if self.lenient and weight == "error":
            weight = "warning"
        text = (entry.fr if self.language == "fr" else entry.en).format(**{k: _short(v) for k, v in values.items()})
        where = () if node is None else (node.xpath,)
        self.findings.append(Issue(weight, entry.code, text, where, rule=f"cda-{values.get('rule', key)}"))

    def leave(self, node: Node, why: str, part: str | None = None) -> None:
        """Name an element (or its attribute `@name`) as being in no resource.

        `why`: `class`, `unread` (no resource has a place for it), `mood` (neither done nor wanted), `consent`, `value`
        (cannot be read as its type), `conflict` (told otherwise elsewhere), `null`, `reference` (leads to nothing).
        """
        path = node.xpath if part is None else f"{node.xpath}/{part}"
        self.left.append(Left(path, tuple(root for root, _ in node.templates), why))
        if part is None:
            node.told()
        else:
            node.get(part.removeprefix("@"))


def _identities(resource: dict[str, Any]) -> Sequence[str]:
    """The keys under which an actor is the same one."""
    kind = resource["resourceType"]
    if kind == "PractitionerRole":
        return [f"{kind}|{resource.get('practitioner')}|{resource.get('organization')}"]
    named = [
        f"{kind}|{item['system']}|{item['value']}"
        for item in resource.get("identifier", ())
        if "system" in item and "value" in item
    ]
    return named or [f"{kind}|{sorted(resource.items(), key=str)!r}"]


def _within(item: Any, other: Any) -> bool:
    """Whether an element says no more than another."""
    if isinstance(item, dict) and isinstance(other, dict):
        return all(name in other and _within(value, other[name]) for name, value in item.items())
    return bool(item == other)


def _short(value: object) -> str:
    said = str(value)
    return said if len(said) <= 120 else f"{said[:120]}…"
