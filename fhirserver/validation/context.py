"""Where a check stands, and what it has found so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from fhirserver.outcome import Issue
from fhirserver.validation.messages import INVARIANT, RULES, text
from fhirserver.validation.sentences import SENTENCES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fhirserver.fhirpath import Env
    from fhirserver.validation.bundle import Entries

At: TypeAlias = "tuple[At | None, str, int, str]"
"""A place in a resource: the place above, the element's name, its index or -1, its type."""


MAX_ISSUES: Final = 1000
"""After so many, only errors are kept, and of these as many again: one error at least is never lost."""


def location(at: At | None, name: str = "", index: int = -1) -> str:
    """The FHIRPath of a place, `Patient.name[0].given[1]`; with `name`, of a member of it."""
    steps = [name if index < 0 else f"{name}[{index}]"] if name else []
    while at is not None:
        at, step, number, _ = at
        steps.append(step if number < 0 else f"{step}[{number}]")
    return ".".join(reversed(steps))


class Context:
    """One resource under validation; contained resources and Bundle entries get a context of their own.

    `resource` is the resource itself, `container` the one that contains it (or itself), `entries` the Bundle around it,
    `base` the `fullUrl` it goes by there. All contexts of one validation share `issues` and `memo` (whether an object,
    by identity, meets a profile). `selected` keeps what the contexts of extensions select, by expression.
    """

    __slots__ = (
        "_contained",
        "_hosts",
        "base",
        "container",
        "entries",
        "env",
        "issues",
        "language",
        "memo",
        "resource",
        "selected",
    )

    def __init__(
        self,
        resource: dict[str, Any],
        *,
        container: dict[str, Any] | None = None,
        entries: Entries | None = None,
        base: str | None = None,
        language: str = "en",
    ) -> None:
        self.resource = resource
        self.container = resource if container is None else container
        self.entries = entries
        self.base = base
        self.issues: list[Issue] = []
        self.env: Env | None = None
        self.memo: dict[tuple[int, str], bool] = {}
        self.language = language
        self.selected: dict[str, bool | frozenset[int]] = {}
        self._contained: dict[str, dict[str, Any]] | None = None
        self._hosts: dict[int, dict[str, Any]] | None = None

    def inner(self, resource: dict[str, Any], at: At | None) -> Context:
        """The context of a resource inside this one: contained, an entry of a Bundle, a parameter.

        Without a place the resource is one that a reference leads to.
        """
        if any(item is resource for item in self.contained.values()) if at is None else at[1] == "contained":
            made = Context(resource, container=self.container, entries=self.entries, base=self.base)
        else:
            made = Context(resource, entries=self.entries, base=self._full_url(at))
        made.issues, made.memo, made.language = self.issues, self.memo, self.language
        return made

    def _full_url(self, at: At | None) -> str | None:
        """The `fullUrl` of the entry whose resource is at this place."""
        above = at[0] if at is not None else None
        if above is None or above[3] != "Bundle.entry":
            return None
        entries = self.resource.get("entry")
        entry = entries[above[2]] if isinstance(entries, list) and above[2] < len(entries) else None
        url = entry.get("fullUrl") if isinstance(entry, dict) else None
        return url if isinstance(url, str) else None

    @property
    def contained(self) -> dict[str, dict[str, Any]]:
        """Contained resources by id."""
        if self._contained is None:
            listed = self.container.get("contained")
            self._contained = {
                item["id"]: item
                for item in (listed if isinstance(listed, list) else ())
                if isinstance(item, dict) and isinstance(item.get("id"), str)
            }
        return self._contained

    @property
    def hosts(self) -> dict[int, dict[str, Any]]:
        """The object that each extension stands in, by the extension's identity."""
        if self._hosts is None:
            self._hosts = {}
            stack: list[Any] = [self.resource]
            while stack:
                value = stack.pop()
                if isinstance(value, dict):
                    for name in ("extension", "modifierExtension"):
                        listed = value.get(name)
                        self._hosts.update({id(item): value for item in listed} if isinstance(listed, list) else {})
                    stack += value.values()
                elif isinstance(value, list):
                    stack += value
        return self._hosts

    def report(
        self,
        rule: str,
        at: At | None,
        name: str = "",
        index: int = -1,
        /,
        *,
        severity: str | None = None,
        profile: str | None = None,
        key: str | None = None,
        values: Mapping[str, object] | None = None,
        **said: object,
    ) -> None:
        """Add an issue: `rule` names its text in `messages.RULES`, `values` and `said` fill it.

        `key` is told in the rule's stead.
        """
        entry = RULES[rule]
        weight = severity or entry.severity
        number = len(self.issues)
        if number >= MAX_ISSUES and (weight != "error" or number >= 2 * MAX_ISSUES):
            return
        self.issues.append(
            Issue(
                weight,
                entry.code,
                text(rule, self.language, {**values, **said} if values else said),
                (location(at, name, index),),
                profile,
                key or rule,
            )
        )

    def invariant(
        self, key: str, at: At, *, severity: str = "error", profile: str | None = None, human: str = "", name: str = ""
    ) -> None:
        """Add the issue that an invariant does not hold."""
        words = SENTENCES.get(key)
        said = words[self.language == "fr"] if words else human
        self.report(INVARIANT, at, name, severity=severity, profile=profile, key=key, rule_key=key, human=said)

    def trial(self) -> list[Issue]:
        """Set the issues aside and begin an empty list; give the result to `settle` afterwards."""
        kept, self.issues = self.issues, []
        return kept

    def settle(self, kept: list[Issue]) -> list[Issue]:
        """Put back the list that `trial` gave; the issues found since are returned."""
        found, self.issues = self.issues, kept
        return found
