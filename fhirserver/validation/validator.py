"""The validator: a resource in, issues out (https://hl7.org/fhir/R4/validation.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.errors import InvalidJson
from fhirserver.outcome import Issue
from fhirserver.spec import Definitions, Package
from fhirserver.spec import canonical as canonicals
from fhirserver.validation import defaults
from fhirserver.validation.base import Base
from fhirserver.validation.bundle import Entries
from fhirserver.validation.context import Context
from fhirserver.validation.extensions import Extensions
from fhirserver.validation.ins import Rules
from fhirserver.validation.primitives import shape
from fhirserver.validation.profiles import Profiles
from fhirserver.validation.result import Outcome
from fhirserver.validation.structure import Structure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fhirserver.validation.context import At
    from fhirserver.validation.profiles import Profile
    from fhirserver.validation.structure import Check

SEVERITIES: Final = ("error", "warning", "information")
RULES: Final = Rules()


class Validator:
    """Holds resources to R4, to the profiles they claim, to those asked for, and to the defaults of a profile set.

    `packages` are Definitions, or packages to look in before R4 itself; without them, the built-in French packages.
    `profile_set` is `french` or `core` (by default `french` when no packages are given): what a resource that claims
    no profile is held to. `unknown_profile` is the severity of a claimed profile that is not known here, `ins` what is
    asked of French health identities beyond the profiles.
    A validator compiles each type and profile once, when it first needs it, and may serve several threads.
    """

    def __init__(
        self,
        packages: Definitions | Iterable[Package] | None = None,
        *,
        profile_set: str | None = None,
        unknown_profile: str = "warning",
        ins: Rules = RULES,
    ) -> None:
        if unknown_profile not in SEVERITIES:
            raise ValueError(f"unknown_profile is one of {', '.join(SEVERITIES)}, not {unknown_profile!r}")
        self.profile_set = profile_set or ("french" if packages is None else "core")
        defaults.table(self.profile_set)
        if packages is None:
            packages = Definitions.french()
        elif not isinstance(packages, Definitions):
            packages = Definitions([*packages, Package.core()])
        self.definitions = packages
        self._unknown_profile = unknown_profile
        self._types = frozenset(packages.resource_types)
        self._extensions = Extensions(packages, self._check_of)
        self._base = Base(packages, self._extensions.check, self._check_of, ins)
        self._structure = Structure(packages, self._base.facts, self._base.invariants, self._nested)
        self._profiles = Profiles(packages, self._base)

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
        name = resource.get("resourceType") if isinstance(resource, dict) else None
        at: At = (None, name if isinstance(name, str) and name else "Resource", -1, str(name))
        ctx = Context(resource, language=language)
        try:
            self._resource(resource, at, ctx, tuple(profiles))
        except RecursionError:
            ctx.report("depth", at)
        return list(dict.fromkeys(ctx.issues))

    def _resource(self, resource: Any, at: At, ctx: Context, asked: tuple[str, ...] = ()) -> None:
        """One resource in its own context: its structure, then its profiles."""
        if not isinstance(resource, dict):
            return ctx.report("object", at, found=shape(resource))
        name = resource.get("resourceType")
        if not isinstance(name, str):
            return ctx.report("resource-type", at)
        if name not in self._types:
            return ctx.report("resource-unknown", at, name=name)
        if name == "Bundle":
            ctx.entries = Entries(resource)
        self._structure.of(name)(resource, at, ctx)
        self._hold(resource, at, ctx, asked)
        return None

    def _nested(self, value: Any, at: At, ctx: Context, name: str, index: int) -> None:
        """A resource inside a resource: contained, an entry, a parameter."""
        kind = value.get("resourceType") if isinstance(value, dict) else None
        here: At = (at, name, index, kind if isinstance(kind, str) and kind in self._types else "Resource")
        self._resource(value, here, ctx.inner(value, here) if isinstance(value, dict) else ctx)

    def _hold(self, resource: dict[str, Any], at: At, ctx: Context, asked: tuple[str, ...]) -> None:
        """The profiles that are asked for or claimed; without any, the default of the type."""
        named = [*asked, *_claims(resource)]
        known = [profile for url in dict.fromkeys(named) if (profile := self._known(url, resource, at, ctx))]
        for profile in _strictest(known):
            profile.check(resource, at, ctx)
        if named or at[1] == "contained":
            return
        default = defaults.of(self.profile_set, resource, self.definitions)
        if default is not None and (profile := self._profiles.of(default.canonical)):
            kept = ctx.trial()
            profile.check(resource, at, ctx)
            found = ctx.settle(kept)
            ctx.issues.extend(map(_softened, found) if default.lenient else found)

    def _known(self, canonical: str, resource: dict[str, Any], at: At, ctx: Context) -> Profile | None:
        """The profile of a canonical, if it is known and for this type."""
        profile = self._profiles.of(canonical)
        if profile is None:
            ctx.report("profile-unknown", at, "meta.profile", severity=self._unknown_profile, url=canonical)
        elif not self.definitions.is_a(resource["resourceType"], profile.type):
            ctx.report(
                "profile-type",
                at,
                profile=canonical,
                url=canonical,
                expected=profile.type,
                found=resource["resourceType"],
            )
        else:
            asked = canonicals.split(canonical).version
            if asked and not f"{profile.version}.".startswith(asked + "."):
                found = profile.version or "?"
                ctx.report("profile-version", at, "meta.profile", url=profile.url, asked=asked, found=found)
            return profile
        return None

    def _check_of(self, canonical: str) -> Check | None:
        """The check of a profile of a data type, None when it is not known."""
        profile = self._profiles.of(canonical)
        return None if profile is None else profile.check


def _claims(resource: dict[str, Any]) -> Iterator[str]:
    meta = resource.get("meta")
    claimed = meta.get("profile") if isinstance(meta, dict) else None
    for url in claimed if isinstance(claimed, list) else ():
        if isinstance(url, str):
            yield url


def _strictest(profiles: list[Profile]) -> Iterator[Profile]:
    """The profiles without those that another of them derives from."""
    implied = {url for profile in profiles for url in profile.lineage}
    for profile in dict.fromkeys(profiles):
        if profile.url not in implied:
            yield profile


def _softened(issue: Issue) -> Issue:
    return issue._replace(severity="warning") if issue.is_error else issue
