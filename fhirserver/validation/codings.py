"""Codes and displays by their own code system, bound or not: what the systems that are here say, as warnings.

Bindings are judged in `bindings`. A code system that is not here is passed over; UCUM is a grammar.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.spec.systems import UCUM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fhirserver.spec import Definitions
    from fhirserver.validation.context import At, Context

    Check = Callable[[dict[str, Any], At, Context], None]

KNOWN: Final = 2048
"""Code systems remembered, those that are not here among them."""


class System(NamedTuple):
    """Displays by code, in lower case and with single spaces; `folded`: codes by their lower case, where case does not
    matter; `complete`: there are no other codes."""

    displays: Mapping[str, frozenset[str]]
    shown: Mapping[str, str]
    folded: Mapping[str, str]
    version: str | None
    complete: bool

    def find(self, code: str) -> str | None:
        """The code as the system writes it."""
        return code if code in self.displays else self.folded.get(code.lower())


class Codings:
    """The code systems of the definitions, read when a Coding first names them."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._systems: dict[str, System | None] = {}

    def checks(self, type: str) -> tuple[Check, ...]:
        """What holds for the objects of a type."""
        if type == "Coding":
            return (self._coding,)
        return (_quantity,) if self._definitions.is_a(type, "Quantity") else ()

    def _coding(self, coding: dict[str, Any], at: At, ctx: Context) -> None:
        url, code = coding.get("system"), coding.get("code")
        if type(url) is not str or type(code) is not str:
            return
        try:
            system = self._systems[url]
        except KeyError:
            system = self._load(url)
        if system is not None:
            _judge(system, url, code, coding, at, ctx)

    def _load(self, url: str) -> System | None:
        found = self._definitions.code_system(url)
        system = None if found is None or not found.get("concept") else _system(found)
        if len(self._systems) < KNOWN:
            self._systems[url] = system
        return system


def _system(resource: Mapping[str, Any]) -> System:
    displays: dict[str, frozenset[str]] = {}
    shown: dict[str, str] = {}
    waiting = list(resource.get("concept", ()))
    while waiting:
        concept = waiting.pop()
        told = [concept.get("display"), *(each.get("value") for each in concept.get("designation", ()))]
        displays[concept["code"]] = frozenset(_plain(each) for each in told if each)
        shown[concept["code"]] = told[0] or ""
        waiting += concept.get("concept", ())
    folded = {} if resource.get("caseSensitive", True) else {code.lower(): code for code in displays}
    return System(displays, shown, folded, resource.get("version"), resource.get("content") == "complete")


def _judge(system: System, url: str, code: str, coding: dict[str, Any], at: At, ctx: Context) -> None:
    version = coding.get("version")
    if version is not None and version != system.version:
        return
    found = system.find(code)
    if found is None:
        if system.complete:
            ctx.report("code-unknown", at, "code", value=code, system=url)
        return
    display, expected = coding.get("display"), system.displays[found]
    if expected and isinstance(display, str) and _plain(display) not in expected:
        ctx.report("display", at, "display", value=display, code=code, system=url, expected=system.shown[found])


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def _quantity(quantity: dict[str, Any], at: At, ctx: Context) -> None:
    code = quantity.get("code")
    if quantity.get("system") != UCUM or type(code) is not str:
        return
    from fhirserver.terminology.ucum import is_unit  # nothing else here needs the room

    if not is_unit(code):
        ctx.report("ucum", at, "code", value=code)
