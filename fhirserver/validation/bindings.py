"""Codes against value sets (https://hl7.org/fhir/R4/terminologies.html#strength).

A value set that rests on a code system which nobody can enumerate here is told as such, never as an error. A few such
systems have a grammar, which is checked instead.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from fhirserver.validation.primitives import PRIMITIVES, Primitive, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fhirserver.spec import Definitions
    from fhirserver.validation.context import At, Context

    Check = Callable[[Any, At, Context], None]

STRENGTHS: Final = ("required", "extensible")
"""The strengths that are checked; `preferred` and `example` bind nobody."""

_VS: Final = "http://hl7.org/fhir/ValueSet/"
_LANGUAGE: Final = re.compile(
    r"(?:[A-Za-z]{2,3}(?:-[A-Za-z]{3}){0,3}|[A-Za-z]{4,8})(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*(?:-[A-WYZa-wyz0-9](?:-[A-Za-z0-9]{2,8})+)*(?:-x(?:-[A-Za-z0-9]{1,8})+)?|x(?:-[A-Za-z0-9]{1,8})+"
)
_MIME: Final = re.compile(r"[A-Za-z0-9!#$&^_.+\-]+/[A-Za-z0-9!#$&^_.+\-]+(?:\s*;.*)?|(?:xml|json|ttl)", re.DOTALL)
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_UCUM: Final = re.compile(r"[\x21-\x7e]+")
GRAMMARS: Final[Mapping[str, Callable[[str], object]]] = {
    _VS + "mimetypes": _MIME.fullmatch,
    _VS + "all-languages": _LANGUAGE.fullmatch,
    _VS + "languages": _LANGUAGE.fullmatch,
    _VS + "currencies": _CURRENCY.fullmatch,
    _VS + "ucum-units": _UCUM.fullmatch,
}
"""Value sets of BCP 13, BCP 47, ISO 4217 and UCUM: the form of their codes."""


class Binding:
    """A value set bound to an element; its codes are loaded when the first value comes."""

    def __init__(self, definitions: Definitions, value_set: str, strength: str) -> None:
        self._definitions = definitions
        self.value_set = value_set
        self.strength = strength
        self.grammar = GRAMMARS.get(value_set.partition("|")[0])
        self.rule = "code" if strength == "required" else "code-extensible"
        self.absent = "code-absent" if strength == "required" else "code-absent-extensible"
        self.unchecked = "code-unchecked" if strength == "required" else "code-unchecked-extensible"

    def asks_no_less(self, other: Binding) -> bool:
        """Whether what meets this binding meets the other."""
        same = self.value_set.partition("|")[0] == other.value_set.partition("|")[0]
        return same and STRENGTHS.index(self.strength) <= STRENGTHS.index(other.strength)

    @cached_property
    def codes(self) -> Mapping[str, frozenset[str]] | None:
        """System to codes; None when they cannot be enumerated here."""
        return self._definitions.codes(self.value_set)

    @cached_property
    def bare(self) -> frozenset[str] | None:
        """All codes, whatever their system: what a `code` may be."""
        return None if self.codes is None else frozenset().union(*self.codes.values())

    def holds(self, system: object, code: object) -> bool | None:
        """Whether a code is in the value set; None when that cannot be told."""
        if not isinstance(code, str):
            return False
        if self.grammar is not None:
            return bool(self.grammar(code))
        codes = self.codes
        if codes is None:
            return self._definitions.holds(self.value_set, system, code) if isinstance(system, str) else None
        listed = codes.get(system) if isinstance(system, str) else None
        return listed is not None and code in listed

    def covers(self, value: object) -> bool:
        """Whether a value of any coded type is in the value set, as far as can be told."""
        if isinstance(value, str):
            return self.bare is not None and value in self.bare
        if not isinstance(value, dict):
            return False
        codings = value.get("coding") if "coding" in value else [value]
        return isinstance(codings, list) and any(
            isinstance(coding, dict) and bool(self.holds(coding.get("system"), coding.get("code")))
            for coding in codings
        )

    def told(self) -> dict[str, object]:
        return {"value_set": self.value_set, "strength": self.strength}

    def primitive(self, base: str) -> Primitive:
        """The primitive type `base` narrowed to the value set's codes."""
        general = PRIMITIVES[base]

        def accept(value: Any) -> object:
            bare = self.bare
            if bare is not None:
                return type(value) is str and value in bare
            return general.accept(value) and self.grammar is not None and self.grammar(value)

        def explain(value: Any) -> Reason:
            if not general.accept(value):
                return general.explain(value)
            if self.grammar is None and self.bare is None:
                return self.unchecked, {"value": f"'{value}'", **self.told()}
            return self.rule, {"value": f"'{value}'", **self.told()}

        return Primitive(base, accept, explain)

    def check(self, kind: str, profile: str | None = None) -> Check | None:
        """The check of values of a type (`Coding`, `CodeableConcept`, `Quantity`, `code`); None where none applies."""
        if kind in ("Coding", "Quantity") or kind.endswith("Quantity"):
            return self._coding(profile, "code" if kind == "Coding" else "unit")
        if kind == "CodeableConcept":
            return self._concept(profile)
        return self._text(profile) if kind in ("code", "string", "uri", "url", "canonical", "markdown", "oid") else None

    def _text(self, profile: str | None) -> Check:
        def check(value: Any, at: At, ctx: Context) -> None:
            if not isinstance(value, str):
                return
            if self.grammar is not None:
                verdict: bool | None = bool(self.grammar(value))
            else:
                verdict = None if self.bare is None else value in self.bare
            if not verdict:
                rule = self.unchecked if verdict is None else self.rule
                ctx.report(rule, at, profile=profile, value=f"'{value}'", values=self.told())

        return check

    def _coding(self, profile: str | None, what: str) -> Check:
        def check(value: Any, at: At, ctx: Context) -> None:
            if not isinstance(value, dict):
                return
            if "code" in value:
                self._judge([value], at, ctx, profile)
            elif self.strength == "required" and "extension" not in value and (what == "code" or "value" in value):
                ctx.report(self.absent, at, profile=profile, values=self.told())

        return check

    def _concept(self, profile: str | None) -> Check:
        def check(value: Any, at: At, ctx: Context) -> None:
            if not isinstance(value, dict):
                return
            codings = value.get("coding")
            listed = codings if isinstance(codings, list) else ()
            coded = [coding for coding in listed if isinstance(coding, dict) and "code" in coding]
            if coded:
                self._judge(coded, at, ctx, profile)
            elif self.strength == "required" and "extension" not in value:
                ctx.report(self.absent, at, profile=profile, values=self.told())

        return check

    def _judge(self, codings: list[dict[str, Any]], at: At, ctx: Context, profile: str | None) -> None:
        """One of the codings must be in the value set."""
        verdict: bool | None = False
        for coding in codings:
            found = self.holds(coding.get("system"), coding["code"])
            if found:
                return
            verdict = None if found is None else verdict
        rule = self.unchecked if verdict is None else self.rule
        if rule == "code-extensible" and self._foreign(codings):
            rule = "code-other"
        shown = ", ".join(_shown(coding.get("system"), coding["code"]) for coding in codings)
        ctx.report(rule, at, profile=profile, value=shown, values=self.told())

    def _foreign(self, codings: list[dict[str, Any]]) -> bool:
        """Whether no coding is from a code system of the value set: it may fill a gap that the value set leaves."""
        return self.codes is not None and not any(str(coding.get("system")) in self.codes for coding in codings)


def _shown(system: object, code: object) -> str:
    return f"'{system}#{code}'" if system else f"'{code}'"
