"""The checks of single values that a profile's element compiles to."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from fhirserver.validation import references
from fhirserver.validation.elements import ABSTRACT
from fhirserver.validation.values import fixed, pattern, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence, Set

    from fhirserver.spec import Definitions
    from fhirserver.validation.context import At, Context
    from fhirserver.validation.elements import Node
    from fhirserver.validation.items import ItemCheck, Part
    from fhirserver.validation.profiles import Profiles

    Check = Callable[[Any, At, Context], None]


def children(parts: tuple[Part, ...]) -> ItemCheck:
    """The checks of what is below; of a primitive, of its extensions."""

    def each(value: Any, owner: dict[str, Any], at: At, kind: str, ctx: Context) -> None:
        for part in parts:
            part(owner, at, ctx)

    return each


def by_type(found: Mapping[str, Check]) -> ItemCheck:
    """The check for the type that the value has; one for `Resource` is for resources of any type."""
    general = found.get("Resource")

    def each(value: Any, owner: dict[str, Any], at: At, kind: str, ctx: Context) -> None:
        check = found.get(kind, general)
        if check is not None and value is not None:
            check(value, at, ctx)

    return each


def values(node: Node, profile: str) -> Iterator[ItemCheck]:
    """`fixed[x]`, `pattern[x]`, `minValue[x]`, `maxValue[x]`, `maxLength`."""
    for rule, test in (("fixed", fixed), ("pattern", pattern)):
        expected = node.value(rule)
        if expected is not None:
            yield _equal(rule, test(expected), expected, profile)
    for prefix, rule, sign in (("minValue", "min-value", 1), ("maxValue", "max-value", -1)):
        limit = node.value(prefix)
        if limit is not None:
            yield _limit(rule, sign, limit, profile)
    if "maxLength" in node.element:
        yield _length(int(node.element["maxLength"]), profile)


def _equal(rule: str, holds: Callable[[Any], bool], expected: Any, profile: str) -> ItemCheck:
    def each(value: Any, owner: dict[str, Any], at: At, kind: str, ctx: Context) -> None:
        if not holds(value):
            ctx.report(rule, at, profile=profile, expected=shown(expected))

    return each


def _limit(rule: str, sign: int, limit: Any, profile: str) -> ItemCheck:
    """Numbers by value, Quantities by value where the units agree, dates as far as both are told."""

    def each(value: Any, owner: dict[str, Any], at: At, kind: str, ctx: Context) -> None:
        order = compare(value, limit)
        if order is not None and order * sign < 0:
            ctx.report(rule, at, profile=profile, value=shown(value), limit=shown(limit))

    return each


def compare(value: Any, limit: Any) -> int | None:
    """-1, 0 or 1 as a value is less than, equal to or greater than a limit; None when they cannot be compared."""
    if isinstance(limit, dict):
        if not isinstance(value, dict) or value.get("code") != limit.get("code"):
            return None
        return compare(value.get("value"), limit.get("value"))
    if isinstance(limit, str):
        if not isinstance(value, str):
            return None
        length = min(len(value), len(limit))
        return (value[:length] > limit[:length]) - (value[:length] < limit[:length])
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    left, right = Decimal(str(value)), Decimal(str(limit))
    if not left.is_finite():
        return None
    return (left > right) - (left < right)


def _length(limit: int, profile: str) -> ItemCheck:
    def each(value: Any, owner: dict[str, Any], at: At, kind: str, ctx: Context) -> None:
        if isinstance(value, str) and len(value) > limit:
            ctx.report("max-length", at, profile=profile, length=len(value), max=limit)

    return each


def types(allowed: Set[str], definitions: Definitions, profile: str) -> ItemCheck:
    """Only some of the base's types."""
    told = ", ".join(sorted(allowed))

    def each(value: Any, owner: dict[str, Any], at: At, kind: str, ctx: Context) -> None:
        if kind not in allowed and not any(code in ABSTRACT and definitions.is_a(kind, code) for code in allowed):
            ctx.report("type", at, profile=profile, found=kind, allowed=told)

    return each


def profiled(code: str, wanted: Sequence[str], profiles: Profiles, profile: str) -> ItemCheck:
    """The profile of the type; of several, one must be met."""

    def each(value: Any, owner: dict[str, Any], at: At, kind: str, ctx: Context) -> None:
        if type(value) is not dict or (kind != code and code not in ABSTRACT):
            return
        if len(wanted) == 1:
            found = profiles.of(wanted[0])
            if found is None:
                ctx.report("profile-unknown", at, profile=profile, url=wanted[0])
            else:
                profiles.enter(found, value, at, ctx)
        elif not any(profiles.conforms(url, value, at, ctx) for url in wanted):
            ctx.report("type-profile", at, profile=profile, profiles=", ".join(wanted))

    return each


def targets(wanted: Sequence[str], profiles: Profiles, known: Sequence[str], profile: str) -> ItemCheck:
    """Where a reference leads: the type always, the profile when the target is at hand."""
    names = frozenset(known)
    told = ", ".join(url.rpartition("/")[2] for url in wanted)
    allowed: frozenset[str] | None = None

    def each(value: Any, owner: dict[str, Any], at: At, kind: str, ctx: Context) -> None:
        nonlocal allowed
        reference = value.get("reference") if type(value) is dict and kind == "Reference" else None
        if type(reference) is not str:
            return
        if allowed is None:
            allowed = _types(wanted, profiles, names)
        arrived = references.kind(reference, names, ctx)[0]
        if arrived is None:
            return
        if arrived not in allowed:
            ctx.report("reference-target", at, "reference", profile=profile, found=arrived, allowed=told)
            return
        target = references.resolve(reference, ctx)
        if target is not None and not any(profiles.conforms(url, target, at, ctx) for url in wanted):
            ctx.report("reference-profile", at, "reference", profile=profile, value=reference, profiles=told)

    return each


def aggregation(allowed: Set[str], profile: str) -> ItemCheck:
    """How a reference may find its target: contained, in the same Bundle, or anywhere.

    `referenced` admits what lies in the Bundle too (https://hl7.org/fhir/R4/valueset-resource-aggregation-mode.html).
    """
    told = ", ".join(sorted(allowed))
    ways = set(allowed) | ({"bundled"} if "referenced" in allowed else set())

    def each(value: Any, owner: dict[str, Any], at: At, kind: str, ctx: Context) -> None:
        reference = value.get("reference") if type(value) is dict and kind == "Reference" else None
        if type(reference) is not str:
            return
        if reference.startswith("#"):
            found = "contained"
        else:
            found = "referenced" if references.resolve(reference, ctx) is None else "bundled"
        if found not in ways:
            ctx.report("aggregation", at, "reference", profile=profile, found=found, allowed=told)

    return each


def _types(wanted: Sequence[str], profiles: Profiles, names: frozenset[str]) -> frozenset[str]:
    """The resource types that some profiles are for; all, when one of them is unknown or for any resource."""
    found = [profiles.of(url) for url in wanted]
    if any(each is None or each.type not in names for each in found):
        return names
    return frozenset(each.type for each in found if each is not None)
