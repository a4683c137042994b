"""Constraints of StructureDefinitions as checks (https://hl7.org/fhir/R4/conformance-rules.html#constraints)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fhirserver.validation.natives import NATIVE, TEXTS
from fhirserver.validation.references import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from fhirserver.fhirpath import Env, Expression
    from fhirserver.spec import Definitions
    from fhirserver.validation.context import At, Context

    Check = Callable[[Any, At, Context], None]

_BUNDLE: Final = tuple(f"bdl-{number}" for number in (1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12))
ELSEWHERE: Final = frozenset(("ele-1", "ext-1", "ref-1", "txt-1", "txt-2", *_BUNDLE))
"""Keys that `structure`, `extensions`, `references`, `xhtml` and `bundle` carry out."""


def compile_all(
    constraints: Iterable[Mapping[str, Any]],
    base: str,
    definitions: Definitions,
    profile: str | None = None,
    known: Collection[str] = (),
) -> Iterator[Check]:
    """The checks of an element's constraints, without those whose key is `known` and those done elsewhere.

    `base` is the type that the expressions start from, `profile` the one to tell with issues.
    """
    for constraint in constraints:
        key, expression = constraint["key"], constraint.get("expression")
        if key in ELSEWHERE or expression is None or key in known:
            continue
        yield compile_one(key, constraint.get("severity", "error"), expression, base, definitions, profile)


def compile_one(
    key: str, severity: str, expression: str, base: str, definitions: Definitions, profile: str | None
) -> Check:
    """One invariant, native if the table has it. An empty result breaks nothing, as FHIRPath's room has it."""
    native = NATIVE.get(expression)
    expected = str if expression in TEXTS else dict

    def quick(value: Any, at: At, ctx: Context) -> None:
        if type(value) is expected and native is not None and not native(value, ctx):
            ctx.invariant(key, at, severity=severity, profile=profile, human=expression)

    return quick if native is not None else _evaluated(key, severity, expression, base, definitions, profile)


def _evaluated(key: str, severity: str, text: str, base: str, definitions: Definitions, profile: str | None) -> Check:
    """An invariant by FHIRPath; the expression is compiled when the first value comes."""
    compiled: Expression | None = None
    failure: type[Exception]

    def check(value: Any, at: At, ctx: Context) -> None:
        nonlocal compiled, failure
        try:
            if compiled is None:
                # A cold process that meets no such invariant does without the engine.
                from fhirserver.fhirpath import FhirPathError, compile  # noqa: A004 the room's own word

                failure = FhirPathError
                compiled = compile(text, base, definitions)
            verdict = compiled.test(value, resource=ctx.resource, root=ctx.container, env=environment(ctx))
        except failure as error:
            ctx.report("invariant-failed", at, profile=profile, key=key, rule_key=key, reason=str(error))
        else:
            if verdict is False:
                ctx.invariant(key, at, severity=severity, profile=profile, human=text)

    return check


def environment(ctx: Context) -> Env:
    """What `resolve()` means here."""
    if ctx.env is None:
        from fhirserver.fhirpath import Env

        ctx.env = Env(resolve=lambda reference: resolve(reference, ctx))
    return ctx.env
