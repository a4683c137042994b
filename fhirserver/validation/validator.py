"""The validator: a resource in, issues out (https://hl7.org/fhir/R4/validation.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.errors import InvalidJson
from fhirserver.outcome import Issue
from fhirserver.spec import Definitions, Package
from fhirserver.validation.base import Base
from fhirserver.validation.bundle import Entries
from fhirserver.validation.context import Context
from fhirserver.validation.extensions import Extensions
from fhirserver.validation.primitives import shape
from fhirserver.validation.result import Outcome
from fhirserver.validation.structure import Structure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fhirserver.validation.context import At
    from fhirserver.validation.structure import Check

ABSTRACT: Final = ("Resource", "DomainResource")


class Validator:
    """Holds resources to R4, to the profiles they claim and to those asked for.

    `packages` are Definitions, or packages to look in before R4 itself; without them, the built-in French packages.
    A validator compiles each type and profile once, when it first needs it, and may serve several threads.
    """

    def __init__(self, packages: Definitions | Iterable[Package] | None = None) -> None:
        if packages is None:
            packages = Definitions.french()
        elif not isinstance(packages, Definitions):
            packages = Definitions([*packages, Package.core()])
        self.definitions = packages
        self._types = frozenset(packages.resource_types)
        self.extensions = Extensions(packages, self._profile)
        self.base = Base(packages, self.extensions.check, self._profile)
        self.structure = Structure(packages, self.base.facts, self.base.invariants, self._nested)

    def validate(
        self, resource: bytes | dict[str, Any], profiles: Sequence[str] = (), *, language: str = "en"
    ) -> Outcome:
        """Validate JSON text or a parsed resource. Text that is no JSON object yields one fatal issue."""
        if isinstance(resource, bytes):
            try:
                resource = jsontext.parse_object(resource)
            except InvalidJson as error:
                return Outcome([Issue("fatal", "structure", error.text, rule="json")])
        return Outcome(self.check(resource, profiles, language=language))

    def check(self, resource: dict[str, Any], profiles: Sequence[str] = (), *, language: str = "en") -> list[Issue]:
        """The issues of a parsed resource; `profiles` are canonicals that it must meet besides those it claims."""
        issues: list[Issue] = []
        ctx = Context(resource, issues, language=language)
        name = resource.get("resourceType") if isinstance(resource, dict) else None
        at: At = (None, name if isinstance(name, str) and name else "Resource", -1, str(name))
        try:
            self._resource(resource, at, ctx)
        except RecursionError:
            ctx.report("depth", at)
        return issues

    def _resource(self, resource: Any, at: At, ctx: Context) -> None:
        """One resource in its own context."""
        check = self._type(resource, at, ctx)
        if check is None:
            return
        if resource["resourceType"] == "Bundle":
            ctx.entries = Entries(resource)
        check(resource, at, ctx)

    def _type(self, resource: Any, at: At, ctx: Context) -> Check | None:
        """The check of a resource's type; None, with an issue, when it has none."""
        if not isinstance(resource, dict):
            ctx.report("object", at, found=shape(resource))
            return None
        name = resource.get("resourceType")
        if not isinstance(name, str):
            ctx.report("resource-type", at)
        elif name not in self._types:
            ctx.report("resource-unknown", at, name=name)
        else:
            return self.structure.of(name)
        return None

    def _nested(self, value: Any, at: At, ctx: Context, name: str, index: int) -> None:
        """A resource inside a resource: contained, an entry, a parameter."""
        kind = value.get("resourceType") if isinstance(value, dict) else None
        here: At = (at, name, index, kind if isinstance(kind, str) else "Resource")
        if not isinstance(value, dict):
            inner = ctx
        elif name == "contained":
            inner = ctx.within(value)
        else:
            inner = ctx.entry(value, ctx.entries, self._full_url(at, ctx))
        self._resource(value, here, inner)
        ctx.issues.extend(inner.issues if inner.issues is not ctx.issues else ())

    def _full_url(self, at: At, ctx: Context) -> str | None:
        """The `fullUrl` of the entry at this place."""
        if at[3] != "Bundle.entry":
            return None
        entries = ctx.resource.get("entry")
        entry = entries[at[2]] if isinstance(entries, list) and at[2] < len(entries) else None
        url = entry.get("fullUrl") if isinstance(entry, dict) else None
        return url if isinstance(url, str) else None

    def _profile(self, canonical: str) -> Check | None:
        """The check of a profile, None when it is not known."""
        structure = self.definitions.structure(canonical)
        return None if structure is None else lambda value, at, ctx: None
