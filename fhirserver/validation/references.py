"""References: their form, where they lead, and to what type (https://hl7.org/fhir/R4/references.html)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from fhirserver.validation.context import At, Context

_LITERAL: Final = re.compile(
    r"(?:(?P<base>https?://\S+)/)?(?P<type>[A-Z][A-Za-z]+)/(?P<id>[A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?(?:#\S*)?"
)
_conditional = re.compile(r"([A-Z][A-Za-z]+)\?\S*").fullmatch
_absolute = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:\S+").fullmatch
_literal = _LITERAL.fullmatch
_id = re.compile(r"[A-Za-z0-9\-.]{1,64}").fullmatch


def compile_target(targets: Collection[str], types: Collection[str]) -> Callable[[dict[str, Any], At, Context], None]:
    """The check of a Reference element that may lead to `targets` (any when empty); `types` are all resource types."""
    allowed = frozenset(targets)
    known = frozenset(types)
    quick = allowed or known

    def check(value: dict[str, Any], at: At, ctx: Context) -> None:
        reference = value.get("reference")
        if type(reference) is not str:
            declared = value.get("type")
            if allowed and isinstance(declared, str) and declared in known and declared not in allowed:
                ctx.report("reference-target", at, found=declared, allowed=", ".join(sorted(allowed)))
            return
        head, _, tail = reference.partition("/")
        if "type" not in value and ((head in quick and _id(tail)) or (ctx.entries is None and head.startswith("urn:"))):
            return
        _judge(reference, value, at, ctx)

    def _judge(reference: str, value: dict[str, Any], at: At, ctx: Context) -> None:
        found, fault = kind(reference, known, ctx)
        if fault:
            shown = reference[1:] if fault == "reference-contained" else reference
            ctx.report(fault, at, "reference", value=shown, key="ref-1" if fault == "reference-contained" else None)
        declared = value.get("type")
        if found is None:
            found = declared if isinstance(declared, str) and declared in known else None
        elif isinstance(declared, str) and declared in known and declared != found:
            ctx.report("reference-type", at, "type", found=found, type=declared)
        if found is not None and allowed and found not in allowed:
            ctx.report("reference-target", at, "reference", found=found, allowed=", ".join(sorted(allowed)))

    return check


def kind(reference: str, known: Collection[str], ctx: Context) -> tuple[str | None, str | None]:
    """The type that a reference leads to, if that can be told, and the rule that the reference breaks, if any."""
    if reference.startswith("#"):
        target = ctx.container if reference == "#" else ctx.contained.get(reference[1:])
        return (_type_of(target, known), None) if target is not None else (None, "reference-contained")
    if ctx.entries is not None and (target := ctx.entries.find(reference, ctx.base)) is not None:
        return _type_of(target, known), None
    if reference.startswith("urn:"):
        return None, "reference-entry" if ctx.entries is not None else None
    literal = _literal(reference)
    if literal is not None and literal["type"] in known:
        return literal["type"], None
    if (conditional := _conditional(reference)) is not None and conditional[1] in known:
        return conditional[1], None
    return None, None if _absolute(reference) else "reference-format"


def resolve(reference: object, ctx: Context) -> dict[str, Any] | None:
    """The resource that a reference leads to, when it is contained or in the same Bundle."""
    if not isinstance(reference, str):
        return None
    if reference.startswith("#"):
        return ctx.container if reference == "#" else ctx.contained.get(reference[1:])
    return ctx.entries.find(reference, ctx.base) if ctx.entries is not None else None


def _type_of(resource: dict[str, Any], known: Collection[str]) -> str | None:
    found = resource.get("resourceType")
    return found if isinstance(found, str) and found in known else None


def split(reference: str) -> tuple[str | None, str, str] | None:
    """Base URL or None, type and id of a literal reference to a resource on a server; None for others."""
    literal = _literal(reference)
    return (literal["base"], literal["type"], literal["id"]) if literal else None
